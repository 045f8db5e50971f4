"""Compiled passes over a finished run: moments of the curve, totals of its trades, and the trades themselves.

Sums run in four lanes that are added at the end: a fixed order, four times as fast as one chain of additions.
"""

import math

from backproof.engine import layout as l
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.compiled import inner, kernel

# --- what `curve_moments` writes, float64 [CURVE_SIZE]
MEAN_EXCESS = 0  # mean of r - rf over the returns
STD = 1  # of r, ddof 1
DOWNSIDE = 2  # sqrt(mean(min(r - rf, 0)^2))
MAX_DRAWDOWN = 3  # from the running peak, which starts at the initial capital
MEAN_EXPOSURE = 4  # mean of gross / equity
IN_MARKET = 5  # part of bars with gross > 0
MEAN_EQUITY = 6
CURVE_SIZE = 7

# --- what `against_benchmark` writes, float64 [VERSUS_SIZE]
VERSUS_BETA_TOP = 0  # population covariance of r and b
VERSUS_VARIANCE = 1  # population variance of b
VERSUS_STD_PRODUCT = 2  # population std(r) x std(b)
VERSUS_ACTIVE_MEAN = 3  # mean of r - b
VERSUS_ACTIVE_STD = 4  # std of r - b, ddof 1
VERSUS_RETURN = 5  # mean of r
VERSUS_BENCHMARK = 6  # mean of b
VERSUS_SIZE = 7

# --- totals over the ledger and closed trips, float64 [TOTAL_SIZE]
TOTAL_NOTIONAL = 0  # of fills
TOTAL_COSTS = 1  # commissions
TOTAL_CLOSED = 2
TOTAL_WINS = 3
TOTAL_GAINS = 4  # sum of profits > 0
TOTAL_LOSSES = 5  # minus the sum of profits < 0
TOTAL_RETURNS = 6  # sum of profit / notional of the openings
TOTAL_SIZE = 7
TOTAL_ROOM = 3  # rows of scratch that adding up needs

# --- round trips: int64 [trips, TRIP_KEYS] and float64 [trips, TRIP_VALUES]
TRIP_SYMBOL = 0
TRIP_SIDE = 1  # 1 long, -1 short
TRIP_ENTRY = 2  # bar of the first fill
TRIP_EXIT = 3  # bar of the last fill so far
TRIP_REASON = 4  # of the last fill
TRIP_OPEN = 5  # 1: not flat at the end
TRIP_KEYS = 6
TRIP_PROFIT = 0  # net of costs, with dividends and borrow; of an open trip marked at the last close
TRIP_BOUGHT = 1  # notional of the openings
TRIP_SOLD = 2  # notional of the closings
TRIP_SHARES = 3  # shares opened, in today's shares
TRIP_CLOSED = 4  # shares closed, likewise
TRIP_COSTS = 5  # commissions
TRIP_INCOME = 6  # dividends and cash in lieu received, less dividends and borrow paid
TRIP_WORST = 7  # MAE: least (price - average cost) / average cost in the trade's favour, <= 0
TRIP_BEST = 8  # MFE: greatest, >= 0
TRIP_VALUES = 9


