"""Strategies that decide bar by bar: the account that signals and weights would give, and only ctx.state is kept."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from harness import bars_of, bits_of, simulate_given
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from markets import Columns, fills, prices, without
from worlds import World, worlds

from backproof.domain.config import parse_config
from backproof.engine import layout
from backproof.engine.bars import RunBars
from backproof.engine.context import Context
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation, simulate
from backproof.engine.strategies.base import EventStrategy, Kind, Parameters
from backproof.errors import InvalidInput, StrategyError

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=80)
OnBar = Callable[[EventStrategy, Context], None]


def event_strategy(on_bar: OnBar, indicators: Callable[[Any, RunBars], Any] | None = None) -> type[EventStrategy]:
    """A strategy class around one function."""

    class Made(EventStrategy):
        name: ClassVar[str] = "made"
        version: ClassVar[str] = "1"
        kind: ClassVar[Kind] = "other"
        summary: ClassVar[str] = "made by a test"
        Params: ClassVar[type[Parameters]] = Parameters

        def indicators(self, bars: RunBars) -> Any:
            return {} if indicators is None else indicators(self, bars)

        def on_bar(self, ctx: Context) -> None:
            on_bar(self, ctx)

    return Made


def run(market: dict[str, Columns], on_bar: OnBar, **config: Any) -> Result:
    given = {"name": "test", "symbols": list(market), "initial_capital": 1000.0, **config}
    return simulate(given, bars_of(market), strategy=event_strategy(on_bar))


def at(bars: dict[int, Callable[[Context], None]]) -> OnBar:
    """Do something at some bars of the run."""

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        if act := bars.get(ctx.bar - ctx.first):
            act(ctx)

    return on_bar


def replayed(world: World) -> Simulation:
    """The world's scripted decisions, placed one by one through the context."""
    parameters, symbols, bars = world.config["parameters"], world.config["symbols"], world.engine_bars()
    panel = bars.panel(tuple(symbols))
    calendar = np.arange(len(panel.dates))
    own = [{int(p): i for i, p in enumerate(calendar[panel.own(n, len(calendar))])} for n in range(len(symbols))]

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        for n, symbol in enumerate(symbols):
            if "weights" in parameters:
                weight = parameters["weights"][symbol][ctx.bar - ctx.first]
                if weight is not None:
                    ctx.target_percent(weight, symbol)
            elif ctx.has_bar(symbol):
                wish = parameters["signals"][symbol][own[n][ctx.bar]]
                if wish:
                    ctx.order(n, bits_of(wish), wish.get("price", math.nan) if isinstance(wish, dict) else math.nan)

    config = parse_config({**world.config, "strategy_type": "made", "parameters": {}})
    return Simulation(config, bars, strategy=event_strategy(on_bar))


@QUICK
@given(worlds(("scripted_signals", "scripted_weights")))
def test_orders_placed_bar_by_bar_give_the_account_of_the_same_decisions(world: World) -> None:
    if world.config["execution"]["fill"] == "same_close":
        with pytest.raises(InvalidInput, match="next_open or next_close"):
            replayed(world).prepare()
        return
    expected = simulate_given(world.config, world.engine_bars())
    simulation = replayed(world)
    simulation.advance(simulation.total_bars)
    result = simulation.result()
    assert result.equity.tobytes() == expected.equity.tobytes()
    assert result.fills.tobytes() == expected.fills.tobytes()
    assert result.events.tobytes() == expected.events.tobytes()


def crossing(_: EventStrategy, ctx: Context) -> None:
    """Trades by a mean it keeps itself, with sizes, limits and a log."""
    closes_only = ctx.bar % 2 == 0
    for symbol in ctx.symbols:
        if not ctx.has_bar(symbol):
            continue
        close = float(ctx.bars[symbol].close[-1])
        seen = ctx.state.setdefault(symbol, [])
        seen.append(close)
        del seen[:-5]
        mean = sum(seen) / len(seen)
        if ctx.position(symbol) == 0.0 and close < mean:
            limit = None if closes_only else close * 0.99
            ctx.buy(symbol, percent=0.3, limit=limit, good_till_cancelled=len(seen) % 2 == 0)
            ctx.log(f"{symbol} below its mean")
        elif ctx.bars_held(symbol) >= 3 or close > 1.02 * mean:
            ctx.close(symbol)


