"""How fast a long history is listed: `python bench/history.py [--runs 50000] [--keep DIR]` (two minutes).

Fills a store with finished backtests of many kinds through the repository, starts a real local stack on it, and asks
for lists as the web application does. --keep leaves the store, and takes one that is there.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
from service import Stack, milliseconds
from support.histories import fill

ROUNDS = 15
PAGE = 100
LIST = "/api/v1/backtests"
ACTIVE = ["pending", "queued", "running", "cancelling"]
Question = dict[str, Any]
OTHERS: dict[str, tuple[str, Question]] = {
    "how many": (LIST, {"limit": 1}),
    "what is active": (LIST, {"status": ACTIVE, "sort": "created_at", "limit": 20}),
    **{f"facet: {by}": (f"{LIST}/facets", {"by": by}) for by in ("status", "strategy_type", "tags", "symbols")},
    "metrics for Prometheus": ("/metrics", {}),
}


def questions(total: int) -> dict[str, Question]:
    deep = max(0, total - 2 * PAGE)
    return {
        "newest": {},
        "newest, middle": {"offset": total // 2},
        "newest, last page": {"offset": deep},
        "oldest": {"sort": "created_at"},
        "by return": {"sort": "-total_return"},
        "by return, last page": {"sort": "-total_return", "offset": deep},
        "by Sharpe, middle": {"sort": "-sharpe", "offset": total // 2},
        "by drawdown": {"sort": "max_drawdown"},
        "by trades": {"sort": "-trades"},
        "by duration": {"sort": "-execution_seconds"},
        "by name": {"sort": "name"},
        "failed": {"status": ["failed"]},
        "completed, by Sharpe": {"status": ["completed"], "sort": "-sharpe"},
        "one strategy": {"strategy_type": "macd"},
        "one symbol, by return": {"symbol": "KO", "sort": "-total_return"},
        "one tag": {"tag": "costs"},
        "two tags": {"tag": ["costs", "trend"]},
        "starred": {"starred": True},
        "bin": {"deleted": True},
        "a month": {"created_from": "2026-03-01", "created_to": "2026-04-01"},
        "Sharpe of 1, fall of 20 %": {"min_sharpe": 1, "min_max_drawdown": -0.2, "sort": "-sharpe"},
        "search: mom": {"q": "mom"},
        "search: s": {"q": "s"},
        "search: three words": {"q": "trend macd aapl", "sort": "-sharpe"},
        "search: Korean": {"q": "골든"},
        "search: nothing": {"q": "zzz"},
        "everything at once": {
            "q": "sm", "status": ["completed"], "strategy_type": "sma_crossover", "symbol": "AAPL", "tag": "trend",
            "min_sharpe": 0.2, "created_from": "2025-01-01", "sort": "-total_return",
        },
    }  # fmt: skip


def web_process(stack: Stack) -> psutil.Process:
    """The child that answers; the others of the stack do little while nothing runs."""
    children = psutil.Process(stack.pid).children(recursive=True)
    return next(child for child in children if {"backproof.cli.processes", "web"} <= set(child.cmdline()))


def measure(client: httpx.Client, web: psutil.Process, path: str, question: Question) -> dict[str, Any]:
    took: list[float] = []
    before = web.cpu_times()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path, params=question)
        took.append(time.perf_counter() - began)
        answer.raise_for_status()
    after = web.cpu_times()
    cpu = after.user + after.system - before.user - before.system
    return {
        "min_ms": round(1000 * min(took), 2),
        **milliseconds(took),
        "cpu_ms": round(1000 * cpu / ROUNDS, 1),  # of the process that answers: what a busy machine does not change
        "kb": round(len(answer.content) / 1024),
        "total": answer.json().get("total") if path.startswith(LIST) else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="backproof-history-") as temporary:
        directory = asked.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        store = directory / "backproof.sqlite3"
        if not store.exists():
            seconds = asyncio.run(fill(store, asked.runs))
            print(
                f"{asked.runs:,} runs saved in {seconds:.0f} s, {store.stat().st_size / 2**20:.0f} MB", file=sys.stderr
            )
        figures: dict[str, Any] = {}
        with Stack(directory) as stack, httpx.Client(base_url=stack.url, timeout=60) as client:
            total = client.get(LIST, params={"limit": 1}).json()["total"]
            web = web_process(stack)
            asked_for = {name: (LIST, {"limit": PAGE, **question}) for name, question in questions(total).items()}
            for name, (path, question) in (asked_for | OTHERS).items():
                figures[name] = measure(client, web, path, question)
                print(f"{name:28} {figures[name]}", file=sys.stderr, flush=True)
    print(json.dumps({"history": {"runs": total, "answers": figures}}, indent=1))


if __name__ == "__main__":
    main()
