"""The functions of the language written again, in plain Python, from their definitions in TA-Lib's documentation.

Each takes lists of equal length, all values defined, and gives a list of that length with None where undefined.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

Line = list[float | None]
Given = Sequence[float]


def rolling(x: Given, n: int, of: Callable[[Given], float]) -> Line:
    return [of(x[i - n + 1 : i + 1]) if i >= n - 1 else None for i in range(len(x))]


def on_known(line: Line, compute: Callable[[list[float]], Line]) -> Line:
    """A function of the part of a line that is defined, which is its end."""
    known = [value for value in line if value is not None]
    return [None] * (len(line) - len(known)) + compute(known)


def mean(x: Given) -> float:
    return math.fsum(x) / len(x)


def sma(x: Given, n: int) -> Line:
    return rolling(x, n, mean)


def ema(x: Given, n: int, seed_at: int | None = None) -> Line:
    """Seeded by the mean of the n values up to `seed_at`, usually the n-th value."""
    at = n - 1 if seed_at is None else seed_at
    result: Line = [None] * len(x)
    if at >= len(x):
        return result
    now = mean(x[at - n + 1 : at + 1])
    result[at] = now
    for i in range(at + 1, len(x)):
        now += (x[i] - now) * 2.0 / (n + 1.0)
        result[i] = now
    return result


def wma(x: Given, n: int) -> Line:
    return rolling(x, n, lambda w: math.fsum((k + 1) * v for k, v in enumerate(w)) / (n * (n + 1) / 2))


def combined(weights: Sequence[float], lines: Sequence[Line]) -> Line:
    return [
        None if any(v is None for v in values) else math.fsum(w * v for w, v in zip(weights, values, strict=True))  # type: ignore[operator]
        for values in zip(*lines, strict=True)
    ]


def dema(x: Given, n: int) -> Line:
    one = ema(x, n)
    return combined((2.0, -1.0), (one, on_known(one, lambda y: ema(y, n))))


def tema(x: Given, n: int) -> Line:
    one = ema(x, n)
    two = on_known(one, lambda y: ema(y, n))
    return combined((3.0, -3.0, 1.0), (one, two, on_known(two, lambda y: ema(y, n))))


def trima(x: Given, n: int) -> Line:
    first, second = ((n + 1) // 2, (n + 1) // 2) if n % 2 else (n // 2, n // 2 + 1)
    return on_known(sma(x, first), lambda y: sma(y, second))


def kama(x: Given, n: int) -> Line:
    fast, slow = 2.0 / 3.0, 2.0 / 31.0
    result: Line = [None] * len(x)
    for i in range(n, len(x)):
        way = math.fsum(abs(b - a) for a, b in pairwise(x[i - n : i + 1]))
        net = x[i] - x[i - n]
        ratio = 1.0 if way <= net or way < 1e-14 else abs(net / way)
        before = result[i - 1] if i > n else x[n - 1]
        assert before is not None
        result[i] = before + (x[i] - before) * (ratio * (fast - slow) + slow) ** 2
    return result


def total(x: Given, n: int) -> Line:
    return rolling(x, n, math.fsum)


def wilder(x: Given, n: int) -> Line:
    """Mean of the first n, then (before x (n - 1) + value) / n."""
    result: Line = [None] * len(x)
    if len(x) < n:
        return result
    now = mean(x[:n])
    result[n - 1] = now
    for i in range(n, len(x)):
        now = (now * (n - 1) + x[i]) / n
        result[i] = now
    return result


def rsi(x: Given, n: int) -> Line:
    moves = [b - a for a, b in pairwise(x)]
    gains, losses = wilder([max(m, 0.0) for m in moves], n), wilder([max(-m, 0.0) for m in moves], n)
    found: Line = []
    for gain, loss in zip(gains, losses, strict=True):
        if gain is None or loss is None:
            found.append(None)
        else:
            found.append(0.0 if gain + loss < 1e-14 else 100.0 * gain / (gain + loss))
    return [None, *found][: len(x)]


def macd_lines(x: Given, fast: int, slow: int, signal: int) -> tuple[Line, Line, Line]:
    quick, slowly = ema(x, fast, slow - 1), ema(x, slow)
    line = combined((1.0, -1.0), (quick, slowly))
    after = on_known(line, lambda y: ema(y, signal))
    line = [a if b is not None else None for a, b in zip(line, after, strict=True)]
    return line, after, combined((1.0, -1.0), (line, after))


def stochastic(high: Given, low: Given, close: Given, n: int, smooth: int, d: int = 1) -> Line:
    raw: Line = []
    for i, price in enumerate(close):
        if i < n - 1:
            raw.append(None)
            continue
        least, most = min(low[i - n + 1 : i + 1]), max(high[i - n + 1 : i + 1])
        raw.append(100.0 * (price - least) / (most - least) if most > least else 0.0)
    return on_known(on_known(raw, lambda y: sma(y, smooth)), lambda y: sma(y, d))


def willr(high: Given, low: Given, close: Given, n: int) -> Line:
    k = stochastic(high, low, close, n, 1)
    flat = [max(high[max(i - n + 1, 0) : i + 1]) == min(low[max(i - n + 1, 0) : i + 1]) for i in range(len(close))]
    return [None if v is None else 0.0 if same else v - 100.0 for v, same in zip(k, flat, strict=True)]


def cci(high: Given, low: Given, close: Given, n: int) -> Line:
    typical = [(top + end + c) / 3.0 for top, end, c in zip(high, low, close, strict=True)]

    def of(window: Given) -> float:
        average = mean(window)
        away = math.fsum(abs(v - average) for v in window) / n
        apart = window[-1] - average
        return 0.0 if apart == 0.0 or away == 0.0 else apart / (0.015 * away)

    return rolling(typical, n, of)


def stddev(x: Given, n: int) -> Line:
    return rolling(x, n, lambda w: math.sqrt(math.fsum((v - mean(w)) ** 2 for v in w) / n))


def band(x: Given, n: int, width: float) -> Line:
    return combined((1.0, width), (sma(x, n), stddev(x, n)))


def true_ranges(high: Given, low: Given, close: Given) -> list[float]:
    """From the second bar on."""
    return [
        max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])) for i in range(1, len(close))
    ]


def true_range(high: Given, low: Given, close: Given) -> Line:
    return [None, *true_ranges(high, low, close)][: len(close)]


def atr(high: Given, low: Given, close: Given, n: int) -> Line:
    return [None, *wilder(true_ranges(high, low, close), n)][: len(close)]


def natr(high: Given, low: Given, close: Given, n: int) -> Line:
    return [None if a is None else 100.0 * a / c for a, c in zip(atr(high, low, close, n), close, strict=True)]


def moves(high: Given, low: Given) -> tuple[list[float], list[float]]:
    """Wilder's plus and minus directional movement, from the second bar on."""
    plus, minus = [], []
    for i in range(1, len(high)):
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        plus.append(up if up > 0.0 and up > down else 0.0)
        minus.append(down if down > 0.0 and down > up else 0.0)
    return plus, minus