def crossing_world(world: World) -> dict[str, Any]:
    return {**world.config, "strategy_type": "made", "parameters": {}}


@QUICK
@given(worlds(("scripted_signals",)), st.data())
def test_a_strategy_resumed_at_any_bars_goes_on_with_the_same_bits(world: World, data: st.DataObject) -> None:
    assume(world.config["execution"]["fill"] == "next_open")
    config, bars, strategy = parse_config(crossing_world(world)), world.engine_bars(), event_strategy(crossing)
    whole = Simulation(config, bars, strategy=strategy)
    whole.advance(whole.total_bars)
    current = Simulation(config, bars, strategy=strategy)
    for stop in sorted(data.draw(st.lists(st.integers(0, whole.total_bars), max_size=4))):
        current.advance(stop)
        saved = current.checkpoint()
        current = Simulation(config, bars, strategy=strategy)
        current.resume(saved)
    current.advance(current.total_bars)
    forgetful = Simulation(config, bars, strategy=strategy, forgetful=True)
    forgetful.advance(forgetful.total_bars)
    for other in (current, forgetful):
        assert other.result().equity.tobytes() == whole.result().equity.tobytes()
        assert other.result().fills.tobytes() == whole.result().fills.tobytes()
        assert other.checkpoint()[-32:] != b""
        assert other.saved_state() == whole.saved_state()


def test_what_is_kept_outside_the_state_is_lost_by_a_forgetful_run() -> None:
    class Keeps(event_strategy(lambda *_: None)):  # type: ignore[misc]
        def on_bar(self, ctx: Context) -> None:
            self.seen = getattr(self, "seen", 0) + 1
            if self.seen == 3:
                ctx.buy()

    market = bars_of({"A": prices([10.0] * 8)})
    config = parse_config({"name": "x", "strategy_type": "made", "symbols": ["A"]})
    honest, forgetful = (
        Simulation(config, market, strategy=Keeps),
        Simulation(config, market, strategy=Keeps, forgetful=True),
    )
    honest.advance(8)
    forgetful.advance(8)
    assert (honest.fills_so_far, forgetful.fills_so_far) == (1, 0)


def test_nothing_later_than_the_close_can_be_reached() -> None:
    seen: list[tuple[int, ...]] = []

    def on_bar(strategy: EventStrategy, ctx: Context) -> None:
        t = ctx.bar
        assert len(ctx.bars.close) == len(ctx.indicators["twice"]) == t + 1
        assert ctx.bars.close[-1] == 10.0 + t
        assert ctx.value("twice") == 2.0 * (10.0 + t)
        assert ctx.history("close", 3).tolist() == [10.0 + i for i in range(max(0, t - 2), t + 1)]
        assert not ctx.bars.open.flags.writeable
        with pytest.raises(IndexError):
            _ = ctx.bars.close[t + 1]
        seen.append((t, len(ctx.bars.high), len(ctx.bars.low)))

    made = event_strategy(on_bar, lambda _, bars: {"twice": 2.0 * bars.close})
    market = bars_of({"A": prices([10.0, 11.0, 12.0, 13.0])})
    simulate({"name": "x", "symbols": ["A"]}, market, strategy=made)
    assert seen == [(t, t + 1, t + 1) for t in range(4)]


def test_history_is_of_the_symbols_own_bars_before_its_listing_and_after_its_end_too() -> None:
    """A lists on bar 2 and ends on bar 5, B misses bar 3; C is there throughout."""
    base = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]
    market = {"A": without(prices(base), 0, 1, 6, 7), "B": without(prices(base), 3), "C": prices(base)}
    seen: dict[str, list[list[float]]] = {"A": [], "B": []}

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        for symbol, rows in seen.items():
            rows.append(ctx.history("close", 2, symbol).tolist())
        assert not ctx.history("high", 99, "C").flags.writeable

    run(market, on_bar)
    assert seen["A"] == [[], [], [12.0], [12.0, 13.0], [13.0, 14.0], [14.0, 15.0], [14.0, 15.0], [14.0, 15.0]]
    assert seen["B"][2:6] == [[11.0, 12.0], [11.0, 12.0], [12.0, 14.0], [14.0, 15.0]]
    with pytest.raises(StrategyError, match="at least one"):
        run(market, at({0: lambda c: c.history("close", 0, "A")}))


