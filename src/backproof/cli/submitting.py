"""Asking for a run: how it is to be treated, and what is said of it before anything has happened."""

import re
import sys
import uuid
from dataclasses import dataclass
from typing import Any

import typer

from backproof.cli import words
from backproof.cli.api import Api
from backproof.cli.follow import FINAL
from backproof.cli.result import print_json
from backproof.errors import BackproofError

Plain = dict[str, Any]
RANGE_SECONDS = 1.0  # the range of a shorter estimate is not worth a question
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Wish:
    """How a submission is to be treated. key: of a request that may be repeated; None makes one for this time only."""

    use_cache: bool = True
    priority: str = "normal"
    wait_for_data: bool = False
    key: str | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise typer.BadParameter("an idempotency key has 1 to 200 visible ASCII characters")


def submit(api: Api, body: Plain, wish: Wish) -> Plain:
    """The answer, with the range of the estimate where it matters. Raises InvalidInput for a body that cannot run."""
    submitted: Plain = api.post(
        "/backtests",
        body,
        key=wish.key or uuid.uuid4().hex,  # an answer that is lost on the way must not make two runs of one
        use_cache=wish.use_cache,
        priority=wish.priority,
        wait_for_data=wish.wait_for_data,
    )
    if submitted["status"] == "queued" and (submitted.get("estimated_duration") or 0.0) >= RANGE_SECONDS:
        return {**submitted, **_range(api, body)}
    if submitted["status"] == "pending":
        return {**submitted, "waiting_for": api.get(f"/backtests/{submitted['backtest_id']}/status")["waiting_for"]}
    return submitted


def announce(submitted: Plain, as_json: bool, reuse_hint: bool = False) -> None:
    """The id alone on stdout, for scripts; what to expect and how to see it on stderr, for people."""
    if as_json:
        return print_json(submitted)
    run_id, status = submitted["backtest_id"], submitted["status"]
    print(run_id, flush=True)
    if cached_from := submitted.get("cached_from"):
        said = words.reused(cached_from, reuse_hint)
    elif status == "pending":
        said = words.missing(submitted)
    else:
        said = ": ".join(part for part in (status, words.expectation(submitted)) if part)
    command, does = ("show", "shows it") if status in FINAL else ("watch", "follows it")
    print(f"{said}\n`backproof {command} {run_id}` {does}", file=sys.stderr)
    return None


def _range(api: Api, body: Plain) -> Plain:
    """Between which four of five such runs took."""
    try:
        estimate = api.post("/backtests/validate", body)["estimate"] or {}
    except BackproofError:  # it is accepted; this is only a word about it
        return {}
    return {"estimate_low": estimate.get("low"), "estimate_high": estimate.get("high")}
