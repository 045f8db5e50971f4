"""Make the golden equity curves with engines that share no code with this product. Not part of the test run.

    python -m venv /somewhere/outside/the/repository
    /somewhere/outside/the/repository/bin/pip install vectorbt==1.2.0 backtesting==0.6.6 backtrader==1.9.78.123 \
        bt==1.4.1 TA-Lib==0.8.2 numpy==2.4.6 pandas==3.1.1 pyarrow==26.0.1
    /somewhere/outside/the/repository/bin/python tests/golden/make_golden.py demo_daily.parquet

The argument is a long file of prices as traded: symbol, date, open, high, low, close, adj_close, dividend, split_ratio.
Writes beside itself `prices.parquet`, the bars the tests run on, `curves.parquet`, an equity curve per scenario and
engine, and `weights.parquet`, the target weights that some scenarios are given; prints how far the engines of one
scenario are apart. README.md says which engine does what.

The engines are oracles only: bt (MIT), backtesting (AGPL), backtrader (GPL) and vectorbt (Apache-2.0 with Commons
Clause) are never installed with, imported by or shipped in the product.

A change of a golden file is a change of results: it is reviewed as a difference and goes into the change log.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import scenarios

warnings.simplefilter("ignore")
HERE = Path(__file__).parent
SYMBOLS = ["AAPL", "GOOG", "IBM", "MSFT"]
START, END = "2003-01-02", "2008-12-31"
COLUMNS = ["symbol", "date", "open", "high", "low", "close", "adj_close", "dividend", "split_ratio"]


def load(path: str) -> pd.DataFrame:
    frame = pd.read_parquet(path, columns=COLUMNS)
    dates = pd.to_datetime(frame["date"])
    frame = frame[frame["symbol"].isin(SYMBOLS) & (dates >= START) & (dates <= END)]
    return frame.sort_values(["symbol", "date"]).reset_index(drop=True)


def bars_of(frame: pd.DataFrame, symbol: str, adjusted: bool) -> pd.DataFrame:
    one = frame[frame["symbol"] == symbol]
    one = one.set_index(pd.to_datetime(one["date"]))
    factor = one["adj_close"] / one["close"] if adjusted else 1.0
    return pd.DataFrame({name.capitalize(): one[name] * factor for name in ("open", "high", "low", "close")})


def all_curves(frame: pd.DataFrame) -> scenarios.Curves:
    prices = {symbol: bars_of(frame, symbol, adjusted=True) for symbol in SYMBOLS}
    traded = {symbol: bars_of(frame, symbol, adjusted=False) for symbol in SYMBOLS}
    dated = frame.assign(date=pd.to_datetime(frame["date"]))
    dividends, splits = (dated.pivot_table(index="date", columns="symbol", values=v) for v in COLUMNS[-2:])
    return {
        **scenarios.signals(prices),
        **scenarios.costs(prices),
        **scenarios.stops(prices),
        **scenarios.portfolios(prices),
        **scenarios.events(prices, traded, dividends, splits),
    }


def table_of(curves: scenarios.Curves, dates: np.ndarray) -> pd.DataFrame:
    """scenario, engine, date, equity in account currency; prints the last equity and how far engines are apart."""
    parts = []
    for scenario, by_engine in curves.items():
        first = None
        for engine, curve in by_engine.items():
            equity = np.asarray(curve(), dtype=float)
            if len(equity) != len(dates) or not np.isfinite(equity).all():
                raise ValueError(f"{scenario} by {engine} has not one equity per bar")
            first = equity if first is None else first
            print(f"{scenario:26} {engine:12} {equity[-1]:16.6f} {np.max(np.abs(equity / first - 1)):8.1e}")
            parts.append(pd.DataFrame({"scenario": scenario, "engine": engine, "date": dates, "equity": equity}))
    return pd.concat(parts)


def weights_of(frame: pd.DataFrame) -> pd.DataFrame:
    prices = {symbol: bars_of(frame, symbol, adjusted=True) for symbol in SYMBOLS}
    parts = [
        target.rename_axis("date")
        .reset_index()
        .melt("date", var_name="symbol", value_name="weight")
        .assign(scenario=name)
        for name, target in scenarios.given_weights(prices).items()
    ]
    weights = pd.concat(parts)[["scenario", "date", "symbol", "weight"]]
    return weights.assign(date=weights["date"].dt.date)


def write(frame: pd.DataFrame, name: str) -> None:
    """Without dictionaries for dates and floats: what repeats from curve to curve then compresses to nothing."""
    floats = [column for column in frame if frame[column].dtype == float]
    pq.write_table(
        pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None),
        HERE / f"{name}.parquet",
        compression="zstd",
        compression_level=19,
        use_dictionary=[column for column in frame if column not in ("date", *floats)],
        column_encoding={"date": "PLAIN", **dict.fromkeys(floats, "BYTE_STREAM_SPLIT")},
        data_page_size=1 << 24,
    )


def main() -> None:
    frame = load(sys.argv[1])
    dates = bars_of(frame, "IBM", adjusted=True).index.date
    # to a millionth of a currency unit: curves of one scenario are then mostly the same bytes
    write(table_of(all_curves(frame), dates).round({"equity": 6}), "curves")
    write(weights_of(frame), "weights")
    write(frame, "prices")


if __name__ == "__main__":
    main()
