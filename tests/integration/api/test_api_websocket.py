"""Live updates over real sockets: complete, in order, and honest when something is away."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import Json, Redis, Server, eventually, never, running, settings_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Worker
from backproof.errors import BrokerUnavailable
from backproof.web import realtime, session
from backproof.web.app import create_app

KEPT = ("status_change", "log", "checkpoint", "notice")
WORKER = Worker(name="w", host="h", pid=1)


async def frames(connection: ClientConnection) -> AsyncIterator[Json]:
    """Until the server closes."""
    while True:
        try:
            yield json.loads(await connection.recv())
        except ConnectionClosed:
            return


async def until(connection: ClientConnection, kind: str) -> Json:
    async with asyncio.timeout(60):
        while (frame := json.loads(await connection.recv()))["type"] != kind:
            pass
    return frame  # type: ignore[no-any-return]


async def submit(services: ServiceFactory, demo: Json) -> str:
    return (await services.orchestrator.submit(demo, "local")).id


async def say(services: ServiceFactory, run_id: str, count: int, text: str = "line") -> None:
    """Durable log events of a run that a worker holds."""
    run = await services.orchestrator.get(run_id, "local")
    await services.orchestrator.log(run, [{"level": "info", "message": f"{text} {i}"} for i in range(count)])


async def claimed(services: ServiceFactory, demo: Json) -> str:
    run_id = await submit(services, demo)
    run = await services.orchestrator.claim_next(WORKER)
    assert run is not None
    assert run.id == run_id
    return run_id


async def closed(connection: ClientConnection) -> tuple[int, str]:
    async with asyncio.timeout(60):
        await connection.wait_closed()
    return connection.close_code or 0, connection.close_reason or ""


@pytest.mark.usefixtures("kernels")
async def test_a_run_is_followed_from_submission_to_its_end(
    server: Server, client: httpx.AsyncClient, services: ServiceFactory, demo: Json
) -> None:
    run_id = (await client.post("/api/v1/backtests", json=demo)).json()["backtest_id"]
    async with connect(server.socket_url(run_id)) as connection:
        first = json.loads(await connection.recv())
        assert (first["type"], first["seq"], first["data"]["status"]) == ("initial_status", 0, "queued")
        assert first["data"]["queue_position"] == 1
        work = asyncio.create_task(services.runner(never).run_waiting())
        seen = [frame async for frame in frames(connection)]
        await work
        assert await closed(connection) == (1000, "final")
    kept = [frame for frame in seen if frame["type"] in KEPT]
    assert [frame["seq"] for frame in kept] == list(range(1, len(kept) + 1))
    assert [f["data"]["status"] for f in kept if f["type"] == "status_change"] == ["queued", "running", "completed"]
    assert (seen[-1]["type"], seen[-1]["data"]["status"], seen[-1]["data"]["progress"]) == (
        "progress",
        "completed",
        100,
    )
    stored = (await client.get(f"/api/v1/backtests/{run_id}/events")).json()["items"]
    assert kept == stored
    for frame in seen:
        assert frame.keys() == {"type", "seq", "timestamp", "data"}
    cursor = 0
    for frame in seen:  # the greatest number seen is always the right place to resume
        assert frame["seq"] in (cursor, cursor + 1)
        cursor = max(cursor, frame["seq"])


async def test_a_final_run_is_replayed_and_closed(server: Server, finish: Any, client: httpx.AsyncClient) -> None:
    run_id = await finish()
    last = (await client.get(f"/api/v1/backtests/{run_id}/status")).json()["seq"]
    for after, expected in ((0, list(range(1, last + 1))), (last - 1, [last]), (last, []), (last + 50, [])):
        async with connect(server.socket_url(run_id, f"?after={after}")) as connection:
            seen = [frame async for frame in frames(connection)]
            assert await closed(connection) == (1000, "final")
        assert seen[0]["type"] == "initial_status"
        assert seen[0]["data"]["status"] == "completed"
        assert [frame["seq"] for frame in seen if frame["type"] in KEPT] == expected


async def test_a_client_that_comes_and_goes_misses_nothing(
    server: Server, services: ServiceFactory, demo: Json
) -> None:
    run_id = await claimed(services, demo)

    async def talk() -> None:
        for i in range(60):
            await say(services, run_id, 5, f"batch {i}")
        await services.orchestrator.cancel(run_id, "local")
        run = await services.orchestrator.get(run_id, "local")
        await services.orchestrator.give_back(run, "worker_died")

    talking = asyncio.create_task(talk())
    cursor, kept, connections = 0, [], 0
    async with asyncio.timeout(60):
        while not kept or kept[-1]["data"].get("status") != "cancelled":
            connections += 1
            async with connect(server.socket_url(run_id, f"?after={cursor}"), max_queue=None) as connection:
                for _ in range(7 + connections % 13):
                    try:
                        frame = json.loads(await connection.recv())
                    except ConnectionClosed:
                        break
                    cursor = max(cursor, frame["seq"])
                    if frame["type"] in KEPT:
                        kept.append(frame)
    await talking
    assert connections > 10
    assert [frame["seq"] for frame in kept] == list(range(1, len(kept) + 1))
    assert len(kept) > 300


async def test_events_that_overtake_each_other_arrive_in_order(
    server: Server, services: ServiceFactory, demo: Json, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await claimed(services, demo)

    async def unheard(*_: object) -> None:
        raise BrokerUnavailable("not now")

    async with connect(server.socket_url(run_id)) as connection:
        while json.loads(await connection.recv())["seq"] < 2:
            pass
        feed = next(iter(app.state.hub._feeds[run_id]))
        await eventually(lambda: not feed.stale and not feed.reading)
        with monkeypatch.context() as patched:
            patched.setattr(services._stream, "publish", unheard)
            await say(services, run_id, 4)  # only the store has them
        for event in reversed(await services.monitoring.events(run_id, 2)):
            feed.offer(event)  # newest first, as relays of several writers may bring them
        got = [json.loads(await connection.recv())["seq"] for _ in range(4)]
    assert got == [3, 4, 5, 6]


async def stalled(server: Server, run_id: str) -> socket.socket:
    """A WebSocket whose client never reads; without tuned buffers the kernel would hide that for megabytes."""
    host, _, port = server.host.partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.setblocking(False)
    request = (
        f"GET /ws/backtest/{run_id} HTTP/1.1\r\nHost: {server.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await asyncio.get_running_loop().sock_sendall(client, request.encode())
    return client


@pytest.mark.parametrize(
    ("send_seconds", "buffer"), [(1.0, 10**9), (60.0, realtime.BUFFER)], ids=["by its time", "by its buffer"]
)
async def test_a_client_that_does_not_read_is_given_up_and_the_others_miss_nothing(
    server: Server,
    services: ServiceFactory,
    demo: Json,
    monkeypatch: pytest.MonkeyPatch,
    send_seconds: float,
    buffer: int,
) -> None:
    monkeypatch.setattr(session, "SEND_SECONDS", send_seconds)
    monkeypatch.setattr(realtime, "BUFFER", buffer)
    run_id = await claimed(services, demo)
    feeds = server.app.state.hub._feeds
    seen: list[int] = []

    async def collect(connection: ClientConnection) -> None:
        async for frame in frames(connection):
            seen.extend([frame["seq"]] if frame["type"] in KEPT else [])

    async with connect(server.socket_url(run_id)) as healthy:
        collecting = asyncio.create_task(collect(healthy))
        slow = await stalled(server, run_id)
        async with asyncio.timeout(60):
            await eventually(lambda: len(feeds.get(run_id, ())) == 2)
            sending = set(feeds[run_id])
            while not any(feed.overflowed or (len(feed.durable) > 500 and not feed.sending) for feed in sending):
                await say(services, run_id, 40, "x" * 2000)
            last = (await services.orchestrator.get(run_id, "local")).seq
            await eventually(lambda: seen and seen[-1] == last)
            assert seen == list(range(1, last + 1))
            # it reads again, in time: what was on its way, then the reason
            data = b""
            while not data.endswith(b"\x03\xf5too slow"):  # 1013
                part = await asyncio.get_running_loop().sock_recv(slow, 1 << 20)
                assert part, data
                data = data[-200:] + part
            slow.close()
            await eventually(lambda: len(feeds[run_id]) == 1)
        collecting.cancel()


async def test_while_redis_is_away_updates_come_from_the_store(tmp_path: Path, own_redis: Redis, demo: Json) -> None:
    settings = settings_of(tmp_path / "data", own_redis.url)
    services = await ServiceFactory.open(settings)
    async with running(create_app(settings, services)) as app, Server(app) as server:
        run_id = await claimed(services, demo)
        async with connect(server.socket_url(run_id)) as connection:
            await eventually(lambda: app.state.hub.connected)
            own_redis.stop()
            away = await until(connection, "heartbeat")
            while away["data"]["live"]:
                away = await until(connection, "heartbeat")
            assert away["data"]["reason"]
            await say(services, run_id, 3, "unheard")
            assert (await until(connection, "log"))["data"]["message"] == "unheard 0"
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
                ready = (await client.get("/health/ready")).json()
                assert (ready["broker"], ready["store"], ready["status"]) == ("unavailable", "ok", "degraded")
                assert ready["live_updates"] == "unavailable"
                accepted = await client.post("/api/v1/backtests", json=demo)
                assert accepted.status_code == 200
            own_redis.start()
            back = await until(connection, "heartbeat")
            while not back["data"]["live"]:
                back = await until(connection, "heartbeat")
            await say(services, run_id, 1, "heard")
            assert (await until(connection, "log"))["data"]["message"].startswith("heard")
            await services.orchestrator.cancel(run_id, "local")
            run = await services.orchestrator.get(run_id, "local")
            await services.orchestrator.give_back(run, "worker_died")
            assert [f async for f in frames(connection)][-1]["data"]["status"] == "cancelled"
            assert await closed(connection) == (1000, "final")
    await services.close()


async def test_a_wiped_stream_loses_nothing(server: Server, services: ServiceFactory, demo: Json) -> None:
    run_id = await claimed(services, demo)
    async with connect(server.socket_url(run_id)) as connection:
        await until(connection, "status_change")
        for i in range(5):
            await say(services, run_id, 10, f"round {i}")
            await services._redis.flushall()
        await say(services, run_id, 1, "last")
        cursor = 0
        async with asyncio.timeout(60):
            while cursor < 2 + 51:
                frame = json.loads(await connection.recv())
                if frame["type"] in KEPT:
                    assert frame["seq"] == max(cursor, frame["seq"] - 1) + 1
                    cursor = frame["seq"]


async def test_heartbeats_come_by_the_clock(tmp_path: Path, shared_redis: Redis, demo: Json) -> None:
    settings = settings_of(tmp_path / "d", shared_redis.url, ws_heartbeat_interval=0.05)
    async with running(create_app(settings)) as app, Server(app) as server:
        run_id = await submit(app.state.services, demo)
        async with connect(server.socket_url(run_id)) as connection:
            for _ in range(5):
                beat = await until(connection, "heartbeat")
                assert beat["seq"] == 1


async def test_at_most_so_many_sockets_watch_one_run(server: Server, services: ServiceFactory, demo: Json) -> None:
    run_id, other = await submit(services, demo), await submit(services, demo)
    limit = services.settings.ws_max_connections_per_backtest
    connections = [await connect(server.socket_url(run_id)) for _ in range(limit)]
    for connection in connections:
        await connection.recv()
    async with connect(server.socket_url(run_id)) as one_more:
        assert await closed(one_more) == (4429, "too many connections")
    async with connect(server.socket_url(other)) as elsewhere:
        assert json.loads(await elsewhere.recv())["type"] == "initial_status"
    await connections.pop().close()
    async with asyncio.timeout(60):
        while True:
            async with connect(server.socket_url(run_id)) as again:
                try:
                    await again.recv()
                    break
                except ConnectionClosedError:
                    continue
    for connection in connections:
        await connection.close()


@pytest.mark.parametrize(
    ("run_id", "query", "code"),
    [
        ("bt-000000000000", "", 4404),
        ("nonsense", "", 4404),
        ("%00", "", 4404),
        ("bt-000000000000", "?after=x", 4400),
        ("bt-000000000000", "?after=-1", 4400),
        ("bt-000000000000", "?after=1.5", 4400),
        ("bt-000000000000", "?after=", 4400),
        ("bt-000000000000", "?after=" + "9" * 400, 4400),
        ("bt-000000000000", "?after=%F0%9F%98%80", 4400),
        ("bt-000000000000", "?after=%C2%B2", 4400),
    ],
)
async def test_a_wrong_address_is_closed_with_its_reason(server: Server, run_id: str, query: str, code: int) -> None:
    async with connect(server.socket_url(run_id, query)) as connection:
        assert (await closed(connection))[0] == code


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_a_foreign_page_gets_no_socket(
    server: Server, services: ServiceFactory, demo: Json, headers: dict[str, str]
) -> None:
    run_id = await submit(services, demo)
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.socket_url(run_id), additional_headers=headers)
    assert refused.value.response.status_code == 403


async def test_the_services_own_page_gets_a_socket(server: Server, services: ServiceFactory, demo: Json) -> None:
    run_id = await submit(services, demo)
    async with connect(server.socket_url(run_id), additional_headers={"Origin": f"http://{server.host}"}) as connection:
        assert json.loads(await connection.recv())["type"] == "initial_status"


async def test_a_client_that_talks_too_much_is_closed(server: Server, services: ServiceFactory, demo: Json) -> None:
    run_id = await submit(services, demo)
    async with connect(server.socket_url(run_id)) as connection:
        await connection.send(b"\x00\xff")
        with suppress(ConnectionClosed):
            for _ in range(1000):
                await connection.send("hello")
        assert (await closed(connection))[0] == 1008


async def test_a_store_that_is_away_closes_the_socket_for_later(
    server: Server, services: ServiceFactory, demo: Json
) -> None:
    run_id = await submit(services, demo)
    await services.repository.close()
    async with connect(server.socket_url(run_id)) as connection:
        assert (await closed(connection))[0] == 1013


async def test_leaving_frees_everything(server: Server, services: ServiceFactory, demo: Json, app: Any) -> None:
    run_id = await submit(services, demo)
    for _ in range(30):
        connection = await connect(server.socket_url(run_id))
        connection.transport.abort()
    await eventually(lambda: not app.state.hub.sockets)
    assert app.state.hub._feeds == {}


async def test_an_event_reaches_its_viewers_as_it_is_said(
    server: Server, services: ServiceFactory, demo: Json, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the stream: nobody has to look into the store for it, which happens now and then only."""
    run_id = await claimed(services, demo)

    async def not_looked_for(*_: object) -> None:
        raise AssertionError("the store was asked")

    async with connect(server.socket_url(run_id)) as connection:
        while json.loads(await connection.recv())["seq"] < 2:
            pass
        feed = next(iter(app.state.hub._feeds[run_id]))
        await eventually(lambda: app.state.hub.connected and not feed.stale and not feed.reading)
        monkeypatch.setattr(app.state.services.monitoring, "events", not_looked_for)
        for i in range(50):
            await say(services, run_id, 1, f"{i}")
            frame = json.loads(await connection.recv())
            assert (frame["type"], frame["data"]["message"]) == ("log", f"{i} 0")
    assert realtime.BUFFER >= 256
