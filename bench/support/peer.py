"""A peer engine in its own environment: a child process that measures the same rows when it is asked to."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.clock import Times, measure

PROGRAMS = Path(__file__).parents[1] / "peers"
NAMES = ("vectorbt", "backtesting", "bt")


class Peer:
    """`<directory>/venv-<name>/bin/python bench/peers/<name>_peer.py`, one JSON line per question and answer."""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, PROGRAMS / f"{name}_peer.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.rows: list[str] = self._ask({"rows": True})["rows"]

    def measure(self, row: str, seconds: float, times: dict[str, Times]) -> None:
        """Adds to `times`, by mode of the engine: all of its modes once, then the fastest only."""
        fastest = min(times, key=lambda mode: times[mode].wall_min, default=None)
        question = {"row": row, "seconds": seconds, "mode": fastest}
        for mode, answer in self._ask(question)["modes"].items():
            mine = times.setdefault(mode, Times())
            mine.cpu += answer["cpu"]
            mine.wall += answer["wall"]
            mine.value = answer["equity"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the program of {self.name} ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def peers_in(directory: Path | None) -> list[Peer]:
    if directory is None:
        return []
    found = [(name, directory / f"venv-{name}" / "bin" / "python") for name in NAMES]
    return [Peer(name, python) for name, python in found if python.exists()]


def answer(rows: dict[str, Any], modes: tuple[str, ...] = ("",), use: Any = str) -> None:
    """The peer's side. rows: name -> a function that does the work once and returns the final equity."""
    out, sys.stdout = sys.stdout, sys.stderr  # what an engine prints must not be taken for an answer
    warm: set[tuple[str, str]] = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "rows" in question:
            reply: dict[str, Any] = {"rows": list(rows)}
        else:
            reply = {"modes": {}}
            for mode in modes if question["mode"] is None else [question["mode"]]:
                use(mode)
                run = rows[question["row"]]
                if (question["row"], mode) not in warm:
                    run()
                    warm.add((question["row"], mode))
                times = measure(run, question["seconds"])
                reply["modes"][mode] = {"cpu": times.cpu, "wall": times.wall, "equity": float(times.value)}
        out.write(json.dumps(reply) + "\n")
        out.flush()
