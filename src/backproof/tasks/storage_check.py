"""Whether the object store can be used, asked by a process of its own: `python -m backproof.tasks.storage_check`.

A worker asks before it forks, and a client of an object store, with its threads, outlives no fork.
"""

import subprocess
import sys

from backproof.bootstrap import check_lake
from backproof.errors import InvalidSettings
from backproof.services.lakes import open_lake
from backproof.settings import Settings, load_settings
from backproof.telemetry.logs import configure_logging

REFUSED = 3


def refusal(settings: Settings) -> str | None:
    """Why it cannot be used; None: it can, or nobody knows yet."""
    if settings.storage_url is None:
        return None
    command = [sys.executable, "-P", "-m", __name__]
    asked = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own
    return asked.stdout.splitlines()[-1] if asked.returncode == REFUSED else None


def main() -> int:
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    try:
        check_lake(settings, open_lake(settings))
    except InvalidSettings as error:
        sys.stdout.write(f"{error.message}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
