"""A probe in a process of its own: `python -m backproof.tasks.probe`, started by ProbeService.

One line of JSON on standard input, one document on standard output, which nothing else can write to. When standard
input ends, whoever asked is gone, and so is this process.
"""

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from backproof.domain.config import parse_config
from backproof.errors import BackproofError, InvalidInput
from backproof.marketdata.demo import demo_lake
from backproof.services.backtests.limits import limit_memory
from backproof.services.datasets import DatasetService
from backproof.services.probes import probe_here
from backproof.storage.lake import Lake
from backproof.storage.opening import Location, open_files

NICENESS = 10


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a strategy prints, hundreds of times, is not the answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_input, args=(sys.stdin.buffer,), daemon=True).start()
    os.nice(NICENESS)
    limit_memory(request["memory_bytes"])
    answers.write(json.dumps(_answer(request), allow_nan=False).encode())
    answers.flush()
    os._exit(0)  # a thread that a strategy has left behind must not keep it


def _end_with_input(stream: BinaryIO) -> None:
    while stream.read(1):
        pass
    os._exit(1)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    try:
        config = parse_config(request["config"])
        datasets = DatasetService(Lake(open_files(Location(**request["lake"])), demo_lake()), request["default_source"])
        return {"report": asyncio.run(probe_here(datasets, config))}
    except InvalidInput as error:
        return _error(error.code, error.message, errors=[asdict(field) for field in error.errors])
    except BackproofError as error:
        return _error(error.code, error.message, details=error.details)
    except MemoryError:
        return _error("out_of_memory", "the probe needs more memory")
    except (SystemExit, KeyboardInterrupt) as error:
        return _error("strategy_error", f"the strategy ended the probe: {type(error).__name__}: {error}")


def _error(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "errors": [], "details": {}, **more}}


if __name__ == "__main__":
    main()
