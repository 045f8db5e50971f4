"""vectorbt (https://github.com/polakowo/vectorbt): signals and target weights.

Its stops are checked from the bar after the entry. A stop takes the place of a pending exit on the same bar, and an
entry decided at the close of a stopped bar is not made there: scenarios avoid both.
"""

import numpy as np
import pandas as pd
import vectorbt as vbt

CASH = 100_000.0
_DELAY = {"same_close": 0, "next_close": 1, "next_open": 1}


def signals(
    bars: pd.DataFrame, wish: pd.Series, fill: str = "next_open", cash: float = 1e5, **options: object
) -> pd.Series:
    """All in. options: fees, fixed_fees, slippage, size_granularity, sl_stop, sl_trail, tp_stop."""
    seen = wish.shift(_DELAY[fill])
    out = seen == 0.0
    portfolio = vbt.Portfolio.from_signals(
        bars["Close"],
        entries=seen == 1.0,
        exits=out,
        short_entries=seen == -1.0,
        short_exits=out,
        price=bars["Open"] if fill == "next_open" else bars["Close"],
        open=bars["Open"],
        high=bars["High"],
        low=bars["Low"],
        stop_entry_price="fillprice",
        stop_exit_price="stopmarket",
        init_cash=CASH,
        freq="D",
        **options,
    )
    return portfolio.value()


def weights(
    prices: dict[str, pd.DataFrame],
    target: pd.DataFrame,
    fill: str = "same_close",
    cash: float = 1e5,
    **options: object,
) -> pd.Series:
    """Target weights with shared cash, sales first. options: fees, slippage, size_granularity."""
    close = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()})
    open_ = pd.DataFrame({symbol: bars["Open"] for symbol, bars in prices.items()})
    at = target.reindex(close.index).shift(_DELAY[fill])
    portfolio = vbt.Portfolio.from_orders(
        close.bfill(),  # a price before the listing is asked for, but never traded
        at.where(close.notna(), np.nan),
        size_type="targetpercent",
        price=(open_ if fill == "next_open" else close).bfill(),
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        init_cash=CASH,
        freq="D",
        **options,
    )
    return portfolio.value()
