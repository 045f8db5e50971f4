"""Settings: environment variables and `.env`, read once per process by the composition root.

The names in capitals are the variables' names (`max_concurrent_backtests` is `MAX_CONCURRENT_BACKTESTS`).
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backproof.errors import InvalidSettings


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


class Settings(BaseSettings):
    """All options of every process, with their defaults; a wrong value stops the start with one clear line."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    # --- where things are
    data_dir: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=lambda: Path(platformdirs.user_data_path("backproof", appauthor=False)),
        description="Directory of the metadata store, bars, results and the local Valkey's files.",
    )
    redis_url: str | None = Field(
        default=None, description="Redis or Valkey server; empty starts the bundled Valkey on a private unix socket."
    )
    redis_max_connections: int = Field(default=10, ge=2, le=1000)
    web_host: str = Field(default="127.0.0.1", description="Address to listen on; loopback only until accounts exist.")
    web_port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")

    # --- running backtests
    max_concurrent_backtests: int = Field(default=5, ge=1, le=1000)
    max_backtest_duration: int = Field(default=3600, ge=1, description="Seconds after which a run is ended.")
    max_backtest_memory_mb: int | None = Field(
        default=None,
        ge=256,
        description="Megabytes a worker process may hold while it computes a run; empty: its share of the machine.",
    )
    backtest_queue_max_size: int = Field(default=100, ge=1, le=1_000_000)
    worker_lease_seconds: float = Field(
        default=10.0, ge=1.0, description="A run whose heartbeat stands still this long is given to another worker."
    )
    reaper_interval_seconds: float = Field(default=2.0, gt=0.0)
    default_data_source: str = Field(default="demo", description="Used where a backtest names no data_source.")

    # --- live updates
    ws_max_connections_per_backtest: int = Field(default=10, ge=1)
    ws_heartbeat_interval: float = Field(default=30.0, gt=0.0)
    max_request_bytes: int = Field(default=1_000_000, ge=1_000)

    # --- operation
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @property
    def worker_concurrency(self) -> int:
        """Runs at once in one worker process: simulating is CPU-bound, more than the cores only adds waiting."""
        return min(self.max_concurrent_backtests, max(2, os.cpu_count() or 2))

    @property
    def database_path(self) -> Path:
        return self.data_dir / "backproof.sqlite3"

    @property
    def lake_path(self) -> Path:
        return self.data_dir / "lake"


def load_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` (command-line options that were given) win.

    Raises InvalidSettings naming every wrong variable in one line.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(
            f"{str(e['loc'][0]).upper()}={e.get('input')!r}: {e['msg'].lower()}" for e in error.errors() if e["loc"]
        )
        raise InvalidSettings(f"wrong setting: {wrong}") from None
