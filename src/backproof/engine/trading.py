"""What happens when orders fill: sizes, costs, buying power. Called by the kernel, compiled into it.

`t` counts bars of the run, `p` bars of the calendar. Arrays are described in `layout`.
"""

import math

import numpy as np

from backproof.engine import layout as l
from backproof.engine.arrays import Book, FloatArray, Market
from backproof.engine.compiled import inner, shared


@inner
def commission_of(book: Book, shares: float, price: float) -> float:
    """Commission of one fill; shares may be signed, price is the slipped one."""
    numbers = book.numbers
    size = abs(shares)
    paid: float = max(
        numbers[l.MINIMUM], numbers[l.FIXED] + numbers[l.RATE] * size * price + numbers[l.PER_SHARE] * size
    )
    return paid


@inner
def slipped(book: Book, price: float, side: float) -> float:
    """The price moved against the trader; side 1 buys, -1 sells."""
    moved: float = price * (1.0 + side * book.numbers[l.SLIPPAGE])
    return moved


@inner
def to_lots(book: Book, shares: float) -> float:
    """Whole shares are truncated toward zero, without tolerance."""
    if book.choices[l.WHOLE_SHARES] == 0:
        return shares
    lots: float = np.floor(shares) if shares >= 0.0 else -np.floor(-shares)
    return lots


@inner
def record(book: Book, t: int, n: int, shares: float, price: float, money: float, reason: int, phase: int) -> None:
    """Append one row to the ledger."""
    k = book.counters[l.FILLS]
    book.keys[k, l.KEY_BAR] = t
    book.keys[k, l.KEY_SYMBOL] = n
    book.keys[k, l.KEY_REASON] = reason
    book.keys[k, l.KEY_PHASE] = phase
    book.values[k, l.VALUE_SHARES] = shares
    book.values[k, l.VALUE_PRICE] = price
    book.values[k, l.VALUE_MONEY] = money
    book.counters[l.FILLS] = k + 1


@shared
def fill(
    book: Book, t: int, p: int, n: int, shares: float, price: float, commission: float, reason: int, phase: int
) -> None:
    """Trade signed shares at the slipped price and record it; never through zero: a flip is two fills."""
    state, orders = book.state, book.orders
    if state[l.BORROWED, n] != 0.0:
        record(book, t, n, 0.0, 0.0, -state[l.BORROWED, n], l.BY_BORROW, phase)
        state[l.BORROWED, n] = 0.0
    book.account[l.CASH] -= shares * price + commission
    held = state[l.SHARES, n]
    after = held + shares
    if book.choices[l.TRACKED] == 1 and held * shares >= 0.0:
        if held == 0.0:
            state[l.AVERAGE, n] = price
            state[l.PEAK, n] = price
            orders[l.ENTERED, n] = p
            orders[l.INSIDE, n] = 1 if phase == l.INSIDE_BAR else 0
            # neither checked nor taken: the bar of a fill at its close, and with `next_bar` the bar of any fill
            orders[l.SEEN, n] = p + 1 if phase == l.AT_CLOSE or book.choices[l.STOPS_NEXT_BAR] == 1 else p
        else:  # adding moves the average cost and leaves the peak
            state[l.AVERAGE, n] = (state[l.AVERAGE, n] * abs(held) + abs(shares) * price) / abs(after)
    state[l.SHARES, n] = after
    record(book, t, n, shares, price, commission, reason, phase)


@inner
def leave(book: Book, t: int, p: int, n: int, price: float, reason: int, phase: int) -> None:
    """Close the whole position at the slipped price, with ordinary costs."""
    held = book.state[l.SHARES, n]
    fill(book, t, p, n, -held, price, commission_of(book, held, price), reason, phase)


@inner
def worth(book: Book, marks: FloatArray, prices: FloatArray, p: int) -> tuple[float, float]:
    """Equity and gross exposure at today's fill prices; a symbol without a bar counts at its last close."""
    equity = book.account[l.CASH]
    gross = 0.0
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held != 0.0:
            price = prices[n, p]
            if math.isnan(price):
                price = marks[n, p]
            equity += held * price
            gross += abs(held * price)
    return equity, gross


