"""Random rules that mean something, and random bars with holes, late listings, ties and missing volume."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from rules_oracle import Own

from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.tree import (
    COMPARISONS,
    CROSSINGS,
    Call,
    Comparison,
    Lag,
    Name,
    Negative,
    Node,
    Not,
    Number,
    chain,
)

DAY = np.datetime64("2024-01-01")
VALUES: dict[str, Node] = {
    "fast": Number(3.0),
    "below": Negative(Number(1.5)),
    "spread": chain(("-",), (Name("high"), Name("low"))),
    "rising": Comparison(">", Name("close"), Lag(Name("close"), Number(1.0))),
    "strong": chain(("and",), (Name("rising"), Comparison(">", Name("spread"), Number(0.5)))),
}
NUMBERS, CONDITIONS = ("fast", "below", "spread"), ("rising", "strong")
_numbers = st.one_of(
    st.sampled_from([0.0, 0.25, 1.0, 2.0, 3.0, 20.0, 50.0, 1e3, 0.1]),
    st.floats(0.0, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}")),
)


def numbers(depth: int = 3, held: bool = False) -> st.SearchStrategy[Node]:
    leaf: st.SearchStrategy[Node] = st.one_of(
        _numbers.map(Number),
        st.sampled_from(("open", "high", "low", "close", "close", "volume")).map(Name),
        st.sampled_from(NUMBERS).map(Name),
    )
    if held:
        leaf = st.one_of(leaf, st.just(Name("bars_held")))
    if depth == 0:
        return leaf
    inner = numbers(depth - 1, held)
    plain = numbers(depth - 1)
    return st.one_of(
        leaf,
        sums(inner, ("+", "-")),
        sums(inner, ("*", "/")),
        inner.map(Negative),
        lags(plain),
        elementwise(inner),
        calls(plain),
    )


def sums(inner: st.SearchStrategy[Node], operators: tuple[str, ...]) -> st.SearchStrategy[Node]:
    return st.integers(1, 3).flatmap(
        lambda count: st.builds(
            chain,
            st.tuples(*[st.sampled_from(operators)] * count),
            st.tuples(*[inner] * (count + 1)),
        )
    )


def lags(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    bars = st.one_of(st.integers(0, 5).map(lambda k: Number(float(k))), st.just(Name("fast")))
    return st.builds(Lag, inner, bars)


def elementwise(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.builds(Call, st.sampled_from(("abs", "sqrt")), st.tuples(inner)),
        st.builds(Call, st.sampled_from(("min", "max")), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    )


@st.composite
def calls(draw: st.DrawFn, inner: st.SearchStrategy[Node]) -> Node:
    function = FUNCTIONS[draw(st.sampled_from(sorted(n for n, one in FUNCTIONS.items() if one.group != "arithmetic")))]
    arguments = [draw(inner) for _ in range(function.numbers)]
    fixed: list[Node] = []
    for parameter in function.parameters[function.numbers :]:
        if parameter.kind == "constant":
            fixed.append(Number(draw(st.sampled_from((0.0, 0.02, 0.2, 1.0)))))
        elif parameter.name == "slow":
            fixed.append(Number(float(draw(st.integers(5, 7)))))
        else:
            least = int(parameter.least)
            fixed.append(draw(st.one_of(st.integers(least, 4).map(lambda k: Number(float(k))), st.just(Name("fast")))))
    if function.name == "sar":
        fixed.sort(key=lambda number: number.value if isinstance(number, Number) else 0.0)
    return Call(function.name, (*arguments, *fixed))


def conditions(depth: int = 3, held: bool = False) -> st.SearchStrategy[Node]:
    compared = st.builds(Comparison, st.sampled_from(COMPARISONS), numbers(2, held), numbers(1, held))
    crossing = st.builds(Comparison, st.sampled_from(CROSSINGS), numbers(1), numbers(1))
    leaf = st.one_of(compared, crossing, st.sampled_from(CONDITIONS).map(Name))
    if depth == 0:
        return leaf
    inner = conditions(depth - 1, held)
    return st.one_of(
        leaf,
        inner.map(Not),
        sums(inner, ("and",)),
        sums(inner, ("or",)),
        lags(conditions(depth - 1)),
    )


def market(seed: int, count: int = 36) -> tuple[Bars, list[Own]]:
    """1 to 4 symbols; prices are multiples of a quarter, so that equal ones are frequent and sums exact."""
    rng = np.random.default_rng(seed)
    series, own = [], []
    dates = DAY + np.arange(count)
    for symbol in ("B", "A", "D", "C")[: int(rng.integers(1, 5))]:
        first = int(rng.integers(0, 8)) if rng.random() < 0.4 and series else 0
        last = int(rng.integers(count - 10, count)) if rng.random() < 0.3 and series else count
        at = np.arange(first, last)
        if rng.random() < 0.5:
            keep = rng.random(len(at)) > 0.2
            keep[[0, -1]] = True
            at = at[keep]
        columns = _prices(rng, len(at))
        volume = None if rng.random() < 0.1 else rng.integers(0, 4, len(at)).astype(float) * 100.0
        if volume is not None and rng.random() < 0.5:
            volume[rng.random(len(at)) < 0.2] = np.nan
        prices = [columns[name] for name in ("open", "high", "low", "close")]
        series.append(Series(symbol, dates[at], *prices, np.ones(len(at)), volume, close_only=False))
        shown = np.full(len(at), np.nan) if volume is None else volume
        own.append({**{n: v.tolist() for n, v in columns.items()}, "volume": shown.tolist()})
    bars = Bars(series)
    for one, columns in zip(series, own, strict=True):
        columns["at"] = np.searchsorted(bars.dates, one.dates).tolist()  # a date on which nothing traded is none
    return bars, own


def _prices(rng: np.random.Generator, count: int) -> dict[str, Any]:
    close = np.maximum(np.round(4.0 * (20.0 + np.cumsum(rng.normal(0.0, 1.0, count)))) / 4.0, 1.0)
    open_ = np.maximum(close + 0.25 * rng.integers(-2, 3, count), 0.5)
    high = np.maximum(open_, close) + 0.25 * rng.integers(0, 3, count)
    low = np.maximum(np.minimum(open_, close) - 0.25 * rng.integers(0, 3, count), 0.25)
    return {"open": open_, "high": high, "low": low, "close": close}


def cut(bars: Bars, stop: int) -> Bars:
    """The same bars without those from the calendar bar `stop` on."""
    end = bars.dates[-1] + 1 if stop >= len(bars.dates) else bars.dates[stop]
    series = []
    for symbol in bars.symbols:
        one = bars.series(symbol)
        count = int((one.dates < end).sum())
        if count:
            volume = None if one.volume is None else one.volume[:count].copy()
            prices = [getattr(one, name)[:count].copy() for name in ("open", "high", "low", "close")]
            series.append(Series(symbol, one.dates[:count], *prices, np.ones(count), volume, close_only=False))
    return Bars(series)
