"""Random markets and configurations: late listings, holes, delistings, events, every option the engine has."""

import datetime as dt
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from harness import bars_of
from hypothesis import strategies as st

from backproof.engine.bars import Bars

SIGNAL_KINDS = (
    "sma_crossover",
    "ema_crossover",
    "macd",
    "rsi_mean_reversion",
    "bollinger",
    "donchian_breakout",
    "scripted_signals",
)
WEIGHT_KINDS = ("buy_and_hold", "equal_weight", "momentum_top_n", "scripted_weights")
SCRIPTED = ("scripted_signals", "scripted_weights")
BUILT_IN = tuple(kind for kind in SIGNAL_KINDS + WEIGHT_KINDS if kind not in SCRIPTED)
CAPITAL = 10000.0
BENCHMARK = "SPX"
PRICES = ("open", "high", "low", "close")

ZONES = {"XNYS": "America/New_York", "XASX": "Australia/Sydney", "XKRX": "Asia/Seoul", "24/7": "UTC"}
# days before a change of the clocks, and the local start of the first of the day's hourly bars
SESSIONS = {
    "XNYS": (dt.date(2024, 3, 4), dt.time(9, 30)),
    "XASX": (dt.date(2024, 3, 29), dt.time(10, 0)),  # the UTC day changes in or before the session
    "XKRX": (dt.date(2024, 1, 29), dt.time(9, 0)),
}

Columns = dict[str, list[Any]]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """bars: columns per symbol as in a conformance case; config: a configuration for them; calendar: its exchange."""

    bars: dict[str, Columns]
    config: dict[str, Any]
    calendar: str = "XNYS"

    @cached_property
    def run_dates(self) -> list[str]:
        """Dates of the run's bars: those between start_date and end_date on the exchange's clock."""
        dates = sorted({date for symbol in self.config["symbols"] for date in self.bars[symbol]["date"]})
        start, end = self.config.get("start_date"), self.config.get("end_date")
        days = [local(date, self.calendar).date().isoformat() for date in dates]
        return [
            date
            for date, day in zip(dates, days, strict=True)
            if (start is None or day >= start) and (end is None or day <= end)
        ]

    @property
    def intraday(self) -> bool:
        return "T" in self.run_dates[0]

    @property
    def raw(self) -> bool:
        return bool(self.config["execution"].get("price_mode") == "raw")

    def engine_bars(self) -> Bars:
        return bars_of(self.bars, self.calendar)

    def configured(self, **sections: Any) -> "World":
        """The same world with other options; a section given as a dict is merged into what is there."""
        config = dict(self.config)
        for name, value in sections.items():
            config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
        return replace(self, config=config)


def local(date: str, calendar: str) -> dt.datetime:
    """The exchange's clock at a bar's date: itself, or the start of the bar, given in UTC."""
    moment = dt.datetime.fromisoformat(date)
    if "T" not in date:
        return moment
    return moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(ZONES[calendar])).replace(tzinfo=None)


# --- markets


def calendar_dates(rng: np.random.Generator, count: int, kind: str) -> tuple[list[str], str]:
    """`count` dates and the exchange they are of. kind: weekdays | weekly | irregular | every_day | hourly."""
    if kind == "hourly":
        return _hourly_dates(rng, count)
    day, dates = dt.date(2023, 11, 20), []
    while len(dates) < count:
        step = 1
        if kind == "weekly":  # Fridays, or the Thursday before a holiday
            step = (4 - day.weekday()) % 7 or 7
        elif kind == "irregular":
            step = int(rng.choice([1, 1, 1, 2, 3, 7, 12, 45]))
        day += dt.timedelta(days=step)
        if kind == "weekdays" and day.weekday() > 4:
            continue
        early = kind == "weekly" and rng.random() < 0.1
        dates.append((day - dt.timedelta(days=early)).isoformat())
    return dates, "24/7" if kind == "every_day" else "XNYS"


def _hourly_dates(rng: np.random.Generator, count: int) -> tuple[list[str], str]:
    name = str(rng.choice(list(SESSIONS)))
    day, opening = SESSIONS[name]
    dates: list[str] = []
    while len(dates) < count:
        if day.weekday() < 5:
            first = dt.datetime.combine(day, opening, ZoneInfo(ZONES[name])).astimezone(dt.UTC)
            hours = range(int(rng.integers(1, 3)) if rng.random() < 0.2 else 5)  # some days are short
            dates += [(first + dt.timedelta(hours=h)).replace(tzinfo=None).isoformat() for h in hours]
        day += dt.timedelta(days=1)
    return dates[:count], name