@inner
def sum_of(values: FloatArray) -> float:
    """Sum in four lanes."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    fours = values.shape[0] // 4
    for i in range(fours):
        a += values[4 * i]
        b += values[4 * i + 1]
        c += values[4 * i + 2]
        d += values[4 * i + 3]
    for i in range(4 * fours, values.shape[0]):
        a += values[i]
    return (a + b) + (c + d)


@inner
def sum_of_products(values: FloatArray, others: FloatArray) -> float:
    """Sum of values x others in four lanes."""
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    fours = values.shape[0] // 4
    for i in range(fours):
        a += values[4 * i] * others[4 * i]
        b += values[4 * i + 1] * others[4 * i + 1]
        c += values[4 * i + 2] * others[4 * i + 2]
        d += values[4 * i + 3] * others[4 * i + 3]
    for i in range(4 * fours, values.shape[0]):
        a += values[i] * others[i]
    return (a + b) + (c + d)


@inner
def returns_of(equity: FloatArray, returns: FloatArray) -> None:
    """returns[t] = equity[t] / equity[t-1] - 1 for t >= 1; 0 after a value <= 0: the run is over there."""
    before, after, rest = equity[:-1], equity[1:], returns[1:]
    returns[0] = 0.0
    for t in range(rest.shape[0]):
        rest[t] = after[t] / before[t] - 1.0
    if equity[-1] <= 0.0:
        for t in range(rest.shape[0]):
            if before[t] <= 0.0:
                rest[t] = 0.0


@inner
def deepest_fall(equity: FloatArray, capital: float) -> float:
    """Greatest fall from the running peak, a fraction <= 0; the first peak is the initial capital."""
    peak, worst = capital, 0.0
    floor = peak  # only values below it can be a new worst: divisions are rare
    for t in range(equity.shape[0]):
        value = equity[t]
        if value > peak:
            peak = value
            floor = peak * (1.0 + worst) * (1.0 + 1e-12)
        elif value < floor:
            worst = min(worst, value / peak - 1.0)
            floor = peak * (1.0 + worst) * (1.0 + 1e-12)
    return worst


@inner
def measure_curve(
    equity: FloatArray,
    gross: FloatArray,
    periods: FloatArray,
    capital: float,
    risk_free: float,
    returns: FloatArray,
    scratch: FloatArray,
    out: FloatArray,
) -> None:
    """See `curve_moments`."""
    for i in range(CURVE_SIZE):
        out[i] = 0.0
    count, size = equity.shape[0], periods.shape[0]
    if count == 0:
        return
    out[MAX_DRAWDOWN] = deepest_fall(equity, capital)
    in_market = 0
    for t in range(count):
        in_market += gross[t] > 0.0
    if in_market:
        for t in range(count):
            scratch[t] = gross[t] / equity[t]
        if equity[-1] <= 0.0:  # after insolvency nothing is held, and 0 / 0 is none of the exposure
            for t in range(count):
                if gross[t] == 0.0:
                    scratch[t] = 0.0
        out[MEAN_EXPOSURE] = sum_of(scratch[:count]) / count
    out[IN_MARKET] = in_market / count
    out[MEAN_EQUITY] = sum_of(equity) / count
    returns_of(periods, returns)
    if size < 2:
        return
    rest, away = returns[1:], scratch[: size - 1]
    mean = sum_of(rest) / (size - 1)
    out[MEAN_EXCESS] = mean - risk_free
    for t in range(size - 1):
        away[t] = min(rest[t] - risk_free, 0.0)
    out[DOWNSIDE] = math.sqrt(sum_of_products(away, away) / (size - 1))
    if size > 2:
        for t in range(size - 1):
            away[t] = rest[t] - mean
        out[STD] = math.sqrt(sum_of_products(away, away) / (size - 2))


@kernel("void(float64[::1], float64[::1], float64[::1], float64, float64, float64[::1], float64[::1], float64[::1])")
def curve_moments(
    equity: FloatArray,
    gross: FloatArray,
    periods: FloatArray,
    capital: float,
    risk_free: float,
    returns: FloatArray,
    scratch: FloatArray,
    out: FloatArray,
) -> None:
    """Moments of a curve.

    equity, gross: [T]; periods: [S], the values whose returns count (equity itself, or the last of every day)
    returns: [max(S, 1)], filled with r[t], r[0] = 0; scratch: [>= T]
    """
    measure_curve(equity, gross, periods, capital, risk_free, returns, scratch, out)


@kernel("void(float64[::1], float64[::1], float64[::1], float64[::1])")
def against_benchmark(returns: FloatArray, others: FloatArray, scratch: FloatArray, out: FloatArray) -> None:
    """Statistics of S returns against the benchmark's; element 0 is none of either. scratch: [3 x S]."""
    for i in range(VERSUS_SIZE):
        out[i] = 0.0
    count = returns.shape[0] - 1
    if count < 1:
        return
    r, b = returns[1:], others[1:]
    dr, db, da = scratch[:count], scratch[count : 2 * count], scratch[2 * count : 3 * count]
    mean_r = sum_of(r) / count
    mean_b = sum_of(b) / count
    active = mean_r - mean_b
    for t in range(count):
        dr[t] = r[t] - mean_r
        db[t] = b[t] - mean_b
        da[t] = r[t] - b[t] - active
    out[VERSUS_RETURN] = mean_r
    out[VERSUS_BENCHMARK] = mean_b
    out[VERSUS_ACTIVE_MEAN] = active
    out[VERSUS_BETA_TOP] = sum_of_products(dr, db) / count
    out[VERSUS_VARIANCE] = sum_of_products(db, db) / count
    out[VERSUS_STD_PRODUCT] = math.sqrt(sum_of_products(dr, dr) / count) * math.sqrt(out[VERSUS_VARIANCE])
    if count > 1:
        out[VERSUS_ACTIVE_STD] = math.sqrt(sum_of_products(da, da) / (count - 1))