def sums(x: Given, n: int) -> Line:
    """Wilder's running sums: the first n - 1 added up, then before - before / n + value."""
    result: Line = [None] * len(x)
    now = math.fsum(x[: n - 1])
    for i in range(n - 1, len(x)):
        now = now - now / n + x[i]
        result[i] = now
    return result


def directional(high: Given, low: Given, close: Given, n: int) -> tuple[Line, Line]:
    plus, minus = moves(high, low)
    ranges, up, down = sums(true_ranges(high, low, close), n), sums(plus, n), sums(minus, n)

    def parts(line: Line) -> Line:
        found: Line = [None]
        for value, size in zip(line, ranges, strict=True):
            found.append(None if value is None else 100.0 * value / size if size else 0.0)
        return found[: len(close)]

    return parts(up), parts(down)


def adx(high: Given, low: Given, close: Given, n: int) -> Line:
    plus, minus = directional(high, low, close, n)
    strengths: list[float | None] = []
    for a, b in zip(plus, minus, strict=True):
        strengths.append(None if a is None or b is None else 100.0 * abs(a - b) / (a + b) if a + b > 1e-14 else None)
    result: Line = [None] * len(close)
    first = 2 * n - 1
    if len(close) <= first:
        return result
    now = math.fsum(s for s in strengths[n : first + 1] if s is not None) / n
    result[first] = now
    for i in range(first + 1, len(close)):
        strength = strengths[i]
        if strength is not None:
            now = (now * (n - 1) + strength) / n
        result[i] = now
    return result


def line_fit(x: Given, n: int) -> tuple[Line, Line]:
    """End and slope of the least-squares line over the last n values."""
    middle = (n - 1) / 2.0
    spread = math.fsum((k - middle) ** 2 for k in range(n))
    slope = rolling(x, n, lambda w: math.fsum((k - middle) * v for k, v in enumerate(w)) / spread)
    end = rolling(x, n, lambda w: mean(w) + middle * math.fsum((k - middle) * v for k, v in enumerate(w)) / spread)
    return end, slope


