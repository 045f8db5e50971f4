"""Redis by REDIS_URL: what is said of a server that cannot be used, TLS and passwords, the bound on connections."""

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from kombu.utils import functional

from backproof.bootstrap import ServiceFactory
from backproof.domain.documents import utc_now
from backproof.domain.events import Event, EventType
from backproof.errors import BrokerRefused, BrokerUnavailable
from backproof.messaging.check import check
from backproof.messaging.line import Line
from backproof.messaging.queue import BACKTEST_EXECUTION, WorkQueue, make_celery
from backproof.messaging.redis import STREAM, EventStream, LiveState, Presence, connect
from backproof.redis_url import RedisUrl
from backproof.settings import Settings
from redis_servers import Certificates, RedisServer, free_port, tls_before

pytestmark = pytest.mark.local_stack("processes with servers of their own, the same in both sizes")
PASSWORD = "ge/hei@m: ü%"
WRITTEN = quote(PASSWORD, safe="")
needs_openssl = pytest.mark.skipif(not Certificates.can_be_made(), reason="openssl is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """With a password and users: one who may do all that is needed, and some who may not."""
    running = RedisServer(tmp_path_factory.mktemp("redis"), requirepass=PASSWORD).start()
    keys = (f"~{BACKTEST_EXECUTION}", "~backproof:*", "~_kombu.binding.*", "~unacked*")
    everything = ("on", ">geheim", "+@all", "~*", "&*")
    with running.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "reader", *everything, "-@write")
        admin.execute_command("ACL", "SETUSER", "elsewhere", "on", ">geheim", "+@all", "~other:*")
        admin.execute_command("ACL", "SETUSER", "modest", "on", ">geheim", *keys, "&*", "+@all", "-@admin", "-info")
        admin.execute_command("ACL", "SETUSER", "former", *everything, "off")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def checked(url: str) -> list[str]:
    """Asked again where a server that is there does not answer in time, as every process does when it starts."""
    for _ in range(10):
        try:
            return await check(RedisUrl.parse(url))
        except BrokerRefused:
            raise
        except BrokerUnavailable as error:
            away = error
    raise away


async def refused(url: str, reason: str) -> None:
    with pytest.raises(BrokerRefused, match=reason) as raised:
        await checked(url)
    said = raised.value.message
    assert "\n" not in said
    assert not any(secret in said for secret in ("geheim", PASSWORD, WRITTEN))


@pytest.mark.parametrize(
    ("credentials", "database", "reason"),
    [
        ("", 0, "user or password of REDIS_URL are wrong, or missing"),
        (":geheim2@", 0, "user or password of REDIS_URL are wrong, or missing"),
        ("former:geheim@", 0, "user or password of REDIS_URL are wrong, or missing"),
        ("reader:geheim@", 0, "may not do everything that is needed .*xtrim"),
        ("elsewhere:geheim@", 0, "may not do everything that is needed"),
        (f":{WRITTEN}@", 99, "has no database 99"),
    ],
)
async def test_a_user_who_may_not_is_said_at_the_start(
    server: RedisServer, credentials: str, database: int, reason: str
) -> None:
    await refused(f"redis://{credentials}127.0.0.1:{server.port}/{database}", reason)


async def test_a_user_with_no_more_rights_than_needed_is_enough(server: RedisServer) -> None:
    assert await checked(f"redis://modest:geheim@127.0.0.1:{server.port}/0") == []
    with server.admin(5) as admin:
        admin.set("of somebody else", 1)
        assert await checked(f"redis://:{WRITTEN}@127.0.0.1:{server.port}/5") == []
        assert admin.keys("*") == [b"of somebody else"]  # the check has left nothing behind


@contextmanager
def answering(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """Port of a server that answers whatever it is sent with what `reply` makes of it."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(65536):
                self.request.sendall(reply(data))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield int(running.server_address[1])
        running.shutdown()


def old_redis(version: str, more: str = "") -> Callable[[bytes], bytes]:
    facts = f"redis_version:{version}\r\n{more}"
    info = f"${len(facts)}\r\n{facts}\r\n".encode()

    def reply(data: bytes) -> bytes:
        answers = b""
        for part in data.split(b"*")[1:]:
            answers += info if b"INFO" in part else b"+PONG\r\n" if b"PING" in part else b"-ERR unknown command\r\n"
        return answers

    return reply


async def test_a_server_that_is_too_old_is_told_what_is_needed() -> None:
    with answering(old_redis("5.0.14")) as port:
        await refused(f"redis://127.0.0.1:{port}", r"has version 5\.0\.14: 6\.0 or newer is needed")
    with answering(old_redis("7.2.4", "redis_mode:cluster\r\n")) as port:
        await refused(f"redis://127.0.0.1:{port}", "is a cluster")


async def test_what_is_no_redis_is_said() -> None:
    with answering(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        await refused(f"redis://127.0.0.1:{port}", "what answers there is no Redis")


async def test_a_replica_is_refused(tmp_path: Path) -> None:
    replica = RedisServer(tmp_path, replicaof=f"127.0.0.1 {free_port()}").start()
    try:
        await refused(replica.url, "a replica that may only be read")
    finally:
        replica.kill()


async def test_a_server_that_drops_keys_is_warned_of(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, maxmemory="64mb", maxmemory_policy="allkeys-lru").start()
    try:
        (warning,) = await checked(server.url)
        assert "maxmemory-policy is allkeys-lru" in warning
        with server.admin() as admin:
            admin.config_set("maxmemory-policy", "noeviction")
        assert await checked(server.url) == []
    finally:
        server.kill()


async def test_a_server_that_is_away_may_come(server: RedisServer) -> None:
    for where, reason in ((f"127.0.0.1:{free_port()}", "connect"), ("nowhere.invalid:1", "nowhere")):
        with pytest.raises(BrokerUnavailable, match=reason) as raised:
            await check(RedisUrl.parse(f"redis://:geheim@{where}/0"))
        assert not isinstance(raised.value, BrokerRefused)
        assert "geheim" not in raised.value.message
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(BrokerUnavailable) as raised:
        await check(RedisUrl.parse(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
    assert not isinstance(raised.value, BrokerRefused)


@needs_openssl
async def test_a_certificate_that_is_not_trusted_is_refused(server: RedisServer, certificates: Certificates) -> None:
    with tls_before(server.port, certificates) as port:
        await refused(f"rediss://:{WRITTEN}@localhost:{port}/0", "its certificate is not trusted .*ssl_ca_certs")
        trusted = f"?ssl_ca_certs={certificates.ca}"
        await refused(f"rediss://:{WRITTEN}@127.0.0.1:{port}/0{trusted}", "its certificate is not trusted")
        await refused(f"rediss://:geheim@localhost:{port}/0{trusted}", "user or password")
        for options in (trusted, "?ssl_cert_reqs=none"):
            assert await checked(f"rediss://:{WRITTEN}@localhost:{port}/0{options}") == []


@needs_openssl
@pytest.mark.parametrize("kind", ["tls", "plain", "socket"])
async def test_events_presence_and_hints_go_by_the_same_url(
    tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, kind: str
) -> None:
    directory = tmp_path_factory.mktemp("r")
    server = RedisServer(directory, requirepass=PASSWORD, unixsocket=str(directory / "s")).start()
    try:
        with tls_before(server.port, certificates) as port:
            url = RedisUrl.parse(
                {
                    "tls": f"rediss://default:{WRITTEN}@localhost:{port}/3?ssl_ca_certs={certificates.ca}",
                    "plain": f"redis://:{WRITTEN}@localhost:{server.port}/3",
                    "socket": f"unix://:{WRITTEN}@{directory}/s?db=3",
                }[kind]
            )
            client, line = connect(url, 4), Line()
            event = Event(type=EventType.PROGRESS, seq=1, timestamp=utc_now(), data={"x": 1})
            stream, live = EventStream(client, line), LiveState(client, line)
            begin = await stream.last_id()
            await stream.publish("bt-1", [event])
            assert (await stream.read(begin))[1] == [("bt-1", event)]
            await live.put("bt-1", [event])
            assert await live.get("bt-1") == [event]
            assert await Presence(client, line).workers() == []
            await client.aclose()
            queue = WorkQueue(url)
            await asyncio.to_thread(queue.hint)
            assert await asyncio.to_thread(queue.depth) == 1
            queue.close()
        with server.admin(0) as elsewhere, server.admin(3) as admin:
            assert elsewhere.keys("*") == []
            assert {STREAM.encode(), BACKTEST_EXECUTION.encode()} <= set(admin.keys("*"))
    finally:
        server.kill()


async def test_a_process_has_no_more_connections_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("messaging.redis", "messaging.queue", "services.backtests.execution"):
        monkeypatch.setattr(f"backproof.{module}.CALL_SECONDS", 60.0)  # for whoever waits for a connection
    server = RedisServer(tmp_path / "redis").start()
    settings = Settings(data_dir=tmp_path / "data", redis_url=server.url, redis_max_connections=5)
    services = await ServiceFactory.open(settings, 60.0)
    try:
        reading = asyncio.create_task(anext(services.monitoring.live()))
        with server.admin() as admin:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(services.monitoring.workers()) for _ in range(300)]
                hinted = [group.create_task(services.execution.hint()) for _ in range(100)]
            assert [task.result() for task in asked] == [[]] * 300
            assert all(task.result() for task in hinted)
            assert 3 <= len(admin.client_list()) - 1 <= 5
        await reading
    finally:
        await services.close()
        server.kill()


async def test_one_caller_waits_for_a_frozen_server_and_the_others_do_not(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    url = RedisUrl.parse(server.url)
    client, line = connect(url, 3), Line()
    presence, queue = Presence(client, line), WorkQueue(url, line)
    try:
        await presence.workers()
        await asyncio.to_thread(queue.hint)
        server.freeze()
        # one after the other they would wait for a second each: with three connections 33 s, and 40 s
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(presence.workers() for _ in range(100)), return_exceptions=True)
        assert all(isinstance(answer, BrokerUnavailable) for answer in answers)
        async with asyncio.timeout(20):
            for _ in range(20):
                with pytest.raises(BrokerUnavailable):
                    await asyncio.to_thread(queue.hint)
                with pytest.raises(BrokerUnavailable):
                    await presence.workers()
        server.thaw()
        async with asyncio.timeout(60):
            while True:
                try:
                    assert await presence.workers() == []
                    await asyncio.to_thread(queue.hint)
                    break
                except BrokerUnavailable:
                    await asyncio.sleep(0.01)
    finally:
        queue.close()
        await client.aclose()
        server.kill()


class Enough(Exception):
    """Four attempts."""


def test_a_worker_tries_again_every_second_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(functional, "sleep", slept.append)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30.0)
        tried = 0

        def hang_up() -> None:
            nonlocal tried
            while tried < 4:
                connection, _ = silent.accept()
                tried += 1
                connection.close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        said: list[Exception] = []
        celery = make_celery(RedisUrl.parse(f"redis://127.0.0.1:{silent.getsockname()[1]}"), 2)

        def enough() -> None:
            if tried == 4:
                raise Enough

        with celery.connection_for_read() as connection, pytest.raises(Enough):
            connection.ensure_connection(lambda error, _: said.append(error), None, callback=enough)
        hanging_up.join()
        assert len(said) == 1
        assert sum(slept) == 3.0  # with Celery's own pauses it would be 2 + 4 + 6
