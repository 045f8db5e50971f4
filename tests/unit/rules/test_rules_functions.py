"""Every function against its definition written again in plain Python."""

import numpy as np
import pytest
from plain_functions import PLAIN

from backproof.engine.rules.compute import COMPUTED, FAMILIES, LINES, MEMBERS, ranks
from backproof.engine.rules.functions import BY_LAGS, FUNCTIONS, Function


def prices(seed: int, count: int = 90) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, count)))
    if seed % 3 == 0:  # ties and flat stretches
        close = np.round(close / 2.0) * 2.0
        close[30:45] = close[30]
    high, low = close + rng.random(count), close - rng.random(count)
    if seed % 3 == 0:
        high[30:45] = low[30:45] = close[30]
    volume = rng.integers(1, 1000, count).astype(float)
    return {
        "open": close.tolist(),
        "high": high.tolist(),
        "low": low.tolist(),
        "close": close.tolist(),
        "volume": volume.tolist(),
    }


def computed(function: Function, given: dict[str, list[float]], setting: tuple[float, ...]) -> np.ndarray:
    names = ["close"] * function.numbers + list(function.reads)
    inputs = [np.array(given[name]) for name in names]
    name = "sma" if function.name == "bb_middle" else function.name
    if name in MEMBERS:
        family, which = MEMBERS[name]
        return FAMILIES[family][0](*inputs, *setting)[which]
    return LINES[name](*inputs, *setting)


def settings(function: Function) -> list[tuple[float, ...]]:
    if function.name.startswith("macd"):
        return [(3, 7, 4), (2, 3, 1), (12, 26, 9)]
    if function.name == "sar":
        return [(0.02, 0.2), (0.1, 0.5), (0.05, 0.05)]
    fixed = function.parameters[function.numbers :]
    kinds = [parameter.kind for parameter in fixed]
    if kinds == ["window", "constant"]:
        return [(5, 2.0), (20, 0.0), (2, 1.5)]
    if len(kinds) > 1:
        return [(5, 3, 2)[: len(kinds)], (1, 1, 1)[: len(kinds)], (14, 3, 3)[: len(kinds)]]
    if kinds == ["window"]:
        return [(n,) for n in (1, 2, 3, 5, 14, 89, 90, 200) if n >= fixed[0].least]
    return [()]


WINDOWED = sorted(
    name for name, one in FUNCTIONS.items() if one.group not in ("arithmetic", "comparison") and name not in BY_LAGS
)


@pytest.mark.parametrize("name", WINDOWED)
@pytest.mark.parametrize("seed", range(6))
def test_a_function_is_its_definition(name: str, seed: int) -> None:
    function, given = FUNCTIONS[name], prices(seed)
    for setting in settings(function):
        inputs = [given["close"]] * function.numbers + [given[field] for field in function.reads]
        expected = np.array([np.nan if v is None else v for v in PLAIN[name](*inputs, *setting)])
        found = computed(function, given, setting)
        assert np.isnan(found).tolist() == np.isnan(expected).tolist(), setting
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=2e-6, err_msg=str(setting))


@pytest.mark.parametrize("name", WINDOWED)
def test_lookback_is_the_number_of_bars_before_the_first_value(name: str) -> None:
    function, given = FUNCTIONS[name], prices(1, 700)
    for setting in settings(function):
        found = computed(function, given, setting)
        assert int(np.flatnonzero(~np.isnan(found))[0]) == function.lookback(*setting), setting


@pytest.mark.parametrize("name", WINDOWED)
def test_a_function_refuses_windows_that_ta_lib_refuses(name: str) -> None:
    """The least window of the table is the least that can be computed."""
    function = FUNCTIONS[name]
    least = tuple(int(p.least) for p in function.parameters[function.numbers :] if p.kind == "window")
    if not least:
        pytest.skip("no window")
    setting: tuple[float, ...] = least if name not in ("bb_upper", "bb_lower") else (*least, 2.0)
    found = computed(function, prices(1), setting)
    assert np.isfinite(found[-1])


def test_every_function_has_a_definition_and_a_computation() -> None:
    assert set(WINDOWED) == PLAIN.keys()
    assert set(WINDOWED) - {"bb_middle"} == set(COMPUTED)


def test_only_the_past_counts() -> None:
    """Bits do not depend on what comes later."""
    given = prices(2, 120)
    for name in WINDOWED:
        function = FUNCTIONS[name]
        for setting in settings(function):
            whole = computed(function, given, setting)
            for stop in (1, 2, 15, 60, 119):
                part = computed(function, {field: values[:stop] for field, values in given.items()}, setting)
                assert part.tobytes() == whole[:stop].tobytes(), (name, setting, stop)


def test_rank_is_one_for_the_greatest_and_ties_go_by_symbol() -> None:
    values = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, np.nan], [2.0, np.nan, 7.0]])
    found = ranks(values, ("C", "B", "A"))
    np.testing.assert_array_equal(found, [[3.0, 2.0, np.nan], [1.0, 1.0, np.nan], [2.0, np.nan, 1.0]])


def test_zeros_of_both_signs_are_equal_in_rank() -> None:
    assert ranks(np.array([[0.0], [-0.0]]), ("B", "A")).ravel().tolist() == [2.0, 1.0]


def test_many_equal_values_are_ranked_by_symbol() -> None:
    symbols = tuple(f"S{(7 * i) % 200:03d}" for i in range(200))
    values = np.random.default_rng(0).integers(0, 4, (200, 5)).astype(float)
    found = ranks(values, symbols)
    for t in range(5):
        expected = sorted(range(200), key=lambda n, t=t: (-values[n, t], symbols[n]))  # type: ignore[misc]
        assert np.argsort(found[:, t]).tolist() == expected