def test_the_account_is_seen_after_the_bar() -> None:
    market = {"A": prices([10.0, 10.0, 12.0, 12.0]), "B": prices([5.0] * 4)}
    rows: list[tuple[float, ...]] = []

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        if ctx.bar == 0:
            ctx.buy("A", shares=20.0)
        rows.append((ctx.cash, ctx.equity, ctx.position("A"), ctx.position("B"), ctx.bars_held("A")))
        assert math.isnan(ctx.average_cost("B"))
        assert ctx.bar == 0 or ctx.average_cost("A") == 10.0

    run(market, on_bar)
    assert rows == [
        (1000.0, 1000.0, 0.0, 0.0, -1),
        (800.0, 1000.0, 20.0, 0.0, 0),  # bought at the open of bar 1, 0 bars held at its close
        (800.0, 1040.0, 20.0, 0.0, 1),
        (800.0, 1040.0, 20.0, 0.0, 2),
    ]


def test_bars_held_counts_the_symbols_own_bars() -> None:
    market = {"A": without(prices([10.0] * 6), 3), "B": prices([5.0] * 6)}
    held: list[int] = []

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        if ctx.bar == 0:
            ctx.buy("A")
        held.append(ctx.bars_held("A"))

    run(market, on_bar)
    assert held == [-1, 0, 1, 1, 2, 3]


def test_sizes_asked_for_replace_the_configured_one_and_are_cut_to_buying_power() -> None:
    market = {symbol: prices([10.0] * 3) for symbol in "ABCD"}

    def decide(ctx: Context) -> None:
        ctx.buy("A", percent=0.2)
        ctx.buy("B", shares=15.0)
        ctx.buy("C", cash=300.0)
        ctx.buy("D", percent=5.0)

    result = run(market, at({0: decide}))
    assert fills(result) == [
        (1, "A", "buy", 20.0, 10.0),
        (1, "B", "buy", 15.0, 10.0),
        (1, "C", "buy", 30.0, 10.0),
        (1, "D", "buy", 35.0, 10.0),  # what is left of 1000
    ]


def test_without_a_size_the_configured_one_holds_also_after_one_was_asked_for() -> None:
    market = {"A": prices([10.0] * 8)}
    orders = {0: lambda c: c.buy(shares=5.0), 2: lambda c: c.close(), 4: lambda c: c.buy()}
    result = run(market, at(orders), execution={"sizing": {"type": "percent_equity", "value": 0.5}})
    assert [(f[0], f[2], f[3]) for f in fills(result)] == [(1, "buy", 5.0), (3, "sell", 5.0), (5, "buy", 50.0)]


def test_an_order_on_a_day_without_a_bar_changes_nothing_of_one_that_waits() -> None:
    """A has no bar 3: what is asked there is ignored, also its size, and the flip of bar 2 keeps its own."""
    market = {"A": without(prices([10.0] * 6), 3), "B": prices([10.0] * 6)}
    execution = {"direction": "long_short", "sizing": {"type": "fixed_shares", "value": 10.0}}
    orders = {
        0: lambda c: c.buy("A"),
        2: lambda c: c.sell("A", shares=7.0),
        3: lambda c: c.buy("A", shares=1.0),
    }
    result = run(market, at(orders), execution=execution)
    assert [(f[0], f[2], f[3]) for f in fills(result)] == [(1, "buy", 10.0), (4, "sell", 10.0), (4, "sell", 7.0)]


def test_sell_closes_a_long_where_shorts_are_not_allowed_and_flips_where_they_are() -> None:
    market = {"A": prices([10.0] * 5)}
    orders = {0: lambda c: c.buy(), 2: lambda c: c.sell()}
    assert [f[2:4] for f in fills(run(market, at(orders)))] == [("buy", 100.0), ("sell", 100.0)]
    both = run(market, at(orders), execution={"direction": "long_short"})
    assert [f[2:4] for f in fills(both)] == [("buy", 100.0), ("sell", 100.0), ("sell", 100.0)]


