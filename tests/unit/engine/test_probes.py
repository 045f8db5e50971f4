"""The probes find strategies that know the future or lose the past, say where, and leave the honest ones alone."""

import json
import time
from typing import Any

import cheats
import numpy as np
import pytest
from cheats import AROUND, CHEATS, HONEST

import backproof
from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from backproof.engine.probe import Finding, ProbeReport, probe, probe_amnesia, probe_lookahead
from backproof.engine.probe_data import PRICE_CHANGES, Futures, shortened
from backproof.engine.strategies import Strategy, all_strategies, check_config
from backproof.errors import InvalidInput, StrategyError
from backproof.marketdata.demo import demo_lake
from backproof.storage.lake import Lake


def series(symbol: str, seed: int, count: int, *, missing: float = 0.0, skip: int = 0) -> Series:
    """A random walk on weekdays with splits and dividends left out; `missing`: this part of the bars is not there."""
    rng = np.random.default_rng(seed)
    dates = np.datetime64("2014-01-01") + np.arange(2 * (count + skip))
    dates = dates[np.is_busday(dates)][skip : count + skip]
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, count)))
    open_ = close * np.exp(rng.normal(0.0, 0.01, count))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    keep = rng.random(count) >= missing
    keep[[0, -1]] = True
    values = [array[keep] for array in (dates, open_, high, low, close, np.ones(count), rng.lognormal(12, 1, count))]
    return Series(symbol, *values, close_only=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole() -> Bars:
    """Two symbols, three years, no holes."""
    return Bars([series("A", 1, 756), series("B", 2, 756)])


@pytest.fixture(scope="module")
def holed() -> Bars:
    """One that misses bars, one that is listed late, one that ends early."""
    return Bars([series("A", 1, 700, missing=0.1), series("B", 2, 400, skip=200, missing=0.02), series("C", 3, 500)])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Bars:
    lake = Lake(tmp_path_factory.mktemp("lake"), demo_lake())
    return Bars.from_frame(lake.read_bars("demo", "1d", ["AAPL", "FB", "GOOG", "IBM", "MSFT"]))


def config(symbols: tuple[str, ...], strategy: str = "tested", **more: Any) -> dict[str, Any]:
    return {"name": "x", "strategy_type": strategy, "symbols": list(symbols), **more}


def looked_at(bars: Bars, strategy: type[Strategy], **more: Any) -> ProbeReport:
    return probe_lookahead(config(bars.symbols, **more), bars, strategy=strategy)


# --- cheats and honest strategies


@pytest.mark.parametrize("kind", CHEATS, ids=lambda kind: kind.__name__)
def test_a_cheat_is_caught_with_the_decision_that_changed(whole: Bars, kind: Any) -> None:
    report = looked_at(whole, kind)
    assert report.verdict == "looks ahead"
    found = report.finding
    assert found is not None
    assert 0 <= found.bar <= found.t < 756
    assert found.given != found.changed
    dates = whole.dates.astype(str).tolist()
    assert (found.date, found.t_date) == (dates[found.bar], dates[found.t])
    assert found.symbol in whole.symbols
    if kind.ahead is not None:
        assert report.bars_ahead is not None
        assert 1 <= report.bars_ahead <= kind.ahead, "no further than the cheat reads"
        assert found.t - found.bar < kind.ahead


@pytest.mark.parametrize("kind", HONEST, ids=lambda kind: kind.__name__)
def test_an_honest_strategy_that_looks_similar_is_clean(whole: Bars, kind: type[Strategy]) -> None:
    report = looked_at(whole, kind)
    assert (report.verdict, report.finding, report.bars_ahead) == ("clean", None, None)
    assert report.comparisons >= 24
    assert not report.indicators
    assert not report.notes


@pytest.mark.parametrize("kind", [cheats.FilledForwards, cheats.LastCloseBarByBar, cheats.ByTheCalendar])
def test_holes_listings_and_delistings_make_nobody_a_cheat(holed: Bars, kind: type[Strategy]) -> None:
    assert looked_at(holed, kind).verdict == "clean"


def test_the_first_bar_of_a_centred_window_is_where_the_window_first_reaches_the_change(whole: Bars) -> None:
    report = probe_lookahead(config(("A", "B")), whole, strategy=cheats.CentredWindow, cuts=[300])
    assert report.finding is not None
    assert (report.finding.bar, report.finding.t, report.bars_ahead) == (301 - AROUND, 300, AROUND)


def test_the_first_bar_of_a_future_index_is_the_cut_itself(whole: Bars) -> None:
    for cut in (0, 17, 500, 754):
        report = probe_lookahead(config(("A", "B")), whole, strategy=cheats.NextClose, cuts=[cut])
        assert report.finding is not None
        assert (report.finding.bar, report.finding.t, report.bars_ahead) == (cut, cut, 1)


@pytest.mark.parametrize("kind", [cheats.NormalisedByEverything, cheats.FittedOnEverything, cheats.ScaledBarByBar])
def test_the_first_bar_of_what_uses_everything_is_the_runs_first(whole: Bars, kind: type[Strategy]) -> None:
    report = looked_at(whole, kind)
    assert report.finding is not None
    assert (report.finding.bar, report.finding.date) == (0, str(whole.dates[0]))
    assert report.bars_ahead is not None
    assert report.bars_ahead > 400


def test_a_cheat_in_the_last_bars_only_is_caught_there(whole: Bars) -> None:
    found = looked_at(whole, cheats.LastBarsOnly).finding
    assert found is not None
    assert found.bar == 752


def test_a_cheat_on_one_symbol_only_is_caught_there(whole: Bars) -> None:
    found = looked_at(whole, cheats.OneSymbolOnly).finding
    assert found is not None
    assert found.symbol == "B"
    alone = probe_lookahead(config(("B", "A")), whole, strategy=cheats.OneSymbolOnly).finding
    assert alone is not None
    assert alone.symbol == "A"


def test_a_cheat_on_few_decision_bars_is_caught_because_the_probe_cuts_there(whole: Bars) -> None:
    report = looked_at(whole, cheats.NextCloseAtMonthsEnd)
    assert report.finding is not None
    assert report.finding.bar == report.finding.t


def test_prices_filled_from_later_ones_are_caught_where_a_bar_is_missing(holed: Bars) -> None:
    found = looked_at(holed, cheats.FilledBackwards).finding
    assert found is not None
    assert np.isnan(holed.close[:, found.bar :].T[0]).any()


def test_bars_after_the_runs_end_are_the_future_too(whole: Bars) -> None:
    inside = str(whole.dates[600])
    report = looked_at(whole, cheats.BeyondTheRun, end_date=inside)
    assert report.finding is not None
    assert (report.finding.bar, report.finding.date) == (600, inside)
    assert looked_at(whole, cheats.BeyondTheRun).verdict == "clean", "there is nothing after the data's end"


@pytest.mark.parametrize("kind", [cheats.LengthOfData, cheats.OutBeforeTheLastDate, cheats.LeavesBeforeTheEnd])
def test_what_depends_on_the_runs_end_is_told_apart_from_what_depends_on_prices(
    whole: Bars, kind: type[Strategy]
) -> None:
    report = looked_at(whole, kind)
    assert report.finding is not None
    assert report.finding.change == "run ends"
    assert any("when the run ends" in note for note in report.notes)


def test_a_run_that_starts_in_the_middle_is_numbered_from_its_start(whole: Bars) -> None:
    start = str(whole.dates[400])
    found = looked_at(whole, cheats.NormalisedByEverything, start_date=start).finding
    assert found is not None
    assert (found.bar, found.date) == (0, start)


def test_a_strategy_that_fails_on_the_cut_is_compared_on_the_other_changes(whole: Bars) -> None:
    report = looked_at(whole, cheats.FittedOnEverything)
    assert report.verdict == "looks ahead"
    assert any("(cut)" in note and "no line goes through a hole" in note for note in report.notes)


def test_an_indicator_that_looks_ahead_is_named_even_where_no_decision_changed(whole: Bars) -> None:
    class Unused(cheats.PreviousClose):
        def indicators(self, bars: Any) -> dict[str, Any]:
            return {**super().indicators(bars), "tomorrow": cheats.earlier(bars.close, -1)}

    report = looked_at(whole, Unused)
    assert (report.verdict, report.indicators) == ("clean", ("tomorrow",))
    assert any("tomorrow" in note for note in report.notes)
    assert looked_at(whole, cheats.NextCloseAsSignal).indicators == ("line",)


def test_a_strategy_that_changes_its_prices_is_refused_and_the_prices_are_not_changed(whole: Bars) -> None:
    class Writes(cheats.PreviousClose):
        def line(self, bars: Any) -> Any:
            bars.panel.adjusted.close[0, 3] = 1.0
            return super().line(bars)

    before = whole.close.copy()
    with pytest.raises(StrategyError, match="changes the prices it is given"):
        looked_at(whole, Writes)
    np.testing.assert_array_equal(whole.close, before)


@pytest.mark.parametrize("kind", [cheats.TossesCoins, cheats.TossesCoinsBarByBar])
def test_chance_is_told_apart_from_knowing_the_future(whole: Bars, kind: type[Strategy]) -> None:
    with pytest.raises(StrategyError, match=r"decides otherwise when it is asked again: [AB] on 2014-"):
        looked_at(whole, kind)


def test_a_strategy_that_fails_says_where_in_its_own_code(whole: Bars) -> None:
    class Breaks(cheats.PreviousClose):
        def line(self, bars: Any) -> Any:
            return 1 / 0

    with pytest.raises(StrategyError, match="by_signal failed: ZeroDivisionError") as caught:
        looked_at(whole, Breaks)
    assert any("test_probes.py" in frame and "1 / 0" in frame for frame in caught.value.details["traceback"])  # type: ignore[union-attr]


def test_cuts_outside_the_run_are_refused(whole: Bars) -> None:
    for cut in (-1, 755, 10_000):
        with pytest.raises(InvalidInput) as caught:
            probe_lookahead(config(("A",)), whole, strategy=cheats.NextClose, cuts=[3, cut])
        assert caught.value.errors[0].pointer == "/cuts/1"


def test_equal_seeds_give_equal_reports(whole: Bars) -> None:
    first, second = (looked_at(whole, cheats.NextCloseAsSignal) for _ in range(2))
    assert first == second


def test_a_report_is_json(whole: Bars) -> None:
    for kind in (cheats.NextClose, cheats.LimitAtTheNextLow, cheats.TrailingWindow, cheats.KeepsInItself):
        both = backproof.probe(config(whole.symbols), whole, strategy=kind)
        assert json.loads(json.dumps(both.to_dict(), allow_nan=False))["passed"] == both.passed


# --- the built-ins


PARAMETERS: dict[str, dict[str, Any]] = {
    "rules": {"entry": "close > sma(close, 20) and rsi(close, 14) < 70", "exit": "close crosses_below sma(close, 10)"}
}
BUILT_IN = pytest.mark.parametrize("name", [strategy.name for strategy in all_strategies()])
EXACT = ("sma_crossover", "donchian_breakout", "bollinger", "momentum_top_n", "equal_weight", "buy_and_hold")


def accepted(name: str, bars: Bars, **more: Any) -> list[dict[str, Any]]:
    """Configurations over all, two or one of the symbols that the strategy can be run with, not all of one kind."""
    found = []
    for direction in ("long_only", "long_short"):
        for symbols in (bars.symbols, bars.symbols[:2], bars.symbols[:1]):
            given = config(symbols, name, execution={"direction": direction}, parameters=PARAMETERS.get(name, {}))
            try:
                check_config(parse_config(given))
            except InvalidInput:
                continue
            found.append({**given, **more})
            break
    assert found, f"no configuration of {name} was accepted"
    return found


@BUILT_IN
@pytest.mark.parametrize("market", ["whole", "holed", "demo"])
def test_no_built_in_looks_ahead(name: str, market: str, request: pytest.FixtureRequest) -> None:
    bars: Bars = request.getfixturevalue(market)
    for given in accepted(name, bars):
        report = probe_lookahead(given, bars)
        assert (report.verdict, report.finding, report.indicators) == ("clean", None, ())
        assert report.comparisons >= 24


@BUILT_IN
def test_built_ins_need_little_more_history_than_they_say(name: str, demo: Bars) -> None:
    """Those whose averages never end agree from some multiple of their warm-up on, the others from the warm-up on."""
    report = probe_amnesia(accepted(name, demo, start_date="2008-01-02")[0], demo)
    assert report.verdict in (("clean",) if name in EXACT else ("clean", "remembers"))
    assert report.enough is not None
    assert (report.start, report.checks[0].history) == ("2008-01-02", report.warmup)


# --- amnesia


def test_an_average_without_end_depends_on_all_history_and_the_report_says_how_much(demo: Bars) -> None:
    given = config(("AAPL",), "ema_crossover", parameters={"fast": 20, "slow": 100}, start_date="2009-01-02")
    report = probe_amnesia(given, demo)
    assert report.verdict == "remembers"
    first, *_, last = report.checks
    assert first.history == report.warmup == 99
    assert first.decisions > 0
    assert first.indicator > last.indicator > 0.0, "the more history, the less it matters"
    assert report.enough is not None
    assert report.enough > report.warmup


def test_a_strategy_that_says_too_little_warm_up_is_found_out(demo: Bars) -> None:
    class TooLittle(cheats.TrailingWindow):
        def warmup(self) -> int:
            return 3

    report = probe_amnesia(config(("AAPL",), start_date="2009-01-02"), demo, strategy=TooLittle)
    assert (report.verdict, report.enough) == ("remembers", 16)
    assert report.checks[0].largest > 0.1

    class Enough(cheats.TrailingWindow):
        def warmup(self) -> int:
            return 10

    assert probe_amnesia(config(("AAPL",), start_date="2009-01-02"), demo, strategy=Enough).verdict == "clean"


def test_what_counts_bars_from_the_datas_first_one_depends_on_all_history(whole: Bars) -> None:
    report = probe_amnesia(config(("A",)), whole, strategy=cheats.CountsBars)
    assert (report.verdict, report.enough) == ("remembers", None)


def test_without_history_before_the_run_decisions_are_compared_from_a_later_bar_on(whole: Bars) -> None:
    report = probe_amnesia(config(("A",), "sma_crossover"), whole)
    assert report.verdict == "clean"
    assert report.available > report.warmup == 49
    assert report.start == str(whole.dates[report.available])
    short = Bars([series("A", 1, 40)])
    assert probe_amnesia(config(("A",), "sma_crossover"), short).verdict == "not measured"


@pytest.mark.parametrize("kind", [cheats.KeepsInItself, cheats.KeepsInItsClass, cheats.KeepsInTheModule])
def test_what_is_kept_outside_the_state_is_lost_and_found_out(whole: Bars, kind: type[Strategy]) -> None:
    both = probe(config(("A",)), whole, strategy=kind)
    assert (both.lookahead.verdict, both.amnesia.verdict, both.passed) == ("clean", "forgets", False)
    assert isinstance(both.amnesia.lost, Finding)
    assert both.amnesia.lost.change == "resumed"
    kept = probe(config(("A",)), whole, strategy=cheats.KeepsInItsState)
    assert (kept.amnesia.lost, kept.passed) == (None, True)


def test_a_resumed_run_that_fails_is_found_out_with_the_reason(whole: Bars) -> None:
    for kind, reason in (
        (cheats.KeepsOnlyTheLastBar, "has no attribute 'last'"),
        (cheats.KeepsWhatIsNoJson, "ctx.state cannot be saved"),
    ):
        report = probe_amnesia(config(("A",)), whole, strategy=kind)
        assert report.verdict == "forgets"
        assert report.lost is not None
        assert reason in str(report.lost.changed)
        assert 0 < report.lost.bar < 30
    assert probe_amnesia(config(("A",)), whole, strategy=cheats.KeepsNumbersAsKeys).verdict == "forgets"


def test_what_indicators_leave_on_the_strategy_is_there_again_in_a_resumed_run(whole: Bars) -> None:
    report = probe_amnesia(config(("A",)), whole, strategy=cheats.PreparesItself)
    assert (report.lost, report.verdict != "forgets") == (None, True)
    assert looked_at(whole, cheats.PreparesItself).verdict == "clean"


# --- the changed bars


@pytest.mark.parametrize("change", [*PRICE_CHANGES, "run ends"])
@pytest.mark.parametrize("t", [0, 150, 250, 698])
def test_bars_up_to_the_cut_and_all_dates_stay_as_they_are(holed: Bars, change: Any, t: int) -> None:
    panel = holed.panel(holed.symbols)
    changed = Futures(panel).changed(change, t)
    for name in ("open", "high", "low", "close"):
        before, after = getattr(panel.adjusted, name), getattr(changed.adjusted, name)
        np.testing.assert_array_equal(after[:, : t + 1], before[:, : t + 1])
        later = after[:, t + 1 :]
        if change == "cut":
            assert np.isnan(later).all()
        else:
            np.testing.assert_array_equal(np.isnan(later), np.isnan(before[:, t + 1 : after.shape[1]]))
            assert (np.nanmin(later, initial=1.0)) > 0.0
    stop = t + 2 if change == "run ends" else len(panel.dates)
    np.testing.assert_array_equal(changed.dates, panel.dates[:stop])
    np.testing.assert_array_equal(changed.firsts, np.minimum(panel.firsts, stop - 1))
    highs, lows, closes = changed.adjusted.high, changed.adjusted.low, changed.adjusted.close
    traded = ~np.isnan(closes)
    assert (highs[traded] >= lows[traded]).all()
    assert ((closes <= highs * (1 + 1e-12)) & (closes >= lows * (1 - 1e-12)))[traded].all()


@pytest.mark.parametrize("change", ["noise", "mirrored noise"])
def test_noise_has_the_scale_of_the_symbol(demo: Bars, change: Any) -> None:
    panel = demo.panel(("AAPL", "MSFT"))
    noisy = Futures(panel).changed(change, 500).adjusted.close
    real = panel.adjusted.close
    for n in range(2):
        a, b = (np.diff(np.log(close[n, 500:])).std() for close in (noisy, real))
        assert 0.8 < a / b < 1.25


def test_mirrored_noise_falls_where_noise_rises(whole: Bars) -> None:
    futures = Futures(whole.panel(("A", "B")))
    up, down = (np.diff(np.log(futures.changed(c, 100).adjusted.close[:, 100:])) for c in ("noise", "mirrored noise"))
    np.testing.assert_allclose(up, -down, atol=1e-9)


@pytest.mark.parametrize("history", [0, 1, 30, 10_000])
def test_a_shortened_history_is_counted_in_each_symbols_own_bars(holed: Bars, history: int) -> None:
    panel = holed.panel(holed.symbols)
    short = shortened(panel, 300, len(panel.dates), history)
    run = short.run
    assert run.dates[run.first] == panel.dates[300]
    np.testing.assert_array_equal(run.close[:, run.first :], panel.adjusted.close[:, 300:])
    before = (~np.isnan(run.close[:, : run.first])).sum(axis=1)
    known = (~np.isnan(panel.adjusted.close[:, :300])).sum(axis=1)
    np.testing.assert_array_equal(before, np.minimum(known, history))
    at = np.arange(300, len(panel.dates))
    whole_run = panel.run(None, None)
    np.testing.assert_array_equal(run.listed(at - short.skipped), whole_run.listed(at))


# --- speed


@pytest.mark.parametrize(
    "strategy", ["sma_crossover", "momentum_top_n", cheats.LastCloseBarByBar, cheats.NextCloseBarByBar]
)
def test_a_probe_of_ten_years_comes_to_an_end(strategy: Any) -> None:
    bars = Bars([series("A", 1, 2520), series("B", 2, 2520)])
    kind = None if isinstance(strategy, str) else strategy
    given = config(("A",), strategy if kind is None else "tested")
    probe(given, bars, strategy=kind)  # loads what is loaded once
    began = time.process_time()
    probe(given, bars, strategy=kind)
    assert time.process_time() - began < 10.0  # below a second where nothing else runs


def test_rules_are_probed_whichever_way_they_decide() -> None:
    """Lines of rules are numbers and conditions; with `bars_held` they decide bar by bar."""
    rng = np.random.default_rng(4)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, 500)))
    dates = np.datetime64("2019-01-01") + np.arange(500)
    series = Series("A", dates, close, close * 1.01, close * 0.99, close, np.ones(500), None, close_only=False)
    for leave in ("close > sma(close, 5)", "close > sma(close, 5) or bars_held >= 10"):
        parameters = {"entry": "close > sma(close, 50) and rsi(close, 2) < 20", "exit": leave}
        config = {"name": "rules", "strategy_type": "rules", "symbols": ["A"], "parameters": parameters}
        report = backproof.probe(config, Bars([series])).to_dict()
        assert report["lookahead"]["verdict"] == "clean"
