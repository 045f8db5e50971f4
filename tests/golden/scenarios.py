"""What each engine is asked: CURVES of scenario -> engine -> a function that gives the equity curve.

The same scenarios as configurations of this product stand in test_golden.py.
"""

from collections.abc import Callable

import pandas as pd
from engines import backtesting_curves as backtesting
from engines import backtrader_curves as backtrader
from engines import bt_curves as bt
from engines import vectorbt_curves as vectorbt
from engines import wishes

Prices = dict[str, pd.DataFrame]  # by symbol: Open, High, Low, Close on dates
Curves = dict[str, dict[str, Callable[[], pd.Series]]]


def all_fees(shares: float, price: float) -> float:
    return max(5.0, 1.0 + 0.0002 * shares * price + 0.005 * shares)


def small_fees(shares: float, price: float) -> float:
    return max(8.0, 2.0 + 0.0001 * shares * price + 0.002 * shares)


def fees(rate: float, per_share: float = 0.0) -> Callable[[float, float], float]:
    """Of shares (signed) and price."""
    return lambda shares, price: abs(shares) * (rate * price + per_share)


def signals(prices: Prices) -> Curves:
    aapl, ibm, msft = prices["AAPL"], prices["IBM"], prices["MSFT"]
    level = wishes.sma_level(aapl, 20, 50)
    shorts = wishes.short_of(wishes.sma_level(msft, 10, 30))
    flips = wishes.sma_level(ibm, 10, 40, down=-1.0)
    ema = wishes.ema_cross(msft, 8, 21, down=-1.0)
    macd = wishes.macd(aapl)
    rsi, rsi_flips = wishes.rsi(msft, 7, 30.0, 65.0), wishes.rsi(msft, 7, 30.0, 65.0, above=-1.0)
    bollinger = wishes.bollinger(ibm, 20, 2.0)
    donchian = wishes.donchian(ibm, 20, 10)
    return {
        "sma_next_open": {
            "vectorbt": lambda: vectorbt.signals(aapl, level, fees=0.001, slippage=0.0005),
            "backtrader": lambda: backtrader.signals(aapl, level, rate=0.001, slippage=0.0005),
        },
        "sma_commission": {
            "vectorbt": lambda: vectorbt.signals(aapl, level, fees=0.001),
            "backtesting": lambda: backtesting.signals(aapl, level, 0.001),
            "backtrader": lambda: backtrader.signals(aapl, level, rate=0.001),
        },
        "sma_whole_shares": {
            "vectorbt": lambda: vectorbt.signals(aapl, level, fees=0.001, size_granularity=1.0),
            "backtesting": lambda: backtesting.signals(aapl, level, 0.001, whole=True),
        },
        "sma_half_of_equity": {
            "vectorbt": lambda: vectorbt.signals(aapl, level, fees=0.001, size=0.5, size_type="percent"),
            "backtesting": lambda: backtesting.signals(aapl, level, 0.001, size=0.5),
        },
        "sma_leverage_two": {
            "backtesting": lambda: backtesting.signals(aapl, level, 0.001, whole=True, margin=0.5),
            "backtrader": lambda: backtrader.signals(aapl, level, rate=0.001, whole=True, money=2.0),
        },
        "sma_long_short": {
            "vectorbt": lambda: vectorbt.signals(ibm, flips, fees=0.001),
            "backtesting": lambda: backtesting.signals(ibm, flips, 0.001),
            "backtrader": lambda: backtrader.signals(ibm, flips, rate=0.001),
        },
        "sma_long_short_slipped": {
            "vectorbt": lambda: vectorbt.signals(ibm, flips, fees=0.0005, slippage=0.001),
            "backtrader": lambda: backtrader.signals(ibm, flips, rate=0.0005, slippage=0.001),
        },
        "short_sma_next_open": {
            "vectorbt": lambda: vectorbt.signals(msft, shorts, fees=0.001),
            "backtesting": lambda: backtesting.signals(msft, shorts, 0.001),
            "backtrader": lambda: backtrader.signals(msft, shorts, rate=0.001),
        },
        "short_sma_next_close": {
            "vectorbt": lambda: vectorbt.signals(msft, shorts, "next_close", fees=0.001),
        },
        "ema_cross_long_short": {
            "vectorbt": lambda: vectorbt.signals(msft, ema, fees=0.0005),
            "backtesting": lambda: backtesting.signals(msft, ema, 0.0005),
        },
        "macd_same_close": {
            "vectorbt": lambda: vectorbt.signals(aapl, macd, "same_close", fees=0.001),
            "bt": lambda: bt.signals(aapl, macd, commission=fees(0.001)),
        },
        "rsi_next_open": {
            "vectorbt": lambda: vectorbt.signals(msft, rsi, fees=0.001),
            "backtesting": lambda: backtesting.signals(msft, rsi, 0.001),
        },
        "rsi_long_short": {
            "vectorbt": lambda: vectorbt.signals(msft, rsi_flips, fees=0.001),
            "backtesting": lambda: backtesting.signals(msft, rsi_flips, 0.001),
        },
        "bollinger_next_open": {
            "vectorbt": lambda: vectorbt.signals(ibm, bollinger, fees=0.001),
            "backtrader": lambda: backtrader.signals(ibm, bollinger, rate=0.001),
        },
        "donchian_same_close": {
            "vectorbt": lambda: vectorbt.signals(ibm, donchian, "same_close", fees=0.002),
            "bt": lambda: bt.signals(ibm, donchian, commission=fees(0.002)),
        },
    }


