"""The reference engine: one loop over bars, slow on purpose. "Rule n" is the rule's number in SEMANTICS.md.

Units: prices and money in the account currency, shares signed (short < 0), weights and rates as fractions.
"""
import math
from types import SimpleNamespace as Record

from .data import configuration, prepare
from .strategies import strategy


class Engine:
    """One run. `run()` gives dates, equity, cash (lists, one entry per bar of the run), fills, trips, notices."""

    def __init__(self, given, bars):
        self.config = configuration(given)
        self.ex, self.costs, self.risk = (self.config[n] for n in ("execution", "costs", "risk"))
        self.series, self.dates = prepare(self.config, bars)
        self.symbols = self.config["symbols"]
        self.strategy, self.by_weight = strategy(self.config, self.series)
        self.cash = float(self.config["initial_capital"])
        self.held, self.pending, self.mark = {}, {}, {}       # by symbol: position, order, last close
        self.fills, self.trips, self.equity, self.cash_path, self.gross_path = [], [], [], [], []
        self.notices, self.insolvent = [], False
        if not any(v for n, v in self.costs.items() if n != "borrow_rate"):
            self.notices.append("no costs")

    # ---- money ------------------------------------------------------------------------------------------------

    def lots(self, shares):
        """Rule 5: whole shares are truncated toward zero."""
        return shares if self.ex["fractional_shares"] else float(math.trunc(shares))

    def slipped(self, price, side, exact=False):
        """Rule 7: slippage moves the price against the trader; side +1 buys, -1 sells; none on limits and targets."""
        return price if exact else price * (1 + side * self.costs["slippage_bps"] / 10000)

    def commission(self, shares, price):
        """Rule 7, on the slipped notional."""
        c = self.costs
        return max(c["commission_min"], c["commission_fixed"] + c["commission_rate"] * abs(shares) * price
                   + c["commission_per_share"] * abs(shares))

    def worth(self, prices):
        """(equity, gross exposure) with the holdings at `prices`, or at the last close where a price is missing."""
        values = [p.shares * prices.get(s, self.mark.get(s)) for s, p in self.held.items()]
        return self.cash + sum(values), sum(abs(v) for v in values)

    def fill(self, symbol, shares, price, reason, inside=False, free=False):
        """Trade `shares` (signed) at the slipped `price`; never through zero: a flip is two fills (rules 4 and 6)."""
        commission = 0.0 if free else self.commission(shares, price)
        self.cash -= shares * price + commission
        self.fills.append(dict(bar=self.k, date=self.dates[self.k], symbol=symbol, side="buy" if shares > 0 else "sell",
                               shares=abs(shares), price=price, commission=commission, reason=reason))
        p = self.held.get(symbol)
        if p is None:
            p = self.held[symbol] = Record(shares=0.0, average=0.0, peak=price, bar=self.k, inside=inside,
                                           own=self.series[symbol].at[self.dates[self.k]], result=0.0, opened=0.0)
        if p.shares * shares >= 0:                                   # opening or adding: the average cost moves
            p.average = (p.average * abs(p.shares) + abs(shares) * price) / (abs(p.shares) + abs(shares))
            p.opened += abs(shares) * price
        p.shares += shares
        p.result -= shares * price + commission
        if abs(p.shares) <= 1e-12 * abs(shares):
            self.end_trip(symbol, reason)

    def end_trip(self, symbol, reason):
        """A round trip goes from flat to flat; its return is on the notional of the openings."""
        p = self.held.pop(symbol)
        self.trips.append(dict(symbol=symbol, opened=self.dates[p.bar], closed=self.dates[self.k],
                               profit=p.result, trade_return=p.result / p.opened, reason=reason))

    def close(self, symbol, price, reason, exact=False, free=False):
        shares = self.held[symbol].shares
        self.fill(symbol, -shares, self.slipped(price, -1 if shares > 0 else 1, exact), reason, free=free)

    # ---- pending orders ---------------------------------------------------------------------------------------

    def execute(self, prices):
        """Fill the pending orders of the symbols in `prices` (unslipped fill prices), reductions first (rule 3)."""
        due = [s for s in self.symbols if s in self.pending and s in prices]
        (self.rebalance if self.by_weight else self.trade_signals)(due, prices)

    def trade_signals(self, due, prices):
        for s in due:
            if self.pending[s].close and s in self.held:
                self.close(s, prices[s], "signal")
        equity, gross = self.worth(prices)                            # rule 5: after the bar's reductions
        power = self.ex["max_leverage"] * equity - gross
        entries = []                                                  # (inside the bar?, symbol, price, exact?)
        for s in due:
            order = self.pending.pop(s)
            if not order.side or s in self.held:
                continue
            if order.type == "market":
                entries.append((False, s, order.side, prices[s], False))
                continue
            hit = self.entry_price(s, order)
            if hit:
                entries.append((hit[1], s, order.side, hit[0], order.type == "limit"))
            elif order.valid == "gtc":                                # rule 9: else valid for this bar only
                self.pending[s] = order
            else:
                self.notices.append(f"{s}: {order.type} entry expired")
        for inside, s, side, price, exact in sorted(entries, key=lambda e: e[0]):
            price = self.slipped(price, side, exact)
            shares = self.entry_size(price, equity, power)
            if shares <= 0:
                self.notices.append(f"{s}: entry dropped, not enough buying power")
                continue
            self.fill(s, side * shares, price, "entry", inside)
            power -= shares * price + self.commission(shares, price)

    def entry_price(self, symbol, order):
        """Rule 9: (price, inside the bar?) of a limit or stop entry on today's bar, None when not reached."""
        one, i = self.series[symbol], self.own[symbol]
        falling = (order.type == "limit") == (order.side > 0)         # waits for the price to come down to its level
        first, reach = one.open[i], one.low[i] if falling else one.high[i]
        if (first <= order.price) if falling else (first >= order.price):
            return first, False
        return (order.price, True) if ((reach <= order.price) if falling else (reach >= order.price)) else None

    def entry_size(self, price, equity, power):
        """Rule 5: unsigned shares of a signal entry at the slipped price."""
        c, sizing = self.costs, self.ex["sizing"]
        if power <= 1e-12 * equity:                                   # a remainder of rounding is no buying power
            return 0.0
        value = sizing["value"] if sizing["value"] is not None else 1 / len(self.symbols)
        budget = {"percent_equity": min(value * equity, power), "fixed_cash": min(value, power),
                  "fixed_shares": power}[sizing["type"]]
        shares = min((budget - c["commission_fixed"]) / (price * (1 + c["commission_rate"]) + c["commission_per_share"]),
                     (budget - c["commission_min"]) / price)
        if sizing["type"] == "fixed_shares":
            shares = min(shares, value)
        return self.lots(max(shares, 0.0))

    def rebalance(self, due, prices):
        """Rule 6: target weights."""
        value, _ = self.worth(prices)
        openings = {}                                                 # symbol: signed shares
        for s in due:
            target = self.lots(self.pending.pop(s).weight * value / prices[s])
            now = self.held[s].shares if s in self.held else 0.0
            if abs(target - now) <= 1e-12 * max(abs(target), abs(now)):   # rounding is not an order
                continue
            keep = 0.0 if now * target < 0 else min(abs(now), abs(target)) * (1 if now > 0 else -1)
            if keep != now:
                side = 1 if keep > now else -1
                self.fill(s, keep - now, self.slipped(prices[s], side), "rebalance")
            if target != keep:
                openings[s] = target - keep
        equity, gross = self.worth(prices)
        power = self.ex["max_leverage"] * equity - gross
        at = {s: self.slipped(prices[s], 1 if n > 0 else -1) for s, n in openings.items()}
        k = self.scale([(abs(n), at[s]) for s, n in openings.items()], power, 1e-12 * abs(value))
        for s, n in openings.items():
            n = self.lots(n * k)
            if n:
                self.fill(s, n, at[s], "rebalance")
            else:
                self.notices.append(f"{s}: entry dropped, not enough buying power")

    def scale(self, wanted, power, slack):
        """Rule 6: the largest k <= 1 for which k x the wanted (shares, price) and their commissions fit in `power`.

        The need is convex and piecewise linear in k, so Newton's steps from k = 1 end on the root."""
        c, k = self.costs, 1.0
        while True:
            need = sum(k * q * p + self.commission(k * q, p) for q, p in wanted)
            if not wanted or need <= (power + slack if k == 1 else power) or k <= 0:
                return max(k, 0.0)
            if power <= slack:
                return 0.0
            slope = 0.0
            for q, p in wanted:
                linear = q * (p * c["commission_rate"] + c["commission_per_share"])
                slope += q * p + (linear if c["commission_fixed"] + k * linear > c["commission_min"] else 0.0)
            step = k - (need - power) / slope
            if step >= k:                                             # only rounding is left
                return k
            k = step

    # ---- stops ------------------------------------------------------------------------------------------------

    def check_stops(self, symbol):
        """Rule 8, for the position held in `symbol` on today's bar."""
        p, one, i, risk = self.held[symbol], self.series[symbol], self.own[symbol], self.risk
        entry_bar = p.bar == self.k
        if entry_bar and risk["stops_active"] == "next_bar":
            return
        side = 1 if p.shares > 0 else -1
        first = one.open[i]
        worst, best = (one.low[i], one.high[i]) if side > 0 else (one.high[i], one.low[i])
        levels = [(p.average * (1 - side * risk["stop_loss"]), "stop_loss")] if risk["stop_loss"] is not None else []
        if risk["trailing_stop"] is not None:
            levels.append((p.peak * (1 - side * risk["trailing_stop"]), "trailing_stop"))
        inside = entry_bar and p.inside
        if levels:
            level, reason = max(levels, key=lambda pair: side * pair[0])          # the tighter
            if side * worst <= side * level:
                beyond = side * first <= side * level and not inside
                return self.stopped(symbol, first if beyond else level, reason)
        if risk["take_profit"] is not None and not inside:
            level = p.average * (1 + side * risk["take_profit"])
            if side * best >= side * level:
                beyond = side * first >= side * level
                return self.stopped(symbol, first if beyond else level, "take_profit")
        if not inside:                                                # the extreme may have come before the fill
            p.peak = max(p.peak, best) if side > 0 else min(p.peak, best)

    def stopped(self, symbol, price, reason):
        self.close(symbol, price, reason, exact=reason == "take_profit")
        order = self.pending.get(symbol)
        if order and not self.by_weight:
            order.close = False                                       # rule 3: a flip's opening leg still fills
            if not order.side:
                del self.pending[symbol]

    # ---- decisions --------------------------------------------------------------------------------------------

    def decide(self):
        today = {s: i for s, i in self.own.items() if not self.ended(s, i)}
        if self.by_weight:
            for s, w in (self.strategy.weights(self.dates[self.k], today, self.period_end) or {}).items():
                if self.series[s].dates[0] <= self.dates[self.k] and not self.over(s):    # rule 11: not yet listed: zero
                    self.pending[s] = Record(weight=w)                # rule 10: a newer decision replaces
            return
        for s, i in today.items():
            p = self.held.get(s)
            sign = 0 if p is None else (1 if p.shares > 0 else -1)
            wish = self.strategy.signal(s, i, sign, i - p.own if p else None)
            if not wish:
                continue
            entry = wish if isinstance(wish, dict) else {"signal": wish}
            side = {"enter_long": 1, "enter_short": -1, "exit": 0}[entry["signal"]]
            if side and (side == sign or side not in
                         {"long_only": (1,), "short_only": (-1,), "long_short": (1, -1)}[self.ex["direction"]]):
                continue                                              # rule 4: an entry while holding is ignored
            if entry.get("type", "market") != "market" and self.ex["fill"] != "next_open":
                raise ValueError("limit and stop entries work inside the next bar: they need fill next_open")
            self.pending.pop(s, None)
            if side or sign:
                self.pending[s] = Record(close=bool(sign), side=side, type=entry.get("type", "market"),
                                         price=float(entry.get("price", 0.0)) * self.series[s].to_raw[i],
                                         valid=entry.get("valid", "bar"))

    def period_end(self, rule):
        """Rule 12."""
        if self.k + 1 == len(self.dates):
            return False
        key = {"daily": lambda d: d.date(), "weekly": lambda d: d.isocalendar()[:2], "monthly": lambda d: (d.year, d.month),
               "quarterly": lambda d: (d.year, (d.month - 1) // 3)}[rule]
        return key(self.dates[self.k]) != key(self.dates[self.k + 1])

    def ended(self, symbol, i):
        """Is i the last bar of data that end before the run does (rule 10)?"""
        return i == len(self.series[symbol].dates) - 1 and self.series[symbol].dates[i] < self.dates[-1]

    def over(self, symbol):
        return self.series[symbol].dates[-1] <= self.dates[self.k] and self.series[symbol].dates[-1] < self.dates[-1]

    # ---- the loop ---------------------------------------------------------------------------------------------

    def corporate_actions(self, s, i):
        """Rule 13, raw mode: splits, then dividends. Returns the dividend cash that is to be reinvested."""
        one, p, order = self.series[s], self.held.get(s), self.pending.get(s)
        if one.split[i] != 1:
            if order and not self.by_weight:
                order.price /= one.split[i]
            self.mark[s] = self.mark.get(s, 0.0) / one.split[i]
            if p:
                whole = self.lots(p.shares * one.split[i])
                in_lieu = (p.shares * one.split[i] - whole) * self.mark[s]
                self.cash += in_lieu
                p.result += in_lieu
                p.shares, p.average, p.peak = whole, p.average / one.split[i], p.peak / one.split[i]
                if not whole:
                    self.end_trip(s, "split")
                    p = None
        if p and one.dividend[i]:
            self.cash += p.shares * one.dividend[i]                   # a short pays
            if self.ex["dividends"] == "reinvest" and p.shares > 0:
                return p.shares * one.dividend[i]
        return 0.0

    def run(self):
        raw, mode = self.ex["price_mode"] == "raw", self.ex["fill"]
        short_value = 0.0                                             # short exposure at the last close
        for self.k, date in enumerate(self.dates):
            if self.insolvent:                                        # rule 15: constant after
                self.record()
                continue
            self.own = {s: self.series[s].at[date] for s in self.symbols if date in self.series[s].at}
            bars = {s: self.series[s] for s in self.own}
            # rule 3, in its order: splits, dividends
            reinvest = {s: self.corporate_actions(s, i) for s, i in self.own.items()} if raw else {}
            opens = {s: bars[s].open[i] for s, i in self.own.items()}
            closes = {s: bars[s].close[i] for s, i in self.own.items()}
            # pending orders at the open
            if mode == "next_open":
                self.execute(opens)
            # stops
            for s in self.own:
                if s in self.held:
                    self.check_stops(s)
            # orders that fill at the close
            for s, money in reinvest.items():
                if self.lots(money / closes[s]) and s in self.held and self.held[s].shares > 0:
                    self.fill(s, self.lots(money / closes[s]), closes[s], "dividend", free=True)
            if mode == "same_close":
                self.decide()
            if mode != "next_open":
                self.execute(closes)
            for s, i in self.own.items():
                if self.ended(s, i):                                  # rule 10
                    self.pending.pop(s, None)
                    if s in self.held:
                        self.close(s, closes[s], "delisted", exact=True, free=True)
            # mark to close, borrow cost (rule 14)
            self.mark.update(closes)
            days = (date.date() - self.dates[max(self.k - 1, 0)].date()).days
            self.cash -= short_value * self.costs["borrow_rate"] * days / 365
            if self.worth({})[0] <= 0:                                # rule 15
                for s in list(self.held):
                    self.close(s, self.mark[s], "insolvent")
                self.pending, self.insolvent = {}, True
                self.notices.append("insolvent")
            short_value = sum(-p.shares * self.mark[s] for s, p in self.held.items() if p.shares < 0)
            self.record()
            if mode != "same_close" and not self.insolvent:
                self.decide()
        return dict(dates=self.dates, equity=self.equity, cash=self.cash_path, gross=self.gross_path, fills=self.fills,
                    trips=self.trips, notices=self.notices)

    def record(self):
        equity, gross = self.worth({})
        self.equity.append(equity)
        self.cash_path.append(self.cash)
        self.gross_path.append(gross)


def run(config, bars):
    """config: the contract's schema; bars: {symbol: {"date": [...], "open": [...], ...}} -> what Engine.run gives."""
    return Engine(config, bars).run()