def aroon(x: Given, n: int, extreme: Callable[[Given], float]) -> Line:
    def of(window: Given) -> float:
        best = extreme(window)
        last = max(k for k, value in enumerate(window) if value == best)
        return 100.0 * last / n

    return rolling(x, n + 1, of)


def sar(high: Given, low: Given, acceleration: float, most: float) -> Line:
    result: Line = [None] * len(high)
    if len(high) < 2:
        return result
    _, minus = moves(high[:2], low[:2])
    long = not minus[0] > 0.0
    extreme, stop = (high[1], low[0]) if long else (low[1], high[0])
    step = acceleration
    for i in range(1, len(high)):
        before = i if i == 1 else i - 1
        highs, lows = (high[before], high[i]), (low[before], low[i])
        if long and low[i] <= stop:
            long, stop = False, max(extreme, *highs)
            result[i], step, extreme = stop, acceleration, low[i]
            stop = max(stop + step * (extreme - stop), *highs)
        elif long:
            result[i] = stop
            if high[i] > extreme:
                extreme, step = high[i], min(step + acceleration, most)
            stop = min(stop + step * (extreme - stop), *lows)
        elif high[i] >= stop:
            long, stop = True, min(extreme, *lows)
            result[i], step, extreme = stop, acceleration, high[i]
            stop = min(stop + step * (extreme - stop), *lows)
        else:
            result[i] = stop
            if low[i] < extreme:
                extreme, step = low[i], min(step + acceleration, most)
            stop = max(stop + step * (extreme - stop), *highs)
    return result


def obv(close: Given, volume: Given) -> Line:
    result: Line = []
    now = 0.0
    for i, traded in enumerate(volume):
        if i == 0 or close[i] > close[i - 1]:
            now += traded
        elif close[i] < close[i - 1]:
            now -= traded
        result.append(now)
    return result


def mfi(high: Given, low: Given, close: Given, volume: Given, n: int) -> Line:
    typical = [(top + end + c) / 3.0 for top, end, c in zip(high, low, close, strict=True)]
    flows = [p * v for p, v in zip(typical, volume, strict=True)]
    up = [flows[i] if typical[i] > typical[i - 1] else 0.0 for i in range(1, len(close))]
    down = [flows[i] if typical[i] < typical[i - 1] else 0.0 for i in range(1, len(close))]
    found: Line = [None]
    for a, b in zip(total(up, n), total(down, n), strict=True):
        found.append(None if a is None or b is None else 0.0 if a + b < 1.0 else 100.0 * a / (a + b))
    return found[: len(close)]


PLAIN: dict[str, Callable[..., Line]] = {
    "sma": sma,
    "ema": ema,
    "wma": wma,
    "dema": dema,
    "tema": tema,
    "trima": trima,
    "kama": kama,
    "sum": total,
    "rsi": rsi,
    "macd": lambda x, fast, slow, signal: macd_lines(x, fast, slow, signal)[0],
    "macd_signal": lambda x, fast, slow, signal: macd_lines(x, fast, slow, signal)[1],
    "macd_hist": lambda x, fast, slow, signal: macd_lines(x, fast, slow, signal)[2],
    "stoch_k": stochastic,
    "stoch_d": stochastic,
    "willr": willr,
    "cci": cci,
    "stddev": stddev,
    "bb_upper": band,
    "bb_middle": sma,
    "bb_lower": lambda x, n, width: band(x, n, -width),
    "true_range": true_range,
    "atr": atr,
    "natr": natr,
    "adx": adx,
    "plus_di": lambda high, low, close, n: directional(high, low, close, n)[0],
    "minus_di": lambda high, low, close, n: directional(high, low, close, n)[1],
    "linreg": lambda x, n: line_fit(x, n)[0],
    "linreg_slope": lambda x, n: line_fit(x, n)[1],
    "aroon_up": lambda high, low, n: aroon(high, n, max),
    "aroon_down": lambda high, low, n: aroon(low, n, min),
    "sar": sar,
    "obv": obv,
    "mfi": mfi,
    "highest": lambda x, n: rolling(x, n, max),
    "lowest": lambda x, n: rolling(x, n, min),
}
"""What needs a window or a past; `roc`, `mom`, arithmetic and `rank` are in the oracle itself."""