def costs(prices: Prices) -> Curves:
    """Commissions and sizes of every kind."""
    ibm, msft = prices["IBM"], prices["MSFT"]
    level = wishes.sma_level(ibm, 5, 20)
    shorts, other = wishes.short_of(level), wishes.sma_level(msft, 5, 20)
    return {
        "fixed_fee_whole_shares": {
            "vectorbt": lambda: vectorbt.signals(ibm, level, fees=0.0005, fixed_fees=10.0, size_granularity=1.0),
            "backtrader": lambda: backtrader.signals(ibm, level, rate=0.0005, fixed=10.0, whole=True),
        },
        "per_share_fee": {
            "backtesting": lambda: backtesting.signals(ibm, level, fees(0.0005, 0.01), whole=True),
            "backtrader": lambda: backtrader.signals(ibm, level, rate=0.0005, per_share=0.01, whole=True),
        },
        "all_fees_fixed_shares": {
            "backtesting": lambda: backtesting.signals(
                ibm, shorts, lambda shares, price: all_fees(abs(shares), price), whole=True, size=150
            ),
            "backtrader": lambda: backtrader.signals(ibm, shorts, all_fees, size=150.0),
        },
        "all_fees_whole_same_close": {
            "bt": lambda: bt.signals(ibm, level, whole=True, commission=small_fees),
        },
        "fixed_cash_same_close": {
            "bt": lambda: bt.fixed_amount(msft, other, 40_000.0, small_fees),
        },
    }


