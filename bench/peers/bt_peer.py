"""bt: fills at the open by transact(price=open); run() includes its statistics. Run by bench_engine.py.

W5 is marked at opens and takes the fee inside each allocation: another rule of the same size.
"""

import sys
from pathlib import Path

import bt
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import data
from support.peer import answer


class TradeAtOpen(bt.Algo):
    """wish: 1 enter, -1 leave, 0 nothing, of the bar before"""

    def __init__(self, wish: np.ndarray, opens: np.ndarray) -> None:
        super().__init__()
        self.wish, self.opens, self.bar = wish, opens, -1

    def __call__(self, target: bt.Strategy) -> bool:
        self.bar += 1
        wish, price = self.wish[self.bar], self.opens[self.bar]
        if wish:
            security = target["x"]
            if wish > 0 and security.position == 0:
                security.transact(target.capital / (price * (1.0 + data.FEE)), price=price)
            elif wish < 0 and security.position != 0:
                security.transact(-security.position, price=price)
        return True


def run(close: pd.DataFrame, algos: list[bt.Algo], children: list[bt.Security] | None, **options: object) -> float:
    test = bt.Backtest(
        bt.Strategy("s", algos, children),
        close,
        initial_capital=data.CASH,
        commissions=lambda shares, price: abs(shares) * price * data.FEE,
        integer_positions=False,
        progress_bar=False,
        **options,
    )
    test.run()
    return float(test.strategy.value)


def frame(values: np.ndarray, dates: np.ndarray, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(values, pd.DatetimeIndex(dates.astype("datetime64[ns]")), columns)


def single() -> float:
    prices = data.single()
    close = frame(prices.close, prices.dates, ["x"])
    fast, slow = (close["x"].rolling(length).mean().to_numpy() for length in (data.FAST, data.SLOW))
    above = fast > slow
    changed = np.zeros(len(close), dtype=int)
    changed[data.SLOW :] = np.diff(above.astype(int))[data.SLOW - 1 :]
    wish = np.concatenate([[0], changed[:-1]])
    algos = [TradeAtOpen(wish, prices.open[:, 0])]
    return run(close, algos, [bt.Security("x")], additional_data={"bidoffer": close * 0.0})


def monthly() -> float:
    prices = data.portfolio()
    algos = [
        bt.algos.RunMonthly(run_on_first_date=False),
        bt.algos.SelectAll(),
        bt.algos.WeighEqually(),
        bt.algos.Rebalance(),
    ]
    return run(frame(prices.open, prices.dates, prices.symbols), algos, None)


if __name__ == "__main__":
    answer({"W1": single, "W5": monthly})
