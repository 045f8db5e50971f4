"""Strategies of the reference engine. They read the adjusted prices up to the bar of the decision and never shift.

A signal strategy answers `signal(symbol, i, sign, bars_held)` at the close of the symbol's own bar i with None,
"enter_long", "enter_short", "exit" or, for an entry that is no market order, {"signal", "type": "limit" | "stop",
"price": in adjusted prices, "valid": "bar" | "gtc"}. A weight strategy answers `weights(date, today, period_end)`
with {symbol: weight} or None; today is {symbol: own bar number}, period_end(rule) tells if a period ends here.
"""
import bisect
import re

import numpy as np
import talib


def above(a, b, i):
    """1 if a > b at bar i, -1 if not, None where either is undefined: a NaN is no signal."""
    return None if np.isnan(a[i]) or np.isnan(b[i]) else (1 if a[i] > b[i] else -1)


def crossed(a, b, i):
    """1 if a went above b on bar i, -1 if below, else None; both must be defined on bars i-1 and i."""
    if i == 0 or any(np.isnan(x[j]) for x in (a, b) for j in (i - 1, i)):
        return None
    if a[i - 1] <= b[i - 1] and a[i] > b[i]:
        return 1
    return -1 if a[i - 1] >= b[i - 1] and a[i] < b[i] else None


def rolling(values, length, pick):
    """The pick (max or min) of the `length` bars before each bar, the bar itself excluded; NaN until there are."""
    return np.array([pick(values[i - length:i]) if i >= length else np.nan for i in range(len(values))])


class BuiltIn:
    """The built-in signal strategies: a state (+1 up, -1 down, 0 leave, None) becomes a signal by direction."""

    DEFAULTS = {
        "sma_crossover": {"fast": 20, "slow": 50, "signal": "level"},
        "ema_crossover": {"fast": 20, "slow": 50, "signal": "level"},
        "macd": {"fast": 12, "slow": 26, "signal_period": 9, "signal": "level"},
        "rsi_mean_reversion": {"period": 14, "oversold": 30, "overbought": 70},
        "donchian_breakout": {"entry": 20, "exit": 10},
        "bollinger": {"period": 20, "width": 2.0},
    }

    def __init__(self, config, series):
        self.kind, self.direction = config["strategy_type"], config["execution"]["direction"]
        self.p = parameters(config["parameters"], self.DEFAULTS[self.kind])
        self.lines = {symbol: self.indicators(one.seen) for symbol, one in series.items()}

    def indicators(self, seen):
        p, close = self.p, seen["close"]
        if self.kind == "sma_crossover":
            return talib.SMA(close, p["fast"]), talib.SMA(close, p["slow"])
        if self.kind == "ema_crossover":
            return talib.EMA(close, p["fast"]), talib.EMA(close, p["slow"])
        if self.kind == "macd":
            return talib.MACD(close, p["fast"], p["slow"], p["signal_period"])[:2]
        if self.kind == "rsi_mean_reversion":
            return (talib.RSI(close, p["period"]),)
        if self.kind == "bollinger":
            return (close,) + talib.BBANDS(close, p["period"], p["width"], p["width"])
        return (close, rolling(seen["high"], p["entry"], max), rolling(seen["low"], p["entry"], min),
                rolling(seen["high"], p["exit"], max), rolling(seen["low"], p["exit"], min))

    def state(self, lines, i, sign):
        if self.kind == "rsi_mean_reversion":
            value = lines[0][i]
            return 1 if value < self.p["oversold"] else -1 if value > self.p["overbought"] else None
        if self.kind == "bollinger":
            close, upper, middle, lower = (x[i] for x in lines)
            if close < lower or close > upper:
                return 1 if close < lower else -1
            return 0 if (sign > 0 and close > middle) or (sign < 0 and close < middle) else None
        if self.kind == "donchian_breakout":
            close, high, low, exit_high, exit_low = (x[i] for x in lines)
            if close > high or (close < low and self.direction != "long_only"):
                return 1 if close > high else -1
            return 0 if (sign > 0 and close < exit_low) or (sign < 0 and close > exit_high) else None
        return (crossed if self.p["signal"] == "cross" else above)(lines[0], lines[1], i)

    def signal(self, symbol, i, sign, bars_held):
        state = self.state(self.lines[symbol], i, sign)
        if state is None:
            return None
        allowed = {"long_only": (1,), "short_only": (-1,), "long_short": (1, -1)}[self.direction]
        return {1: "enter_long", -1: "enter_short"}[state] if state in allowed else "exit"


