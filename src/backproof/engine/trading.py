"""What happens when orders fill: sizes, costs, buying power. Called by the kernel, compiled into it.

`t` counts bars of the run, `p` bars of the calendar. Arrays are described in `layout`.
"""

import math

import numpy as np
import numpy.typing as npt

from backproof.engine.compiled import inner
from backproof.engine.layout import (
    ALLOW_LONG,
    ALLOW_SHORT,
    BY_ENTRY,
    BY_REBALANCE,
    BY_SIGNAL,
    CASH,
    CLOSE,
    DROPPED,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    FILLS,
    FIXED,
    FIXED_CASH,
    FIXED_SHARES,
    KEY_BAR,
    KEY_REASON,
    KEY_SYMBOL,
    LEVERAGE,
    MARK,
    MINIMUM,
    OPEN_LONG,
    OPEN_SHORT,
    OPEN_WEIGHT,
    ORDER,
    PER_SHARE,
    PERCENT_EQUITY,
    RATE,
    ROUNDING,
    SHARES,
    SIZE,
    SIZING,
    SLIPPAGE,
    TARGET,
    VALUE_COMMISSION,
    VALUE_PRICE,
    VALUE_SHARES,
    WAITING,
    WHOLE_SHARES,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.uint8]


@inner
def commission_of(
    shares: float,
    price: float,
    numbers: FloatArray,
) -> float:
    """Commission of one fill; shares may be signed, price is the slipped one."""
    size = abs(shares)
    paid: float = max(numbers[MINIMUM], numbers[FIXED] + numbers[RATE] * size * price + numbers[PER_SHARE] * size)
    return paid


@inner
def to_lots(
    shares: float,
    choices: IntArray,
) -> float:
    """Whole shares are truncated toward zero, without tolerance."""
    if choices[WHOLE_SHARES] == 0:
        return shares
    lots: float = np.floor(shares) if shares >= 0.0 else -np.floor(-shares)
    return lots


@inner
def fill(
    t: int,
    n: int,
    shares: float,
    price: float,
    commission: float,
    reason: int,
    state: FloatArray,
    account: FloatArray,
    counters: IntArray,
    fill_keys: IntArray,
    fill_values: FloatArray,
) -> None:
    """Trade signed shares at the slipped price and record it."""
    account[CASH] -= shares * price + commission
    state[SHARES, n] += shares
    k = counters[FILLS]
    fill_keys[k, KEY_BAR] = t
    fill_keys[k, KEY_SYMBOL] = n
    fill_keys[k, KEY_REASON] = reason
    fill_values[k, VALUE_SHARES] = shares
    fill_values[k, VALUE_PRICE] = price
    fill_values[k, VALUE_COMMISSION] = commission
    counters[FILLS] = k + 1


@inner
def worth(
    p: int,
    prices: FloatArray,
    state: FloatArray,
    account: FloatArray,
) -> tuple[float, float]:
    """Equity and gross exposure at today's fill prices; a symbol without a bar counts at its last close."""
    equity = account[CASH]
    gross = 0.0
    for n in range(state.shape[1]):
        held = state[SHARES, n]
        if held != 0.0:
            price = prices[n, p]
            if math.isnan(price):
                price = state[MARK, n]
            equity += held * price
            gross += abs(held * price)
    return equity, gross


@inner
def entry_size(
    price: float,
    equity: float,
    power: float,
    numbers: FloatArray,
    choices: IntArray,
) -> float:
    """Unsigned shares of a signal entry at the slipped price: its budget pays its own costs."""
    if power <= ROUNDING * equity:  # what rounding leaves over is no buying power
        return 0.0
    size = numbers[SIZE]
    if choices[SIZING] == PERCENT_EQUITY:
        budget = min(size * equity, power)
    elif choices[SIZING] == FIXED_CASH:
        budget = min(size, power)
    else:
        budget = power
    shares = min(
        (budget - numbers[FIXED]) / (price * (1.0 + numbers[RATE]) + numbers[PER_SHARE]),
        (budget - numbers[MINIMUM]) / price,
    )
    if choices[SIZING] == FIXED_SHARES:
        shares = min(shares, size)
    return to_lots(max(shares, 0.0), choices)


@inner
def trade_signals(
    t: int,
    p: int,
    prices: FloatArray,
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    numbers: FloatArray,
    choices: IntArray,
    fill_keys: IntArray,
    fill_values: FloatArray,
) -> None:
    """Fill the waiting orders of a signal strategy: exits first, then entries in the order of the symbols."""
    count = state.shape[1]
    entries = 0
    for n in range(count):
        order = orders[ORDER, n]
        if order == 0 or math.isnan(prices[n, p]):
            continue
        held = state[SHARES, n]
        if order & CLOSE and held != 0.0:
            side = -1.0 if held > 0.0 else 1.0
            price = prices[n, p] * (1.0 + side * numbers[SLIPPAGE])
            paid = commission_of(held, price, numbers)
            fill(t, n, -held, price, paid, BY_SIGNAL, state, account, counters, fill_keys, fill_values)
        if order & (OPEN_LONG | OPEN_SHORT):
            entries += 1
        else:
            orders[ORDER, n] = 0
            counters[WAITING] -= 1
    if entries == 0:
        return
    equity, gross = worth(p, prices, state, account)
    power = numbers[LEVERAGE] * equity - gross
    for n in range(count):
        order = orders[ORDER, n]
        if order == 0 or math.isnan(prices[n, p]):
            continue
        orders[ORDER, n] = 0
        counters[WAITING] -= 1
        side = 1.0 if order & OPEN_LONG else -1.0
        price = prices[n, p] * (1.0 + side * numbers[SLIPPAGE])
        shares = entry_size(price, equity, power, numbers, choices)
        if shares > 0.0:
            paid = commission_of(shares, price, numbers)
            fill(t, n, side * shares, price, paid, BY_ENTRY, state, account, counters, fill_keys, fill_values)
            power -= shares * price + paid
        else:
            orders[DROPPED, n] += 1


