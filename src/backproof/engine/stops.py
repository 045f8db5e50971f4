"""Stop-loss, take-profit and trailing stop: the check on one bar, and the search for the next bar that reaches a level.

A position's PEAK has taken the extremes of all bars before SEEN. Numbers of 0 mean that a level is not set.
"""

import math

from backproof.engine import layout as l
from backproof.engine.arrays import Book, Market
from backproof.engine.compiled import inner
from backproof.engine.trading import leave, slipped


@inner
def stop_level(book: Book, n: int, side: float) -> tuple[float, int]:
    """The tighter of stop-loss and trailing stop, and which it is; an infinitely far level when there is none."""
    loss, trail = book.numbers[l.STOP_LOSS], book.numbers[l.TRAILING]
    level, reason = -side * math.inf, l.BY_STOP_LOSS
    if loss > 0.0:
        level = book.state[l.AVERAGE, n] * (1.0 - side * loss)
    if trail > 0.0:
        trailing = book.state[l.PEAK, n] * (1.0 - side * trail)
        if side * trailing > side * level:
            level, reason = trailing, l.BY_TRAILING_STOP
    return level, reason


@inner
def check_stops(book: Book, market: Market, t: int, p: int, n: int) -> None:
    """Check the position of symbol n on bar p, before orders that fill at the close.

    The stop comes before the target, also when the open lies beyond the target. Beyond the level at the open fills at
    the open, else at the level.
    """
    state, orders = book.state, book.orders
    held = state[l.SHARES, n]
    if held == 0.0 or orders[l.SEEN, n] > p or math.isnan(market.close[n, p]):
        return
    side = 1.0 if held > 0.0 else -1.0
    first = market.open[n, p]
    worst, best = market.low[n, p], market.high[n, p]
    if side < 0.0:
        worst, best = best, worst
    inside = orders[l.INSIDE, n] == 1 and orders[l.ENTERED, n] == p
    level, reason = stop_level(book, n, side)
    if side * worst <= side * level:
        beyond = side * first <= side * level and not inside
        price = slipped(book, first if beyond else level, -side)
        leave(book, t, p, n, price, reason, l.AT_OPEN if beyond else l.INSIDE_BAR)
        return
    orders[l.SEEN, n] = p + 1
    if inside:  # the bar's extreme may have come before the entry
        return
    profit = book.numbers[l.TAKE_PROFIT]
    if profit > 0.0:
        level = state[l.AVERAGE, n] * (1.0 + side * profit)
        if side * best >= side * level:
            beyond = side * first >= side * level
            leave(book, t, p, n, first if beyond else level, l.BY_TAKE_PROFIT, l.AT_OPEN if beyond else l.INSIDE_BAR)
            return
    if side * best > side * state[l.PEAK, n]:
        state[l.PEAK, n] = best


@inner
def next_stop(book: Book, market: Market, n: int, start: int, stop: int) -> int:
    """First bar in [start, stop) on which a level of the position in symbol n is reached, else `stop`.

    Moves PEAK and SEEN on to that bar. Bars before SEEN are known to reach nothing.
    """
    state, numbers = book.state, book.numbers
    loss, profit, trail = numbers[l.STOP_LOSS], numbers[l.TAKE_PROFIT], numbers[l.TRAILING]
    average, peak = state[l.AVERAGE, n], state[l.PEAK, n]
    p: int = max(start, book.orders[l.SEEN, n])
    if state[l.SHARES, n] > 0.0:
        fixed = average * (1.0 - loss) if loss > 0.0 else -math.inf
        target = average * (1.0 + profit) if profit > 0.0 else math.inf
        if trail > 0.0:
            low_of_peak = 1.0 - trail
            while p < stop:
                if market.low[n, p] <= max(fixed, peak * low_of_peak) or market.high[n, p] >= target:
                    break
                if market.high[n, p] > peak:
                    peak = market.high[n, p]
                p += 1
        else:
            while p < stop and not (market.low[n, p] <= fixed or market.high[n, p] >= target):
                p += 1
    else:
        fixed = average * (1.0 + loss) if loss > 0.0 else math.inf
        target = average * (1.0 - profit) if profit > 0.0 else -math.inf
        if trail > 0.0:
            high_of_peak = 1.0 + trail
            while p < stop:
                if market.high[n, p] >= min(fixed, peak * high_of_peak) or market.low[n, p] <= target:
                    break
                if market.low[n, p] < peak:
                    peak = market.low[n, p]
                p += 1
        else:
            while p < stop and not (market.high[n, p] >= fixed or market.low[n, p] <= target):
                p += 1
    if trail > 0.0:
        state[l.PEAK, n] = peak
    book.orders[l.SEEN, n] = max(book.orders[l.SEEN, n], p)
    return p
