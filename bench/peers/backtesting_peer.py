"""backtesting.py: orders fill at the next open, whole shares; run() includes its statistics. Run by bench_engine.py."""

import sys
import warnings
from pathlib import Path

import backtesting
import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import data
from support.peer import answer

warnings.simplefilter("ignore")
backtesting.backtesting._tqdm = lambda values, **_: values


def sma(values: np.ndarray, length: int) -> pd.Series:
    return pd.Series(values).rolling(length).mean()


class Cross(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        self.fast = self.I(sma, self.data.Close, data.FAST)
        self.slow = self.I(sma, self.data.Close, data.SLOW)

    def next(self) -> None:
        if crossover(self.fast, self.slow):
            self.buy()
        elif crossover(self.slow, self.fast):
            self.position.close()


def single() -> float:
    prices = data.single()
    columns = {name.capitalize(): getattr(prices, name)[:, 0] for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame(columns, pd.DatetimeIndex(prices.dates.astype("datetime64[ns]")))
    return float(Backtest(frame, Cross, cash=data.CASH, commission=data.FEE).run()["Equity Final [$]"])


if __name__ == "__main__":
    answer({"W1": single})
