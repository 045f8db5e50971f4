"""Notices that are known before a run, without anything of the engine that takes time to load."""

from collections.abc import Sequence

from backproof.domain.backtest import Notice

_NAMED = 5  # symbols listed by name in a message; the details hold all


def never_decided(symbols: Sequence[str], bars: Sequence[int], warmup: int | None) -> Notice | None:
    """bars: of each symbol, up to the run's end; warmup: bars before a strategy's first decision, None: not known"""
    if warmup is None or not (without := [s for s, n in zip(symbols, bars, strict=True) if 0 < n <= warmup]):
        return None
    return Notice(
        code="never_decided",
        message=f"too few bars to decide on, the strategy needs {warmup} before its first decision: {named(without)}",
        details={"symbols": without, "needed": warmup},
    )


def named(symbols: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    shown = ", ".join(symbols[:_NAMED])
    return shown if len(symbols) <= _NAMED else f"{shown} and {len(symbols) - _NAMED} more"
