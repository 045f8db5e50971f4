"""Many runs at once: each row is the run by itself, whatever is varied, skipped or shared."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from worlds import SIGNAL_KINDS, World, worlds

import backproof
from backproof.engine import blocks, indicators
from backproof.engine import grid as grids
from backproof.engine.bars import Bars, Memory
from backproof.engine.frames import Series
from backproof.engine.strategies import SignalStrategy, WeightStrategy, find_strategy
from backproof.errors import DataError, InvalidInput, StrategyError


def random_series(symbol: str, bars: int, seed: int, dates: Any = None) -> Series:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, bars)))
    open_ = close * np.exp(rng.normal(0.0, 0.005, bars))
    high, low = np.maximum(open_, close) * 1.004, np.minimum(open_, close) * 0.996
    dates = np.datetime64("2015-01-01") + np.arange(bars) if dates is None else dates
    return Series(symbol, dates, open_, high, low, close, np.ones(bars), None, close_only=False)


@pytest.fixture(scope="module")
def bars() -> Bars:
    """A, B and C on the same dates, D with a hole, LATE listed later."""
    calendar = np.datetime64("2015-01-01") + np.arange(400)
    holed = np.delete(calendar, [100, 101, 250])
    return Bars(
        [
            *(random_series(symbol, 400, seed) for seed, symbol in enumerate("ABC")),
            random_series("D", len(holed), 7, holed),
            random_series("LATE", 220, 8, calendar[180:]),
        ]
    )


def config(**given: Any) -> dict[str, Any]:
    return {
        "name": "grid",
        "strategy_type": "sma_crossover",
        "symbols": ["A"],
        "costs": {"commission_rate": 0.001, "slippage_bps": 3.0},
        **given,
    }


def assert_rows_are_runs(
    table: backproof.GridTable, given: dict[str, Any], bars: Bars, apply: dict[str, tuple[str, ...]]
) -> None:
    """apply: where each varied name goes in the configuration."""
    for row in range(table.rows):
        document: dict[str, Any] = {**given}
        for name, path in apply.items():
            inside = document
            for section in path[:-1]:
                inside[section] = dict(inside.get(section) or {})
                inside = inside[section]
            value = table[name][row]
            value = value.item() if isinstance(value, np.generic) else value
            inside[path[-1]] = [value] if name == "symbol" else value
        result = backproof.simulate(document, bars)
        assert table["final_equity"][row] == result.equity[-1]
        for metric, value in result.metrics.items():
            assert np.array_equal(table[metric][row], np.nan if value is None else value, equal_nan=True), metric


def test_every_row_is_the_run_with_that_combination_in_the_order_of_the_product(bars: Bars) -> None:
    grid = {"fast": [3, 5, 8], "slow": [12, 20]}
    table = backproof.simulate_grid(config(), bars, grid)
    assert list(zip(table["fast"], table["slow"], strict=True)) == list(itertools.product(*grid.values()))
    assert_rows_are_runs(table, config(), bars, {n: ("parameters", n) for n in grid})
    assert table.rows == 6
    assert {"final_equity", "sharpe", "max_drawdown", "costs_paid"} < set(table)
    assert table["trades"].dtype == np.int64


def test_settings_vary_by_their_path(bars: Bars) -> None:
    given = config(parameters={"fast": 4, "slow": 15}, symbols=["A", "D", "LATE"])
    grid = {
        "risk.stop_loss": [None, 0.03],
        "risk.trailing_stop": [0.05],
        "costs.commission_rate": [0.0, 0.002],
        "execution.fill": ["next_open", "same_close"],
        "initial_capital": [1000.0, 1e6],
    }
    table = backproof.simulate_grid(given, bars, grid)
    assert table.rows == 16
    assert_rows_are_runs(table, given, bars, {name: tuple(name.split(".")) for name in grid})


def test_a_period_of_the_year_and_a_rate_count_for_each_row(bars: Bars) -> None:
    grid = {"risk_free_rate": [0.0, 0.05], "periods_per_year": [252.0, 365.0], "start_date": ["2015-03-01", None]}
    table = backproof.simulate_grid(config(), bars, grid)
    assert_rows_are_runs(table, config(), bars, {name: (name,) for name in grid})


def test_symbol_runs_each_symbol_alone_also_those_with_holes_and_late_listings(bars: Bars) -> None:
    table = backproof.simulate_grid(
        {"name": "alone", "strategy_type": "sma_crossover"},
        bars,
        {"symbol": ["A", "B", "D", "LATE", "C"], "fast": [3, 6], "slow": [10]},
    )
    assert table["symbol"].tolist() == ["A", "A", "B", "B", "D", "D", "LATE", "LATE", "C", "C"]
    apply = {"symbol": ("symbols",), "fast": ("parameters", "fast"), "slow": ("parameters", "slow")}
    assert_rows_are_runs(table, {"name": "alone", "strategy_type": "sma_crossover"}, bars, apply)


@pytest.mark.parametrize("kind", ["equal_weight", "momentum_top_n"])
def test_strategies_of_weights_vary_too(bars: Bars, kind: str) -> None:
    given = config(strategy_type=kind, symbols=["A", "B", "C"])
    grid: dict[str, list[Any]] = {"rebalance": ["weekly", "monthly"], "exposure": [0.5, 1.0]}
    table = backproof.simulate_grid(given, bars, grid, threads=2)
    apply = {"rebalance": ("parameters", "rebalance"), "parameters.exposure": ("parameters", "exposure")}
    assert_rows_are_runs(table, given, bars, apply)


def test_a_parameter_called_like_a_metric_is_told_apart_by_its_path(bars: Bars) -> None:
    given = config(strategy_type="equal_weight", symbols=["A", "B"], parameters={"rebalance": "weekly"})
    for name in ("exposure", "parameters.exposure"):
        table = backproof.simulate_grid(given, bars, {name: [0.25, 0.5]})
        assert table.varied == ("parameters.exposure",)
        assert table["parameters.exposure"].tolist() == [0.25, 0.5]
        assert table["exposure"] == pytest.approx([0.25, 0.5], abs=0.02)


def test_any_number_of_threads_and_any_size_of_blocks_give_the_same_table(
    bars: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"fast": range(2, 9), "slow": range(10, 40, 3), "symbol": ["A", "B", "D"]}
    one = backproof.simulate_grid(config(), bars, grid)
    four = backproof.simulate_grid(config(), bars, grid, threads=4)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(grids, "_MEMORY", 1)
    monkeypatch.setattr(grids, "BATCH_ROWS", 7)
    tiny = backproof.simulate_grid(config(), bars, grid)
    for name in one:
        assert one[name].tobytes() == four[name].tobytes() == tiny[name].tobytes()


def test_a_ledger_that_is_too_small_for_a_row_grows(bars: Bars) -> None:
    """Stops and a cross of every other bar: more records than the first room holds."""
    given = config(parameters={"signal": "level"}, risk={"stop_loss": 0.0001})
    table = backproof.simulate_grid(given, bars, {"fast": [1], "slow": [2, 3]})
    assert table["trades"].max() > 100
    assert_rows_are_runs(table, given, bars, {n: ("parameters", n) for n in ("fast", "slow")})


def test_an_indicator_is_computed_once_for_all_runs_that_use_it(bars: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = indicators._SMA
    monkeypatch.setattr(indicators, "_SMA", lambda close, period: (seen.append(period), plain(close, period))[1])
    backproof.simulate_grid(config(), bars, {"fast": [3, 5, 8], "slow": [12, 20, 30]})
    assert sorted(seen) == [3, 5, 8, 12, 20, 30]


def test_remembered_indicators_are_bounded_and_those_used_last_stay() -> None:
    memory = Memory(limit=8 * 30)
    made: list[str] = []

    def line(name: str) -> Any:
        made.append(name)
        return np.zeros(10)

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        memory.get(name, lambda name=name: line(name))  # type: ignore[misc]
    assert made == ["a", "b", "c", "d", "b"]


def test_parts_of_a_memory_keep_their_own_under_one_limit() -> None:
    memory = Memory(limit=8 * 20)
    one, two = memory.part(1), memory.part(2)
    assert one.get("a", lambda: np.ones(10))[0] == 1.0
    assert two.get("a", lambda: np.zeros(10))[0] == 0.0
    assert one.get("a", lambda: np.zeros(10))[0] == 1.0
    two.get("b", lambda: np.zeros(10))
    assert two.find("a") is None
    assert one.find("a") is not None


def test_a_wrong_combination_of_a_large_grid_is_told_before_anything_is_run(
    bars: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "BATCH_ROWS", 2)
    ran: list[object] = []
    monkeypatch.setattr(grids, "run_block", lambda *given: ran.append(given))
    with pytest.raises(InvalidInput, match="fast=5, slow=4"):
        backproof.simulate_grid(config(), bars, {"fast": [2, 3, 5], "slow": [10, 4]})
    assert ran == []
    monkeypatch.undo()
    monkeypatch.setattr(grids, "BATCH_ROWS", 2)
    table = backproof.simulate_grid(config(), bars, {"fast": [2, 3, 5], "slow": [4, 3]}, invalid="skip")
    assert list(zip(table["fast"].tolist(), table["slow"].tolist(), strict=True)) == [(2, 4), (2, 3), (3, 4)]


class Thrifty(backproof.WeightStrategy):
    """A class of one's own: some part of the money in each symbol, once."""

    name = "thrifty"
    version = "1"
    summary = "invests a part"

    class Params(backproof.Parameters):
        part: float = 0.5

    def target_weights(self, bars: Any, indicators: Any) -> backproof.Weights:
        return backproof.Weights(np.array([bars.first]), np.full((1, len(bars.symbols)), self.p.part))


