"""backtrader (https://github.com/mementum/backtrader): one symbol, fills at the next open (its cheat-on-open mode).

It has no rule for a size at the price of the fill: "all the money, costs included" is worked out here before each
order; fills, commission, slippage, stops and cash are its own.
"""

from collections.abc import Callable

import backtrader as bt
import numpy as np
import pandas as pd

CASH = 100_000.0
_ROOM = 8.0  # broker leverage: cash is limited by the size of the order alone, never by its last bits


class _Commission(bt.CommInfoBase):
    params = (("of", None), ("stocklike", True), ("commtype", bt.CommInfoBase.COMM_PERC), ("leverage", _ROOM))

    def _getcommission(self, size: float, price: float, pseudoexec: bool) -> float:
        return self.p.of(abs(size), price)


class _Follow(bt.Strategy):
    params = (
        *(("wish", None), ("size", None), ("money", 1.0), ("whole", False), ("slippage", 0.0)),
        *(("rate", 0.0), ("per_share", 0.0), ("fixed", 0.0), ("of", None)),
        *(("stop_loss", None), ("take_profit", None), ("entry_bar", True)),
    )

    def __init__(self) -> None:
        self.curve: list[float] = []
        self.levels: list[bt.Order] = []
        self.entry: bt.Order | None = None
        self.wished = np.nan

    def next_open(self) -> None:
        held = np.sign(self.position.size)
        if np.isnan(self.wished) or self.wished == held:
            return
        open_ = self.data.open[0]
        equity = self.broker.getvalue()
        if held:
            for order in self.levels:
                self.cancel(order)
            at = open_ * (1 - held * self.p.slippage)
            shares = abs(self.position.size)
            equity += self.position.size * (at - self.data.close[-1]) - self.p.of(shares, at)
            self.close()
        if self.wished:
            at = open_ * (1 + self.wished * self.p.slippage)
            size = self.p.size or (self.p.money * equity - self.p.fixed) / (at * (1 + self.p.rate) + self.p.per_share)
            size = np.floor(size) if self.p.whole else size
            self.entry = (self.buy if self.wished > 0 else self.sell)(size=size)
            if self.p.entry_bar:
                self.set_levels(at, self.wished, size)

    def set_levels(self, entry: float, side: float, size: float) -> None:
        leave = self.sell if side > 0 else self.buy
        first = None
        self.levels = []
        if self.p.stop_loss is not None:
            first = leave(size=size, exectype=bt.Order.Stop, price=entry * (1 - side * self.p.stop_loss))
            self.levels.append(first)
        if self.p.take_profit is not None:
            price = entry * (1 + side * self.p.take_profit)
            self.levels.append(leave(size=size, exectype=bt.Order.Limit, price=price, oco=first))

    def notify_order(self, order: bt.Order) -> None:
        filled = self.entry is not None and order.ref == self.entry.ref and order.status == order.Completed
        if filled and not self.p.entry_bar:
            self.set_levels(self.position.price, np.sign(self.position.size), abs(self.position.size))

    def next(self) -> None:
        self.curve.append(self.broker.getvalue())
        self.wished = self.p.wish[len(self.data) - 1]


def signals(
    bars: pd.DataFrame,
    wish: pd.Series,
    commission: Callable[[float, float], float] | None = None,
    **options: object,
) -> pd.Series:
    """All in. options: rate, per_share, fixed (of the commission, for the size; `commission` where it is another
    function), size, money (of equity), whole, slippage, stop_loss, take_profit, entry_bar."""
    rate, per_share, fixed = (float(options.get(name, 0.0)) for name in ("rate", "per_share", "fixed"))

    def of(size: float, price: float) -> float:
        return commission(size, price) if commission else fixed + rate * size * price + per_share * size

    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True)
    cerebro.broker.setcash(CASH)
    cerebro.broker.set_checksubmit(False)
    cerebro.broker.addcommissioninfo(_Commission(of=of))
    if options.get("slippage"):
        cerebro.broker.set_slippage_perc(options["slippage"], slip_open=True, slip_out=True)
    cerebro.adddata(bt.feeds.PandasData(dataname=bars, open=0, high=1, low=2, close=3, volume=-1, openinterest=-1))
    cerebro.addstrategy(_Follow, wish=wish.to_numpy(), of=of, **options)
    return pd.Series(cerebro.run()[0].curve, bars.index)