def stops(prices: Prices) -> Curves:
    """Stops, targets and trailing stops; on the entry bar too (`entry_bar`), else from the bar after."""
    aapl, ibm, msft = prices["AAPL"], prices["IBM"], prices["MSFT"]
    level, cross = wishes.sma_level(aapl, 10, 40), wishes.sma_cross(aapl, 10, 40)
    shorts = wishes.short_of(wishes.sma_level(msft, 10, 40))
    flips = wishes.sma_level(ibm, 5, 20, down=-1.0)

    def by_backtesting(
        bars: pd.DataFrame, wish: pd.Series, commission: float, stop: float, target: float, entry_bar: bool
    ) -> Callable[[], pd.Series]:
        levels = {"stop_loss": stop, "take_profit": target, "entry_bar": entry_bar}
        return lambda: backtesting.signals(bars, wish, commission, **levels)

    def by_backtrader(
        bars: pd.DataFrame, wish: pd.Series, commission: float, stop: float, target: float, entry_bar: bool
    ) -> Callable[[], pd.Series]:
        levels = {"stop_loss": stop, "take_profit": target, "entry_bar": entry_bar}
        return lambda: backtrader.signals(bars, wish, rate=commission, **levels)

    return {
        "stops_entry_bar": {
            "backtesting": by_backtesting(aapl, level, 0.001, 0.05, 0.12, entry_bar=True),
            "backtrader": by_backtrader(aapl, level, 0.001, 0.05, 0.12, entry_bar=True),
        },
        "stops_next_bar": {
            "backtesting": by_backtesting(aapl, level, 0.001, 0.04, 0.08, entry_bar=False),
            "backtrader": by_backtrader(aapl, level, 0.001, 0.04, 0.08, entry_bar=False),
            "vectorbt": lambda: vectorbt.signals(aapl, level, fees=0.001, sl_stop=0.04, tp_stop=0.08),
        },
        "stops_both_in_a_bar": {
            "backtesting": by_backtesting(aapl, level, 0.0001, 0.01, 0.01, entry_bar=False),
            "backtrader": by_backtrader(aapl, level, 0.0001, 0.01, 0.01, entry_bar=False),
        },
        "stops_short": {
            "backtesting": by_backtesting(msft, shorts, 0.001, 0.03, 0.06, entry_bar=False),
            "backtrader": by_backtrader(msft, shorts, 0.001, 0.03, 0.06, entry_bar=False),
            "vectorbt": lambda: vectorbt.signals(msft, shorts, fees=0.001, sl_stop=0.03, tp_stop=0.06),
        },
        "stops_long_short": {
            "backtesting": by_backtesting(ibm, flips, 0.0005, 0.04, 0.08, entry_bar=True),
            "backtrader": by_backtrader(ibm, flips, 0.0005, 0.04, 0.08, entry_bar=True),
        },
        "stops_same_close": {
            "vectorbt": lambda: vectorbt.signals(aapl, cross, "same_close", fees=0.001, sl_stop=0.04, tp_stop=0.08),
        },
        "stop_slipped": {
            "vectorbt": lambda: vectorbt.signals(aapl, cross, fees=0.0005, slippage=0.002, sl_stop=0.03),
            "backtrader": lambda: backtrader.signals(
                aapl, cross, rate=0.0005, slippage=0.002, stop_loss=0.03, entry_bar=False
            ),
        },
        "stop_slipped_entry_bar": {
            "backtrader": lambda: backtrader.signals(ibm, flips, rate=0.0005, slippage=0.002, stop_loss=0.02),
        },
        "trailing_same_close": {
            "vectorbt": lambda: vectorbt.signals(
                aapl, cross, "same_close", fees=0.001, slippage=0.001, sl_stop=0.06, sl_trail=True
            ),
        },
        "trailing_next_bar": {
            "vectorbt": lambda: vectorbt.signals(aapl, cross, fees=0.001, sl_stop=0.06, sl_trail=True),
            "backtesting": lambda: backtesting.signals(aapl, cross, 0.001, trailing_stop=0.06),
        },
        "trailing_short": {
            "vectorbt": lambda: vectorbt.signals(msft, shorts, fees=0.001, sl_stop=0.05, sl_trail=True),
            "backtesting": lambda: backtesting.signals(msft, shorts, 0.001, trailing_stop=0.05),
        },
    }


