"""Settings: environment variables and `.env`, read once per process by the composition root.

The names in capitals are the variables' names (`max_concurrent_backtests` is `MAX_CONCURRENT_BACKTESTS`).
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from backproof.errors import InvalidSettings
from backproof.redis_url import RedisUrl


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _storage(url: str | None) -> str | None:
    if not url:
        return None
    if not re.fullmatch(r"file:///.*|s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^?#]*)?", url):
        raise ValueError("must be s3://bucket/prefix or file:///directory")
    return url


def _host_names(given: object) -> object:
    """From a list with commas; a host is its name alone, so that a port or a scheme is a mistake worth a word."""
    if not isinstance(given, str):
        return given
    names = tuple(name.strip().lower().strip("[]") for name in given.split(",") if name.strip())
    if wrong := [name for name in names if not _is_host(name)]:
        raise ValueError(f"{wrong[0]!r} is not the name of a host (without scheme, port and wildcards)")
    return names


def _is_host(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        labels = name.split(".")
        return all(label and label.isascii() and label.replace("-", "").isalnum() for label in labels)


def _readable(url: SecretStr | None) -> SecretStr | None:
    if url is not None:
        RedisUrl.parse(url.get_secret_value())
    return url


SecretUrl = Annotated[SecretStr | None, BeforeValidator(lambda url: url or None)]
SECRETS = ("mongodb_url", "redis_url")  # no message repeats these


class Settings(BaseSettings):
    """All options of every process, with their defaults; a wrong value stops the start with one clear line."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    # --- where things are
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: Path(platformdirs.user_data_path("backproof", appauthor=False)),
        description="Directory of the metadata store, bars, results and the local Valkey's files.",
    )
    mongodb_url: SecretUrl = Field(
        default=None,
        description="MongoDB server that keeps the metadata (mongodb://user:password@host/database); "
        "empty keeps it in a SQLite file in the data directory.",
    )
    mongodb_max_connections: int = Field(default=10, ge=1, le=1000, description="Connections of one process.")
    mongodb_timeout_seconds: float = Field(
        default=1.25, ge=0.1, le=600.0, description="A call that MongoDB has not answered by then has failed."
    )
    storage_url: Annotated[str | None, AfterValidator(_storage)] = Field(
        default=None,
        description="Where bars, results and checkpoints are: s3://bucket/prefix of an S3-compatible object store, or "
        "file:///directory that all machines share; empty: in the data directory. Credentials, region and address by "
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.",
    )
    storage_cache_mb: int = Field(
        default=2048, ge=16, description="Megabytes of the data directory for copies of files of the object store."
    )
    redis_url: Annotated[SecretUrl, AfterValidator(_readable)] = Field(
        default=None,
        description="Redis or Valkey server (redis://, rediss://, unix://); "
        "empty starts the bundled Valkey on a private unix socket.",
    )
    redis_max_connections: int = Field(default=10, ge=5, le=1000, description="Connections of one process.")
    web_host: str = Field(
        default="127.0.0.1", description="Address to listen on; others than loopback only with WEB_ALLOWED_HOSTS."
    )
    web_port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    web_allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_host_names)] = Field(
        default=(),
        description="Names, with commas between, by which an authenticating proxy reaches the service. There are no "
        "accounts yet: whoever reaches the port owns everything.",
    )
    web_drain_seconds: float = Field(
        default=0.0,
        ge=0.0,
        le=600.0,
        description="A stopping web process is unready for so long before it takes no more requests.",
    )

    # --- running backtests
    max_concurrent_backtests: int = Field(default=5, ge=1, le=1000, description="Runs at once, of all workers.")
    max_concurrent_backtests_per_user: int | None = Field(
        default=None, ge=1, le=1000, description="Runs of one user at once; empty: as many as of all."
    )
    worker_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Processes of the local worker; empty: one per core, at least two, no more than runs at once.",
    )
    worker_reserve: int = Field(
        default=1,
        ge=0,
        le=1000,
        description="Processes beyond these, for runs of users who have none running: nobody waits for a flood's end.",
    )
    max_backtest_duration: int = Field(default=3600, ge=1, description="Seconds after which a run is ended.")
    max_backtest_memory_mb: int | None = Field(
        default=None,
        ge=256,
        description="Megabytes a worker process may hold while it computes a run; empty: its share of the machine.",
    )
    backtest_queue_max_size: int = Field(
        default=100, ge=1, le=1_000_000, description="Waiting runs; one more is refused with 429."
    )
    backtest_queue_max_per_user: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Waiting runs of one user; empty: as many as of all."
    )
    pending_patience_seconds: float = Field(
        default=86_400.0, gt=0.0, description="A run that waits for data fails after this time."
    )
    worker_lease_seconds: float = Field(
        default=10.0, ge=1.0, description="A run whose heartbeat stands still this long is given to another worker."
    )
    worker_drain_seconds: float = Field(
        default=15.0,
        ge=0.0,
        le=3600.0,
        description="A stopping worker finishes the runs that end within this time, and hands the others over.",
    )
    checkpoint_seconds: float = Field(
        default=1.0,
        ge=0.0,
        description="Work that a crash may cost; more where checkpoints would take over 4 % of the time.",
    )
    reaper_interval_seconds: float = Field(
        default=2.0,
        gt=0.0,
        description="Between two rounds of the scheduler; dead processes are looked for more often.",
    )
    default_data_source: str = Field(default="demo", description="Used where a backtest names no data_source.")

    # --- live updates
    ws_max_connections_per_backtest: int = Field(default=10, ge=1, description="WebSockets that follow one run.")
    ws_max_connections: int = Field(default=5000, ge=1, description="WebSockets in one web process.")
    ws_heartbeat_interval: float = Field(default=30.0, gt=0.0, description="Seconds between two signs of life.")
    max_request_bytes: int = Field(default=1_000_000, ge=1_000, description="Of a request's body.")

    # --- what is kept for how long
    log_retention_days: float = Field(
        default=90.0, gt=0.0, description="Log lines of finished runs are removed after this time."
    )
    checkpoint_retention_days: float = Field(
        default=7.0, gt=0.0, description="A cancelled or failed run can go on from its checkpoint for this time."
    )
    bin_retention_hours: float = Field(default=24.0, gt=0.0, description="A deleted run can be restored for this time.")

    # --- operation
    health_timeout_seconds: float = Field(
        default=30.0, ge=1.0, description="A process whose work loop stands still this long is unhealthy."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What is logged.")
    log_format: Literal["console", "json"] = Field(default="console", description="For people, or a line of JSON each.")

    @property
    def redis(self) -> RedisUrl:
        """Where Redis is. Raises InvalidSettings when no URL is set."""
        if self.redis_url is None:
            raise InvalidSettings(
                "REDIS_URL is not set: start the whole stack with `backproof serve`, or name a server"
            )
        return RedisUrl.parse(self.redis_url.get_secret_value())

    @property
    def worker_processes(self) -> int:
        """Of the local worker: simulating is CPU-bound, more than the cores only adds waiting."""
        if self.worker_concurrency is not None:
            return self.worker_concurrency
        return min(self.max_concurrent_backtests, max(2, os.cpu_count() or 2))

    def with_reserve(self, processes: int) -> int:
        """So many and those in reserve, which are of use only as long as more runs may go on at once."""
        return max(processes, min(self.max_concurrent_backtests, processes + self.worker_reserve))

    def web_address(self) -> str:
        """The address that the web process binds. Raises InvalidSettings where that would open it to everybody."""
        address = "127.0.0.1" if self.web_host == "localhost" else self.web_host.strip("[]")
        try:
            loopback = ipaddress.ip_address(address).is_loopback
        except ValueError:
            raise InvalidSettings(f"WEB_HOST={self.web_host}: not an IP address to listen on") from None
        if not loopback and not self.web_allowed_hosts:
            raise InvalidSettings(
                f"refusing to listen on {self.web_host}: there are no accounts yet, and whoever reaches the port owns "
                "everything. Listen on 127.0.0.1; or put an authenticating proxy in front, and name the hosts by which "
                "it is reached: WEB_ALLOWED_HOSTS=backtests.example.com"
            )
        return address

    @property
    def database_path(self) -> Path:
        return self.data_dir / "backproof.sqlite3"

    @property
    def lake_path(self) -> Path:
        """Of bars and results where no STORAGE_URL says otherwise."""
        return self.data_dir / "lake"

    @property
    def storage_place(self) -> str:
        """URL of the place of bars and results."""
        return self.storage_url or self.lake_path.as_uri()


def load_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` (command-line options that were given) win.

    Raises InvalidSettings naming every wrong variable in one line.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(_said(e) for e in error.errors() if e["loc"])
        raise InvalidSettings(f"wrong setting: {wrong}") from None


def _said(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    if name in SECRETS:
        return f"{name.upper()}: {error['msg'].removeprefix('Value error, ')}"
    return f"{name.upper()}={error.get('input')!r}: {error['msg'].lower()}"