class Rules:
    """Expressions over close, open, high, low, sma(x, n), bars_held, crosses_above, crosses_below, comparisons."""

    def __init__(self, config, series):
        self.series, self.p = series, config["parameters"]
        self.entry, self.exit = self.compiled(self.p["entry"]), self.compiled(self.p.get("exit", "False"))
        self.order = self.p.get("entry_order")
        self.price = self.compiled(self.order["price"]) if self.order else None

    @staticmethod
    def compiled(text):
        text = re.sub(r"^(.*) (crosses_above|crosses_below) (.*)$", r"\2(\1, \3)", text)
        return compile(text, "rule", "eval")

    def value(self, code, symbol, i, bars_held):
        """The expression at bar i; it is given the bars up to i only."""
        seen = {n: x[:i + 1] for n, x in self.series[symbol].seen.items()}
        names = dict(seen, bars_held=bars_held, sma=talib.SMA,
                     crosses_above=lambda a, b: crossed(a, b, len(a) - 1) == 1,
                     crosses_below=lambda a, b: crossed(a, b, len(a) - 1) == -1)
        result = eval(code, {"__builtins__": {}}, names)
        return result[-1] if isinstance(result, np.ndarray) else result

    def signal(self, symbol, i, sign, bars_held):
        if sign:
            return "exit" if self.value(self.exit, symbol, i, bars_held) else None
        if not self.value(self.entry, symbol, i, bars_held):
            return None
        if not self.order:
            return "enter_long"
        return dict(self.order, signal="enter_long", price=self.value(self.price, symbol, i, bars_held))


class Weights:
    """buy_and_hold, equal_weight and momentum_top_n."""

    SCHEDULE = {"rebalance": "monthly", "exposure": 1.0, "start": "schedule"}
    DEFAULTS = {"buy_and_hold": {}, "equal_weight": SCHEDULE,
                "momentum_top_n": dict(SCHEDULE, lookback=126, skip=0, top=3)}

    def __init__(self, config, series):
        self.kind, self.series, self.done = config["strategy_type"], series, False
        self.p = parameters(config["parameters"], self.DEFAULTS[self.kind])

    def weights(self, date, today, period_end):
        first, self.done = not self.done, True
        if self.kind == "buy_and_hold":
            listed = self.listed(date, today)
            return {s: 1 / len(listed) for s in listed} if first else None
        if not (period_end(self.p["rebalance"]) or (first and self.p["start"] == "first_bar")):
            return None
        listed = self.listed(date, today)
        if self.kind == "equal_weight":
            chosen, part = list(listed), self.p["exposure"] / max(len(listed), 1)
        else:
            growth = {}
            for symbol, i in listed.items():
                if i >= self.p["lookback"]:
                    close = self.series[symbol].seen["close"]
                    growth[symbol] = close[i - self.p["skip"]] / close[i - self.p["lookback"]] - 1
            if not growth:
                return None
            chosen = sorted(growth, key=lambda s: (-growth[s], s))[:self.p["top"]]
            part = self.p["exposure"] / self.p["top"]
        return {s: part if s in chosen else 0.0 for s in self.series}

    def listed(self, date, today):
        """{symbol: number of its last bar at or before date}: listed by then and not ended, with a bar today or not."""
        last = max(one.dates[-1] for one in self.series.values())
        number = {s: bisect.bisect_right(one.dates, date) - 1 for s, one in self.series.items()}
        return {s: i for s, i in number.items() if i >= 0 and (s in today or i < len(self.series[s].dates) - 1
                                                                or self.series[s].dates[-1] == last)}


class Scripted:
    """Decisions given in the configuration: the constructed cases (see README.md)."""

    def __init__(self, config, series):
        self.given, self.dates = config["parameters"], sorted({d for x in series.values() for d in x.dates})

    def signal(self, symbol, i, sign, bars_held):
        return self.given["signals"][symbol][i] or None

    def weights(self, date, today, period_end):
        k = self.dates.index(date)
        return {s: w[k] for s, w in self.given["weights"].items() if w[k] is not None} or None


def parameters(given, defaults):
    """The strategy's own defaults with what is given; an unknown name is an error."""
    unknown = set(given) - set(defaults)
    if unknown:
        raise ValueError(f"unknown parameters {sorted(unknown)}")
    return dict(defaults, **given)


def strategy(config, series):
    """(the strategy, whether it gives target weights)."""
    kind = config["strategy_type"]
    if kind == "scripted":
        return Scripted(config, series), "weights" in config["parameters"]
    if kind in ("buy_and_hold", "equal_weight", "momentum_top_n"):
        return Weights(config, series), True
    return (Rules if kind == "rules" else BuiltIn)(config, series), False
