"""Own prices by the command line, daily and within the day, with and without a server."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from stacks import LocalStack, written

PRICES = "symbol,date,open,high,low,close,volume\n" + "".join(
    f"OWN,2020-{1 + i // 28:02d}-{1 + i % 28:02d},{100 + i},{101 + i},{99 + i},{100.5 + i},1000\n" for i in range(120)
)
OWN = """
name: own prices
strategy_type: buy_and_hold
symbols: [OWN]
data_source: mine
"""


def test_own_prices_are_imported_beside_a_running_server_and_used(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(PRICES)
    imported = cli("import", "prices.csv", "--dataset", "mine", data_dir=stack.data_dir)
    assert imported.returncode == 0, imported.stderr
    for part in ("mine", "OWN", "120", "data_source: mine"):
        assert part in imported.stdout
    ran = cli("run", written(tmp_path, OWN), "--json", data_dir=stack.data_dir)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["metrics"]["total_return"] > 0


SEOUL = "symbol,timestamp,open,high,low,close,volume\n" + "".join(
    f"K,2024-03-{day:02} {9 + minute // 60:02}:{minute % 60:02},{day},{day + 1},{day},{day + minute / 400},1\n"
    for day in range(4, 9)
    for minute in range(0, 390, 5)
)
WITHIN_THE_DAY = """
name: within the day
strategy_type: ema_crossover
parameters: {fast: 3, slow: 9}
symbols: [K]
data_source: krx
timeframe: 5m
start_date: 2024-03-05
end_date: 2024-03-07
risk: {trailing_stop: 0.05}
"""


def test_prices_within_the_day_go_all_the_way(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text(SEOUL)
    options = ("--dataset", "krx", "--timeframe", "5m", "--calendar", "XKRX", "--local-times")
    imported = cli("import", "k.csv", *options, data_dir=stack.data_dir)
    assert imported.returncode == 0, imported.stderr
    for part in (
        "imported k.csv as krx: 1 symbol, 390 bars (5m, XKRX)",
        "K            2024-03-04 to 2024-03-08",
        "bars begin between 09:00 and 15:25, Asia/Seoul time",
        "use it with `data_source: krx` and `timeframe: 5m`",
    ):
        assert part in imported.stdout
    out = tmp_path / "out"
    ran = cli("run", written(tmp_path, WITHIN_THE_DAY), "--out", str(out), "--full", data_dir=stack.data_dir)
    assert ran.returncode == 0, ran.stderr
    assert "2024-03-05 to 2024-03-07 · 234 5m bars" in ran.stdout
    with (out / "equity.csv").open() as file:
        dates = [row["date"] for row in csv.DictReader(file)]
    assert (len(dates), dates[0], dates[-1]) == (234, "2024-03-05T00:00:00Z", "2024-03-07T06:25:00Z")
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["calendar"], manifest["periods_per_year"]) == ("XKRX", 252.0)
    other = cli("import", "k.csv", *options[:4], "--calendar", "XNYS", data_dir=stack.data_dir)
    assert (other.returncode, len(other.stderr.splitlines())) == (2, 1)
    assert "calendar: krx is on calendar XKRX" in other.stderr
    daily = cli("run", written(tmp_path, WITHIN_THE_DAY.replace("5m", "1d")), data_dir=stack.data_dir)
    assert (daily.returncode, "timeframe: krx has no 1d bars, only 5m" in daily.stderr) == (2, True)


def test_own_prices_are_imported_without_a_server(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(PRICES)
    imported = cli("import", "prices.csv", "--dataset", "mine", data_dir=tmp_path / "data")
    assert imported.returncode == 0, imported.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PRICES.replace("100.5", "-1", 1), "close"),
        (PRICES.replace("symbol,date,open,high,low,close,volume", "symbol,day,open,high,low,close,volume"), "date"),
        ("", "empty"),
    ],
)
def test_a_wrong_price_file_is_refused_in_one_line(cli: Any, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prices.csv").write_text(text)
    refused = cli("import", "prices.csv", "--dataset", "mine", data_dir=tmp_path / "data")
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert refused.stderr.startswith("error: prices.csv: ")
    assert said in refused.stderr.removeprefix("error: prices.csv: ")


def test_a_missing_price_file_is_one_line(cli: Any, tmp_path: Path) -> None:
    refused = cli("import", "none.csv", "--dataset", "mine", data_dir=tmp_path / "data")
    assert refused.returncode == 2
    assert refused.stderr == "error: none.csv is not a file\n"
