"""How much sooner two workers are done than one: `python bench/bench_workers.py [--runs 60] [--json FILE]`.

The service on servers (tests/servers/fleet.py): a MongoDB-wire server in Java, an S3-compatible store, Redis, two
hosts of one worker process each. The same runs, each at least a second of simulation, are computed with one of the
hosts away and with both. Everything shares this machine's cores, the stores too.
"""

import argparse
import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import servers
from servers import fleet

SYMBOLS, DAYS = [f"L{i:03d}" for i in range(450)], 2500
AWAY = fleet.WORKERS[1]
START_SECONDS, RUN_SECONDS = 300.0, 900.0
# orders for every symbol on every bar, few of which fill: seconds of work for one result
CONFIG: dict[str, Any] = {
    "name": "bench",
    "strategy_type": "dollar_cost_averaging",
    "parameters": {"rebalance": "daily", "instalments": DAYS},
    "data_source": "long",
    "execution": {"fill": "next_close", "fractional_shares": False},
    "initial_capital": 50_000_000,
}


def write_prices(path: Path) -> None:
    dates = np.arange(np.datetime64("2000-01-03"), np.datetime64("2000-01-03") + DAYS)
    steps = np.random.default_rng(1).normal(0.0, 0.01, (len(SYMBOLS), DAYS))
    columns = {
        "symbol": np.repeat(SYMBOLS, DAYS),
        "date": pa.array(np.tile(dates, len(SYMBOLS)).astype("datetime64[D]")),
        "close": 100.0 * np.exp(np.cumsum(steps, axis=1)).ravel(),
    }
    pq.write_table(pa.table(columns), path)


@contextlib.contextmanager
def running(data: Path, environment: dict[str, str]) -> Iterator[str]:
    """The address of a fleet on this directory."""
    process = subprocess.Popen(servers.command("servers.fleet", "--data-dir", str(data)), env=environment)
    try:
        until((data / "server.json").exists, START_SECONDS, process)
        yield json.loads((data / "server.json").read_text())["url"]
    finally:
        process.terminate()
        process.wait(60)


def until(condition: Any, seconds: float, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if process is not None and process.poll() is not None:
            raise SystemExit("the servers did not start")
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing came of it in {seconds:g} s")
        time.sleep(0.5)  # to be asked costs the processes that are measured


def with_workers(api: httpx.Client, data: Path, count: int) -> None:
    """Let one host stay away, or come back."""
    mark = data / "down" / AWAY
    if count == 1:
        mark.touch()
        os.killpg(fleet.read(data)[1][AWAY], signal.SIGKILL)
    else:
        mark.unlink(missing_ok=True)
    # the word of a worker that is gone is kept for some seconds
    until(lambda: api.get("/health/ready").json()["workers"] == count, 60.0)


def measure(api: httpx.Client, runs: int, symbols: int) -> dict[str, Any]:
    """Seconds from the first start to the last end; and the shortest run's."""
    ids = []
    for number in range(runs):
        body = {**CONFIG, "name": f"bench {number}", "symbols": SYMBOLS[:symbols]}
        answer = api.post("/api/v1/backtests", params={"use_cache": False}, json=body)
        answer.raise_for_status()
        ids.append(answer.json()["backtest_id"])
    until(lambda: api.get(f"/api/v1/backtests/{ids[-1]}/status").json()["status"] == "completed", RUN_SECONDS)
    open_statuses = {"status": ["queued", "running"]}
    until(lambda: not api.get("/api/v1/backtests", params=open_statuses).json()["items"], RUN_SECONDS)
    found = [api.get(f"/api/v1/backtests/{run_id}").json() for run_id in ids]
    assert {run["status"] for run in found} == {"completed"}
    assert len({run["fingerprint"] for run in found}) == 1
    begun = min(dt.datetime.fromisoformat(run["started_at"]) for run in found)
    done = max(dt.datetime.fromisoformat(run["completed_at"]) for run in found)
    lasted = sorted(run["duration_seconds"] for run in found)
    return {
        "seconds": round((done - begun).total_seconds(), 2),
        "shortest_run": round(lasted[0], 2),
        "median_run": round(lasted[len(lasted) // 2], 2),
        "results": len({run["result"]["sha256"] for run in found}),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--symbols", type=int, default=250)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    limits = {"WORKER_RESERVE": "0", "WORKER_CONCURRENCY": "2", "LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as directory, servers.stores():
        data = Path(directory) / "data"
        environment = {**os.environ, **servers.settings_for(data), **limits}
        write_prices(Path(directory) / "long.parquet")
        command = [sys.executable, "-P", "-m", "backproof.cli.app", "import", f"{directory}/long.parquet"]
        subprocess.run(
            [*command, "--dataset", "long", "--data-dir", str(data)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        with running(data, environment) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as api:
            measure(api, 4, given.symbols)  # fills the caches of both
            figures: dict[str, Any] = {"runs": given.runs, "cores": os.cpu_count()}
            for count in (2, 1):
                with_workers(api, data, count)
                figures[f"workers_{count}"] = measure(api, given.runs, given.symbols)
                print(f"{count} of one process each: {figures[f'workers_{count}']}", flush=True)
    figures["ratio"] = round(figures["workers_2"]["seconds"] / figures["workers_1"]["seconds"], 3)
    print(f"two workers need {figures['ratio']:.2f} of the time of one")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
