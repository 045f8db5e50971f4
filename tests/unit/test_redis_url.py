"""REDIS_URL is read strictly, and no message repeats a part of it."""

from pathlib import Path
from typing import Any

import pytest

from backproof.errors import InvalidSettings
from backproof.redis_url import RedisUrl
from backproof.settings import load_settings

SECRET = "ge/hei@m:"
WRITTEN = "ge%2Fhei%40m%3A"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://queue.internal", RedisUrl("queue.internal")),
        ("redis://queue.internal:6380/3", RedisUrl("queue.internal", 6380, database=3)),
        ("redis://queue.internal/?db=4", RedisUrl("queue.internal", database=4)),
        (f"redis://:{WRITTEN}@[::1]:1/0", RedisUrl("::1", 1, password=SECRET)),
        (f"redis://an%40na:{WRITTEN}@h", RedisUrl("h", username="an@na", password=SECRET)),
        ("unix:///run/valkey.sock?db=2", RedisUrl(path="/run/valkey.sock", database=2)),
        (f"unix://anna:{WRITTEN}@/run/v", RedisUrl(path="/run/v", username="anna", password=SECRET)),
    ],
)
def test_every_form_is_read(url: str, expected: RedisUrl) -> None:
    assert RedisUrl.parse(url) == expected


def test_certificates_are_checked_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()

    def options(query: str) -> dict[str, Any]:
        found = RedisUrl.parse(f"rediss://h{query}").options()
        return {name: found[name] for name in ("ssl_ca_certs", "ssl_cert_reqs", "ssl_check_hostname")}

    assert options("") == {"ssl_ca_certs": None, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    assert options(f"?ssl_ca_certs={ca}&ssl_check_hostname=false") == {
        "ssl_ca_certs": str(ca),
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": False,
    }
    assert options("?ssl_cert_reqs=none") == {
        "ssl_ca_certs": None,
        "ssl_cert_reqs": "none",
        "ssl_check_hostname": False,
    }
    assert "ssl_cert_reqs" not in RedisUrl.parse("redis://h").options()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://:geheim@h", "does not begin with"),
        ("geheim", "does not begin with"),
        ("redis://", "names no host"),
        ("redis://:geheim@/0", "names no host"),
        ("redis://:gehe/im@h:1/0", "cannot be read"),
        ("redis://u:gehe/im@h:1/0", "cannot be read"),
        ("redis://u:1/geheim@h:1/0", "not percent-encoded"),
        ("redis://:gehe#im@h:1/0", "cannot be read"),
        ("redis://:1?geheim=1@h:1/0", "names no host"),
        ("redis://u:1?geheim=1@h:1/0", "an option that is not known"),
        ("redis://:geheim@h:99999/0", "cannot be read"),
        ("redis://:geheim@h:port/0", "cannot be read"),
        ("redis://geheim@h", "a user without a password"),
        ("redis://:geheim@h/one", "the database is no number"),
        ("redis://:geheim@h/-1", "the database is no number"),
        ("redis://:geheim@h?db=x", "the database is no number"),
        ("redis://:geheim@h?ssl_cert_reqs=none", "an option that is not known"),
        ("redis://:geheim@h?socket_timeout=1", "an option that is not known"),
        ("rediss://:geheim@h?ssl_cert_reqs=maybe", "ssl_cert_reqs is"),
        ("rediss://:geheim@h?ssl_check_hostname=maybe", "ssl_check_hostname is"),
        ("rediss://:geheim@h?ssl_ca_certs=/geheim/ca.pem", "ssl_ca_certs names is not there"),
        ("unix://geheim/run/v", "three slashes"),
        ("unix:///", "three slashes"),
        ("redis://:geh eim@h", "white space"),
    ],
)
def test_a_wrong_url_stops_the_start_with_one_line_that_does_not_repeat_it(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(InvalidSettings) as raised:
        load_settings()
    said = raised.value.message
    assert said.startswith("wrong setting: REDIS_URL: ")
    assert reason in said
    assert "\n" not in said
    assert "geh" not in said
    assert raised.value.__cause__ is None


def test_nothing_that_is_shown_holds_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://anna:geheim@h:1/2")
    settings = load_settings()
    shown = repr(settings) + str(settings) + settings.model_dump_json() + repr(settings.redis) + settings.redis.where
    assert "geheim" not in shown
    assert settings.redis.where == "h:1, database 2"


def test_without_a_url_who_needs_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "")
    settings = load_settings()
    assert settings.redis_url is None
    with pytest.raises(InvalidSettings, match="REDIS_URL is not set"):
        _ = settings.redis
