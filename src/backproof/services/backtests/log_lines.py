"""What the service says in a run's log: in English, with a stable code and values for readers of another language."""

from typing import Any

from backproof.domain.backtest import Checkpoint, RunError
from backproof.domain.events import LogLevel

LogLine = dict[str, Any]
"""The data of a `log` event."""


def log_line(level: LogLevel, message: str, code: str, /, **values: Any) -> LogLine:
    return {"level": level, "message": message, "code": code, "values": values}


def strategy_said(message: str) -> LogLine:
    """What a strategy has printed, or said with ctx.log."""
    return {"level": "info", "message": message, "source": "strategy"}


def bars_loaded(bars: int, symbols: int) -> LogLine:
    message = f"{_counted(bars, 'bar')} of {_counted(symbols, 'symbol')} loaded"
    return log_line("info", message, "bars_loaded", bars=bars, symbols=symbols)


def result_saved(fills: int, trades: int, sha256: str) -> LogLine:
    message = f"{_counted(fills, 'fill')}, {_counted(trades, 'trade')}; result saved"
    return {**log_line("info", message, "result_saved", fills=fills, trades=trades), "sha256": sha256}


def identical(run_id: str) -> LogLine:
    return log_line("info", f"identical to {run_id}, whose result it was given", "identical", id=run_id)


def failed(error: RunError) -> LogLine:
    return log_line("error", error.message, error.code, **error.details)


# ---- cut short --------------------------------------------------------------------------------------------------


def cancelled_after(done: int, total: int) -> LogLine:
    return log_line("warning", f"cancelled after {done} of {total} bars", "cancelled_after", done=done, total=total)


def did_not_stop(seconds: float) -> LogLine:
    message = f"cancelled; it did not stop by itself within {seconds:g} s"
    return log_line("warning", message, "did_not_stop", seconds=seconds)


def attempt_ended(attempt: int, reason: str) -> LogLine:
    message = f"attempt {attempt} ended early: {reason}"
    return log_line("warning", message, "attempt_ended", attempt=attempt, reason=reason)


# ---- going on ---------------------------------------------------------------------------------------------------


def resumed(at: Checkpoint | None) -> LogLine:
    if at is None:
        return log_line("info", "resumed by its owner, from the start", "resumed_from_the_start")
    message = f"resumed by its owner: goes on after bar {at.bar} of {at.total_bars}"
    return log_line("info", message, "resumed", bar=at.bar, total=at.total_bars)


def starts_again(attempt: int) -> LogLine:
    return log_line("warning", f"attempt {attempt}: started again from the first bar", "starts_again", attempt=attempt)


def goes_on(attempt: int, bar: int, total: int) -> LogLine:
    message = f"attempt {attempt}: goes on after bar {bar} of {total}"
    return log_line("warning", message, "goes_on", attempt=attempt, bar=bar, total=total)


def checkpoint_useless(attempt: int, reason: str) -> LogLine:
    message = f"attempt {attempt}: its checkpoint is of no use ({reason}); started from the first bar"
    return log_line("warning", message, "checkpoint_useless", attempt=attempt, reason=reason)


def no_checkpoint(bar: int, reason: str) -> LogLine:
    return log_line("warning", f"no checkpoint after bar {bar}: {reason}", "no_checkpoint", bar=bar, reason=reason)


def no_checkpoints(reason: str) -> LogLine:
    message = f"no checkpoints, so a crash would cost all of the work: {reason}"
    return log_line("warning", message, "no_checkpoints", reason=reason)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