def market(
    rng: np.random.Generator, symbols: list[str], dates: list[str], holes: bool, prices: str, events: bool
) -> dict[str, Columns]:
    """Random walks; some symbols list late, end early or miss bars, some have dividends and splits.

    prices: walk | wild (moves of a third a day) | ticks (multiples of a quarter, so that levels are met exactly)
    events: only such adjustments as raw prices can be traded with
    """
    return {symbol: _symbol(rng, dates, holes, bool(n), prices, events) for n, symbol in enumerate(symbols)}


def _symbol(
    rng: np.random.Generator, dates: list[str], holes: bool, may_be_partial: bool, prices: str, events: bool
) -> Columns:
    count = len(dates)
    partial = holes and may_be_partial
    first = int(rng.integers(0, count // 3 + 1)) if partial and rng.random() < 0.4 else 0
    last = int(rng.integers(count // 2 + 1, count + 1)) if partial and rng.random() < 0.3 else count
    keep = np.arange(first, last)
    if holes and rng.random() < 0.5:
        inner = rng.random(len(keep)) > 0.15
        inner[[0, -1]] = True
        keep = keep[inner]
    size = len(keep)
    ratio, dividend = np.ones(size), np.zeros(size)
    style = str(rng.choice(["none", "events", "both"] if events else ["none", "none", "events", "both", "adjusted"]))
    if style in ("events", "both"):
        for i in rng.integers(0, size, int(rng.integers(1, 4))):
            ratio[i] = rng.choice([2.0, 0.1, 1.5, 1.0])
    quiet, wide = (0.04, 0.02) if prices != "wild" else (0.3, 0.2)
    close = 20.0 * np.exp(np.cumsum(rng.normal(0.0, quiet, size)))
    if rng.random() < 0.8:  # a split moves the price, as it should
        close /= np.cumprod(ratio)
    open_ = close * np.exp(rng.normal(0.0, wide, size))
    if prices == "ticks":
        close, open_ = _ticks(close), _ticks(open_)
        high = np.maximum(open_, close) + 0.25 * rng.integers(0, 3, size)
        low = np.maximum(np.minimum(open_, close) - 0.25 * rng.integers(0, 3, size), 0.25)
    else:
        high = np.maximum(open_, close) * (1.0 + wide * rng.random(size))
        low = np.minimum(open_, close) * (1.0 - wide * rng.random(size))
    columns: Columns = {"date": [dates[i] for i in keep]}
    columns |= {"open": open_.tolist(), "high": high.tolist(), "low": low.tolist(), "close": close.tolist()}
    if style in ("events", "both"):
        for i in rng.integers(1, size, int(rng.integers(0, 4))) if size > 1 else ():
            most = 0.2 * close[i - 1] / ratio[i]
            dividend[i] = min(0.5, most) if prices == "ticks" else most * rng.random()
        columns |= {"dividend": dividend.tolist(), "split_ratio": ratio.tolist()}
    if style == "both":
        columns["adj_close"] = np.round(close * _factors(close, ratio, dividend), 6).tolist()
    elif style == "adjusted":
        columns["adj_close"] = (close * np.linspace(0.5, 0.9, size)).tolist()
    return columns


def _ticks(values: FloatArray) -> FloatArray:
    return np.maximum(np.round(values * 4.0) / 4.0, 0.5)


def _factors(close: FloatArray, ratio: FloatArray, dividend: FloatArray) -> FloatArray:
    """Adjusted price / price, as a vendor computes it from the events."""
    factor = np.ones(len(close))
    for i in range(len(close) - 1, 0, -1):
        factor[i - 1] = factor[i] / ratio[i] * (1.0 - dividend[i] * ratio[i] / close[i - 1])
    return factor


def closes_only(bars: dict[str, Columns], adjusted: bool) -> dict[str, Columns]:
    """The same market without open, high and low; with `adjusted` there are adjusted closes only."""
    kept = {}
    for symbol, columns in bars.items():
        kept[symbol] = {n: v for n, v in columns.items() if n not in ("open", "high", "low")}
        if adjusted:
            kept[symbol] = {"date": columns["date"], "adj_close": columns.get("adj_close", columns["close"])}
    return kept


# --- configurations


@st.composite
def worlds(
    draw: st.DrawFn,
    kinds: tuple[str, ...] = SIGNAL_KINDS + WEIGHT_KINDS,
    prices: tuple[str, ...] = ("walk", "wild", "ticks"),
    calendars: tuple[str, ...] = ("weekdays", "weekdays", "weekdays", "weekly", "irregular", "every_day", "hourly"),
    holes: bool = True,
    events: bool = False,
) -> World:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    kind = draw(st.sampled_from(kinds), label="strategy")
    style = draw(st.sampled_from(prices), label="prices")
    symbols = ["B", "C", "A", "D"][: draw(st.integers(1, 4), label="symbols")]
    raw = events or draw(st.booleans(), label="raw")
    days_of = draw(st.sampled_from(calendars), label="calendar")
    short = days_of != "hourly" and draw(st.integers(0, 4), label="short") == 0
    count = draw(st.integers(1, 20) if short else st.integers(30, 70), label="bars")
    dates, calendar = calendar_dates(rng, count, days_of)
    bars = market(rng, symbols, dates, holes, style, events=raw)
    config: dict[str, Any] = {
        "name": "random",
        "symbols": symbols,
        "initial_capital": CAPITAL,
        "execution": draw(_execution(kind, raw)),
        "costs": draw(_costs(style)),
        "risk": draw(_risk(style)),
    }
    execution = config["execution"]
    if kind not in SIGNAL_KINDS:
        del execution["sizing"]
    if execution["fill"] != "next_open" and not raw and rng.random() < 0.15:
        bars, config["risk"] = closes_only(bars, adjusted=rng.random() < 0.5), {}
    days = sorted({local(date, calendar).date().isoformat() for symbol in symbols for date in bars[symbol]["date"]})
    config["timeframe"] = {"hourly": "1h", "weekly": "1w"}.get(days_of, "1d")
    # where bars lie further apart than the timeframe says, the year must be given
    if days_of == "irregular" or short or draw(st.integers(0, 3), label="periods per year") == 0:
        config["periods_per_year"] = 100.0
    if len(days) > 3 and draw(st.booleans(), label="start in the middle"):
        config["start_date"] = days[int(rng.integers(1, len(days) // 2))]
    if len(days) > 8 and draw(st.booleans(), label="end before the data"):
        config["end_date"] = days[-int(rng.integers(2, len(days) // 4 + 1))]
    if config["timeframe"] != "1h" and draw(st.booleans(), label="benchmark"):
        bars[BENCHMARK] = market(rng, [BENCHMARK], dates, holes, "walk", events=True)[BENCHMARK]
        config["benchmark"] = BENCHMARK
    config["risk_free_rate"] = draw(st.sampled_from([0.0, 0.03, -0.01]), label="risk-free rate")
    world = World(bars, config, calendar)
    config["strategy_type"] = "scripted" if kind in SCRIPTED else kind
    config["parameters"] = _parameters(rng, kind, world)
    return world


@st.composite
def _execution(draw: st.DrawFn, kind: str, raw: bool) -> dict[str, Any]:
    never_short = kind in ("buy_and_hold", "equal_weight", "momentum_top_n")
    directions = ["long_only", "long_short"] if never_short else ["long_only", "short_only", "long_short"]
    sizes: list[tuple[str, float | None]] = [
        *(("percent_equity", value) for value in (None, 0.7, 1.5)),
        *(("fixed_shares", 30.0), ("fixed_cash", 3000.0)),
    ]
    sizing, value = draw(st.sampled_from(sizes), label="sizing")
    leverage = draw(st.sampled_from([0.8, 1.0, 2.0, 2.0, 5.0]), label="leverage")
    fills = ["next_open", "next_open", "next_close", "same_close"]
    if kind == "scripted_signals":  # limit and stop entries need it
        fills += ["next_open"] * 4
    execution = {
        "fill": draw(st.sampled_from(fills), label="fill"),
        "fractional_shares": draw(st.booleans(), label="fractional"),
        "direction": draw(st.sampled_from(directions), label="direction"),
        "max_leverage": leverage,
        "maintenance_margin": draw(st.sampled_from([None, None, 0.1, min(0.9, 0.9 / leverage)]), label="margin"),
        "sizing": {"type": sizing, "value": value},
    }
    if raw:
        execution["price_mode"] = "raw"
        execution["dividends"] = draw(st.sampled_from(["cash", "reinvest"]), label="dividends")
    return execution


@st.composite
def _costs(draw: st.DrawFn, prices: str) -> dict[str, Any]:
    if draw(st.integers(0, 3), label="costs") == 0:
        return {}
    slippage = [0.0, 7.0, 150.0] if prices != "ticks" else [0.0, 0.0, 0.0, 7.0]  # a slipped price is no tick
    return {
        "commission_rate": draw(st.sampled_from([0.0, 0.002, 0.05]), label="rate"),
        "commission_per_share": draw(st.sampled_from([0.0, 0.01]), label="per share"),
        "commission_fixed": draw(st.sampled_from([0.0, 0.0, 2.5, 700.0]), label="fixed"),
        "commission_min": draw(st.sampled_from([0.0, 6.0, 40.0]), label="minimum"),
        "slippage_bps": draw(st.sampled_from(slippage), label="slippage"),
        "borrow_rate": draw(st.sampled_from([0.0, 0.05, 1.0]), label="borrow"),
    }


@st.composite
def _risk(draw: st.DrawFn, prices: str) -> dict[str, Any]:
    if draw(st.booleans(), label="no stops"):
        return {}
    tight, near, wide = (0.0625, 0.125, 0.25) if prices == "ticks" else (0.01, 0.05, 0.4)
    levels = st.sampled_from([None, None, tight, near, near, wide])
    return {
        "stop_loss": draw(levels, label="stop"),
        "take_profit": draw(levels, label="target"),
        "trailing_stop": draw(levels, label="trailing stop"),
        "stops_active": draw(st.sampled_from(["entry_bar", "next_bar"]), label="active"),
    }


def _parameters(rng: np.random.Generator, kind: str, world: World) -> dict[str, Any]:
    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    schedule = {
        "rebalance": str(rng.choice(["daily", "weekly", "monthly", "quarterly"])),
        "exposure": float(rng.choice([0.9, 1.0, 1.6])),
        "start": str(rng.choice(["schedule", "first_bar"])),
    }
    act = str(rng.choice(["level", "cross"]))
    match kind:
        case "sma_crossover" | "ema_crossover":
            return {"fast": pick(2, 5), "slow": pick(6, 12), "signal": act}
        case "macd":
            return {"fast": pick(2, 4), "slow": pick(5, 8), "signal_period": pick(1, 4), "signal": act}
        case "bollinger":
            return {"period": pick(2, 8), "width": float(rng.choice([0.5, 1.0, 1.5]))}
        case "rsi_mean_reversion":
            return {"period": pick(2, 6), "oversold": 40.0, "overbought": 60.0}
        case "donchian_breakout":
            return {"entry": pick(6, 9), "exit": pick(2, 5)}
        case "buy_and_hold":
            return {}
        case "equal_weight":
            return schedule
        case "momentum_top_n":
            return {**schedule, "lookback": pick(3, 9), "skip": pick(0, 2), "top": pick(1, 3)}
        case "scripted_signals":
            waiting = world.config["execution"]["fill"] == "next_open" and rng.random() < 0.8
            return {"signals": {symbol: _wishes(rng, world, symbol, waiting) for symbol in world.config["symbols"]}}
    return {"weights": _weights(rng, world)}


def _wishes(rng: np.random.Generator, world: World, symbol: str, waiting: bool) -> list[Any]:
    """Wishes at each of the symbol's own bars; some entries wait for a price that the next bars may just reach."""
    panel = world.engine_bars().panel((symbol,)).adjusted  # strategies speak of adjusted prices
    prices = {name: getattr(panel, name)[0] for name in PRICES}
    count = len(prices["close"])
    wishes: list[Any] = []
    for i in range(count):
        wish = str(rng.choice(["", "", "", "enter_long", "enter_short", "exit"]))
        if not wish.startswith("enter"):
            wishes.append(wish)
            continue
        entry: dict[str, Any] = {"signal": wish, "add": bool(rng.random() < 0.2)}
        if waiting and rng.random() < 0.7:
            ahead = min(i + int(rng.integers(1, 4)), count - 1)
            level = prices[str(rng.choice(PRICES))][ahead]  # equality counts
            if rng.random() < 0.4:
                level = prices["close"][i] * (1.0 + rng.normal(0.0, 0.03))
            kind, valid = str(rng.choice(["limit", "stop"])), str(rng.choice(["bar", "gtc"]))
            entry |= {"type": kind, "price": float(level), "valid": valid}
        wishes.append(entry)
    return wishes


def _weights(rng: np.random.Generator, world: World) -> dict[str, list[float | None]]:
    execution = world.config["execution"]
    most = 0.9 if rng.random() < 0.7 else execution["max_leverage"]
    low, high = {"long_only": (0.0, most), "short_only": (-most, 0.0), "long_short": (-most, most)}[
        execution["direction"]
    ]
    return {
        symbol: [
            None if rng.random() < 0.7 else float(rng.choice([0.0, rng.uniform(low, high)])) for _ in world.run_dates
        ]
        for symbol in world.config["symbols"]
    }
