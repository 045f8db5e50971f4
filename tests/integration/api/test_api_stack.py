"""The API of a whole local stack: real workers, real processes, HTTP and WebSocket over loopback."""

import asyncio
import json
from typing import Any

import httpx
from api_support import Json
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

KEPT = ("status_change", "log", "checkpoint", "notice")


async def follow(base_url: str, run_id: str) -> list[Json]:
    """Every frame until the server closes."""
    seen: list[Json] = []
    async with connect(f"{base_url.replace('http', 'ws', 1)}/ws/backtest/{run_id}") as connection:
        try:
            while True:
                seen.append(json.loads(await connection.recv()))
        except ConnectionClosed:
            assert (connection.close_code, connection.close_reason) == (1000, "final")
    return seen


async def test_twenty_runs_are_submitted_followed_and_read(stack: Any, demo: Json) -> None:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30, trust_env=False) as client:

        async def one(fast: int) -> Json:
            body = {**demo, "name": f"fast {fast}", "parameters": {"fast": fast, "slow": 60}}
            answer = await client.post("/api/v1/backtests", json=body)
            assert answer.status_code == 200, answer.text
            run_id = answer.json()["backtest_id"]
            seen = await follow(stack.base_url, run_id)
            kept = [frame for frame in seen if frame["type"] in KEPT]
            assert [frame["seq"] for frame in kept] == list(range(1, len(kept) + 1))
            assert seen[-1]["data"]["status"] == "completed"
            run = (await client.get(f"/api/v1/backtests/{run_id}")).json()
            assert run["status"] == "completed"
            return run  # type: ignore[no-any-return]

        async with asyncio.timeout(100):
            runs = await asyncio.gather(*(one(fast) for fast in range(5, 25)))
        assert len({run["fingerprint"] for run in runs}) == 20
        again = await one(5)
        assert again["fingerprint"] == runs[0]["fingerprint"]
        assert again["result"]["sha256"] == runs[0]["result"]["sha256"]
        ready = (await client.get("/health/ready")).json()
        assert (ready["store"], ready["broker"], ready["live_updates"]) == ("ok", "ok", "ok")
        assert ready["workers"] >= 1
        async with asyncio.timeout(60):  # the server learns a moment later than its client that a socket is closed
            while "websocket_connections 0.0" not in (metrics := (await client.get("/metrics")).text):
                await asyncio.sleep(0.02)
        assert "worker_processes" in metrics
