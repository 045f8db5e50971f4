"""backtesting.py (https://github.com/kernc/backtesting.py): one symbol, fills at the next open.

It sizes an order by the money left when it fills. Slippage is on entries only there, so no scenario has it. Levels of
stops and targets are prices there, so "a fraction of the entry's fill price" is written down once that is known: at
the entry bar's close, or (`entry_bar`) with the order, for which the next open is looked up.
"""

import warnings
from collections.abc import Callable

import backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import FractionalBacktest

CASH = 100_000.0
UNIT = 2.0**-40  # of a share; a power of two scales prices without rounding
Commission = float | Callable[[float, float], float]
backtesting.backtesting._tqdm = lambda values, **_: values


class _Follow(Strategy):  # type: ignore[misc]
    wish: np.ndarray
    opens: np.ndarray
    size: float | None = None
    stop_loss = take_profit = trailing_stop = None
    entry_bar = False

    def init(self) -> None:
        pass

    def levels(self, entry: float, side: float) -> dict[str, float]:
        levels = {}
        if self.stop_loss is not None:
            levels["sl"] = entry * (1 - side * self.stop_loss)
        if self.take_profit is not None:
            levels["tp"] = entry * (1 + side * self.take_profit)
        return levels

    def next(self) -> None:
        now = len(self.data) - 1
        for trade in self.trades:
            if self.trailing_stop is not None:
                side = 1 if trade.is_long else -1
                best = self.data.High[trade.entry_bar + 1 :] if side > 0 else self.data.Low[trade.entry_bar + 1 :]
                peak = side * max([side * trade.entry_price, *(side * best)])
                trade.sl = peak * (1 - side * self.trailing_stop)
            elif trade.sl is None and trade.tp is None:
                for name, price in self.levels(trade.entry_price, 1 if trade.is_long else -1).items():
                    setattr(trade, name, price)
        wish = self.wish[now]
        held = np.sign(self.position.size)
        if np.isnan(wish) or wish == held:
            return
        self.position.close()
        if wish and now + 1 < len(self.opens):
            size = {} if self.size is None else {"size": self.size}
            levels = self.levels(self.opens[now + 1], wish) if self.entry_bar else {}
            (self.buy if wish > 0 else self.sell)(**size, **levels)


def signals(
    bars: pd.DataFrame,
    wish: pd.Series,
    commission: Commission = 0.0,
    whole: bool = False,
    margin: float = 1.0,
    **options: object,
) -> pd.Series:
    """All in. options: size, stop_loss, take_profit, trailing_stop (set by the strategy at each close), entry_bar."""
    kind, unit, extra = (Backtest, 1.0, {}) if whole else (FractionalBacktest, UNIT, {"fractional_unit": UNIT})
    follow = type("Follow", (_Follow,), {"wish": wish.to_numpy(), "opens": bars["Open"].to_numpy() * unit, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = kind(bars.assign(Volume=0.0), follow, cash=CASH, commission=commission, margin=margin, **extra)
        return test.run()["_equity_curve"]["Equity"]
