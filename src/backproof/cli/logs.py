"""`backproof logs`: what a run has said, and says."""

import datetime as dt
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from backproof.cli.api import Api
from backproof.cli.follow import FINAL, Follower
from backproof.cli.screen import LEVEL_STYLE, Silent, print_json_line
from backproof.cli.server import Interrupted, api_of, finder, no_server
from backproof.cli.watching import CANCELLED, COMPLETED, Interrupt

if TYPE_CHECKING:
    from backproof.settings import Settings

Plain = dict[str, Any]
LEVELS = ("debug", "info", "warning", "error")


class _Printer(Silent):
    """Log lines at least as serious as `level`, out of the frames that come."""

    def __init__(self, level: str, as_json: bool) -> None:
        self._wanted = LEVELS[LEVELS.index(level) :]
        self._console = None if as_json else Console()

    def frame(self, frame: Plain) -> None:
        if frame["type"] != "log" or frame["data"].get("level") not in self._wanted:
            return
        fields = dict(frame["data"])
        self.line(
            {
                "seq": frame["seq"],
                "timestamp": frame["timestamp"],
                "level": fields.pop("level"),
                "message": str(fields.pop("message", "")),
                "fields": fields,
            }
        )

    def line(self, line: Plain) -> None:
        """One line as the API has it."""
        if self._console is None:
            return print_json_line(line)
        at, level = dt.datetime.fromisoformat(line["timestamp"]).astimezone(dt.UTC), str(line["level"])
        text = Text.assemble(
            (f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z", "dim"),
            f"  {level:<7}  ",
            (line["message"], LEVEL_STYLE.get(level, "")),
        )
        self._console.print(text, soft_wrap=True)
        return None


def logs(
    settings: "Settings", port: int | None, run_id: str, follow: bool, level: str, after: int, as_json: bool
) -> int:
    """Print what there is, and with `follow` what comes until the run is final; the exit code."""
    printer = _Printer(level, as_json)
    with api_of(settings, port) as api:
        if not follow or _is_final(api, run_id):
            for line in api.after(f"/backtests/{run_id}/logs", after, level=level):
                printer.line(line)
            return COMPLETED
        if api.offline:
            raise no_server(settings, "; without --follow the lines until now are shown")
        interrupt = Interrupt()
        try:
            Follower(api, run_id, printer, after=after, find=finder(settings, port)).until_final(interrupt, _stop)
        except Interrupted:
            return CANCELLED
    return COMPLETED


def _is_final(api: Api, run_id: str) -> bool:
    return api.get(f"/backtests/{run_id}/status")["status"] in FINAL


def _stop() -> None:
    raise Interrupted
