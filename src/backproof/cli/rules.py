"""`backproof rules`: the language of rules at the prompt."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

if TYPE_CHECKING:
    from backproof.cli.yamlfile import ConfigFile
    from backproof.engine.rules import Report, RuleError

app = typer.Typer(no_args_is_help=True, help="The language of rules: strategies written as text.")


@app.command()
def check(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE.yaml|-", help="A backtest, or only its parameters; - is the input.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="RULE", help="Check this one entry instead of a file.")] = None,
    direction: Annotated[
        str | None, typer.Option(help="long_only, short_only or long_short; without it the file's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")] = False,
) -> None:
    """Check rules without running them: every mistake with its place, or what they come to.

    Exit codes: 0 right, 2 wrong.
    """
    from backproof.engine.rules import check as check_rules

    if (file is None) == (text is None):
        raise typer.BadParameter("give either a file (- for the input) or --text")
    read = None if file is None else _read(file)
    parameters, own = ({"entry": text}, None) if read is None else _parameters(read)
    report = check_rules(parameters, _direction(direction or own))
    if as_json:
        print(json.dumps({"valid": report.valid, **dataclasses.asdict(report)}, ensure_ascii=False))
    elif report.valid:
        print(_summary(report))
    else:
        for error in report.errors:
            print(_told(error, read), file=sys.stderr)
    raise typer.Exit(0 if report.valid else 2)


def _read(file: str) -> "ConfigFile":
    from backproof.cli.yamlfile import read_config

    if file != "-":
        return read_config(Path(file))
    return dataclasses.replace(read_config(Path("/dev/stdin")), path=Path("-"))


def _parameters(read: "ConfigFile") -> tuple[dict[str, Any], object]:
    """The parameters of a backtest's file, and its direction; a file without sections is parameters alone."""
    from backproof.errors import InvalidInput

    config = read.config
    if "strategy_type" not in config and "parameters" not in config:
        return dict(config), None
    kind, parameters, execution = config.get("strategy_type"), config.get("parameters"), config.get("execution")
    if kind not in (None, "rules"):
        raise InvalidInput.at("/strategy_type", "not_rules", f"{kind} is not written in the language of rules")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidInput.at("/parameters", "not_a_mapping", "parameters are written as `name: value` lines")
    return dict(parameters or {}), execution.get("direction") if isinstance(execution, dict) else None


def _direction(given: object) -> str:
    from backproof.domain.config import Direction

    known = get_args(Direction)
    if given is None:
        return "long_only"
    if given not in known:
        raise typer.BadParameter(f"direction is one of {', '.join(known)}, not {given}")
    return str(given)


def _told(error: "RuleError", read: "ConfigFile | None") -> str:
    """The mistake, with the text and a caret below it where it is in one."""
    from backproof.cli.yamlfile import dotted

    name = dotted(error.pointer.removeprefix("/parameters"))
    pointer = error.pointer
    if read is not None and "/parameters" not in read.lines:
        pointer = error.pointer.removeprefix("/parameters")
    where = "" if read is None else f"{read.where(pointer)}: "
    if error.excerpt is None:
        return f"{where}{name}{error.message}"
    hint = "" if error.suggestion is None else f"; did you mean {error.suggestion}?"
    line = "" if error.line == 1 else f"line {error.line}, "
    return f"{where}{name}{error.reason}{hint} ({line}column {error.column})\n    {error.excerpt}\n    {error.caret}"


_FORMS = {
    "signals": "signals",
    "weights": "target weights on its schedule",
    "events": "orders bar by bar, because of bars_held",
}


def _summary(report: "Report") -> str:
    width = max(map(len, report.texts), default=0)
    lines = [f"{name:<{width}}  {text}" for name, text in report.texts.items()]
    lines.append("")
    lines.append(f"decides by {_FORMS[report.form or 'signals']}; warm-up {report.warmup} bars; work {report.work}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)
