"""Compiled passes over a finished run: moments of the curve, and fills grouped into round trips."""

import math

import numpy as np
import numpy.typing as npt

from backproof.engine.compiled import kernel
from backproof.engine.layout import (
    KEY_BAR,
    KEY_REASON,
    KEY_SYMBOL,
    MARK,
    PATH_EQUITY,
    PATH_GROSS,
    VALUE_COMMISSION,
    VALUE_PRICE,
    VALUE_SHARES,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# --- what `curve_moments` writes, float64 [CURVE_SIZE]
MEAN_EXCESS = 0  # mean of r - rf over the T-1 returns
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
VERSUS_OVERLAP = 7  # bars of the run on which the benchmark has a bar
VERSUS_SIZE = 8

# --- round trips: int64 [trips, TRIP_KEYS] and float64 [trips, TRIP_VALUES]
TRIP_SYMBOL = 0
TRIP_SIDE = 1  # 1 long, -1 short
TRIP_ENTRY = 2  # bar of the first fill
TRIP_EXIT = 3  # bar of the last fill so far
TRIP_REASON = 4  # of the last fill
TRIP_OPEN = 5  # 1: not flat at the end
TRIP_KEYS = 6
TRIP_PROFIT = 0  # net of commissions; of an open trip marked at the last close
TRIP_BOUGHT = 1  # notional of the openings
TRIP_SOLD = 2  # notional of the closings
TRIP_SHARES = 3  # shares opened
TRIP_CLOSED = 4  # shares closed
TRIP_COSTS = 5  # commissions
TRIP_VALUES = 6

# --- totals over all fills and closed trips, float64 [TOTAL_SIZE]
TOTAL_NOTIONAL = 0
TOTAL_COSTS = 1
TOTAL_CLOSED = 2
TOTAL_WINS = 3
TOTAL_GAINS = 4  # sum of profits > 0
TOTAL_LOSSES = 5  # minus the sum of profits < 0
TOTAL_RETURNS = 6  # sum of profit / notional of the openings
TOTAL_SIZE = 7


@kernel("void(float64[:,::1], int64, float64, float64, float64[::1], float64[::1])")
def curve_moments(
    path: FloatArray,
    count: int,
    capital: float,
    risk_free: float,
    returns: FloatArray,
    out: FloatArray,
) -> None:
    """Moments of the first `count` bars. returns: [>= count], filled with r[t], t >= 1; r[0] is not used.

    A bar after equity <= 0 has return 0: the run is over there and equity stays as it is.
    """
    peak = capital
    worst = 0.0
    exposure = 0.0
    in_market = 0
    total = 0.0
    mean = 0.0
    before = 0.0
    for t in range(count):
        equity = path[PATH_EQUITY, t]
        gross = path[PATH_GROSS, t]
        if equity > peak:
            peak = equity
        fall = equity / peak - 1.0
        if fall < worst:
            worst = fall
        if gross > 0.0:
            exposure += gross / equity
            in_market += 1
        total += equity
        if t > 0:
            r = equity / before - 1.0 if before > 0.0 else 0.0
            returns[t] = r
            mean += r
        before = equity
    out[:] = 0.0
    if count == 0:
        return
    out[MAX_DRAWDOWN] = worst
    out[MEAN_EXPOSURE] = exposure / count
    out[IN_MARKET] = in_market / count
    out[MEAN_EQUITY] = total / count
    if count < 2:
        return
    mean /= count - 1
    squares = 0.0
    downside = 0.0
    for t in range(1, count):
        away = returns[t] - mean
        squares += away * away
        under = returns[t] - risk_free
        if under < 0.0:
            downside += under * under
    out[MEAN_EXCESS] = mean - risk_free
    out[DOWNSIDE] = math.sqrt(downside / (count - 1))
    if count > 2:
        out[STD] = math.sqrt(squares / (count - 2))


@kernel("void(float64[::1], int64, float64[::1], int64, float64, float64[::1], float64[::1])")
def against_benchmark(
    returns: FloatArray,
    count: int,
    closes: FloatArray,
    first: int,
    capital: float,
    curve: FloatArray,
    out: FloatArray,
) -> None:
    """Statistics of r against the benchmark's returns b on the run's bars; a bar the benchmark lacks has b = 0.

    closes: [calendar], adjusted, NaN = no bar; curve: [count], filled with capital grown like the benchmark
    """
    base = 0.0
    last = 0.0
    overlap = 0
    sum_b = 0.0
    sum_r = 0.0
    for t in range(count):
        price = closes[first + t]
        if not math.isnan(price):
            overlap += 1
            if base == 0.0:
                base = price
            last = price
        curve[t] = capital * (last / base) if base > 0.0 else capital
        if t > 0:
            sum_r += returns[t]
    out[:] = 0.0
    out[VERSUS_OVERLAP] = overlap
    if count < 2:
        return
    # the mean of b first, then the moments around it; b from close to close: the curve rounds differently
    for pass_number in range(2):
        last = 0.0
        mean_r = sum_r / (count - 1)
        mean_b = sum_b / (count - 1)
        active = mean_r - mean_b
        for t in range(count):
            price = closes[first + t]
            b = 0.0
            if not math.isnan(price):
                if last > 0.0:
                    b = price / last - 1.0
                last = price
            if t == 0:
                continue
            if pass_number == 0:
                sum_b += b
            else:
                dr = returns[t] - mean_r
                db = b - mean_b
                da = returns[t] - b - active
                out[VERSUS_BETA_TOP] += dr * db
                out[VERSUS_VARIANCE] += db * db
                out[VERSUS_STD_PRODUCT] += dr * dr
                out[VERSUS_ACTIVE_STD] += da * da
    size = count - 1
    out[VERSUS_RETURN] = sum_r / size
    out[VERSUS_BENCHMARK] = sum_b / size
    out[VERSUS_ACTIVE_MEAN] = sum_r / size - sum_b / size
    out[VERSUS_STD_PRODUCT] = math.sqrt(out[VERSUS_STD_PRODUCT] / size) * math.sqrt(out[VERSUS_VARIANCE] / size)
    out[VERSUS_BETA_TOP] /= size
    out[VERSUS_VARIANCE] /= size
    out[VERSUS_ACTIVE_STD] = math.sqrt(out[VERSUS_ACTIVE_STD] / (size - 1)) if size > 1 else 0.0


@kernel("int64(int64[:,::1], float64[:,::1], int64, float64[:,::1], int64[:,::1], float64[:,::1], float64[::1])")
def round_trips(
    fill_keys: IntArray,
    fill_values: FloatArray,
    count: int,
    state: FloatArray,
    trip_keys: IntArray,
    trip_values: FloatArray,
    totals: FloatArray,
) -> int:
    """Group fills into trips from flat to flat, in the order they close; open ones follow. Returns how many in all.

    state: the kernel's, read for the marks of open trips; trip arrays: at least [count + N] rows
    """
    symbols = state.shape[1]
    held = np.zeros(symbols)
    now_keys = np.zeros((symbols, TRIP_KEYS), dtype=np.int64)
    now = np.zeros((symbols, TRIP_VALUES))
    totals[:] = 0.0
    trips = 0
    for i in range(count):
        n = fill_keys[i, KEY_SYMBOL]
        shares = fill_values[i, VALUE_SHARES]
        price = fill_values[i, VALUE_PRICE]
        paid = fill_values[i, VALUE_COMMISSION]
        notional = abs(shares) * price
        totals[TOTAL_NOTIONAL] += notional
        totals[TOTAL_COSTS] += paid
        if held[n] == 0.0:
            now[n, :] = 0.0
            now_keys[n, TRIP_SYMBOL] = n
            now_keys[n, TRIP_SIDE] = 1 if shares > 0.0 else -1
            now_keys[n, TRIP_ENTRY] = fill_keys[i, KEY_BAR]
        if held[n] * shares >= 0.0:
            now[n, TRIP_BOUGHT] += notional
            now[n, TRIP_SHARES] += abs(shares)
        else:
            now[n, TRIP_SOLD] += notional
            now[n, TRIP_CLOSED] += abs(shares)
        now[n, TRIP_PROFIT] -= shares * price + paid
        now[n, TRIP_COSTS] += paid
        now_keys[n, TRIP_EXIT] = fill_keys[i, KEY_BAR]
        now_keys[n, TRIP_REASON] = fill_keys[i, KEY_REASON]
        held[n] += shares
        if abs(held[n]) <= 1e-12 * abs(shares):
            held[n] = 0.0
            trip_keys[trips] = now_keys[n]
            trip_values[trips] = now[n]
            trips += 1
            profit = now[n, TRIP_PROFIT]
            totals[TOTAL_CLOSED] += 1.0
            totals[TOTAL_RETURNS] += profit / now[n, TRIP_BOUGHT]
            if profit > 0.0:
                totals[TOTAL_WINS] += 1.0
                totals[TOTAL_GAINS] += profit
            else:
                totals[TOTAL_LOSSES] -= profit
    for n in range(symbols):
        if held[n] != 0.0:
            now_keys[n, TRIP_OPEN] = 1
            now[n, TRIP_PROFIT] += held[n] * state[MARK, n]
            trip_keys[trips] = now_keys[n]
            trip_values[trips] = now[n]
            trips += 1
    return trips
