"""`list`, `show`, `cancel`, `strategies`: through the running server, else read in this process."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproof.cli import tables
from backproof.cli.api import Api
from backproof.cli.run import result_of, show_result
from backproof.cli.server import running_server
from backproof.errors import StackError

if TYPE_CHECKING:
    from backproof.settings import Settings


@contextmanager
def api_of(settings: "Settings", port: int | None, offline: bool = True) -> Iterator[Api]:
    """The running server's API (`port`: the one there); else, with `offline`, the same API inside this process."""
    server = running_server(settings.data_dir)
    url = f"http://127.0.0.1:{port}" if port else server.url if server else None
    if url is None and not offline:
        raise StackError(f"no server runs on {settings.data_dir}: start one with `backproof serve`")
    if url is not None:
        api = Api(url)
        try:
            yield api
        finally:
            api.close()
        return
    from backproof.cli.offline import offline_api

    with offline_api(settings) as api:
        yield api


def list_runs(api: Api, as_json: bool, limit: int, status: str | None) -> None:
    page = api.get("/backtests", limit=limit, status=status)
    if as_json:
        return _print_json(page)
    console = Console()
    if not page["items"]:
        console.print(
            "no backtests yet: try `backproof run examples/sma_crossover.yaml`", markup=False, highlight=False
        )
        return None
    _print_wide(console, tables.runs_table(page["items"]))
    if page["total"] > len(page["items"]):
        console.print(Text(f"{len(page['items'])} of {page['total']}; more with --limit", style="dim"))
    return None


def show(api: Api, run_id: str, as_json: bool, full: bool = False) -> None:
    backtest = api.get(f"/backtests/{run_id}")
    if as_json:
        measured = api.get(f"/backtests/{run_id}/metrics", full="true") if full and backtest.get("result") else {}
        return _print_json({**backtest, **measured})
    curve, everything = result_of(api, backtest, full)
    console = Console()
    show_result(console, backtest, curve, everything)
    console.print(Text(f"\n{run_id} · created {str(backtest['created_at'])[:19].replace('T', ' ')} UTC", style="dim"))
    if backtest["status"] in ("queued", "running"):
        progress = api.get(f"/backtests/{run_id}/status")
        console.print(f"{progress['progress']:.0f} %", highlight=False)
    return None


def cancel(api: Api, run_id: str) -> str:
    return str(api.post(f"/backtests/{run_id}/cancel")["status"])


def strategies(api: Api, as_json: bool) -> None:
    answer = api.get("/strategies")
    if as_json:
        return _print_json(answer)
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


def _print_wide(console: Console, table: Table) -> None:
    """A table that is not squeezed into 80 columns where nobody looks at it through a terminal."""
    (console if console.is_terminal else Console(width=max(console.width, 200))).print(table)


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
