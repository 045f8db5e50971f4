"""Decisions from plain pandas, and from the TA-Lib library where its definition is the contract's."""

import numpy as np
import pandas as pd
import talib

Wish = pd.Series  # [bars], see the package


def _where(index: pd.Index, *rules: tuple[pd.Series, float]) -> Wish:
    """NaN, overwritten by each (where, value) in turn."""
    wish = pd.Series(np.nan, index)
    for where, value in rules:
        wish[where] = value
    return wish


def level(fast: pd.Series, slow: pd.Series, down: float = 0.0) -> Wish:
    """Long while fast > slow, else `down`."""
    defined = fast.notna() & slow.notna()
    return _where(fast.index, (defined & (fast > slow), 1.0), (defined & ~(fast > slow), down))


def cross(fast: pd.Series, slow: pd.Series, down: float = 0.0) -> Wish:
    """Long on the bar that goes above, `down` on the bar that goes below."""
    before, after = (fast.shift(1), slow.shift(1)), (fast, slow)
    up = (before[0] <= before[1]) & (after[0] > after[1])
    return _where(fast.index, (up, 1.0), ((before[0] >= before[1]) & (after[0] < after[1]), down))


def sma_level(bars: pd.DataFrame, fast: int, slow: int, down: float = 0.0) -> Wish:
    return level(sma(bars["Close"], fast), sma(bars["Close"], slow), down)


def sma_cross(bars: pd.DataFrame, fast: int, slow: int, down: float = 0.0) -> Wish:
    return cross(sma(bars["Close"], fast), sma(bars["Close"], slow), down)


def short_of(wish: Wish) -> Wish:
    """The short side of a long and out strategy: out where it is long, short where it is out."""
    return wish - 1.0


def sma(close: pd.Series, length: int) -> pd.Series:
    return close.rolling(length).mean()


def ema_cross(bars: pd.DataFrame, fast: int, slow: int, down: float = 0.0) -> Wish:
    return cross(talib.EMA(bars["Close"], fast), talib.EMA(bars["Close"], slow), down)


def macd(bars: pd.DataFrame) -> Wish:
    line, signal, _ = talib.MACD(bars["Close"], 12, 26, 9)
    return level(line, signal)


def rsi(bars: pd.DataFrame, period: int, oversold: float, overbought: float, above: float = 0.0) -> Wish:
    """Wilder's: the first mean is plain. Long below `oversold`, `above` above `overbought`."""
    value = talib.RSI(bars["Close"], period)
    return _where(bars.index, (value < oversold, 1.0), (value > overbought, above))


def bollinger(bars: pd.DataFrame, period: int, width: float) -> Wish:
    close = bars["Close"]
    middle = close.rolling(period).mean()
    lower = middle - width * close.rolling(period).std(ddof=0)
    return _where(bars.index, (close > middle, 0.0), (close < lower, 1.0))


def donchian(bars: pd.DataFrame, entry: int, leave: int) -> Wish:
    highest, lowest = bars["High"].rolling(entry).max().shift(1), bars["Low"].rolling(leave).min().shift(1)
    return _where(bars.index, (bars["Close"] < lowest, 0.0), (bars["Close"] > highest, 1.0))


def period_ends(index: pd.DatetimeIndex, period: str = "M") -> pd.DatetimeIndex:
    """The last bar of every month ("M") or week ("W") but the one in which the data end."""
    periods = index.to_period(period)
    return index[:-1][periods[:-1] != periods[1:]]


def equal(prices: dict[str, pd.DataFrame], dates: pd.DatetimeIndex, exposure: float) -> pd.DataFrame:
    """The same weight for every symbol listed by then, 0 for the others: [dates, symbols]."""
    listed = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()}).notna().loc[dates].astype(float)
    return listed.mul(exposure / listed.sum(axis=1), axis=0)


def growth(prices: dict[str, pd.DataFrame], dates: pd.DatetimeIndex, lookback: int) -> pd.DataFrame:
    """close[t]/close[t-lookback] - 1 on the dates at which some symbol has one: [dates, symbols]."""
    close = pd.DataFrame({symbol: bars["Close"] for symbol, bars in prices.items()})
    return (close / close.shift(lookback) - 1.0).loc[dates].dropna(how="all")


def best(values: pd.DataFrame, count: int) -> pd.DataFrame:
    """1/count for the `count` largest of each row, 0 for the others."""
    return (values.rank(axis=1, ascending=False) <= count).astype(float) / count


def spread(prices: dict[str, pd.DataFrame], dates: pd.DatetimeIndex) -> pd.DataFrame:
    """0.45 in the symbol that grew most over 63 bars, -0.45 in the one that grew least, 0 in the others."""
    values = growth(prices, dates, 63)
    high, low = values.rank(axis=1, ascending=False) == 1, values.rank(axis=1) == 1
    return 0.45 * (high.astype(float) - low.astype(float))


def changes(wish: Wish) -> pd.Series:
    """The state (1 long, 0 out, -1 short) on the bars at which it changes."""
    state = wish.ffill().fillna(0.0)
    return state[state != state.shift(1, fill_value=0.0)]


def carry(bars: pd.DataFrame, rate: float) -> pd.Series:
    """What a share held short over a close costs until the next one: calendar days / 365."""
    days = bars.index.to_series().diff().dt.days.shift(-1, fill_value=0)
    return bars["Close"] * rate * days / 365.0
