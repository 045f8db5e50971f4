"""`backproof probe FILE.yaml`: does the strategy know prices it cannot know yet, or lose what it must keep?"""

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproof.cli.run import BadConfig
from backproof.cli.yamlfile import ConfigFile, read_config
from backproof.errors import InvalidInput

if TYPE_CHECKING:
    from backproof.settings import Settings

CLEAN, FOUND = 0, 3

_CHANGES = {
    "cut": "when the prices after {t} were cut off",
    "noise": "when the prices after {t} were replaced by noise",
    "mirrored noise": "when the prices after {t} were replaced by noise",
    "reversed": "when the prices after {t} were reversed",
    "run ends": "when the run ended one bar after {t}",
    "resumed": "when the run was interrupted and resumed",
}
_AMNESIA = {
    "clean": "{warmup} bars of history, its warm-up, give the decisions that all {available} bars give",
    "remembers": "decisions depend on more history than its warm-up of {warmup} bars",
    "forgets": "something is kept outside ctx.state: a resumed run decides otherwise",
    "not measured": "there are too few bars for its warm-up of {warmup}",
}


def probe_file(settings: "Settings", path: Path, seed: int, as_json: bool) -> int:
    """The exit code: 0 nothing found, 3 the strategy looks ahead or loses what it must keep."""
    file = read_config(path)
    with contextlib.redirect_stdout(io.StringIO()):  # what a strategy prints hundreds of times is no part of the answer
        report = asyncio.run(_probed(settings, file, seed))
    if as_json:
        json.dump(report, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        _show(Console(highlight=False), report)
    return CLEAN if report["passed"] else FOUND


async def _probed(settings: "Settings", file: ConfigFile, seed: int) -> dict[str, Any]:
    from backproof.services.backtests.checking import checked
    from backproof.services.datasets import DatasetService
    from backproof.services.lakes import open_lake
    from backproof.services.probes import probe_here

    datasets = DatasetService(open_lake(settings), settings.default_data_source)
    try:
        config, _ = await checked(datasets, file.config)
        return await probe_here(datasets, config, seed)
    except InvalidInput as error:
        raise BadConfig(file.problems(error)) from None


def _show(console: Console, report: dict[str, Any]) -> None:
    lookahead, amnesia = report["lookahead"], report["amnesia"]
    head = f"{lookahead['strategy']} (version {lookahead['version']}, decides by {lookahead['form']})"
    console.print(Text(head, style="bold"), soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, verdict, bad, lines in (
        ("look-ahead", lookahead["verdict"], lookahead["finding"], _lookahead_lines(lookahead)),
        ("amnesia", amnesia["verdict"], amnesia["lost"], _amnesia_lines(amnesia)),
    ):
        style = "bold red" if bad else "bold green" if verdict == "clean" else "bold yellow"
        for i, line in enumerate(lines):
            table.add_row(*(("", "") if i else (name, Text(verdict, style=style))), Text(line))
    console.print(table)
    if any(check["decisions"] for check in amnesia["checks"]):
        console.print()
        console.print(_history_table(amnesia))


def _lookahead_lines(report: dict[str, Any]) -> Iterator[str]:
    if (finding := report["finding"]) is None:
        bars = len(report["cuts"])
        yield f"no decision changed in {report['comparisons']} changed futures, cut after {bars} bars of the run"
    else:
        yield _said(finding)
        yield f"it reads at least {_bars(report['bars_ahead'])} ahead"
    if finding is not None and report["indicators"]:
        yield f"indicators that changed too: {', '.join(report['indicators'])}"
    yield from report["notes"]


def _amnesia_lines(report: dict[str, Any]) -> Iterator[str]:
    yield _AMNESIA[report["verdict"]].format_map(report)
    if report["lost"] is not None:
        yield _said(report["lost"])
    if report["verdict"] == "remembers":
        enough = report["enough"]
        yield "only all of it gives the same" if enough is None else f"{_bars(enough)} of history give the same"
    yield from report["notes"]


def _said(finding: dict[str, Any]) -> str:
    change = _CHANGES[finding["change"]].format(t=finding["t_date"])
    decided = f"{finding['symbol']} on {finding['date']} (bar {finding['bar']})"
    return f"{decided}: {_value(finding['given'])}, but {_value(finding['changed'])} {change}"


def _value(value: Any) -> str:
    if value is None:
        return "weight left as it is"
    return value if isinstance(value, str) else f"weight {value:.6g}"


def _history_table(report: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("bars of history", f"decisions that differ, of {report['bars']} bars", "largest", "indicators by"):
        table.add_column(title, justify="right")
    for check in report["checks"]:
        by = f"{check['indicator']:.2%}" if check["indicator"] else ""
        largest = f"{check['largest']:.4g}" if check["decisions"] else ""
        table.add_row(f"{check['history']}", f"{check['decisions']}", largest, by)
    return table


def _bars(count: int) -> str:
    return f"{count} bar{'' if count == 1 else 's'}"
