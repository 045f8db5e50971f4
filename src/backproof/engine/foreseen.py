"""Notices that are known before a run, without anything of the engine that takes time to load."""

from collections.abc import Sequence

from backproof.domain.backtest import Notice
from backproof.domain.config import BacktestConfig

_NAMED = 5  # symbols listed by name in a message; the details hold all
_MUCH = {"commission_rate": 0.02, "borrow_rate": 0.5, "take_profit": 3.0, "risk_free_rate": 0.25}
_MUCH_OF_EQUITY = 2.0


def never_decided(symbols: Sequence[str], bars: Sequence[int], warmup: int | None) -> Notice | None:
    """bars: of each symbol, up to the run's end; warmup: bars before a strategy's first decision, None: not known"""
    if warmup is None or not (without := [s for s, n in zip(symbols, bars, strict=True) if 0 < n <= warmup]):
        return None
    return Notice(
        code="never_decided",
        message=f"too few bars to decide on, the strategy needs {warmup} before its first decision: {named(without)}",
        details={"symbols": without, "needed": warmup},
    )


def likely_percent(config: BacktestConfig) -> Notice | None:
    """Fractions so large that a percent was probably written for one."""
    sizing = config.execution.sizing
    given = {
        "/costs/commission_rate": config.costs.commission_rate,
        "/costs/borrow_rate": config.costs.borrow_rate,
        "/risk/take_profit": config.risk.take_profit or 0.0,
        "/risk_free_rate": config.risk_free_rate,
    }
    fields = {pointer: value for pointer, value in given.items() if value >= _MUCH[pointer.rpartition("/")[2]]}
    if sizing.type == "percent_equity" and (sizing.value or 0.0) >= max(_MUCH_OF_EQUITY, config.execution.max_leverage):
        fields["/execution/sizing/value"] = sizing.value or 0.0
    if not fields:
        return None
    read = ", ".join(f"{pointer} {value:g} is {100 * value:g}%" for pointer, value in fields.items())
    return Notice(
        code="likely_percent", message=f"a percent may be meant for a fraction: {read}", details={"fields": fields}
    )


def named(symbols: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(symbols[:_NAMED])
    return shown if len(symbols) <= _NAMED else f"{shown} and {len(symbols) - _NAMED} more"
