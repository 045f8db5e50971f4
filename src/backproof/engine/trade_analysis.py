"""Statistics of closed trades beyond the headline, and what the rest of the analysis shares with them. Numpy only."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from backproof.engine.arrays import FloatArray, IntArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Records: TypeAlias = npt.NDArray[np.void]
Found: TypeAlias = dict[str, float | int | str]  # by metric: its value, or why it has none

TINY = 1e-12  # as in `metrics`, which would load the kernels
DAY = np.timedelta64(1, "D")
TOO_LARGE = "the value is too large for a number"

TRADE_NOTES = {
    "payoff": "Average win over the absolute average loss of closed trades.",
    "average_win": "Mean profit of winning closed trades, in account currency.",
    "average_loss": "Mean profit of losing closed trades, in account currency; negative.",
    "largest_win": "Highest profit of a winning closed trade, in account currency.",
    "largest_loss": "Lowest profit of a losing closed trade, in account currency; negative.",
    "sqn": "System quality number: sqrt(closed trades) times mean over standard deviation (ddof 1) of trade returns.",
    "max_consecutive_wins": "Most winning trades in a row, in the order of their exits.",
    "max_consecutive_losses": "Most losing trades in a row, in the order of their exits.",
    "holding_days_mean": "Mean time from the first fill to the last of closed trades, in days.",
    "holding_days_median": "Median time from the first fill to the last of closed trades, in days.",
    "bars_held_mean": "Mean number of bars from the first fill to the last of closed trades.",
    "mae_mean": "Mean adverse excursion of closed trades: the worst price against the average cost, fraction <= 0.",
    "mfe_mean": "Mean favourable excursion of closed trades: the best price against the average cost, fraction >= 0.",
    "mae_worst": "Worst adverse excursion of a closed trade, fraction <= 0.",
    "long_trades": "Closed trades that were long.",
    "short_trades": "Closed trades that were short.",
    "win_rate_long": "Share of closed long trades with a profit after costs.",
    "win_rate_short": "Share of closed short trades with a profit after costs.",
}

NO_TRADE = "no trade was closed"
NO_WIN = "no closed trade won money"
NO_LOSS = "no closed trade lost money"
NO_EXCURSION = "no closed trade's excursion is known"


def trade_statistics(trades: Records) -> Found:
    """Return every metric of TRADE_NOTES; a trade with no profit at all is neither a win nor a loss.

    trades: shape (n_trades,), records as `Result.trades`, in any order; open ones are left out, and unknown (NaN)
            excursions are left out of the excursions' statistics
    """
    closed = trades[trades["reason"] != "open"]
    closed = closed[np.argsort(closed["exit_date"], kind="stable")]
    profit, is_long = closed["profit"], closed["side"] == "long"
    won, lost = profit > 0.0, profit < 0.0
    counts: Found = {
        "max_consecutive_wins": _longest(won),
        "max_consecutive_losses": _longest(lost),
        "long_trades": int(np.count_nonzero(is_long)),
        "short_trades": int(np.count_nonzero(~is_long)),
    }
    if not len(closed):
        return dict.fromkeys(TRADE_NOTES, NO_TRADE) | counts
    wins, losses = profit[won], profit[lost]
    held = (closed["exit_date"] - closed["entry_date"]) / DAY
    mae, mfe = _known(closed["mae"]), _known(closed["mfe"])
    return counts | {
        "payoff": _payoff(wins, losses),
        "average_win": _summary(np.mean, wins, NO_WIN),
        "average_loss": _summary(np.mean, losses, NO_LOSS),
        "largest_win": _summary(np.max, wins, NO_WIN),
        "largest_loss": _summary(np.min, losses, NO_LOSS),
        "sqn": _sqn(closed["return"]),
        "holding_days_mean": float(held.mean()),
        "holding_days_median": float(np.median(held)),
        "bars_held_mean": float(closed["bars"].mean()),
        "mae_mean": _summary(np.mean, mae, NO_EXCURSION),
        "mfe_mean": _summary(np.mean, mfe, NO_EXCURSION),
        "mae_worst": _summary(np.min, mae, NO_EXCURSION),
        "win_rate_long": _summary(np.mean, won[is_long], "no long trade was closed"),
        "win_rate_short": _summary(np.mean, won[~is_long], "no short trade was closed"),
    }


def ratio(top: float, bottom: float, undefined: str) -> float | str:
    """top / bottom, or why there is none; an infinite bottom does not make it zero."""
    if not (math.isfinite(top) and math.isfinite(bottom)):
        return TOO_LARGE
    return float(top) / float(bottom) if abs(bottom) >= TINY else undefined


def stretches(flags: BoolArray) -> tuple[IntArray, IntArray]:
    """The first place of each stretch of True, and the place after its last one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return edges[::2], edges[1::2]


def _payoff(wins: FloatArray, losses: FloatArray) -> float | str:
    if not len(wins):
        return NO_WIN
    return ratio(wins.mean(), -losses.mean(), NO_LOSS) if len(losses) else NO_LOSS


def _sqn(returns: FloatArray) -> float | str:
    if len(returns) < 2:
        return "fewer than two trades were closed"
    return ratio(math.sqrt(len(returns)) * returns.mean(), returns.std(ddof=1), "the trades' returns do not vary")


def _longest(flags: BoolArray) -> int:
    starts, stops = stretches(flags)
    return int((stops - starts).max(initial=0))


def _known(values: FloatArray) -> FloatArray:
    return values[~np.isnan(values)]


def _summary(of: Callable[[Any], Any], values: npt.NDArray[Any], undefined: str) -> float | str:
    return float(of(values)) if len(values) else undefined
