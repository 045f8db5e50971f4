"""Make the golden equity curves with engines that share no code with this product. Not part of the test run.

    python -m venv /somewhere/outside/the/repository
    /somewhere/outside/the/repository/bin/pip install bt==1.4.1 backtesting==0.6.6 vectorbt==1.2.0 pyarrow
    /somewhere/outside/the/repository/bin/python tests/golden/make_golden.py demo_daily.parquet

The argument is a long file of raw prices with adj_close (symbol, date, open, high, low, close, adj_close). Writes
beside itself `prices.parquet`, the bars the tests run on, and `curves.parquet`, one equity curve per scenario.
Indicators are plain pandas here. The engines are oracles only: bt (MIT), backtesting (AGPL) and vectorbt (Apache-2.0
with Commons Clause) are never installed with, imported by or shipped in the product.

A change of a golden file is a change of results: it is reviewed as a difference and goes into the change log.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
SYMBOLS = ["AAPL", "GOOG", "IBM", "MSFT"]
START, END = "2003-01-02", "2008-12-31"
CAPITAL = 100_000.0


def load(path: str) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=["symbol", "date", "open", "high", "low", "close", "adj_close"])
    dates = pd.to_datetime(frame["date"])
    frame = frame[frame["symbol"].isin(SYMBOLS) & (dates >= START) & (dates <= END)]
    return frame.sort_values(["symbol", "date"]).reset_index(drop=True)


def adjusted(frame: pd.DataFrame, symbol: str) -> pd.DataFrame:
    one = frame[frame["symbol"] == symbol].set_index(pd.to_datetime(frame.loc[frame["symbol"] == symbol, "date"]))
    factor = one["adj_close"] / one["close"]
    return pd.DataFrame({name.capitalize(): one[name] * factor for name in ("open", "high", "low", "close")})


def sma_next_open(frame: pd.DataFrame) -> pd.Series:
    """vectorbt: AAPL, SMA 20/50 level, filled at the next open, 0.1 % commission and 5 bps slippage each side."""
    import vectorbt as vbt

    bars = adjusted(frame, "AAPL")
    fast, slow = bars["Close"].rolling(20).mean(), bars["Close"].rolling(50).mean()
    above, below = (fast > slow).shift(1, fill_value=False), (fast <= slow).shift(1, fill_value=False)
    portfolio = vbt.Portfolio.from_signals(
        bars["Close"], above, below, price=bars["Open"], fees=0.001, slippage=0.0005, init_cash=CAPITAL, freq="D"
    )
    return portfolio.value()


def donchian_same_close(frame: pd.DataFrame) -> pd.Series:
    """vectorbt: IBM, Donchian 20/10 long, filled at the close that decides, 0.2 % commission."""
    import vectorbt as vbt

    bars = adjusted(frame, "IBM")
    close = bars["Close"]
    enter = close > bars["High"].rolling(20).max().shift(1)
    leave = close < bars["Low"].rolling(10).min().shift(1)
    portfolio = vbt.Portfolio.from_signals(close, enter, leave, fees=0.002, init_cash=CAPITAL, freq="D")
    return portfolio.value()


def short_sma_next_close(frame: pd.DataFrame) -> pd.Series:
    """vectorbt: MSFT, short while SMA 10 <= SMA 30, filled at the next close, 0.1 % commission."""
    import vectorbt as vbt

    close = adjusted(frame, "MSFT")["Close"]
    fast, slow = close.rolling(10).mean(), close.rolling(30).mean()
    down, up = (fast <= slow).shift(1, fill_value=False), (fast > slow).shift(1, fill_value=False)
    portfolio = vbt.Portfolio.from_signals(
        close, down, up, direction="shortonly", fees=0.001, init_cash=CAPITAL, freq="D"
    )
    return portfolio.value()


def sma_whole_shares(frame: pd.DataFrame) -> pd.Series:
    """backtesting: AAPL, SMA 20/50 level, next open, whole shares, 0.1 % commission each side.

    It makes its first decision one bar after the indicators are defined.
    """
    from backtesting import Backtest, Strategy

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(lambda x: pd.Series(x).rolling(20).mean(), self.data.Close)
            self.slow = self.I(lambda x: pd.Series(x).rolling(50).mean(), self.data.Close)

        def next(self) -> None:
            if self.fast[-1] > self.slow[-1] and not self.position:
                self.buy()
            elif self.fast[-1] <= self.slow[-1] and self.position:
                self.position.close()

    run = Backtest(adjusted(frame, "AAPL"), Cross, cash=CAPITAL, commission=0.001, finalize_trades=False).run()
    return run["_equity_curve"]["Equity"]


def monthly(frame: pd.DataFrame, symbols: list[str]) -> pd.Series:
    """bt: equal weights at every month's last close but the data's own last, no costs."""
    import bt

    close = pd.DataFrame({symbol: adjusted(frame, symbol)["Close"] for symbol in symbols})
    months = close.index.to_period("M")
    ends = close.index[:-1][months[:-1] != months[1:]]
    algos = [bt.algos.RunOnDate(*ends), bt.algos.SelectAll(), bt.algos.WeighEqually(), bt.algos.Rebalance()]
    test = bt.Backtest(bt.Strategy("s", algos), close, initial_capital=CAPITAL, integer_positions=False)
    bt.run(test)
    return test.strategy.values.loc[close.index[0] :]


def main() -> None:
    frame = load(sys.argv[1])
    curves = {
        "sma_next_open": sma_next_open(frame),
        "donchian_same_close": donchian_same_close(frame),
        "short_sma_next_close": short_sma_next_close(frame),
        "sma_whole_shares": sma_whole_shares(frame),
        "equal_weight_monthly": monthly(frame, ["AAPL", "IBM", "MSFT"]),
        "equal_weight_late_listing": monthly(frame, ["GOOG", "IBM", "MSFT"]),
    }
    table = pd.DataFrame({name: np.asarray(curve, dtype=float) for name, curve in curves.items()})
    table.insert(0, "date", pd.to_datetime(frame.loc[frame["symbol"] == "IBM", "date"].to_numpy()).date)
    table.to_parquet(HERE / "curves.parquet", index=False, compression="zstd")
    frame.to_parquet(HERE / "prices.parquet", index=False, compression="zstd")
    print(table.iloc[[0, -1]].T)


if __name__ == "__main__":
    main()