def test_an_entry_that_adds_buys_more_at_the_average_cost_of_both() -> None:
    market = {"A": prices([10.0, 10.0, 20.0, 20.0, 20.0])}
    costs: list[float] = []

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        costs.append(ctx.average_cost())
        if ctx.bar in (0, 1):
            ctx.buy(cash=200.0, add=True)
        elif ctx.bar == 2:
            ctx.buy(cash=200.0)  # ignored: it does not add

    result = run(market, on_bar)
    assert fills(result) == [(1, "A", "buy", 20.0, 10.0), (2, "A", "buy", 10.0, 20.0)]
    assert costs == pytest.approx([math.nan, 10.0, 400.0 / 30.0, 400.0 / 30.0, 400.0 / 30.0], nan_ok=True)
    assert len(result.trades) == 1


def test_an_entry_that_adds_to_a_short_sells_more_and_on_the_other_side_flips() -> None:
    market = {"A": prices([10.0] * 6)}
    orders = {
        0: lambda c: c.sell(shares=5.0),
        1: lambda c: c.sell(shares=3.0, add=True),
        3: lambda c: c.buy(shares=2.0, add=True),
    }
    result = run(market, at(orders), execution={"direction": "long_short"})
    assert [(f[0], f[2], f[3]) for f in fills(result)] == [
        (1, "sell", 5.0),
        (2, "sell", 3.0),
        (4, "buy", 8.0),
        (4, "buy", 2.0),
    ]


def test_dollar_cost_averaging_buys_for_the_same_money_until_it_is_invested() -> None:
    """1200 in 3 instalments over 2 symbols: 200 each, 0.1 % commission included; B lists late and misses the first."""
    closes = [10.0, 10.0, 20.0, 20.0, 25.0, 25.0, 50.0, 50.0]
    days = [
        "2024-01-30",
        "2024-01-31",
        "2024-02-28",
        "2024-02-29",
        "2024-03-28",
        "2024-03-29",
        "2024-04-29",
        "2024-04-30",
    ]
    a = prices(closes, dates=[*days, "2024-05-02"][:8])
    b = without(prices([4.0] * 8, dates=days), 0, 1)
    config = {
        "name": "dca",
        "strategy_type": "dollar_cost_averaging",
        "parameters": {"instalments": 3},
        "symbols": ["A", "B"],
        "initial_capital": 1200.0,
        "costs": {"commission_rate": 0.001},
    }
    result = simulate(config, bars_of({"A": a, "B": b}))
    bought = [(int(f["bar"]), str(f["symbol"]), float(f["shares"])) for f in result.fills]
    assert bought == [
        (2, "A", pytest.approx(200.0 / (20.0 * 1.001))),
        (4, "A", pytest.approx(200.0 / (25.0 * 1.001))),
        (4, "B", pytest.approx(200.0 / (4.0 * 1.001))),
        (6, "A", pytest.approx(200.0 / (50.0 * 1.001))),
        (6, "B", pytest.approx(200.0 / (4.0 * 1.001))),
    ]
    assert result.cash[-1] == pytest.approx(200.0)


def test_close_cancels_an_entry_that_waits() -> None:
    market = {"A": {**prices([10.0] * 6), "low": [10.0, 10.0, 10.0, 10.0, 8.0, 8.0]}}
    orders = {0: lambda c: c.buy(limit=9.0, good_till_cancelled=True), 2: lambda c: c.close()}
    assert fills(run(market, at(orders))) == []
    assert len(fills(run(market, at({0: orders[0]})))) == 1


def test_target_percent_and_close_trade_by_the_rules_of_weights() -> None:
    market = {"A": prices([10.0] * 6), "B": prices([20.0] * 6)}
    orders = {
        0: lambda c: (c.target_percent(0.5, "A"), c.target_percent(0.25, "B")),
        2: lambda c: c.target_percent(0.1, "A"),
        4: lambda c: c.close("B"),
    }
    result = run(market, at(orders))
    assert [(f[0], f[1], f[2], f[3]) for f in fills(result)] == [
        (1, "A", "buy", 50.0),
        (1, "B", "buy", 12.5),
        (3, "A", "sell", 40.0),
        (5, "B", "sell", 12.5),
    ]
    assert set(result.fills["reason"]) == {"rebalance"}