@inner
def entry_size(book: Book, n: int, price: float, equity: float, power: float) -> float:
    """Unsigned shares of a signal entry at the slipped price: its budget pays its own costs."""
    if power <= l.ROUNDING * equity:  # what rounding leaves over is no buying power
        return 0.0
    numbers, sizing = book.numbers, book.choices[l.SIZING]
    size = numbers[l.SIZE]
    if book.orders[l.ASKED_AS, n] != 0:
        sizing, size = book.orders[l.ASKED_AS, n] - 1, book.state[l.ASKED, n]
    if sizing == l.PERCENT_EQUITY:
        budget = min(size * equity, power)
    elif sizing == l.FIXED_CASH:
        budget = min(size, power)
    else:
        budget = power
    shares = min(
        (budget - numbers[l.FIXED]) / (price * (1.0 + numbers[l.RATE]) + numbers[l.PER_SHARE]),
        (budget - numbers[l.MINIMUM]) / price,
    )
    if sizing == l.FIXED_SHARES:
        shares = min(shares, size)
    return to_lots(book, max(shares, 0.0))


NOT_REACHED, REACHED_AT_OPEN, REACHED_INSIDE = 0, 1, 2


@inner
def reach(order: int, level: float, market: Market, n: int, p: int) -> int:
    """Whether today's bar reaches the level of a limit or stop entry, and when; equality counts."""
    first = market.open[n, p]
    falling = (order & l.AT_LIMIT != 0) == (order & l.OPEN_LONG != 0)  # waits for the price to fall to its level
    if (first <= level) if falling else (first >= level):
        return REACHED_AT_OPEN
    if (market.low[n, p] <= level) if falling else (market.high[n, p] >= level):
        return REACHED_INSIDE
    return NOT_REACHED


@shared
def enter(book: Book, t: int, p: int, n: int, price: float, phase: int, equity: float, power: float) -> float:
    """Fill a waiting entry at the unslipped price and return the buying power left."""
    order = book.orders[l.ORDER, n]
    book.orders[l.ORDER, n] = 0
    book.counters[l.WAITING] -= 1
    side = 1.0 if order & l.OPEN_LONG else -1.0
    reason = l.BY_ENTRY
    if order & l.AT_LIMIT:
        reason = l.BY_LIMIT_ENTRY
    else:
        price = slipped(book, price, side)
        if order & l.AT_STOP:
            reason = l.BY_STOP_ENTRY
    shares = entry_size(book, n, price, equity, power)
    if shares <= 0.0:
        book.orders[l.DROPPED, n] += 1
        return power
    paid = commission_of(book, shares, price)
    fill(book, t, p, n, side * shares, price, paid, reason, phase)
    return power - (shares * price + paid)


@inner
def trade_signals(book: Book, market: Market, prices: FloatArray, phase: int, today: int, t: int, p: int) -> None:
    """Fill the waiting orders of a signal strategy; only the first `today` symbols of AWAKE can have one.

    Exits first, then entries at the open or close in the order of the symbols, then those that are reached inside the
    bar. Equity is taken once, after the exits.
    """
    orders, awake = book.orders, book.plan[l.AWAKE]
    entries = 0
    for i in range(today):
        n = awake[i]
        order = orders[l.ORDER, n]
        if order == 0 or math.isnan(prices[n, p]):
            continue
        held = book.state[l.SHARES, n]
        if order & l.CLOSE and held != 0.0:
            leave(book, t, p, n, slipped(book, prices[n, p], -1.0 if held > 0.0 else 1.0), l.BY_SIGNAL, phase)
        if order & (l.OPEN_LONG | l.OPEN_SHORT):
            entries += 1
        else:
            orders[l.ORDER, n] = 0
            book.counters[l.WAITING] -= 1
    if entries == 0:
        return
    equity, gross = worth(book, market.marks, prices, p)
    power = book.numbers[l.LEVERAGE] * equity - gross
    inside = 0
    for i in range(today):
        n = awake[i]
        order = orders[l.ORDER, n]
        if order == 0 or math.isnan(prices[n, p]):
            continue
        if order & (l.AT_LIMIT | l.AT_STOP):
            reached = reach(order, book.state[l.LEVEL, n], market, n, p)
            if reached == REACHED_INSIDE:
                inside += 1
                continue
            if reached == NOT_REACHED:
                if order & l.UNTIL_REPLACED:
                    orders[l.ORDER, n] = order & ~l.CLOSE
                else:
                    orders[l.ORDER, n] = 0
                    orders[l.EXPIRED, n] += 1
                    book.counters[l.WAITING] -= 1
                continue
        power = enter(book, t, p, n, prices[n, p], phase, equity, power)
    if inside == 0:
        return
    for i in range(today):
        n = awake[i]
        order = orders[l.ORDER, n]
        level = book.state[l.LEVEL, n]
        if order & (l.AT_LIMIT | l.AT_STOP) == 0 or math.isnan(prices[n, p]):
            continue
        if reach(order, level, market, n, p) == REACHED_INSIDE:
            power = enter(book, t, p, n, level, l.INSIDE_BAR, equity, power)


