"""vectorbt: signals of bar t are shifted by one bar and filled at price=open. Run by bench_engine.py."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import vectorbt as vbt

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import data
from support.peer import answer

PAIRS = [(fast, slow) for fast in data.FASTS for slow in data.SLOWS]


def headline(portfolio: vbt.Portfolio) -> float:
    """The equity curve and the metrics that the product's rows include; the final equity, summed over columns."""
    value = portfolio.value()
    portfolio.total_return()
    portfolio.annualized_return()
    portfolio.annualized_volatility()
    portfolio.sharpe_ratio()
    portfolio.sortino_ratio()
    portfolio.calmar_ratio()
    portfolio.max_drawdown()
    closed = portfolio.trades.closed
    closed.count()
    closed.win_rate()
    closed.profit_factor()
    closed.expectancy()
    return float(np.sum(value.iloc[-1]))


def frames(prices: data.Prices) -> tuple[pd.DataFrame, ...]:
    index = pd.DatetimeIndex(prices.dates.astype("datetime64[ns]"))
    return tuple(pd.DataFrame(getattr(prices, name), index) for name in ("open", "high", "low", "close"))


def crossing(prices: data.Prices, fast: object, slow: object, fee: float, freq: str, **stops: object) -> float:
    open_, high, low, close = frames(prices)
    one = close.shape[1] == 1
    if one:
        open_, high, low, close = (frame[0] for frame in (open_, high, low, close))
    first, second = vbt.MA.run(close, fast, short_name="fast"), vbt.MA.run(close, slow, short_name="slow")
    if one:
        enter, leave = first.ma_crossed_above(second), first.ma_crossed_below(second)
    else:  # one pair for every column
        averages = [average.ma.set_axis(close.columns, axis=1) for average in (first, second)]
        enter, leave = averages[0].vbt.crossed_above(averages[1]), averages[0].vbt.crossed_below(averages[1])
    if stops:
        stops = {**stops, "open": open_, "high": high, "low": low, "stop_entry_price": "fillprice"}
    return headline(
        vbt.Portfolio.from_signals(
            close,
            enter.vbt.signals.fshift(1),
            leave.vbt.signals.fshift(1),
            price=open_,
            fees=fee,
            init_cash=data.CASH,
            freq=freq,
            **stops,
        )
    )


def monthly() -> float:
    open_, _, _, close = frames(data.portfolio())
    months = data.portfolio().dates.astype("datetime64[M]")
    target = np.full(close.shape, np.nan)
    target[1:][months[1:] != months[:-1]] = 1.0 / close.shape[1]
    return headline(
        vbt.Portfolio.from_orders(
            close,
            pd.DataFrame(target, close.index),
            size_type="targetpercent",
            price=open_,
            fees=data.FEE,
            init_cash=data.CASH,
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            freq="1D",
        )
    )


def use(mode: str) -> None:
    vbt.settings["engine"] = mode


ROWS = {
    "W1": lambda: crossing(data.single(), data.FAST, data.SLOW, data.FEE, "1D"),
    "W2": lambda: crossing(data.single(), [f for f, _ in PAIRS], [s for _, s in PAIRS], data.FEE, "1D"),
    "W3": lambda: crossing(data.wide(), data.FAST, data.SLOW, data.FEE, "1D"),
    "W4": lambda: crossing(data.long(), data.FAST, data.SLOW, data.FEE_MINUTES, "1min"),
    "W4s": lambda: crossing(data.long(), data.FAST, data.SLOW, data.FEE_MINUTES, "1min", sl_stop=0.005, tp_stop=0.01),
    "W5": monthly,
}

if __name__ == "__main__":
    answer(ROWS, ("numba", "auto"), use)  # auto: its Rust kernels where there are some