@kernel("int64(float64[::1], int64, int64, float64, float64[::1], float64[::1])")
def follow_benchmark(
    closes: FloatArray, first: int, count: int, capital: float, curve: FloatArray, returns: FloatArray
) -> int:
    """The benchmark from close to close on the run's bars; the number of bars on which it has one.

    closes: [calendar], adjusted, NaN = no bar
    curve: [>= count], filled with capital grown like it; returns: [>= count], a bar it lacks has 0
    """
    base, last = 0.0, 0.0
    overlap = 0
    for t in range(count):
        price = closes[first + t]
        returns[t] = 0.0
        if not math.isnan(price):
            overlap += 1
            if base == 0.0:
                base = price
            else:
                returns[t] = price / last - 1.0
            last = price
        curve[t] = capital * (last / base) if base > 0.0 else capital
    return overlap


@inner
def add_up_trades(keys: IntArray, values: FloatArray, count: int, scratch: FloatArray, totals: FloatArray) -> None:
    """See `trade_totals`."""
    held, profits, opened = scratch[0], scratch[1], scratch[2]
    for n in range(held.shape[0]):
        held[n] = 0.0
    for i in range(TOTAL_SIZE):
        totals[i] = 0.0
    for i in range(count):
        n = keys[i, l.KEY_SYMBOL]
        shares = values[i, l.VALUE_SHARES]
        money = values[i, l.VALUE_MONEY]
        if keys[i, l.KEY_REASON] >= l.FIRST_EVENT:
            profits[n] += money
        else:
            notional = abs(shares) * values[i, l.VALUE_PRICE]
            totals[TOTAL_NOTIONAL] += notional
            totals[TOTAL_COSTS] += money
            if held[n] == 0.0:
                profits[n] = 0.0
                opened[n] = 0.0
            if held[n] * shares >= 0.0:
                opened[n] += notional
            profits[n] -= shares * values[i, l.VALUE_PRICE] + money
        if shares == 0.0:
            continue
        held[n] += shares
        if abs(held[n]) <= l.ROUNDING * abs(shares):
            held[n] = 0.0
            totals[TOTAL_CLOSED] += 1.0
            totals[TOTAL_RETURNS] += profits[n] / opened[n]
            if profits[n] > 0.0:
                totals[TOTAL_WINS] += 1.0
                totals[TOTAL_GAINS] += profits[n]
            else:
                totals[TOTAL_LOSSES] -= profits[n]


@kernel("void(int64[:,::1], float64[:,::1], int64, float64[:,::1], float64[::1])")
def trade_totals(keys: IntArray, values: FloatArray, count: int, scratch: FloatArray, totals: FloatArray) -> None:
    """Totals over the first `count` records of the ledger and the trips they close. scratch: [TOTAL_ROOM, N]."""
    add_up_trades(keys, values, count, scratch, totals)


@inner
def excursion(trip: FloatArray, side: float, average: float, worst: float, best: float) -> None:
    """Take prices into a trip's MAE and MFE: the worst and best of a stretch, for longs its low and high."""
    trip[TRIP_WORST] = min(trip[TRIP_WORST], side * (worst / average - 1.0))
    trip[TRIP_BEST] = max(trip[TRIP_BEST], side * (best / average - 1.0))


@inner
def watch(
    trip: FloatArray, side: float, average: float, high: FloatArray, low: FloatArray, n: int, start: int, stop: int
) -> None:
    """Take the bars [start, stop), held from open to close, into a trip's MAE and MFE."""
    lowest, highest = math.inf, -math.inf
    for p in range(start, stop):
        if low[n, p] < lowest:
            lowest = low[n, p]
        if high[n, p] > highest:
            highest = high[n, p]
    if highest > 0.0:
        excursion(trip, side, average, lowest if side > 0.0 else highest, highest if side > 0.0 else lowest)