@inner
def scale(book: Book, wanted: FloatArray, at: FloatArray, power: float, slack: float) -> float:
    """Largest k <= 1 for which k x the wanted shares and their commissions fit in `power`; 0 when fees alone do not.

    The need is convex and piecewise linear in k, so Newton's steps from k = 1 end on the root.
    """
    numbers = book.numbers
    k = 1.0
    allowed = power + slack
    while k > 0.0:
        need = 0.0
        slope = 0.0
        for n in range(wanted.shape[0]):
            if wanted[n] != 0.0:
                size = abs(wanted[n])
                linear = size * (at[n] * numbers[l.RATE] + numbers[l.PER_SHARE])
                need += k * size * at[n] + commission_of(book, k * size, at[n])
                slope += size * at[n]
                if numbers[l.FIXED] + k * linear > numbers[l.MINIMUM]:
                    slope += linear
        if need <= allowed:
            return k
        if power <= slack:  # what rounding leaves over is no buying power
            return 0.0
        allowed = power
        step = k - (need - power) / slope
        if step >= k:  # only rounding is left
            return k
        k = step
    return 0.0


@inner
def rebalance(book: Book, market: Market, prices: FloatArray, phase: int, t: int, p: int) -> None:
    """Trade to the waiting target weights: reductions in full, then openings scaled by one factor."""
    state, orders = book.state, book.orders
    count = state.shape[1]
    value, gross = worth(book, market.marks, prices, p)
    wanted, at = book.scratch[l.WANTED], book.scratch[l.SLIPPED]
    for n in range(count):
        wanted[n] = 0.0
    openings = 0
    for n in range(count):
        if orders[l.ORDER, n] == 0 or math.isnan(prices[n, p]):
            continue
        orders[l.ORDER, n] = 0
        book.counters[l.WAITING] -= 1
        target = to_lots(book, state[l.TARGET, n] * value / prices[n, p])
        held = state[l.SHARES, n]
        if abs(target - held) <= l.ROUNDING * max(abs(target), abs(held)):
            continue
        if held * target <= 0.0:
            keep = 0.0
        else:
            keep = min(abs(held), abs(target))
            if held < 0.0:
                keep = -keep
        if keep != held:
            price = slipped(book, prices[n, p], 1.0 if keep > held else -1.0)
            paid = commission_of(book, keep - held, price)
            fill(book, t, p, n, keep - held, price, paid, l.BY_REBALANCE, phase)
        if target != keep:
            wanted[n] = target - keep
            at[n] = slipped(book, prices[n, p], 1.0 if target > keep else -1.0)
            openings += 1
    if openings == 0:
        return
    equity, gross = worth(book, market.marks, prices, p)
    power = book.numbers[l.LEVERAGE] * equity - gross
    k = scale(book, wanted, at, power, l.ROUNDING * abs(value))
    for n in range(count):
        if wanted[n] != 0.0:
            shares = to_lots(book, wanted[n] * k)
            if shares != 0.0:
                fill(book, t, p, n, shares, at[n], commission_of(book, shares, at[n]), l.BY_REBALANCE, phase)
            else:
                orders[l.DROPPED, n] += 1
