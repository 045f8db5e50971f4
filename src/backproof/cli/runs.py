"""`list`, `show`, `attempts`, `cancel`, `resume`, `rerun`, `delete`, `restore`, `strategies`."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from backproof.cli import tables, words
from backproof.cli.api import Api
from backproof.cli.result import print_json, show_run
from backproof.errors import BackproofError, NotFound

Plain = dict[str, Any]


def list_runs(api: Api, as_json: bool, limit: int, statuses: Sequence[str], deleted: bool = False) -> None:
    page = api.get("/backtests", limit=limit, status=list(statuses) or None, deleted=deleted or None)
    if as_json:
        return print_json(page)
    console = Console()
    if not page["items"]:
        nothing = "no backtests yet: try `backproof run examples/sma_crossover.yaml`"
        if deleted or statuses:
            nothing = "nothing was deleted that could be restored" if deleted else f"none is {' or '.join(statuses)}"
        console.print(nothing, markup=False, highlight=False)
        return None
    tables.print_wide(console, tables.runs_table(page["items"], deleted))
    if page["total"] > len(page["items"]):
        console.print(Text(f"{len(page['items'])} of {page['total']}; more with --limit", style="dim"))
    if deleted:
        console.print(Text("`backproof restore ID` brings one back", style="dim"))
    return None


def show(api: Api, run_id: str, as_json: bool, full: bool = False) -> None:
    backtest = api.get(f"/backtests/{run_id}")
    if not as_json:
        return show_run(Console(), api, backtest, full)
    measured = api.get(f"/backtests/{run_id}/metrics", full="true") if full and backtest.get("result") else {}
    return print_json({**backtest, **measured})


def attempts(api: Api, run_id: str, as_json: bool) -> None:
    answer = api.get(f"/backtests/{run_id}/executions")
    if as_json:
        return print_json(answer)
    console = Console()
    if answer["items"]:
        return tables.print_wide(console, tables.attempts_table(answer["items"]))
    backtest = api.get(f"/backtests/{run_id}")
    reused = backtest["cached_from"]
    console.print(Text(words.reused(reused, hint=False) if reused else "no worker has taken it"), soft_wrap=True)
    return None


def cancel(api: Api, run_id: str) -> str:
    status = str(api.post(f"/backtests/{run_id}/cancel")["status"])
    more = f"; `backproof resume {run_id}` lets it go on from there" if status == "cancelling" else ""
    return f"{run_id}: {status}{more}"


def delete(api: Api, run_id: str) -> str:
    api.delete(f"/backtests/{run_id}")
    return f"{run_id}: deleted; `backproof restore {run_id}` brings it back"


def restore(api: Api, run_id: str) -> str:
    return f"{run_id}: restored, {api.post(f'/backtests/{run_id}/restore')['status']}"


def each(api: Api, run_ids: Sequence[str], act: Callable[[Api, str], str]) -> int:
    """Do it to every one; what fails is said in one line and does not stop the others. The worst exit code."""
    code = 0
    for run_id in run_ids:
        try:
            print(act(api, run_id), flush=True)
        except BackproofError as error:
            print(f"error: {error.message}", file=sys.stderr)
            code = max(code, 2 if isinstance(error, NotFound) else 1)
    return code


def resume(api: Api, run_id: str) -> Plain:
    """Where it stands now."""
    status: Plain = api.post(f"/backtests/{run_id}/resume")
    return status


def resumed(status: Plain) -> str:
    """What is said of it."""
    bar = status.get("checkpoint_bar")
    begins = f"goes on after bar {bar:,}" if bar else "begins with the first bar"
    run_id = status["backtest_id"]
    said = ", ".join(part for part in (str(status["status"]), begins, words.start(status)) if part)
    if status["status"] == "pending":
        said = words.missing(status)
    return f"{run_id}: {said}\n`backproof watch {run_id}` follows it"


def rerun(api: Api, run_id: str, use_cache: bool, priority: str) -> Plain:
    """The answer to a submission."""
    submitted: Plain = api.post(f"/backtests/{run_id}/rerun", use_cache=use_cache, priority=priority)
    return submitted


def strategies(api: Api, as_json: bool) -> None:
    answer = api.get("/strategies")
    if as_json:
        return print_json(answer)
    console = Console()
    for item in answer["items"]:
        parameters = ", ".join(f"{name} {item['defaults'].get(name)}" for name in item["parameters"]["properties"])
        plugin = item["plugin"]
        head = Text.assemble(
            (item["name"], "bold cyan"),
            f"  {item['kind']}",
            *([", long only"] if item["long_only"] else []),
            *([f"  ({plugin['distribution']} {plugin['version']})"] if plugin else []),
        )
        console.print(head, soft_wrap=True)
        console.print(Text(f"  {item['summary']}"), soft_wrap=True)
        console.print(Text(f"  {parameters or 'no parameters'}", style="dim"), soft_wrap=True)
    for refused in answer["refused"]:
        package = f"{refused['distribution']} {refused['version']}"
        console.print(Text(f"\nrefused  {refused['entry']}  ({package})", style="bold red"), soft_wrap=True)
        console.print(Text(f"  {refused['reason']}"), soft_wrap=True)
    console.print(Text("\nparameters with their defaults; --json has types, limits and descriptions", style="dim"))
    return None
