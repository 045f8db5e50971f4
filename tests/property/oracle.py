"""The reference engine's answer for a world, with what this comparison has to add to it or to translate."""

import itertools
import warnings
from typing import Any

import numpy as np
import reference.engine
import reference.metrics
from reference.engine import Record
from worlds import World, local

YEAR = {"1w": 52.0}  # periods of one; others are the calendar's days
Fill = dict[str, Any]


class Oracle(reference.engine.Engine):  # type: ignore[misc]
    """The reference with margin calls, entries that add to a position, and income in the profits of trips.

    The margin call comes after the borrow cost and before the record, the last thing of a bar. The base class takes the
    shorts of the next day's borrow cost before that, so a world has the one or the other.
    """

    def __init__(self, config: dict[str, Any], bars: dict[str, Any]) -> None:
        execution = dict(config["execution"])
        self.margin = execution.pop("maintenance_margin", None) or 0.0
        super().__init__({**config, "execution": execution}, bars)

    def fill(
        self, symbol: str, shares: float, price: float, reason: str, inside: bool = False, free: bool = False
    ) -> None:
        """The average cost of one fill is its price; the reference has it from (shares x price) / shares."""
        first = symbol not in self.held
        super().fill(symbol, shares, price, reason, inside, free)
        if first:
            self.held[symbol].average = price

    def decide(self) -> None:
        super().decide()  # it ignores entries on the side that is held
        if self.by_weight or self.config["strategy_type"] != "scripted":
            return
        for symbol, i in self.own.items():
            wish = self.given_signal(symbol, i)
            side = {"enter_long": 1, "enter_short": -1}.get(wish.get("signal", ""), 0)
            held = self.held[symbol].shares if symbol in self.held else 0.0
            if wish.get("add") and held * side > 0 and not self.ended(symbol, i):
                price = float(wish.get("price", 0.0)) * self.series[symbol].to_raw[i]
                kind, valid = wish.get("type", "market"), wish.get("valid", "bar")
                self.pending[symbol] = Record(close=False, side=side, type=kind, price=price, valid=valid)

    def given_signal(self, symbol: str, i: int) -> dict[str, Any]:
        wish = self.strategy.signal(symbol, i, 0, None)
        return wish if isinstance(wish, dict) else {}

    def trade_signals(self, due: list[str], prices: dict[str, float]) -> None:
        """As the base class, which fills no entry where a position is held."""
        for symbol in due:
            if self.pending[symbol].close and symbol in self.held:
                self.close(symbol, prices[symbol], "signal")
        equity, gross = self.worth(prices)
        power = self.ex["max_leverage"] * equity - gross
        entries = []  # (inside the bar?, symbol, side, price, exact?)
        for symbol in due:
            order = self.pending.pop(symbol)
            if order.side and order.type == "market":
                entries.append((False, symbol, order.side, prices[symbol], False))
            elif order.side and (hit := self.entry_price(symbol, order)):
                entries.append((hit[1], symbol, order.side, hit[0], order.type == "limit"))
            elif order.side and order.valid == "gtc":
                self.pending[symbol] = order
            elif order.side:
                self.notices.append(f"{symbol}: {order.type} entry expired")
        for inside, symbol, side, unslipped, exact in sorted(entries, key=lambda entry: entry[0]):
            price = self.slipped(unslipped, side, exact)
            shares = self.entry_size(price, equity, power)
            if shares <= 0:
                self.notices.append(f"{symbol}: entry dropped, not enough buying power")
                continue
            self.fill(symbol, side * shares, price, "entry", inside)
            power -= shares * price + self.commission(shares, price)

    def corporate_actions(self, symbol: str, i: int) -> float:
        paid: float = super().corporate_actions(symbol, i)
        if symbol in self.held:
            position = self.held[symbol]
            position.result += position.shares * self.series[symbol].dividend[i]
        return paid

    def record(self) -> None:
        if not self.insolvent:
            self.call_margin()
            self.owe_borrow()
        super().record()

    def call_margin(self) -> None:
        equity, gross = self.worth({})
        if equity >= self.margin * gross:
            return
        keep = min(1.0, self.ex["max_leverage"] * equity / gross)
        for symbol in self.symbols:
            if symbol in self.held and symbol in self.own:
                shares = self.held[symbol].shares
                traded = self.lots(shares * keep) - shares
                if traded:
                    price = self.slipped(self.mark[symbol], 1 if traded > 0 else -1)
                    self.fill(symbol, traded, price, "margin_call")
        if self.worth({})[0] <= 0:  # the costs of the call may be what ends it
            for symbol in list(self.held):
                self.close(symbol, self.mark[symbol], "insolvent")
            self.pending, self.insolvent = {}, True
            self.notices.append("insolvent")

    def owe_borrow(self) -> None:
        """What tomorrow's borrow cost takes from each short position's result."""
        if self.k + 1 < len(self.dates):
            days = (self.dates[self.k + 1].date() - self.dates[self.k].date()).days
            for symbol, position in self.held.items():
                if position.shares < 0:
                    value = -position.shares * self.mark[symbol]
                    position.result -= value * self.costs["borrow_rate"] * days / 365