def test_ones_own_class_varies_too(bars: Bars) -> None:
    given = {"name": "own", "symbols": ["A"]}
    table = backproof.simulate_grid(given, bars, {"part": [0.25, 0.75]}, strategy=Thrifty)
    for row, part in enumerate((0.25, 0.75)):
        result = backproof.simulate({**given, "parameters": {"part": part}}, bars, strategy=Thrifty)
        assert table["final_equity"][row] == result.equity[-1]
    with pytest.raises(InvalidInput, match="thrifty has no parameter"):
        backproof.simulate_grid(given, bars, {"parts": [0.25]}, strategy=Thrifty)


def test_combinations_that_are_none_are_refused_by_name_or_left_out(bars: Bars) -> None:
    grid = {"fast": [5, 20], "slow": [10, 30]}
    with pytest.raises(InvalidInput) as caught:
        backproof.simulate_grid(config(), bars, grid)
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/parameters/slow", "fast_not_below_slow")]
    assert "fast=20, slow=10" in str(caught.value)
    table = backproof.simulate_grid(config(), bars, grid, invalid="skip")
    assert list(zip(table["fast"].tolist(), table["slow"].tolist(), strict=True)) == [(5, 10), (5, 30), (20, 30)]
    with pytest.raises(InvalidInput, match="not one combination"):
        backproof.simulate_grid(config(), bars, {"fast": [50], "slow": [10]}, invalid="skip")