@kernel(
    "int64(int64[:,::1], float64[:,::1], int64, float64[:,::1], float64[:,::1], float64[:,::1], int64, int64,"
    " int64[:,::1], float64[:,::1], int64[:,::1], float64[:,::1])"
)
def round_trips(
    keys: IntArray,
    values: FloatArray,
    count: int,
    high: FloatArray,
    low: FloatArray,
    marks: FloatArray,
    first: int,
    stop: int,
    now_keys: IntArray,
    now: FloatArray,
    trip_keys: IntArray,
    trip_values: FloatArray,
) -> int:
    """Group the ledger into trips from flat to flat, in the order they close; open ones follow. How many in all.

    high, low, marks: [N, T]; the run's bars are first to `stop` (exclusive)
    now_keys: zeros [N, TRIP_KEYS + 1], and now: zeros [N, TRIP_VALUES + 2], the trips under way
    trip arrays: at least [count + N] rows

    MAE and MFE are measured against the average cost of the moment. They take the extremes of every bar held from its
    open to its close; of other bars, where an extreme may lie before the entry or after the exit, only the fill prices.
    """
    symbols = high.shape[0]
    held, average = now[:, TRIP_VALUES], now[:, TRIP_VALUES + 1]
    since = now_keys[:, TRIP_KEYS]  # first bar whose extremes are not taken yet
    trips = 0
    for i in range(count):
        n = keys[i, l.KEY_SYMBOL]
        p = first + keys[i, l.KEY_BAR]
        reason = keys[i, l.KEY_REASON]
        phase = keys[i, l.KEY_PHASE]
        shares = values[i, l.VALUE_SHARES]
        price = values[i, l.VALUE_PRICE]
        money = values[i, l.VALUE_MONEY]
        side = 1.0 if now_keys[n, TRIP_SIDE] > 0 else -1.0
        before = held[n]
        if before != 0.0:
            upto = p + 1 if phase == l.AT_CLOSE else p
            if upto > since[n]:
                watch(now[n], side, average[n], high, low, n, since[n], upto)
                since[n] = upto
        if reason >= l.FIRST_EVENT:
            now[n, TRIP_PROFIT] += money
            now[n, TRIP_INCOME] += money
            if reason == l.BY_SPLIT:
                average[n] /= price
                now[n, TRIP_SHARES] *= price
                now[n, TRIP_CLOSED] *= price
        else:
            if before == 0.0:
                for j in range(TRIP_VALUES):
                    now[n, j] = 0.0
                side = 1.0 if shares > 0.0 else -1.0
                now_keys[n, TRIP_SYMBOL] = n
                now_keys[n, TRIP_SIDE] = 1 if shares > 0.0 else -1
                now_keys[n, TRIP_ENTRY] = keys[i, l.KEY_BAR]
                now_keys[n, TRIP_OPEN] = 0
                since[n] = p if phase == l.AT_OPEN else p + 1
            notional = abs(shares) * price
            if before * shares >= 0.0:
                average[n] = (average[n] * abs(before) + notional) / (abs(before) + abs(shares))
                now[n, TRIP_BOUGHT] += notional
                now[n, TRIP_SHARES] += abs(shares)
            else:
                excursion(now[n], side, average[n], price, price)
                now[n, TRIP_SOLD] += notional
                now[n, TRIP_CLOSED] += abs(shares)
            now[n, TRIP_PROFIT] -= shares * price + money
            now[n, TRIP_COSTS] += money
        if shares == 0.0:
            continue
        now_keys[n, TRIP_EXIT] = keys[i, l.KEY_BAR]
        now_keys[n, TRIP_REASON] = reason
        held[n] += shares
        if abs(held[n]) <= l.ROUNDING * abs(shares):
            held[n] = 0.0
            average[n] = 0.0
            for j in range(TRIP_KEYS):
                trip_keys[trips, j] = now_keys[n, j]
            for j in range(TRIP_VALUES):
                trip_values[trips, j] = now[n, j]
            trips += 1
    for n in range(symbols):
        if held[n] != 0.0:
            side = 1.0 if now_keys[n, TRIP_SIDE] > 0 else -1.0
            watch(now[n], side, average[n], high, low, n, since[n], stop)
            now_keys[n, TRIP_OPEN] = 1
            now[n, TRIP_PROFIT] += held[n] * marks[n, stop - 1]
            for j in range(TRIP_KEYS):
                trip_keys[trips, j] = now_keys[n, j]
            for j in range(TRIP_VALUES):
                trip_values[trips, j] = now[n, j]
            trips += 1
    return trips
