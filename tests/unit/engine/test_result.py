"""The result: tables, trades, fingerprints, notices, partial results."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from harness import bars_of, simulate_given
from markets import codes, days, prices, run, run_signals, run_weights

import backproof
from backproof.domain.config import parse_config
from backproof.engine.simulation import ENGINE_SEMANTICS, Simulation, simulate

MARKET = {"A": prices([10.0, 10.0, 12.0, 11.0, 13.0, 9.0, 9.0, 10.0]), "B": prices([5.0] * 8)}
CONFIG = {"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"], "parameters": {"fast": 1, "slow": 2}}


def test_a_round_trip_goes_from_flat_to_flat_at_average_cost() -> None:
    market = {"A": prices([10.0, 10.0, 20.0, 20.0, 30.0, 30.0])}
    result = run_weights(
        market, {"A": [0.2, 0.6, None, 0.0]}, costs={"commission_rate": 0.01}, execution={"max_leverage": 5.0}
    )
    (trade,) = result.trades
    buys = result.fills[result.fills["side"] == "buy"]
    bought = float((buys["shares"] * buys["price"]).sum())
    assert len(buys) == 2
    assert trade["entry_price"] == pytest.approx(bought / buys["shares"].sum())
    assert trade["exit_price"] == pytest.approx(30.0)
    assert trade["shares"] == pytest.approx(buys["shares"].sum())
    assert trade["costs"] == pytest.approx(result.fills["commission"].sum())
    assert trade["profit"] == pytest.approx(result.equity[-1] - 1000.0)
    assert trade["return"] == pytest.approx(trade["profit"] / bought)
    assert (trade["side"], trade["bars"], trade["reason"]) == ("long", 3, "rebalance")
    assert (str(trade["entry_date"]), str(trade["exit_date"])) == (days(6)[1], days(6)[4])


def test_partial_reductions_do_not_end_a_trade() -> None:
    result = run_weights({"A": prices([10.0] * 8)}, {"A": [1.0, 0.5, 0.25, 0.0]})
    assert len(result.trades) == 1
    assert len(result.fills) == 4


def test_a_flip_ends_one_trade_and_starts_another() -> None:
    wishes = {"A": ["enter_long", "enter_short", "enter_long"]}
    result = run_signals({"A": MARKET["A"]}, wishes, execution={"direction": "long_short"})
    assert result.trades["side"].tolist() == ["long", "short", "long"]
    assert result.trades["reason"].tolist() == ["signal", "signal", "open"]


def test_an_open_trade_is_marked_at_the_last_close() -> None:
    result = run_signals({"A": MARKET["A"]}, {"A": ["enter_long"]})
    (trade,) = result.trades
    assert trade["exit_price"] == 10.0
    assert np.isnat(trade["exit_date"])
    assert trade["bars"] == 6


def test_positions_are_rebuilt_from_the_fills() -> None:
    result = run_signals(MARKET, {"A": ["enter_long", "", "exit"], "B": ["", "enter_long"]})
    assert result.positions.shape == (8, 2)
    np.testing.assert_allclose(result.positions[:, 0], [0, 50, 50, 0, 0, 0, 0, 0])
    assert (result.positions[2:, 1] > 0).all()


def test_tables_are_columns_ready_for_arrow_pandas_and_polars() -> None:
    result = run({**MARKET, "I": prices([1.0] * 8)}, "buy_and_hold", benchmark="I")
    tables = result.to_tables()
    assert list(tables) == ["equity", "fills", "trades", "events"]
    assert list(tables["equity"]) == ["date", "equity", "cash", "gross", "benchmark"]
    for name, columns in tables.items():
        arrow = pa.table({column: pa.array(values) for column, values in columns.items()})
        assert len({len(values) for values in columns.values()}) == 1
        pandas_frame, polars_frame = result.to_pandas(name), result.to_polars(name)
        assert isinstance(pandas_frame, pd.DataFrame)
        assert isinstance(polars_frame, pl.DataFrame)
        assert len(pandas_frame) == len(polars_frame) == arrow.num_rows
    assert pa.array(tables["trades"]["exit_date"]).null_count == 2


def test_tables_of_a_run_without_fills_are_empty_and_typed() -> None:
    result = run_signals({"A": MARKET["A"]}, {})
    assert result.to_tables()["fills"]["symbol"].dtype.kind == "U"
    assert len(result.fills) == len(result.trades) == 0
    assert result.to_pandas("trades").empty
    assert result.positions.tolist() == [[0.0]] * 8


def test_a_result_knows_its_configuration_and_shows_itself() -> None:
    result = run({"A": MARKET["A"]}, "buy_and_hold")
    assert result.config.strategy_type == "buy_and_hold"
    assert repr(result) == "Result('test': 8 bars, total return 0.00%, 1 fills)"


# --- stepping


def test_a_partial_result_covers_the_bars_simulated_so_far() -> None:
    simulation = Simulation(parse_config(CONFIG), bars_of({"A": MARKET["A"]}))
    simulation.prepare()
    empty = simulation.result()
    assert (len(empty.dates), empty.metrics["total_return"], empty.complete) == (0, None, False)
    simulation.advance(5)
    assert simulation.position == 5
    assert simulation.total_bars == 8
    assert len(simulation.equity_so_far()) == 5
    partial = simulation.result()
    assert not partial.complete
    assert partial.manifest()["complete"] is False
    simulation.advance(99)
    whole = simulation.result()
    assert whole.complete
    assert simulation.position == 8
    np.testing.assert_array_equal(partial.equity, whole.equity[:5])
    assert len(partial.fills) < len(whole.fills)
    assert len(partial.equity) == 5  # going on does not change what was handed out


def test_fill_arrays_grow_as_they_are_needed() -> None:
    count = 900
    market = {"A": prices([10.0 + t % 2 for t in range(count)])}
    wishes = ["enter_long", "exit"] * (count // 2)
    whole = run_signals(market, {"A": wishes})
    assert len(whole.fills) == count - 1


# --- identity


def test_the_fingerprint_is_of_configuration_data_strategy_and_engine() -> None:
    bars = bars_of({"A": MARKET["A"], "I": MARKET["B"]})
    plain = simulate(CONFIG, bars, with_fingerprint=True)
    same = simulate({**CONFIG, "name": "y", "tags": ["t"], "initial_capital": 100_000}, bars)
    assert same.fingerprint() == plain.fingerprint()  # names, tags and written-out defaults change nothing
    spelled = {**CONFIG, "parameters": {"fast": 1, "slow": 2, "signal": "level"}}
    assert simulate(spelled, bars).fingerprint() == plain.fingerprint()
    others = [
        simulate({**CONFIG, "parameters": {"fast": 1, "slow": 3}}, bars),
        simulate({**CONFIG, "costs": {"slippage_bps": 1.0}}, bars),
        simulate({**CONFIG, "strategy_type": "buy_and_hold", "parameters": {}}, bars),
        simulate({**CONFIG, "benchmark": "I"}, bars),
        simulate(CONFIG, bars_of({"A": prices([10.0, 10.0, 12.0, 11.0, 13.0, 9.0, 9.0, 10.0000001])})),
        simulate(CONFIG, bars_of({"A": prices(MARKET["A"]["close"], dates=days(8, "2024-01-03"))})),
    ]
    assert len({result.fingerprint() for result in [plain, *others]}) == len(others) + 1


def test_the_data_hash_covers_what_the_run_could_read_and_no_more() -> None:
    longer = {"A": prices([*MARKET["A"]["close"], 99.0])}
    end = days(8)[-1]
    cut = simulate({**CONFIG, "end_date": end}, bars_of({"A": MARKET["A"]}))
    whole = simulate({**CONFIG, "end_date": end}, bars_of(longer))
    assert cut.fingerprint() == whole.fingerprint()
    beside = simulate({**CONFIG, "end_date": end}, bars_of({**longer, "Z": prices([1.0] * 8)}))
    assert beside.fingerprint() == cut.fingerprint()


def test_a_symbol_that_ends_and_one_that_has_a_hole_do_not_share_a_fingerprint() -> None:
    config = {"name": "x", "strategy_type": "equal_weight", "symbols": ["A", "B"], "end_date": days(8)[6]}
    config |= {"parameters": {"rebalance": "daily"}}
    short = {name: values[:6] for name, values in MARKET["A"].items()}
    hole = {name: [*values[:6], values[7]] for name, values in MARKET["A"].items()}
    ended = simulate(config, bars_of({"A": short, "B": MARKET["B"]}))
    waiting = simulate(config, bars_of({"A": hole, "B": MARKET["B"]}))
    assert ended.fingerprint() != waiting.fingerprint()
    assert "delisted" in codes(ended)
    assert "delisted" not in codes(waiting)


def test_the_manifest_is_plain_json_and_says_what_the_result_was_made_of() -> None:
    manifest = simulate(CONFIG, bars_of({"A": MARKET["A"]})).manifest()
    again = json.loads(json.dumps(manifest, allow_nan=False))
    assert again == manifest
    assert manifest["engine_semantics"] == ENGINE_SEMANTICS
    assert manifest["strategy"]["name"] == "sma_crossover"
    assert set(manifest["versions"]) == {"backproof", "python", "numpy", "numba", "ta-lib"}
    for name in ("fingerprint", "config_hash", "data_hash", "equity_hash", "fills_hash"):
        assert len(manifest[name]) == 64
    assert manifest["config"]["parameters"] == {"fast": 1, "slow": 2, "signal": "level"}
    assert "name" not in manifest["config"]


def test_the_fingerprint_is_not_computed_unless_it_is_asked_for() -> None:
    bars = bars_of({"A": MARKET["A"]})
    assert "_identity" not in vars(simulate(CONFIG, bars))
    assert "_identity" in vars(simulate(CONFIG, bars, with_fingerprint=True))


# --- notices


def test_few_trades_are_said_but_not_of_the_baseline() -> None:
    assert "few_trades" in codes(run_signals({"A": MARKET["A"]}, {"A": ["enter_long", "exit"]}))
    assert "few_trades" not in codes(run({"A": MARKET["A"]}, "buy_and_hold"))


def test_symbols_without_a_bar_in_the_run_are_said() -> None:
    market = {"A": MARKET["A"], "B": prices([1.0, 2.0], dates=["2020-01-06", "2020-01-07"])}
    result = run(market, "buy_and_hold", start_date="2024-01-01")
    notice = next(notice for notice in result.notices if notice.code == "symbol_without_bars")
    assert notice.details["symbols"] == ["B"]


def test_the_library_is_used_from_the_top_of_the_package() -> None:
    frame = pd.DataFrame({"symbol": "A", **MARKET["A"]})
    result = backproof.simulate(CONFIG, backproof.Bars.from_frame(frame))
    assert isinstance(result, backproof.Result)
    assert result.equity.dtype == np.float64
    assert simulate_given(CONFIG, bars_of({"A": MARKET["A"]})).fingerprint() == result.fingerprint()
