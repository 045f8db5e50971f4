"""REDIS_URL: read once and strictly, for redis-py, Celery and messages alike; each would read it in its own way.

No message repeats a part of it: what stands in the wrong place may be the password.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

PORT = 6379
_FORMS = (
    "it looks like redis://USER:PASSWORD@HOST:6379/0, rediss://HOST:6379/0?ssl_ca_certs=/PATH (TLS) or "
    "unix:///PATH?db=0, with special characters of user and password percent-encoded"
)
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS_OPTIONS = (*_FILES, "ssl_cert_reqs", "ssl_check_hostname")
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Tls:
    """verify: the server's certificate, by ca_certs or the system's; check_hostname: that it is this host's, too."""

    ca_certs: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    verify: bool = True
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """host and port, or the path of a unix socket."""

    host: str = ""
    port: int = PORT
    path: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None

    @classmethod
    def parse(cls, url: str) -> "RedisUrl":
        """Raises ValueError with one line that quotes nothing of the URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _wrong("host or port cannot be read") from None
        if any(c.isspace() or not c.isprintable() for c in url):
            raise _wrong("it has white space")
        if parts.fragment or "@" in parts.path:
            raise _wrong("a # or / that is not percent-encoded")
        username, password = (unquote(text) if text else None for text in (parts.username, parts.password))
        if username is not None and password is None:
            raise _wrong("a user without a password")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.scheme == "unix":
            return cls(
                path=_socket(parts), database=_database(options, ""), username=username, password=password
            )._with(options)
        if parts.scheme not in ("redis", "rediss"):
            raise _wrong("it does not begin with redis://, rediss:// or unix://")
        if not parts.hostname:
            raise _wrong("it names no host")
        return cls(
            host=unquote(parts.hostname),
            port=PORT if port is None else port,
            database=_database(options, parts.path.strip("/")),
            username=username,
            password=password,
            tls=_tls(options) if parts.scheme == "rediss" else None,
        )._with(options)

    def _with(self, left: dict[str, str]) -> "RedisUrl":
        if left:
            known = ", ".join(("db", *(_TLS_OPTIONS if self.tls else ())))
            raise _wrong(f"an option that is not known here (known: {known})")
        return self

    @property
    def where(self) -> str:
        """Which server and database, for people; it holds no credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = self.path or f"{host}:{self.port}{' (TLS)' if self.tls else ''}"
        return f"{place}, database {self.database}" if self.database else place

    def options(self) -> dict[str, Any]:
        """Arguments of redis-py's connections, those with and without asyncio."""
        found: dict[str, Any] = {"path": self.path} if self.path else {"host": self.host, "port": self.port}
        found |= {"db": self.database, "username": self.username, "password": self.password}
        if self.tls is not None:
            found |= {
                "ssl_ca_certs": self.tls.ca_certs,
                "ssl_certfile": self.tls.certfile,
                "ssl_keyfile": self.tls.keyfile,
                "ssl_cert_reqs": "required" if self.tls.verify else "none",
                "ssl_check_hostname": self.tls.check_hostname,
            }
        return found


def _wrong(reason: str) -> ValueError:
    return ValueError(f"{reason}; {_FORMS}")


def _socket(parts: SplitResult) -> str:
    if parts.hostname or not parts.path.strip("/"):
        raise _wrong("unix: has three slashes before the path, and a path after them")
    return unquote(parts.path)


def _database(options: dict[str, str], path: str) -> int:
    number = options.pop("db", "") or path or "0"
    if not (number.isascii() and number.isdigit()):
        raise _wrong("the database is no number")
    return int(number)


def _tls(options: dict[str, str]) -> Tls:
    files = {name: options.pop(name, "") or None for name in _FILES}
    for name, path in files.items():
        if path is not None and not Path(path).is_file():
            raise _wrong(f"the file that {name} names is not there")
    if files["ssl_keyfile"] and not files["ssl_certfile"]:
        raise _wrong("ssl_keyfile without ssl_certfile")
    wanted = options.pop("ssl_cert_reqs", "required").lower()
    if wanted not in ("required", "none"):
        raise _wrong("ssl_cert_reqs is required or none")
    checked = _YES_NO.get(options.pop("ssl_check_hostname", "true").lower())
    if checked is None:
        raise _wrong("ssl_check_hostname is true or false")
    verify = wanted == "required"
    return Tls(files["ssl_ca_certs"], files["ssl_certfile"], files["ssl_keyfile"], verify, verify and checked)
