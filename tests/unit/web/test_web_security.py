"""Only this machine's own pages and programs get in."""

import pytest
from starlette.datastructures import Headers

from backproof.errors import InvalidSettings
from backproof.web.security import is_loopback, refusal, require_loopback


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:80", "127.9.8.7:1", "[::1]:8000"]
)
def test_this_machines_names_are_allowed(host: str) -> None:
    assert refusal(Headers({"host": host})) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1",
     "[::]", "[::ffff:10.0.0.1]", "user@localhost", "localhost/x", "localhost:99999", "localhost:x", "2130706433",
     " localhost",
     "localhost, evil.example"],
)  # fmt: skip
def test_other_names_are_refused(host: str) -> None:
    assert refusal(Headers({"host": host})) is not None


def test_two_host_headers_are_refused() -> None:
    headers = Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")])
    assert refusal(headers) is not None


@pytest.mark.parametrize("origin", ["http://localhost:8000", "HTTP://LOCALHOST:8000", "https://localhost:8000"])
def test_the_services_own_origin_is_allowed(origin: str) -> None:
    assert refusal(Headers({"host": "localhost:8000", "origin": origin})) is None


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://localhost:8001", "http://localhost", "http://127.0.0.1:8000",
     "http://localhost:8000.evil.example", "http://localhost:8000/", "file://",
     "chrome-extension://abc", "http://user@localhost:8000", "http://localhost:8000 http://evil.example"],
)  # fmt: skip
def test_other_origins_are_refused(origin: str) -> None:
    assert refusal(Headers({"host": "localhost:8000", "origin": origin})) is not None


def test_a_second_origin_is_looked_at_too() -> None:
    raw = [(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"origin", b"https://evil.example")]
    assert refusal(Headers(raw=raw)) is not None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_listening_beyond_loopback_is_refused(host: str) -> None:
    with pytest.raises(InvalidSettings):
        require_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_listening_on_loopback_is_fine(host: str) -> None:
    require_loopback(host)
    assert is_loopback(host)
