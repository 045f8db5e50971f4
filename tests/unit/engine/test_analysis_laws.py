"""Full metrics: laws that hold for any account, and their place in the product."""

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from analysis_support import (
    EIGHT,
    QUICK,
    measure,
    trade,
    trades_of,
    weekdays,
)
from hypothesis import given
from hypothesis import strategies as st
from markets import prices, run, run_signals

from backproof.engine import metrics as headline
from backproof.engine import trade_analysis
from backproof.engine.analysis import (
    METRIC_NOTES,
    drawdown_table,
    monthly_returns,
    yearly_returns,
)

# --- laws


@st.composite
def accounts(draw: st.DrawFn) -> tuple[float, np.ndarray, np.ndarray]:
    """(initial capital, equity, dates): an account that may stay as it is, and may lose everything and more."""
    capital = draw(st.floats(1.0, 1e7))
    factors = draw(st.lists(st.one_of(st.just(1.0), st.floats(0.2, 4.0), st.floats(0.98, 1.02)), max_size=60))
    equity = capital * np.cumprod(np.array(factors))
    if len(factors) and draw(st.booleans()):
        equity[draw(st.integers(0, len(factors) - 1)) :] = draw(st.sampled_from([0.0, -0.5, -3.0])) * capital
    gaps = draw(st.lists(st.integers(1, 40), min_size=len(factors), max_size=len(factors)))
    return capital, equity, np.datetime64("2019-12-20") + np.cumsum(np.array(gaps, dtype=np.int64))


def slow_drawdowns(equity: np.ndarray, capital: float) -> list[tuple[int, int, int | None, float]]:
    """(peak, trough, recovery, depth) one bar after the other, in the order of time."""
    found: list[tuple[int, int, int | None, float]] = []
    peak, at, trough, depth = capital, 0, 0, 0.0
    for t, value in enumerate(equity.tolist()):
        fall = value / max(peak, value) - 1.0
        if fall > -1e-12:
            if depth < 0.0:
                found.append((at, trough, t, depth))
            at, depth = t, 0.0
        elif fall < depth:
            trough, depth = t, fall
        peak = max(peak, value)
    return [*found, (at, trough, None, depth)] if depth < 0.0 else found


@QUICK
@given(accounts())
def test_the_table_is_that_of_a_walk_over_the_bars(account: tuple[float, np.ndarray, np.ndarray]) -> None:
    capital, equity, dates = account
    expected = sorted(slow_drawdowns(equity, capital), key=lambda row: row[3])
    table = drawdown_table(equity, dates, capital, top=1000)
    assert len(table) == len(expected)
    for row, (peak, trough, recovery, depth) in zip(table, expected, strict=True):
        end = len(equity) - 1 if recovery is None else recovery
        assert row["depth"] == depth
        assert (row["peak_date"], row["trough_date"]) == (dates[peak], dates[trough])
        assert np.isnat(row["recovery_date"]) if recovery is None else row["recovery_date"] == dates[recovery]
        assert (row["bars"], row["days"]) == (end - peak, (dates[end] - dates[peak]).astype(int))
        assert row["recovery_days"] == (-1 if recovery is None else (dates[end] - dates[trough]).astype(int))


@QUICK
@given(accounts())
def test_the_deepest_drawdown_is_the_max_drawdown_and_none_overlap(
    account: tuple[float, np.ndarray, np.ndarray],
) -> None:
    capital, equity, dates = account
    table = drawdown_table(equity, dates, capital, top=1000)
    full = np.concatenate([[capital], equity])
    worst = float((full / np.maximum.accumulate(full) - 1.0).min())
    if worst > -1e-12:
        assert len(table) == 0
    else:
        assert table["depth"][0] == worst
    in_time = np.sort(table, order="peak_date")
    assert (in_time["recovery_date"][:-1] <= in_time["peak_date"][1:]).all()
    m, _ = measure(equity, capital, dates=dates)
    assert m.get("max_drawdown_duration_days") == (max(table["days"], default=0) if len(equity) else None)


@QUICK
@given(accounts())
def test_monthly_and_yearly_returns_compound_to_the_total_return(
    account: tuple[float, np.ndarray, np.ndarray],
) -> None:
    capital, equity, dates = account
    final = equity[-1] / capital if len(equity) else 1.0
    for table in (monthly_returns(equity, dates, capital), yearly_returns(equity, dates, capital)):
        assert np.prod(1.0 + table["return"]) == pytest.approx(final, rel=1e-9, abs=1e-12)
        assert len(np.unique(table[[name for name in table.dtype.names if name != "return"]])) == len(table)


def check_sound(m: headline.Metrics, reasons: dict[str, str]) -> None:
    for name, value in m.items():
        assert type(value) in (float, int, type(None)), name
        assert value is None or math.isfinite(value), name
        assert (value is None) == (name in reasons), name
    assert set(reasons) <= set(m)
    assert all(reason and not reason.endswith(".") for reason in reasons.values())


ANY = st.floats(allow_nan=False, allow_infinity=False)


