"""What the service costs around the engine: `python bench/service.py` (about a minute, loopback only).

Starts a real local stack in a temporary directory, warms it up, and measures through its public API.
"""

import asyncio
import datetime as dt
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

CONFIG: dict[str, Any] = {
    "name": "bench",
    "strategy_type": "sma_crossover",
    "parameters": {"fast": 20, "slow": 50},
    "symbols": ["AAPL"],
    "start_date": "2003-01-02",
    "end_date": "2012-12-31",
    "data_source": "demo",
    "benchmark": "SPX",
    "costs": {"commission_rate": 0.001},
}
RUNS = 200
IN_FLIGHT = 20
STARTS = 3


def percentile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))]


def milliseconds(values: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(1000 * statistics.median(values), 2),
        "p95_ms": round(1000 * percentile(values, 0.95), 2),
        "p99_ms": round(1000 * percentile(values, 0.99), 2),
        "n": len(values),
    }


class Stack:
    """`backproof serve` on a free port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.seconds_to_ready = 0.0

    def __enter__(self) -> "Stack":
        began = time.perf_counter()
        command = [sys.executable, "-m", "backproof.cli.app", "serve", "--data-dir", str(self.directory), "--port", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "LOG_LEVEL": "warning"})
        server = self.directory / "server.json"
        while not server.exists():
            if self._process.poll() is not None:
                raise SystemExit("the stack did not start")
            time.sleep(0.005)
        self.seconds_to_ready = time.perf_counter() - began
        self.pid = self._process.pid
        self.url: str = json.loads(server.read_text())["url"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


async def until_done(url: str, run_id: str, latencies: list[float]) -> str:
    """Follow a run by WebSocket to its final status; how long each live frame was under way goes to `latencies`."""
    async with connect(f"{url.replace('http', 'ws')}/ws/backtest/{run_id}?after=0", compression=None) as socket:
        first = True
        async for message in socket:
            frame = json.loads(message)
            status = frame["data"].get("status")
            sent = dt.datetime.fromisoformat(frame["timestamp"])
            if not first and frame["type"] in ("progress", "status_change", "log", "equity"):
                latencies.append((dt.datetime.now(dt.UTC) - sent).total_seconds())
            first = False
            if frame["type"] in ("status_change", "initial_status") and status in ("completed", "failed", "cancelled"):
                return str(status)
    raise AssertionError("the socket closed before the run ended")


async def one_after_the_other(client: httpx.AsyncClient, url: str, n: int) -> tuple[list[float], list[float]]:
    """(seconds from POST to completed, seconds from event to client) over n runs that differ in a parameter."""
    total: list[float] = []
    frames: list[float] = []
    for i in range(n):
        body = {**CONFIG, "name": f"bench {i}", "parameters": {"fast": 5 + i % 40, "slow": 60 + i % 7}}
        began = time.perf_counter()
        answer = (await client.post("/api/v1/backtests", json=body)).raise_for_status().json()
        status = await until_done(url, answer["backtest_id"], frames)
        total.append(time.perf_counter() - began)
        assert status == "completed", status
    return total, frames


async def posts_under_load(client: httpx.AsyncClient, url: str) -> tuple[list[float], list[float], list[float], float]:
    """(seconds of IN_FLIGHT simultaneous POSTs, POST seconds after them, event-to-client seconds, runs per second).

    Each lane submits its next run when its last one has completed, so IN_FLIGHT runs are always on their way.
    """
    burst: list[float] = []
    posts: list[float] = []
    frames: list[float] = []

    async def one_lane(lane: int) -> None:
        for i in range(10):
            body = {**CONFIG, "name": f"load {lane} {i}", "parameters": {"fast": 3 + lane, "slow": 60 + i}}
            began = time.perf_counter()
            answer = (await client.post("/api/v1/backtests", json=body)).raise_for_status().json()
            (posts if i else burst).append(time.perf_counter() - began)
            await until_done(url, answer["backtest_id"], frames)

    began = time.perf_counter()
    await asyncio.gather(*(one_lane(lane) for lane in range(IN_FLIGHT)))
    return burst, posts, frames, (len(burst) + len(posts)) / (time.perf_counter() - began)


def bare_engine_seconds() -> float:
    """The same backtest through backproof.simulate, warm, best of 200."""
    import backproof
    from backproof.marketdata.demo import demo_lake
    from backproof.storage.lake import Lake

    table = Lake(Path(tempfile.mkdtemp()), demo_lake()).read_bars("demo", "1d", ["AAPL", "SPX"])
    bars = backproof.Bars.from_frame(table)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        backproof.simulate(CONFIG, bars)
        times.append(time.perf_counter() - began)
    return min(times)


async def main() -> None:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        starts = []
        for i in range(STARTS):
            with Stack(Path(directory) / f"start{i}") as stack:
                starts.append(stack.seconds_to_ready)
        figures["stack_ready_s"] = {"median": round(statistics.median(starts), 2), "all": [round(s, 2) for s in starts]}
        with Stack(Path(directory) / "runs") as stack:
            async with httpx.AsyncClient(base_url=stack.url, timeout=60) as client:
                await one_after_the_other(client, stack.url, 20)
                total, frames = await one_after_the_other(client, stack.url, RUNS)
                figures["post_to_completed"] = milliseconds(total)
                figures["event_to_client_alone"] = milliseconds(frames)
                burst, posts, frames, rate = await posts_under_load(client, stack.url)
                figures["post_burst_of_20"] = milliseconds(burst)
                figures["post_with_20_in_flight"] = milliseconds(posts)
                figures["event_to_client_under_load"] = milliseconds(frames)
                figures["runs_per_second"] = round(rate, 1)
    bare = bare_engine_seconds()
    figures["bare_engine_us"] = round(1e6 * bare, 1)
    figures["service_overhead_ms"] = round(figures["post_to_completed"]["p50_ms"] - 1000 * bare, 2)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
