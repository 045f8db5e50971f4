"""`backproof run FILE.yaml`: submit, follow live, show and export the result."""

import datetime as dt
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from backproof.cli import tables
from backproof.cli.api import Api, json_plain
from backproof.cli.export import check_directory, write_result
from backproof.cli.follow import FINAL, Follower
from backproof.cli.result import ended_run, print_json, result_of, show_remarks, show_result
from backproof.cli.screen import Silent, screen_of
from backproof.cli.server import Interrupted, api_of, finder, server_for
from backproof.cli.submitting import Wish, announce, submit
from backproof.cli.watching import CANCELLED, COMPLETED, Interrupt, exit_code
from backproof.cli.yamlfile import ConfigFile, read_config
from backproof.errors import BackproofError, InvalidInput

if TYPE_CHECKING:
    from backproof.settings import Settings

Plain = dict[str, Any]
SLOW_START_SECONDS = 5.0


class BadConfig(BackproofError):
    """The file describes no backtest that can run; `lines` says why, one line per field."""

    code = "bad_config"

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def run(settings: "Settings", path: Path, as_json: bool, out: Path | None, full: bool, wish: Wish) -> int:
    """The exit code: 0 completed, 1 failed, 2 bad input, 130 cancelled."""
    interrupted = Interrupt()
    began, slow = time.monotonic(), False
    file = read_config(path)
    body = _checked(file)
    if out is not None:
        check_directory(out)
    console = Console(stderr=as_json)
    screen = screen_of(console, as_json)

    def asked_while_waiting() -> bool:
        nonlocal slow
        if not slow and time.monotonic() - began > SLOW_START_SECONDS:
            slow = True
            screen.step("the first time, the engine is compiled, which takes half a minute or more")
        return interrupted()

    try:
        with ExitStack() as server_is_up:
            with screen:
                screen.step("starting")
                server, own = server_is_up.enter_context(server_for(settings, asked_while_waiting))
                ready = time.monotonic()
                api = server_is_up.enter_context(closing(Api(server.url)))
                submitted = _submitted(api, file, body, wish)
                status = _follow(api, submitted, screen, interrupted, settings)
                finished = time.monotonic()
                backtest = ended_run(api, str(submitted["backtest_id"]))
                curve, everything = result_of(api, backtest, full)
                written = write_result(api, backtest, out) if out is not None and curve is not None else []
            timings = _timings(api, backtest, ready - began if own else 0.0, finished - ready, finished - began)
            if as_json:
                _print_answer(backtest, status, timings, everything)
            else:
                show_result(console, backtest, curve, everything)
                console.print()
                show_remarks(console, api, backtest, reuse_hint=True, own=own)
                _closing(console, backtest, timings, written, out)
    except Interrupted:
        return CANCELLED
    return exit_code(status)


def detach(settings: "Settings", port: int | None, path: Path, as_json: bool, wish: Wish) -> int:
    """Submit and leave; only a server that runs already is still there afterwards."""
    file = read_config(path)
    body = _checked(file)
    with api_of(settings, port, offline=False) as api:
        announce(_submitted(api, file, body, wish), as_json, reuse_hint=True)
    return COMPLETED


def _checked(file: ConfigFile) -> Plain:
    """What the file says as JSON, refused at once where no server is needed to see that it is wrong."""
    from backproof.engine.strategies import inspected

    try:
        _, errors = inspected(file.config)
        if errors:
            raise InvalidInput(errors)
        return {name: json_plain(value, f"/{name}") for name, value in file.config.items()}
    except InvalidInput as error:
        raise BadConfig(file.problems(error)) from None


def _submitted(api: Api, file: ConfigFile, body: Plain, wish: Wish) -> Plain:
    try:
        return submit(api, body, wish)
    except InvalidInput as error:
        raise BadConfig(file.problems(error)) from None


def _follow(api: Api, submitted: Plain, screen: Silent, interrupted: Interrupt, settings: "Settings") -> str:
    """The final status; a run that was final with its submission has nothing to show on the way."""
    run_id, status = str(submitted["backtest_id"]), str(submitted["status"])
    if status in FINAL:
        return status
    screen.status(status, submitted)
    follower = Follower(api, run_id, screen, known=status, find=finder(settings, settings.web_port))
    return follower.until_final(interrupted, lambda: _cancel(api, run_id))


def _cancel(api: Api, run_id: str) -> None:
    try:
        api.post(f"/backtests/{run_id}/cancel")
    except BackproofError:  # it was faster: the events tell how it ended
        return


def _timings(api: Api, backtest: Plain, stack: float, run_seconds: float, total: float) -> dict[str, float | None]:
    """Seconds: start of the stack (0 with a running server), waiting and computing as the server saw it, all of it.

    A result that was reused has neither waited nor been computed: null.
    """
    started, running = backtest.get("started_at"), _between(backtest.get("started_at"), backtest.get("completed_at"))
    if backtest.get("cached_from"):
        started = running = None
    elif backtest["attempt"] > 1:
        attempts = api.get(f"/backtests/{tables.run_id(backtest)}/executions")["items"]
        started = attempts[0]["started_at"]
        running = round(sum(_between(a["started_at"], a["ended_at"]) or 0.0 for a in attempts), 3)
    return {
        "stack_start": round(stack, 3),
        "queued": _between(backtest.get("created_at"), started),
        "running": running,
        "submit_to_final": round(run_seconds, 3),
        "total": round(total, 3),
    }


def _between(first: object, last: object) -> float | None:
    if not isinstance(first, str) or not isinstance(last, str):
        return None
    return round((dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds(), 3)


def _print_answer(backtest: Plain, status: str, timings: dict[str, float | None], everything: Plain | None) -> None:
    answer = {
        "backtest_id": tables.run_id(backtest),
        "status": status,
        "cached_from": backtest.get("cached_from"),
        "metrics": backtest.get("metrics"),
        **{name: backtest.get(name) for name in ("costs", "exit_reasons", "account_events")},
        "notices": backtest.get("notices", []),
        "timings": timings,
    }
    if everything is not None:
        answer.update({name: everything[name] for name in ("full_metrics", "full_null_reasons", "drawdowns")})
    if backtest.get("error"):
        answer["error"] = backtest["error"]
    print_json(answer)


def _closing(
    console: Console, backtest: Plain, timings: dict[str, float | None], written: list[str], out: Path | None
) -> None:
    said = f"{tables.run_id(backtest)} · {timings['submit_to_final']:.2f} s from submission to result"
    if timings["stack_start"]:
        said += f" · {timings['stack_start']:.1f} s to start the stack"
    console.print(Text(said, style="dim"), soft_wrap=True)
    if written:
        console.print(Text(f"{out}: {', '.join(written)}", style="dim"), soft_wrap=True)
