"""The functions of the language: what they are called with, what they mean, when they are defined, what they cost.

Names and numbers only: how they are computed is in `compute`, so that checking a text needs neither numba nor TA-Lib.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Group = Literal["averages", "momentum", "volatility", "trend", "volume", "extremes", "arithmetic", "comparison"]
Kind = Literal["number", "window", "constant"]

MOST_WINDOW = 5_000


@dataclass(frozen=True, slots=True)
class Parameter:
    """number: any number of each bar; window: a whole number of bars; constant: a fixed number. Both ends inclusive."""

    name: str
    kind: Kind
    means: str
    least: float = 0.0
    most: float = 0.0


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    reads:    prices it takes from the bars by itself, in the order its computation wants them
    many:     the last parameter may be repeated
    lookback: from its windows and constants, bars of its arguments before the first value
    cost:     likewise, about so many nanoseconds a bar at worst
    """

    name: str
    group: Group
    parameters: tuple[Parameter, ...]
    means: str
    reads: tuple[str, ...] = ()
    many: bool = False
    lookback: Callable[..., int] = lambda *_: 0
    cost: Callable[..., int] = lambda *_: 5

    @property
    def signature(self) -> str:
        names = [parameter.name for parameter in self.parameters]
        return f"{self.name}({', '.join(names)}{', …' if self.many else ''})"

    @property
    def numbers(self) -> int:
        """How many parameters take a number of each bar; they come first."""
        return sum(parameter.kind == "number" for parameter in self.parameters)


X = Parameter("x", "number", "what it is made of: a price or any other number")


def _window(name: str, means: str, least: int = 1, most: int = MOST_WINDOW) -> Parameter:
    return Parameter(name, "window", means, least, most)


def _bars(least: int = 1) -> Parameter:
    return _window("n", "bars", least)


_WIDTH = Parameter("width", "constant", "standard deviations to each side", 0.0, 100.0)
_HLC = ("high", "low", "close")
_FAST = _window("fast", "bars of the fast exponential mean, fewer than slow", 2)
_SLOW = _window("slow", "bars of the slow exponential mean", 3)
_SIGNAL = _window("signal", "bars of the exponential mean that is the signal line")
_SMOOTH = _window("smooth", "bars of the plain mean that smooths %K")


def _ago(extra: int = -1, times: int = 1) -> Callable[..., int]:
    return lambda n, *_: times * n + extra


def _macd(name: str, means: str) -> Function:
    after = lambda fast, slow, signal: slow + signal - 2  # noqa: ARG005, E731
    return Function(name, "momentum", (X, _FAST, _SLOW, _SIGNAL), means, lookback=after)