def test_limits_are_in_adjusted_prices_also_when_raw_ones_fill() -> None:
    """A two for one split on bar 2 halves what strategies see before it: 5 adjusted is 10 as traded."""
    columns: Columns = {**prices([10.0, 10.0, 5.0, 5.0]), "split_ratio": [1.0, 1.0, 2.0, 1.0]}
    columns["low"] = [10.0, 9.0, 5.0, 5.0]

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        if ctx.bar == 0:
            assert ctx.bars.close[-1] == 5.0
            ctx.buy(limit=4.75, shares=10.0)

    result = run({"A": columns}, on_bar, execution={"price_mode": "raw"})
    assert fills(result) == [(1, "A", "buy", 10.0, 9.5)]
    assert result.positions[:, 0].tolist() == [0.0, 10.0, 20.0, 20.0]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda c: c.buy("NOPE"), "no symbol 'NOPE'"),
        (lambda c: c.buy(), "say which one"),
        (lambda c: c.buy("A", percent=0.1, shares=1.0), "give one of"),
        (lambda c: c.buy("A", limit=1.0, stop=2.0), "give one of"),
        (lambda c: c.buy("A", limit=-1.0), "price -1"),
        (lambda c: c.buy("A", limit=math.nan), "price nan"),
        (lambda c: c.buy("A", shares=0.0), "is no size"),
        (lambda c: c.buy("A", cash=math.inf), "is no size"),
        (lambda c: c.target_percent(math.nan, "A"), "finite"),
        (lambda c: c.target_percent(-0.5, "A"), "against long_only"),
        (lambda c: (c.buy("A"), c.target_percent(0.5, "A")), "not both"),
        (lambda c: (c.target_percent(0.5, "A"), c.buy("A")), "not both"),
        (lambda c: 1 / 0, r"made failed on 2024-01-02: ZeroDivisionError"),
    ],
)
def test_a_wrong_order_names_what_is_wrong(act: Callable[[Context], None], words: str) -> None:
    market = {"A": prices([10.0] * 3), "B": prices([10.0] * 3)}
    with pytest.raises(StrategyError, match=words):
        run(market, at({0: act}))


def test_a_limit_with_fills_at_the_close_is_an_error_of_the_configuration() -> None:
    with pytest.raises(InvalidInput, match="need fill next_open"):
        run({"A": prices([10.0] * 3)}, at({0: lambda c: c.buy(limit=9.0)}), execution={"fill": "next_close"})


def test_a_state_that_is_not_json_cannot_be_saved() -> None:
    def on_bar(_: EventStrategy, ctx: Context) -> None:
        ctx.state["x"] = {1, 2}

    config = parse_config({"name": "x", "strategy_type": "made", "symbols": ["A"]})
    simulation = Simulation(config, bars_of({"A": prices([10.0] * 3)}), strategy=event_strategy(on_bar))
    simulation.advance(2)
    with pytest.raises(StrategyError, match=r"ctx\.state cannot be saved"):
        simulation.checkpoint()


def test_nothing_is_asked_of_a_strategy_after_insolvency() -> None:
    market = {"A": prices([10.0, 10.0, 30.0, 30.0, 30.0])}
    asked: list[int] = []

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        asked.append(ctx.bar)
        if ctx.bar == 0:
            ctx.sell()

    result = run(market, on_bar, execution={"direction": "short_only"})
    assert result.insolvent
    assert asked == [0, 1]


def test_the_log_is_kept_and_capped() -> None:
    market = bars_of({"A": prices([10.0] * 3)})
    config = parse_config({"name": "x", "strategy_type": "made", "symbols": ["A"]})

    def on_bar(_: EventStrategy, ctx: Context) -> None:
        for i in range(600):
            ctx.log(f"line {i}")

    simulation = Simulation(config, market, strategy=event_strategy(on_bar))
    simulation.advance(3)
    assert simulation.context is not None
    assert len(simulation.context.messages) == 1000
    assert simulation.context.messages[0] == "2024-01-02: line 0"


def test_stops_work_for_positions_that_were_opened_by_hand() -> None:
    market = {"A": {**prices([10.0, 10.0, 10.0, 9.0]), "low": [10.0, 10.0, 9.4, 9.0]}}
    result = run(market, at({0: lambda c: c.buy(shares=10.0)}), risk={"stop_loss": 0.05})
    assert [(f[0], f[2], f[4]) for f in fills(result)] == [(1, "buy", 10.0), (2, "sell", 9.5)]
    assert result.fills["reason"].tolist() == ["entry", "stop_loss"]
    assert np.isfinite(result.equity).all()
    assert layout.REASONS[layout.BY_STOP_LOSS] == "stop_loss"
