"""Make the packaged demo lake from one long-form Parquet file: scripts/make_demo_data.py INPUT.parquet

The input has raw (as traded) open, high, low, close, volume, and adj_close, dividend, split_ratio per symbol and date.
Run it only to change the demo data: the same input gives the same bars, and golden results depend on them.
"""

import shutil
import sys
from pathlib import Path

from backproof.marketdata.demo import DEMO_SOURCE, demo_lake
from backproof.marketdata.importer import check_prices
from backproof.storage.lake import Lake

NOTES = {
    "SPX": (
        "a price index: not tradable, and without dividends, so it understates the market's total return "
        "by about 2 % a year"
    ),
}


def main(source: Path) -> None:
    tables = check_prices(source).by_symbol()
    shutil.rmtree(demo_lake() / "bars", ignore_errors=True)
    written = Lake(demo_lake(), None).write_bars(DEMO_SOURCE, "1d", tables, NOTES, currency="USD")
    (demo_lake() / "bars" / DEMO_SOURCE / "1d" / ".lock").unlink()
    for series in written:
        print(f"{series.symbol:5} {series.first} .. {series.last} {series.bars:5} bars")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