def oracle_run(world: World) -> dict[str, Any]:
    """Fills, trips, curves and notices; dates on the exchange's clock, as the reference does not know time zones."""
    config = world.config
    bars = {
        symbol: {**columns, "date": [local(date, world.calendar) for date in columns["date"]]}
        for symbol, columns in world.bars.items()
    }
    weights = config["parameters"].get("weights")
    if weights:  # the reference reads scripted weights by bar of the whole calendar: the warm-up goes in front
        every = sorted({date for symbol in config["symbols"] for date in world.bars[symbol]["date"]})
        before = [None] * every.index(world.run_dates[0])
        config = {**config, "parameters": {"weights": {s: [*before, *w] for s, w in weights.items()}}}
    result: dict[str, Any] = Oracle(config, bars).run()
    return result


def oracle_metrics(world: World, result: dict[str, Any]) -> dict[str, Any]:
    """Headline metrics of `oracle_run`. Returns of hourly bars are those of days unless periods are given."""
    days_per_year = 365.0 if world.calendar == "24/7" else 252.0
    given = world.config.get("periods_per_year")
    periods = given or YEAR.get(world.config["timeframe"], days_per_year)
    execution = {n: v for n, v in world.config["execution"].items() if n != "maintenance_margin"}
    config = {**world.config, "execution": execution, "periods_per_year": periods}
    with warnings.catch_warnings():  # of what is undefined: runs of one bar, accounts that are worth nothing
        warnings.simplefilter("ignore")
        expected: dict[str, Any] = reference.metrics.metrics(config, result, world.bars)
        ends = [t for t, (a, b) in enumerate(itertools.pairwise(result["dates"])) if a.date() != b.date()]
        ends.append(len(result["dates"]) - 1)
        if not world.intraday or given:
            ends = list(range(len(result["dates"])))
        else:
            daily = {name: [result[name][t] for t in ends] for name in ("dates", "equity", "gross")}
            by_day = reference.metrics.metrics(config, {**result, **daily}, world.bars)
            expected |= {n: by_day[n] for n in ("annual_return", "volatility", "sharpe", "sortino")}
            expected["calmar"] = reference.metrics.ratio(by_day["annual_return"], -expected["max_drawdown"])
        days = (result["dates"][-1].date() - result["dates"][0].date()).days  # not those that are full 24 hours
        growth = np.float64(result["equity"][-1]) / config["initial_capital"]
        expected["cagr"] = growth ** (365.25 / days) - 1.0 if days and growth > 0.0 else None
        if expected.get("alpha") is not None:  # undefined where what it compounds is below zero
            rate = (1.0 + config["risk_free_rate"]) ** (1.0 / periods) - 1.0
            one_period = {**config, "periods_per_year": 1.0, "risk_free_rate": rate}
            base = np.float64(1.0) + reference.metrics.metrics(one_period, result, world.bars)["alpha"]
            expected["alpha"] = base**periods - 1.0 if base > 0.0 else None
    notional = sum(fill["shares"] * fill["price"] for fill in result["fills"])
    years, mean = (len(ends) - 1) / periods, float(np.mean(result["equity"]))
    expected["turnover"] = notional / mean / years if years and mean >= 1e-12 else None
    if any(abs(trip["profit"]) <= 1e-9 for trip in result["trips"]):
        del expected["win_rate"]  # whether it is a win that a trade ended where it began is a matter of rounding
    return {n: None if v is not None and not np.isfinite(v) else v for n, v in expected.items()}