# The least window is where TA-Lib begins to keep its own definition: its natr and directional indicators of one bar are
# not in percent.
_ALL = (
    # averages
    Function("sma", "averages", (X, _bars()), "plain mean of the last n values", lookback=_ago()),
    Function(
        *("ema", "averages", (X, _bars())),
        "exponential mean, factor 2 / (n + 1), seeded by the plain mean of the first n values",
        lookback=_ago(),
    ),
    Function("wma", "averages", (X, _bars()), "mean with weights 1 to n, the last value's is n", lookback=_ago()),
    Function("dema", "averages", (X, _bars()), "double exponential mean", lookback=_ago(-2, 2)),
    Function("tema", "averages", (X, _bars()), "triple exponential mean", lookback=_ago(-3, 3)),
    Function("trima", "averages", (X, _bars()), "triangular mean: a mean of means", lookback=_ago()),
    Function("kama", "averages", (X, _bars(2)), "Kaufman's adaptive mean", lookback=_ago(0)),
    Function("sum", "averages", (X, _bars()), "sum of the last n values", lookback=_ago()),
    # momentum
    Function("rsi", "momentum", (X, _bars(2)), "Wilder's relative strength index, 0 to 100", lookback=_ago(0)),
    Function(
        *("roc", "momentum", (X, _bars())),
        "growth over n bars as a fraction, exactly x / x[n] - 1: 0.05 is 5 %",
        lookback=_ago(0),
    ),
    Function("mom", "momentum", (X, _bars()), "change over n bars, exactly x - x[n]", lookback=_ago(0)),
    _macd("macd", "exponential mean of `fast` bars less that of `slow` bars; from the bar on which its signal line is"),
    _macd("macd_signal", "exponential mean of the macd, its signal line"),
    _macd("macd_hist", "the macd less its signal line"),
    Function(
        *("stoch_k", "momentum", (_bars(), _SMOOTH)),
        "stochastic %K, 0 to 100: where the close is between the lowest low and the highest high of n bars, smoothed",
        reads=_HLC,
        lookback=lambda n, smooth: n + smooth - 2,
        cost=lambda n, smooth: 20 + 2 * n,  # noqa: ARG005
    ),
    Function(
        *("stoch_d", "momentum", (_bars(), _SMOOTH, _window("d", "bars of the plain mean of %K"))),
        "stochastic %D: the plain mean of stoch_k(n, smooth) over d bars",
        reads=_HLC,
        lookback=lambda n, smooth, d: n + smooth + d - 3,
        cost=lambda n, smooth, d: 20 + 2 * n,  # noqa: ARG005
    ),
    Function("willr", "momentum", (_bars(2),), "Williams' %R, -100 to 0", reads=_HLC, lookback=_ago()),
    Function(
        *("cci", "momentum", (_bars(2),), "commodity channel index of the typical price"),
        reads=_HLC,
        lookback=_ago(),
        cost=lambda n: 30 + 2 * n,
    ),
    # volatility
    Function(
        "stddev", "volatility", (X, _bars(2)), "population standard deviation of the last n values", lookback=_ago()
    ),
    Function("bb_upper", "volatility", (X, _bars(2), _WIDTH), "upper Bollinger band", lookback=_ago()),
    Function("bb_middle", "volatility", (X, _bars(2)), "the mean between the Bollinger bands", lookback=_ago()),
    Function("bb_lower", "volatility", (X, _bars(2), _WIDTH), "lower Bollinger band", lookback=_ago()),
    Function(
        "true_range",
        "volatility",
        (),
        "greatest of high - low and the moves from the last close",
        _HLC,
        lookback=lambda: 1,
    ),
    Function("atr", "volatility", (_bars(),), "Wilder's average true range", reads=_HLC, lookback=_ago(0)),
    Function("natr", "volatility", (_bars(2),), "atr in percent of the close", reads=_HLC, lookback=_ago(0)),
    # trend
    Function(
        *("adx", "trend", (_bars(2),), "Wilder's average directional index, 0 to 100"),
        reads=_HLC,
        lookback=_ago(-1, 2),
        cost=lambda n: 20,  # noqa: ARG005
    ),
    Function("plus_di", "trend", (_bars(2),), "Wilder's plus directional indicator", reads=_HLC, lookback=_ago(0)),
    Function("minus_di", "trend", (_bars(2),), "Wilder's minus directional indicator", reads=_HLC, lookback=_ago(0)),
    Function("linreg", "trend", (X, _bars(2)), "end of the straight line fitted to the last n values", lookback=_ago()),
    Function("linreg_slope", "trend", (X, _bars(2)), "slope of that line, per bar", lookback=_ago()),
    Function(
        *("aroon_up", "trend", (_bars(2),)),
        "100 when the highest high of n + 1 bars is today's, 0 when it is n bars old",
        reads=("high", "low"),
        lookback=_ago(0),
        cost=lambda n: 20 + 4 * n,
    ),
    Function(
        *("aroon_down", "trend", (_bars(2),), "the same of the lowest low"),
        reads=("high", "low"),
        lookback=_ago(0),
        cost=lambda n: 20 + 4 * n,
    ),
    Function(
        "sar",
        "trend",
        (
            Parameter("acceleration", "constant", "step of the acceleration, usually 0.02", 0.0, 1.0),
            Parameter("most", "constant", "its limit, usually 0.2", 0.0, 1.0),
        ),
        "Wilder's parabolic stop and reverse",
        reads=("high", "low"),
        lookback=lambda *_: 1,
    ),
    # volume
    Function("obv", "volume", (), "on-balance volume, counted from the first bar there is", reads=("close", "volume")),
    Function(
        *("mfi", "volume", (_bars(2),), "money flow index, 0 to 100"),
        reads=(*_HLC, "volume"),
        lookback=_ago(0),
        cost=lambda n: 15,  # noqa: ARG005
    ),
    # extremes
    Function(
        *("highest", "extremes", (X, _bars())),
        "greatest of the last n values, this bar's included; the n bars before: highest(x, n)[1]",
        lookback=_ago(),
    ),
    Function("lowest", "extremes", (X, _bars()), "least of the last n values, this bar's included", lookback=_ago()),
    # arithmetic
    Function("abs", "arithmetic", (X,), "without its sign"),
    Function("min", "arithmetic", (X, X), "the least of two or more numbers of the same bar", many=True),
    Function("max", "arithmetic", (X, X), "the greatest of two or more numbers of the same bar", many=True),
    Function("sqrt", "arithmetic", (X,), "square root; undefined below zero"),
    # comparison
    Function(
        *("rank", "comparison", (X,)),
        "place of the symbol among those that have a bar and a value that day: 1 is the greatest, ties by symbol",
        cost=lambda: 1_000,
    ),
)
FUNCTIONS: dict[str, Function] = {function.name: function for function in _ALL}
BY_LAGS = frozenset({"roc", "mom"})