@QUICK
@given(
    st.lists(st.tuples(ANY, st.one_of(st.just(0.0), ANY.map(abs))), max_size=40),
    st.one_of(st.just(100.0), st.floats(1e-3, 1e12)),
    st.one_of(st.just(0.0), st.floats(-0.5, 1e3)),
    st.lists(st.tuples(ANY, ANY, st.booleans(), st.sampled_from([np.nan, 0.0, 0.2, -1e300])), max_size=12),
)
def test_no_numbers_at_all_give_nan_or_infinity(
    bars: list[tuple[float, float]], capital: float, rf: float, rows: list[tuple[float, float, bool, float]]
) -> None:
    trades = trades_of(
        *(
            trade(profit, side="long" if is_long else "short", mae=mae, mfe=mae, **{"return": r})
            for profit, r, is_long, mae in rows
        )
    )
    m, reasons = measure([e for e, _ in bars], capital, gross=[g for _, g in bars], rf=rf, trades=trades)
    check_sound(m, reasons)


@QUICK
@given(accounts(), st.sampled_from([0.0, 1e-4, -0.01]))
def test_no_account_gives_nan_or_infinity(account: tuple[float, np.ndarray, np.ndarray], rf: float) -> None:
    capital, equity, dates = account
    m, reasons = measure(equity, capital, dates=dates, gross=np.abs(equity), rf=rf)
    check_sound(m, reasons)
    for table in (
        drawdown_table(equity, dates, capital)["depth"],
        monthly_returns(equity, dates, capital)["return"],
        yearly_returns(equity, dates, capital)["return"],
    ):
        assert np.isfinite(table).all()
    for name in ("psr", "positive_periods", "stability"):
        value = m[name]
        assert value is None or 0.0 <= value <= 1.0
    if m["cvar_95"] is not None and m["var_95"] is not None and m["worst_period"] is not None:
        assert m["cvar_95"] <= m["var_95"] + 1e-12
        assert m["cvar_95"] >= m["worst_period"] - 1e-12


@pytest.mark.parametrize(
    "equity",
    [[], [100.0], [0.0], [-5.0], [100.0] * 30, [99.0] * 30, [100.0 * 0.9**t for t in range(30)], [50.0, 0.0, 0.0]],
    ids=["no bar", "one bar", "nothing", "debt", "constant", "constant below", "only losses", "lost"],
)
def test_odd_curves_have_sound_metrics_and_tables(equity: list[float]) -> None:
    check_sound(*measure(equity))
    curve, dates = np.array(equity, dtype=np.float64), weekdays(len(equity))
    final = equity[-1] / 100.0 if equity else 1.0
    assert np.prod(1.0 + monthly_returns(curve, dates, 100.0)["return"]) == pytest.approx(final, abs=1e-15)
    assert len(drawdown_table(curve, dates, 100.0)) == int(bool(equity) and min(equity) < 100.0)


# --- as part of the product


def test_the_deepest_drawdown_is_the_headlines() -> None:
    result = run({"A": prices([10.0, 9.0, 12.0, 7.5, 11.0, 13.0])}, "buy_and_hold")
    table = drawdown_table(result.equity, result.dates, result.config.initial_capital)
    assert table["depth"][0] == result.metrics["max_drawdown"]


def test_the_trades_of_a_result_are_taken_as_they_are() -> None:
    market = {"A": prices([10.0, 11.0, 12.0, 9.0, 8.0, 9.0])}
    result = run_signals(market, {"A": ["enter_long", "", "exit", "", "enter_long"]})
    m, reasons = measure(result.equity, 1000.0, gross=result.gross, dates=result.dates, trades=result.trades)
    check_sound(m, reasons)
    assert len(result.trades) == 2  # one of them open
    assert m["long_trades"] == result.metrics["trades"] == 1
    assert m["average_loss"] == result.trades["profit"][0]
    assert m["bars_held_mean"] == 2.0


def test_every_metric_has_a_sentence_that_says_what_it_is() -> None:
    market = {"A": prices([10.0, 9.0, 12.0]), "I": prices([1.0, 2.0, 3.0])}
    result = run(market, "buy_and_hold", benchmark="I")
    assert set(METRIC_NOTES) == {*result.metrics, *(result.benchmark_metrics or {}), *measure(EIGHT)[0]}
    assert all(note.endswith(".") and note.count(". ") == 0 for note in METRIC_NOTES.values())


def test_the_threshold_of_undefined_ratios_is_the_headlines() -> None:
    assert trade_analysis.TINY == headline.TINY


def test_the_web_process_loads_no_kernel_for_it() -> None:
    code = (
        "import sys; import backproof.engine.analysis; "
        "print([name for name in ('numba', 'talib', 'pandas', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_million_bars_with_countless_drawdowns_need_no_loop_over_bars() -> None:
    count = 1_000_000
    equity = 100.0 + np.arange(count) * 1e-3 + np.where(np.arange(count) % 3 == 1, -0.5, 0.0)
    dates = np.datetime64("2000-01-01T00:00", "s") + 60 * np.arange(count)
    started = time.process_time()
    m, _ = measure(equity, gross=equity, dates=dates)
    table = drawdown_table(equity, dates, 100.0)
    assert time.process_time() - started < 20.0  # measured 0.2 on an idle machine; quadratic would never end
    assert len(table) == 10
    assert m["average_drawdown"] is not None
