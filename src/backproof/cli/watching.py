"""`backproof watch`, and the following part of `resume --watch` and `rerun --watch`."""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from backproof.cli.api import Api
from backproof.cli.follow import FINAL, Follower
from backproof.cli.result import ended_run, show_run
from backproof.cli.screen import JsonLines, Lines, Live, Silent, print_json_line
from backproof.cli.server import Interrupted, api_of, finder, no_server, server_for

if TYPE_CHECKING:
    from backproof.settings import Settings

COMPLETED, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 130


class Interrupt:
    """The first Ctrl-C (or SIGTERM) asks, the second one ends the command on the spot."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self) -> bool:
        return self.asked


def exit_code(status: str) -> int:
    return {"completed": COMPLETED, "cancelled": CANCELLED}.get(status, FAILED)


def watch(settings: "Settings", port: int | None, run_id: str, as_json: bool, full: bool) -> int:
    """Follow a run that is there; the exit code tells how it ended, 130 also that nobody watched until then."""
    interrupt = Interrupt()
    with api_of(settings, port) as api:
        backtest = api.get(f"/backtests/{run_id}")
        if backtest["status"] in FINAL:
            if as_json:
                for event in api.after(f"/backtests/{run_id}/events", 0):
                    print_json_line(event)
            return _ended(Console(), api, run_id, as_json, full)
        if api.offline:
            raise no_server(settings, f"; {run_id} is {backtest['status']} and goes on then")
        console, screen = _screen(as_json)
        try:
            with screen:
                Follower(api, run_id, screen, find=finder(settings, port)).until_final(interrupt, _stop)
        except Interrupted:
            return _stopped(run_id)
        return _ended(console, api, run_id, as_json, full)


def begin_and_watch(settings: "Settings", begin: Callable[[Api], tuple[str, int]], as_json: bool, full: bool) -> int:
    """Have something begun, by a server that is started for it if none runs, and follow it; the exit code.

    begin: answers with the run's id and the seq behind which it is news
    """
    interrupt = Interrupt()
    console, screen = _screen(as_json)
    run_id, own = "", False

    def asked_while_waiting() -> bool:
        screen.step("starting")
        return interrupt()

    try:
        with ExitStack() as server_is_up:
            with screen:
                server, own = server_is_up.enter_context(server_for(settings, asked_while_waiting))
                api = server_is_up.enter_context(closing(Api(server.url)))
                run_id, after = begin(api)
                find = finder(settings, settings.web_port)
                Follower(api, run_id, screen, after=after, find=find).until_final(interrupt, _stop)
            return _ended(console, api, run_id, as_json, full, own)
    except Interrupted:
        return _stopped(run_id, own)


def _screen(as_json: bool) -> tuple[Console, Silent]:
    console = Console()
    return console, JsonLines() if as_json else Live(console) if console.is_terminal else Lines(console)


def _stop() -> NoReturn:
    raise Interrupted


def _stopped(run_id: str, own: bool = False) -> int:
    """Say what becomes of a run that nobody watches any more. own: the server ends with this command."""
    if run_id:
        goes_on = (
            "it goes on when a server runs again (`backproof serve`)"
            if own
            else f"it goes on: `backproof cancel {run_id}` ends it, `backproof watch {run_id}` shows it again"
        )
        print(f"stopped watching {run_id}; {goes_on}", file=sys.stderr)
    return CANCELLED


def _ended(console: Console, api: Api, run_id: str, as_json: bool, full: bool, own: bool = False) -> int:
    backtest = ended_run(api, run_id)
    if not as_json:
        show_run(console, api, backtest, full, own)
    return exit_code(str(backtest["status"]))
