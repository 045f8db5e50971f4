"""bt (https://github.com/pmorissette/bt): fills at the close, own sizing, target weights, splits, dividends, carry.

It takes commissions out of the amount of each allocation, so with costs only single long positions are the contract's.
Fills at the open are possible with sizes worked out beforehand (`signals_at_open`).
"""

from collections.abc import Callable

import bt
import numpy as np
import pandas as pd

from .wishes import changes

CASH = 100_000.0
Commission = Callable[[float, float], float]


def _run(
    close: pd.DataFrame, algos: list[bt.Algo], children: list[bt.Security] | None = None, **options: object
) -> pd.Series:
    strategy = bt.Strategy("s", algos, children)
    test = bt.Backtest(strategy, close, initial_capital=CASH, progress_bar=False, **options)
    test.run()
    return test.strategy.values.loc[close.index[0] :]


def weights(
    prices: dict[str, pd.DataFrame],
    target: pd.DataFrame,
    whole: bool = False,
    commission: Commission | None = None,
    actions: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    carry: pd.DataFrame | None = None,
) -> pd.Series:
    """Target weights, filled at the closes that decide.

    actions: (dividends per share, split ratios) by date and symbol, of unadjusted prices
    carry:   what a share held short over a close costs until the next one, by date and symbol
    """
    close = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()})
    algos = [bt.algos.WeighTarget(target), bt.algos.Rebalance()]
    options: dict[str, object] = {"integer_positions": whole}
    if commission:
        options["commissions"] = lambda shares, price: commission(abs(shares), price)
    children = None
    if carry is not None:
        options["additional_data"] = {"coupons": carry * 0.0, "cost_short": carry}
        children = [bt.CouponPayingSecurity(symbol) for symbol in prices]
    if actions:
        algos.insert(0, bt.algos.CorporateActions(*actions))
    return _run(close, algos, children, **options)


def signals(
    bars: pd.DataFrame, wish: pd.Series, actions: tuple[pd.Series, pd.Series] | None = None, **options: object
) -> pd.Series:
    """All in, at the close that decides; long and out only. options: whole, commission."""
    if actions:
        options["actions"] = tuple(table.to_frame("x") for table in actions)
    return weights({"x": bars}, changes(wish).to_frame("x"), **options)


class _AtOpen(bt.Algo):
    """Follows yesterday's wish at today's open: "all the money, costs included" is worked out here."""

    def __init__(self, wish: pd.Series, opens: pd.Series, rate: float) -> None:
        super().__init__()
        self.wish, self.opens, self.rate = wish.shift(1), opens, rate

    def __call__(self, target: bt.Strategy) -> bool:
        security, wish = target["x"], self.wish[target.now]
        held = np.sign(security.position)
        if pd.notna(wish) and wish != held:
            price = self.opens[target.now]
            if held:
                security.transact(-security.position, price=price)
            if wish:
                security.transact(wish * target.capital / (price * (1.0 + self.rate)), price=price)
        return True


def signals_at_open(
    bars: pd.DataFrame, wish: pd.Series, rate: float, actions: tuple[pd.Series, pd.Series]
) -> pd.Series:
    """All in, at the next open."""
    dividends, splits = (table.to_frame("x") for table in actions)
    close = bars[["Close"]].set_axis(["x"], axis=1)
    algos = [bt.algos.CorporateActions(dividends, splits), _AtOpen(wish, bars["Open"], rate)]
    options = {"integer_positions": False, "commissions": lambda shares, price: rate * abs(shares) * price}
    return _run(close, algos, [bt.Security("x")], additional_data={"bidoffer": close * 0.0}, **options)


class _Amount(bt.Algo):
    """Puts an amount of money into the one symbol, or all of it back."""

    def __init__(self, changes: pd.Series, amount: float) -> None:
        super().__init__()
        self.changes, self.amount = changes, amount

    def __call__(self, target: bt.Strategy) -> bool:
        if target.now in self.changes.index:
            if self.changes[target.now]:
                target.allocate(self.amount, child="x")
            else:
                target.close("x")
        return True


def fixed_amount(bars: pd.DataFrame, wish: pd.Series, amount: float, commission: Commission) -> pd.Series:
    """An amount per entry, costs included, at the close that decides; long and out only."""
    options = {"integer_positions": False, "commissions": lambda shares, price: commission(abs(shares), price)}
    return _run(bars[["Close"]].set_axis(["x"], axis=1), [_Amount(changes(wish), amount)], **options)


def top(prices: dict[str, pd.DataFrame], growth: pd.DataFrame, count: int) -> pd.Series:
    """Equal parts of the `count` symbols that grew most, at the closes of `growth`'s dates; bt selects and weighs."""
    close = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()})
    algos = [
        bt.algos.RunOnDate(*growth.index),
        bt.algos.SetStat(growth),
        bt.algos.SelectN(count),
        bt.algos.WeighEqually(),
        bt.algos.Rebalance(),
    ]
    return _run(close, algos, integer_positions=False)


def equal(prices: dict[str, pd.DataFrame], dates: pd.DatetimeIndex) -> pd.Series:
    """Equal weights of the listed symbols at the closes of `dates`; bt selects and weighs."""
    close = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()})
    algos = [bt.algos.RunOnDate(*dates), bt.algos.SelectAll(), bt.algos.WeighEqually(), bt.algos.Rebalance()]
    return _run(close, algos, integer_positions=False)
