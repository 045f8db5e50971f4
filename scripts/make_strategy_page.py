"""Make docs/reference/strategies.md from the strategies' own descriptions: scripts/make_strategy_page.py"""

import sys
from pathlib import Path
from typing import Any

from backproof.engine.strategies import Strategy, built_in_strategies

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "strategies.md"
KINDS = {
    "trend": "Trend",
    "breakout": "Breakout",
    "reversion": "Mean reversion",
    "rotation": "Rotation",
    "spread": "Spread",
    "calendar": "Calendar",
    "risk": "Risk",
    "portfolio": "Portfolio",
    "baseline": "Baseline",
    "rules": "Your own rules",
}
FORMS = {"signals": "signals", "weights": "target weights", "events": "orders bar by bar"}
HEAD = """# Strategies

Made by `scripts/make_strategy_page.py` from the strategies themselves; a test holds it to them. The rules of
[the simulation contract](../explanation/simulation-contract.md) hold for all: a decision at a close knows nothing later
and fills where `execution.fill` says, lookbacks count a symbol's own bars, an undefined value is no signal.

* i is a symbol's last own bar by the day of the decision, and close[i - n] its close n own bars before. Averages,
  deviations and extremes over n bars include this one, where nothing else is said. SMA, EMA, RSI, ATR, ADX, DI, SAR and
  the MACD are TA-Lib's.
* Short side mirrored: where `execution.direction` allows shorts, the same with everything turned round. Level: looked
  at on every bar, so that it enters again after a stop.
* On schedule: at the last bar of every day, ISO week, month or quarter (`rebalance`), and on the run's first bar with
  `start: first_bar`. A bar is a period's last when the next one in the run lies in another period. Listed: has had its
  first bar and has not ended. Symbols without the number that is asked for (too few own bars) get weight 0, and nothing
  is decided before one has it. Between two decisions shares are held, not weights.
* Volatility: the sample standard deviation of returns close[i] / close[i - 1] - 1; annual: times the square root of
  `periods_per_year`, by default the calendar's days (252, or 365 where markets never close) or 52 weeks; bars within a
  day need a number. Below 1e-12 it is none.
* First decision: how many own bars a symbol must have before the one of its first decision, with the defaults.
* Sensible: a range to begin with, and its step. It limits nothing; limits are what is enforced.
"""


def page() -> str:
    parts = [HEAD]
    for kind, title in KINDS.items():
        chosen = [strategy for strategy in built_in_strategies() if strategy.kind == kind]
        told = rules_section if kind == "rules" else section
        parts += [f"\n## {title}\n", *(told(strategy) for strategy in chosen)]
    return "".join(parts)


def head(strategy: type[Strategy]) -> list[str]:
    rule = f"**Rule.** {strategy.rule[0].upper()}{strategy.rule[1:]}.\n"
    return [f"\n### `{strategy.name}`\n", f"{strategy.summary}\n", rule]


def rules_section(strategy: type[Strategy]) -> str:
    """Its parameters are texts, which say how it decides and after how many bars."""
    fields = strategy.Params.model_json_schema()["properties"]
    table = ["| parameter | |", "|---|---|", *(f"| `{name}` | {fields[name]['description']} |" for name in fields)]
    links = "See [writing rules](../guides/writing-rules.md) and [the language of rules](rules-language.md).\n"
    return "\n".join([*head(strategy), links, *table, ""])


def section(strategy: type[Strategy]) -> str:
    made = strategy(strategy.Params())
    bars = made.warmup()
    first = "from the first bar on" if bars == 0 else f"first decision after {bars} bar{'s' * (bars > 1)}"
    facts = ", ".join([FORMS[made.form], *(["long only"] if strategy.long_only else []), first])
    lines = [*head(strategy), f"**Source.** {strategy.source}.\n", f"{facts[0].upper()}{facts[1:]}.\n"]
    fields = strategy.Params.model_json_schema().get("properties", {})
    if fields:
        table = ["| parameter | default | sensible | limits | |", "|---|---|---|---|---|"]
        table += [row(name, fields[name]) for name in fields]
        lines.append("\n".join(table) + "\n")
    return "\n".join(lines)


def row(name: str, schema: dict[str, Any]) -> str:
    sensible, step = schema.get("sensible"), schema.get("step")
    tried = f"{sensible[0]:g} to {sensible[1]:g} by {step:g}" if sensible else ""
    default = schema.get("default")
    shown = "null" if default is None else "{}" if default == {} else f"{default:g}" if is_number(default) else default
    return f"| `{name}` | {shown} | {tried} | {limits(schema)} | {schema['description']} |"


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def limits(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "anyOf" in schema:
        return " or ".join(limits(part) for part in schema["anyOf"])
    if schema["type"] == "object":
        return f"symbol: {limits(schema['additionalProperties'])}"
    if schema["type"] not in ("integer", "number"):
        return {"string": "a symbol", "null": "null"}.get(schema["type"], schema["type"])
    least = f"{schema['minimum']:g}" if "minimum" in schema else f"above {schema['exclusiveMinimum']:g}"
    return f"{least} to {schema['maximum']:g}" if least[0] != "a" else f"{least}, to {schema['maximum']:g}"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE}: {len(built_in_strategies())} strategies\n")
