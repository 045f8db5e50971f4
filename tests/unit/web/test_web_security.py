"""Only this machine's own pages and programs get in."""

import pytest
from starlette.datastructures import Headers

from backproof.errors import InvalidSettings
from backproof.settings import load_settings
from backproof.web.security import is_loopback, refusal


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


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5"])
def test_listening_beyond_loopback_needs_the_names_of_the_hosts(host: str) -> None:
    with pytest.raises(InvalidSettings, match="WEB_ALLOWED_HOSTS"):
        load_settings(web_host=host).web_address()
    assert load_settings(web_host=host, web_allowed_hosts="backtests.example.com").web_address() == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_listening_on_loopback_is_fine(host: str) -> None:
    assert is_loopback(load_settings(web_host=host).web_address())


def test_a_name_is_nothing_to_listen_on() -> None:
    with pytest.raises(InvalidSettings, match=r"WEB_HOST=example\.org"):
        load_settings(web_host="example.org", web_allowed_hosts="example.org").web_address()


@pytest.mark.parametrize("host", ["backtests.example.com", "backtests.EXAMPLE.com:84", "10.1.2.3:8000", "[fd00::1]:1"])
def test_named_hosts_are_allowed_with_any_port_and_no_others_are(host: str) -> None:
    allowed = load_settings(web_allowed_hosts=" Backtests.Example.com ,10.1.2.3, [fd00::1]").web_allowed_hosts
    assert refusal(Headers({"host": host}), allowed) is None
    assert refusal(Headers({"host": host})) is not None
    assert refusal(Headers({"host": host.replace("1", "2").replace("back", "bark")}), allowed) is not None


def test_behind_a_proxy_that_ends_tls_the_public_origin_is_the_services_own() -> None:
    headers = {"host": "backtests.example.com", "origin": "https://backtests.example.com"}
    assert refusal(Headers(headers), ("backtests.example.com",)) is None
    assert refusal(Headers({**headers, "origin": "https://evil.example"}), ("backtests.example.com",)) is not None
    assert refusal(Headers({**headers, "origin": "http://localhost"}), ("backtests.example.com",)) is not None


@pytest.mark.parametrize("given", ["*", "https://backtests.example.com", "backtests.example.com:8000", "a..b", "a b"])
def test_what_is_no_host_name_stops_the_start(given: str) -> None:
    with pytest.raises(InvalidSettings, match="WEB_ALLOWED_HOSTS"):
        load_settings(web_allowed_hosts=given)
