"""Load on one stack: `python tests/chaos/load.py throughput`, `queue` or `fairness`; figures as JSON.

The version under test is the one that Python imports (PYTHONPATH=/another/src measures another one).
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from chaos import load_fairness, load_queue, load_throughput
from chaos.load_stack import KINDS, PlainWorld

Scenario = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
SCENARIOS: dict[str, tuple[Scenario, dict[str, str]]] = {
    "throughput": (load_throughput.throughput, {}),
    "queue": (load_queue.queue, load_queue.SETTINGS),
    "fairness": (load_fairness.fairness, load_fairness.SETTINGS),
}


def perform(name: str, directory: Path, settings: dict[str, str], **options: Any) -> dict[str, Any]:
    """One scenario on a stack of its own."""
    scenario, own = SCENARIOS[name]
    with PlainWorld(directory, **{**own, **settings}) as world:
        world.wait_ready(workers=1)
        return asyncio.run(scenario(world, **options))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--kind", choices=sorted(KINDS), help="of the runs")
    parser.add_argument("--number", type=int, help="of the runs that are counted")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the stack")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    options = {name: value for name in ("kind", "number") if (value := getattr(given, name)) is not None}
    settings = dict(setting.split("=", 1) for setting in given.set)
    with tempfile.TemporaryDirectory(prefix="load-") as directory:
        figures = perform(given.scenario, Path(directory), settings, **options)
    text = json.dumps(figures, indent=1)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")
    return 0 if figures["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
