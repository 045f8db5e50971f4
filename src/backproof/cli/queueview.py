"""`backproof queue`: what runs, what waits and for what, and who works."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproof.cli import words
from backproof.cli.api import Api
from backproof.cli.result import print_json
from backproof.cli.tables import plain_table, print_wide
from backproof.errors import NotFound

Plain = dict[str, Any]
ASKED = 50  # waiting backtests whose place is asked for; the list does not know it


def show_queue(api: Api, as_json: bool) -> None:
    """limits and counts, then a table each: running, waiting, waiting for data, workers."""
    counts, present = api.get("/system/queue"), api.get("/system/workers")
    running = _standing(api, ("running", "cancelling"))
    waiting = sorted(_standing(api, ("queued",)), key=lambda run: run["queue_position"] or 0)
    pending = _standing(api, ("pending",))
    if as_json:
        workers = present["workers"]
        return print_json(
            {"counts": counts, "workers": workers, "running": running, "queued": waiting, "pending": pending}
        )
    console = Console()
    console.print(Text(_summary(counts, api.offline)), soft_wrap=True)
    holders = {run["backtest_id"]: run["worker"] for run in present["running"]}
    _section(console, "Running", _running(running, holders), len(running), counts["running"])
    _section(console, "Waiting", _waiting(waiting), len(waiting), counts["queued"])
    _section(console, "Waiting for data", _pending(pending), len(pending), counts["pending"])
    if present["workers"]:
        _section(console, "Workers", _workers(present["workers"]), 0, 0)
    return None


def _standing(api: Api, statuses: Sequence[str]) -> list[Plain]:
    """The oldest such runs: name and status of each."""
    rows = api.get("/backtests", status=list(statuses), sort="created_at", limit=ASKED)["items"]
    standing = []
    for row in rows:
        try:
            now = api.get(f"/backtests/{row['backtest_id']}/status")
        except NotFound:  # deleted meanwhile
            continue
        if now["status"] in statuses:
            standing.append({"name": row["name"], **now})
    return standing


def _summary(counts: Plain, offline: bool) -> str:
    parts = [
        f"{counts['running']} of at most {counts['max_concurrent']} running",
        f"{counts['queued']} waiting (at most {counts['limit']})",
    ]
    if counts["pending"]:
        parts.append(f"{counts['pending']} waiting for data")
    if offline:
        parts.append("no server runs: `backproof serve` starts one")
    elif counts["workers"] is None:
        parts.append("nobody knows which workers there are: the queue does not answer")
    else:
        parts.append(f"{counts['workers']} worker{'s' if counts['workers'] != 1 else ''} ready")
    return " · ".join(parts)


def _section(console: Console, title: str, table: Table, shown: int, there: int) -> None:
    if not table.row_count:
        return
    console.print()
    console.print(Text(title, style="bold"))
    print_wide(console, table)
    if there > shown:
        console.print(Text(f"the oldest {shown} of {there}", style="dim"))


def _running(runs: Sequence[Plain], holders: Plain) -> Table:
    table = plain_table("Id", "Name", "Worker", ">Attempt", ">Done", ">Left")
    for run in runs:
        eta = run["eta_seconds"]
        table.add_row(
            run["backtest_id"],
            Text(run["name"]),
            str(holders.get(run["backtest_id"], "")),
            str(run["attempt"]),
            "cancelling" if run["status"] == "cancelling" else f"{run['progress']:.0f} %",
            words.span(eta) if eta else "",
        )
    return table


def _waiting(runs: Sequence[Plain]) -> Table:
    table = plain_table(">Place", "Id", "Name", "Priority", ">Takes", ">Starts")
    for run in runs:
        seconds, wait = run["estimated_duration"], words.wait(run)
        table.add_row(
            str(run["queue_position"]),
            run["backtest_id"],
            Text(run["name"]),
            run["priority"],
            words.span(seconds) if seconds is not None else "",
            "" if wait is None else f"in {words.span(wait)}" if wait else "at once",
        )
    return table


def _pending(runs: Sequence[Plain]) -> Table:
    table = plain_table("Id", "Name", "For")
    for run in runs:
        table.add_row(run["backtest_id"], Text(run["name"]), Text(words.missing(run).partition(": ")[2]))
    return table


def _workers(workers: Sequence[Plain]) -> Table:
    table = plain_table("Worker", ">Pid", ">Slots", "Queues")
    for worker in workers:
        table.add_row(worker["name"], str(worker["pid"]), str(worker["slots"]), ", ".join(worker["queues"]))
    return table