@inner
def scale(
    wanted: FloatArray,
    at: FloatArray,
    power: float,
    slack: float,
    numbers: FloatArray,
) -> float:
    """Largest k <= 1 for which k x the wanted shares and their commissions fit in `power`; 0 when fees alone do not.

    The need is convex and piecewise linear in k, so Newton's steps from k = 1 end on the root.
    """
    k = 1.0
    allowed = power + slack
    while k > 0.0:
        need = 0.0
        slope = 0.0
        for n in range(wanted.shape[0]):
            if wanted[n] != 0.0:
                size = abs(wanted[n])
                linear = size * (at[n] * numbers[RATE] + numbers[PER_SHARE])
                need += k * size * at[n] + commission_of(k * size, at[n], numbers)
                slope += size * at[n]
                if numbers[FIXED] + k * linear > numbers[MINIMUM]:
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
def rebalance(
    t: int,
    p: int,
    prices: FloatArray,
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    numbers: FloatArray,
    choices: IntArray,
    fill_keys: IntArray,
    fill_values: FloatArray,
) -> None:
    """Trade to the waiting target weights: reductions in full, then openings scaled by one factor."""
    count = state.shape[1]
    value, gross = worth(p, prices, state, account)
    wanted = np.zeros(count)  # signed shares still to open
    at = np.zeros(count)  # their slipped price
    openings = 0
    for n in range(count):
        if orders[ORDER, n] == 0 or math.isnan(prices[n, p]):
            continue
        orders[ORDER, n] = 0
        counters[WAITING] -= 1
        target = to_lots(state[TARGET, n] * value / prices[n, p], choices)
        held = state[SHARES, n]
        if abs(target - held) <= ROUNDING * max(abs(target), abs(held)):
            continue
        if held * target <= 0.0:
            keep = 0.0
        else:
            keep = min(abs(held), abs(target))
            if held < 0.0:
                keep = -keep
        if keep != held:
            side = 1.0 if keep > held else -1.0
            price = prices[n, p] * (1.0 + side * numbers[SLIPPAGE])
            paid = commission_of(keep - held, price, numbers)
            fill(t, n, keep - held, price, paid, BY_REBALANCE, state, account, counters, fill_keys, fill_values)
        if target != keep:
            wanted[n] = target - keep
            side = 1.0 if target > keep else -1.0
            at[n] = prices[n, p] * (1.0 + side * numbers[SLIPPAGE])
            openings += 1
    if openings == 0:
        return
    equity, gross = worth(p, prices, state, account)
    power = numbers[LEVERAGE] * equity - gross
    k = scale(wanted, at, power, ROUNDING * abs(value), numbers)
    for n in range(count):
        if wanted[n] != 0.0:
            shares = to_lots(wanted[n] * k, choices)
            if shares != 0.0:
                paid = commission_of(shares, at[n], numbers)
                fill(t, n, shares, at[n], paid, BY_REBALANCE, state, account, counters, fill_keys, fill_values)
            else:
                orders[DROPPED, n] += 1


@inner
def decide_signals(
    p: int,
    close: FloatArray,
    signals: MaskArray,
    ended: IntArray,
    state: FloatArray,
    orders: IntArray,
    counters: IntArray,
    choices: IntArray,
) -> None:
    """Turn today's signals into waiting orders; entries beat exits, an entry while holding that side is ignored."""
    for n in range(state.shape[1]):
        bits = signals[n, p]
        if bits == 0:
            continue
        held = state[SHARES, n]
        order = 0
        if bits & ENTER_LONG and choices[ALLOW_LONG] == 1:
            if held > 0.0:
                continue
            order = OPEN_LONG | CLOSE if held < 0.0 else OPEN_LONG
        elif bits & ENTER_SHORT and choices[ALLOW_SHORT] == 1:
            if held < 0.0:
                continue
            order = OPEN_SHORT | CLOSE if held > 0.0 else OPEN_SHORT
        elif (held > 0.0 and bits & EXIT_LONG) or (held < 0.0 and bits & EXIT_SHORT):
            order = CLOSE
        if order == orders[ORDER, n] or p == ended[n] or math.isnan(close[n, p]):
            continue
        if orders[ORDER, n] == 0 and order != 0:
            counters[WAITING] += 1
        elif orders[ORDER, n] != 0 and order == 0:
            counters[WAITING] -= 1
        orders[ORDER, n] = order


@inner
def decide_weights(
    p: int,
    row: int,
    weights: FloatArray,
    firsts: IntArray,
    ended: IntArray,
    state: FloatArray,
    orders: IntArray,
    counters: IntArray,
) -> None:
    """Turn a row of target weights into waiting orders; a symbol not yet listed or ended takes none."""
    for n in range(state.shape[1]):
        weight = weights[row, n]
        if math.isnan(weight) or firsts[n] > p or 0 <= ended[n] <= p:
            continue
        if orders[ORDER, n] == 0:
            counters[WAITING] += 1
        orders[ORDER, n] = OPEN_WEIGHT
        state[TARGET, n] = weight