def portfolios(prices: Prices) -> Curves:
    """Target weights, decided at month or week ends."""
    three = {symbol: prices[symbol] for symbol in ("AAPL", "IBM", "MSFT")}
    late = {symbol: prices[symbol] for symbol in ("GOOG", "IBM", "MSFT")}
    index = prices["IBM"].index
    months, weeks = wishes.period_ends(index), wishes.period_ends(index, "W")
    thirds = wishes.equal(three, months, 1.0)
    growth = wishes.growth(prices, months, 126)
    best, spread = wishes.best(growth, 2), wishes.spread(three, months)
    once, held = thirds.iloc[:1].set_axis(index[:1]), pd.Series(1.0, index)
    slipped = {"fees": 0.001, "slippage": 0.0005}
    return {
        "equal_weight_monthly": {
            "bt": lambda: bt.equal(three, months),
            "vectorbt": lambda: vectorbt.weights(three, thirds),
        },
        "equal_weight_late_listing": {
            "bt": lambda: bt.equal(late, months),
            "vectorbt": lambda: vectorbt.weights(late, wishes.equal(late, months, 1.0)),
        },
        "equal_weight_weekly": {
            "bt": lambda: bt.equal(three, weeks),
            "vectorbt": lambda: vectorbt.weights(three, wishes.equal(three, weeks, 1.0)),
        },
        "equal_weight_costs": {
            "vectorbt": lambda: vectorbt.weights(three, 0.9 * thirds, "next_open", **slipped),
        },
        "equal_weight_costs_weekly": {
            "vectorbt": lambda: vectorbt.weights(late, wishes.equal(late, weeks, 0.9), "next_close", fees=0.001),
        },
        "momentum_monthly": {
            "bt": lambda: bt.top(prices, growth, 2),
            "vectorbt": lambda: vectorbt.weights(prices, best),
        },
        "momentum_costs": {
            "vectorbt": lambda: vectorbt.weights(prices, 0.9 * best, "next_open", fees=0.001),
        },
        "long_short_weights": {
            "bt": lambda: bt.weights(three, spread),
            "vectorbt": lambda: vectorbt.weights(three, spread),
        },
        "long_short_weights_costs": {
            "vectorbt": lambda: vectorbt.weights(three, spread, "next_open", **slipped),
        },
        "buy_and_hold_whole_shares": {
            "bt": lambda: bt.weights(three, once, whole=True),
            "vectorbt": lambda: vectorbt.weights(three, once, size_granularity=1.0),
        },
        "buy_and_hold_costs": {
            "vectorbt": lambda: vectorbt.signals(prices["IBM"], held, fees=0.001, size_granularity=1.0),
            "backtrader": lambda: backtrader.signals(prices["IBM"], held, rate=0.001, whole=True),
        },
    }


def events(prices: Prices, traded: Prices, dividends: pd.DataFrame, splits: pd.DataFrame) -> Curves:
    """Prices as traded with splits and dividends, decisions from adjusted prices; the cost of borrowed shares."""
    three = {symbol: prices[symbol] for symbol in ("AAPL", "IBM", "MSFT")}
    raw = {symbol: traded[symbol] for symbol in three}
    actions = (dividends[[*three]], splits[[*three]])
    months = wishes.period_ends(prices["IBM"].index)
    tenths, spread = wishes.equal(three, months, 0.9), wishes.spread(three, months)
    level = wishes.sma_level(prices["AAPL"], 10, 40)
    flips = wishes.sma_level(prices["MSFT"], 10, 30, down=-1.0)
    msft, borrowed = {"MSFT": prices["MSFT"]}, wishes.carry(prices["MSFT"], 0.06).to_frame("MSFT")
    return {
        "raw_equal_weight": {"bt": lambda: bt.weights(raw, tenths, actions=actions)},
        "raw_long_short_weights": {"bt": lambda: bt.weights(raw, spread, actions=actions)},
        "raw_sma_whole_shares": {
            "bt": lambda: bt.signals(
                raw["AAPL"], level, whole=True, commission=small_fees, actions=(dividends["AAPL"], splits["AAPL"])
            ),
        },
        "raw_sma_next_open": {
            "bt": lambda: bt.signals_at_open(raw["MSFT"], flips, 0.001, (dividends["MSFT"], splits["MSFT"])),
        },
        "borrow": {"bt": lambda: bt.weights(msft, given_weights(prices)["borrow"], carry=borrowed)},
    }


def given_weights(prices: Prices) -> dict[str, pd.DataFrame]:
    """The target weights that this product is given in its scenarios, by scenario."""
    months = wishes.period_ends(prices["IBM"].index)
    spread = wishes.spread({symbol: prices[symbol] for symbol in ("AAPL", "IBM", "MSFT")}, months)
    shorts = wishes.changes(wishes.short_of(wishes.sma_level(prices["MSFT"], 10, 40)))
    return {
        "long_short_weights": spread,
        "long_short_weights_costs": spread,
        "raw_long_short_weights": spread,
        "borrow": 0.8 * shorts.to_frame("MSFT"),
    }