@pytest.mark.parametrize(
    ("grid", "pointer", "words"),
    [
        ({}, "", "varies nothing"),
        ({"fast": []}, "/fast", "empty"),
        ({"fast": 5}, "/fast", "list"),
        ({"fast": "5"}, "/fast", "list"),
        ({"fasst": [5]}, "/fasst", "did you mean fast"),
        ({"risk.stop_los": [0.1]}, "/risk.stop_los", "did you mean risk.stop_loss"),
        ({"benchmark": ["A"]}, "/benchmark", "no setting"),
        ({"fast": ["x"]}, "/parameters/fast", "integer"),
        ({"fast": [5.5]}, "/parameters/fast", "integer"),
        ({"risk.stop_loss": [1.5]}, "/risk/stop_loss", "less than 1"),
        ({"symbol": ["A", "NOPE"]}, "/symbols/1", "no symbol NOPE"),
        ({"fast": range(1, 5000), "slow": range(1, 5000)}, "", "combinations"),
    ],
)
def test_a_wrong_grid_names_what_is_wrong(bars: Bars, grid: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        backproof.simulate_grid(config(), bars, grid)
    assert caught.value.errors[0].pointer == pointer
    assert words in str(caught.value)


def test_other_mistakes_are_those_of_a_single_run(bars: Bars) -> None:
    with pytest.raises(InvalidInput, match="no strategy is called"):
        backproof.simulate_grid(config(strategy_type="sma_crossovr"), bars, {"fast": [3]})
    with pytest.raises(InvalidInput, match="at least one thread"):
        backproof.simulate_grid(config(), bars, {"fast": [3]}, threads=0)
    with pytest.raises(InvalidInput, match="long positions only"):
        backproof.simulate_grid(
            config(strategy_type="equal_weight", execution={"direction": "short_only"}), bars, {"exposure": [1.0]}
        )


def test_a_strategy_that_fails_is_named_with_its_parameters(bars: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = find_strategy("sma_crossover")
    assert kind is not None

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(kind, "signals", broken)
    with pytest.raises(StrategyError, match=r"sma_crossover failed .*slow=9.*ZeroDivisionError: oops"):
        backproof.simulate_grid(config(), bars, {"slow": [9], "fast": [3]})
    monkeypatch.setattr(kind, "signals", lambda self, run, lines: np.zeros((1, 3), dtype=np.uint8))
    with pytest.raises(StrategyError, match="uint8"):
        backproof.simulate_grid(config(), bars, {"slow": [9], "fast": [3]})


def test_an_account_that_grows_beyond_all_numbers_names_its_combination() -> None:
    prices = np.array([1e-12, 1e15] * 30)
    dates = np.datetime64("2015-01-01") + np.arange(60)
    wild = Bars([Series("A", dates, prices, prices, prices, prices, np.ones(60), None, close_only=False)])
    given = config(execution={"max_leverage": 100.0, "sizing": {"value": 100.0}, "fill": "next_close"}, costs={})
    with pytest.raises(DataError, match="fast=1"):
        backproof.simulate_grid(given, wild, {"fast": [1], "slow": [2]})


def test_the_table_is_a_mapping_of_columns_and_becomes_frames(bars: Bars) -> None:
    table = backproof.simulate_grid(config(), bars, {"fast": [3, 5], "slow": [12, 20]})
    frame, polars = table.to_pandas(), table.to_polars()
    assert list(frame.columns) == list(table) == polars.columns
    assert len(frame) == len(polars) == 4
    assert frame["sharpe"].tolist() == table["sharpe"].tolist()
    best = table.best("total_return")
    assert best["final_equity"] == table["final_equity"].max()
    assert table.best("max_drawdown", least=True)["max_drawdown"] == table["max_drawdown"].min()
    assert repr(table).startswith("GridTable(4 rows over fast, slow")
    with pytest.raises(KeyError, match="no column"):
        table["sharp"]


def test_a_metric_that_no_row_has_has_no_best(bars: Bars) -> None:
    table = backproof.simulate_grid(config(), bars, {"slow": [390, 395]})
    assert np.isnan(table["win_rate"]).all()
    with pytest.raises(KeyError, match="no combination has a win_rate"):
        table.best("win_rate")


def test_built_in_signal_strategies_say_that_their_symbols_are_independent() -> None:
    for name in ("sma_crossover", "ema_crossover", "macd", "bollinger", "rsi_mean_reversion", "donchian_breakout"):
        kind = find_strategy(name)
        assert kind is not None
        assert issubclass(kind, SignalStrategy)
        assert kind.independent
    assert not SignalStrategy.independent
    assert issubclass(find_strategy("equal_weight") or SignalStrategy, WeightStrategy)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=40)
@given(worlds(tuple(kind for kind in SIGNAL_KINDS if not kind.startswith("scripted"))))
def test_a_grid_of_any_configuration_equals_its_runs(world: World) -> None:
    bars = world.engine_bars()
    grid = {"costs.slippage_bps": [0.0, 20.0], "symbol": world.config["symbols"]}
    table = backproof.simulate_grid(world.config, bars, grid)
    apply = {"costs.slippage_bps": ("costs", "slippage_bps"), "symbol": ("symbols",)}
    assert_rows_are_runs(table, world.config, bars, apply)
