"""The simulation loop. The same source runs compiled and interpreted with the same bits: only + - * / floor and <.

`t` counts bars of the run, `p` bars of the calendar (p = first + t). Arrays are described in `layout`.
"""

import math

import numpy as np
import numpy.typing as npt

from backproof.engine.compiled import kernel
from backproof.engine.layout import (
    BY_DELISTING,
    BY_INSOLVENCY,
    BY_WEIGHT,
    CASH,
    FILL_AT,
    FILLS,
    INSOLVENT,
    MARK,
    NEXT_OPEN,
    ORDER,
    PATH_CASH,
    PATH_EQUITY,
    PATH_GROSS,
    SAME_CLOSE,
    SHARES,
    SLIPPAGE,
    WAITING,
)
from backproof.engine.trading import commission_of, decide_signals, decide_weights, fill, rebalance, trade_signals

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.uint8]


@kernel(
    "int64(float64[:,::1], int64[:,::1], float64[::1], int64[::1], float64[::1], int64[::1],"
    " float64[:,::1], float64[:,::1], int64[::1], int64[::1], uint8[:,::1], int64[::1], float64[:,::1],"
    " float64[:,::1], int64[:,::1], float64[:,::1], int64, int64, int64)"
)
def advance(
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    numbers: FloatArray,
    choices: IntArray,
    open_: FloatArray,
    close: FloatArray,
    firsts: IntArray,
    ended: IntArray,
    signals: MaskArray,
    weights_at: IntArray,
    weights: FloatArray,
    path: FloatArray,
    fill_keys: IntArray,
    fill_values: FloatArray,
    first: int,
    start: int,
    stop: int,
) -> int:
    """Simulate bars [start, stop) of the run and return the bar reached.

    It stops early when the fill arrays might not hold all fills of the next bar: enlarge them and call again. Any
    sequence of ranges gives the same bits, because everything a bar hands on is in the arrays.

    open_, close: [N, T] adjusted prices, NaN = no bar
    firsts, ended: [N] calendar bar of the first bar; of the last bar if data end before the run does, else -1
    signals: [N, T]; weights_at [R] increasing and weights [R, N]: one of the two forms is empty
    path: [PATH_ROWS, T of the run], written for every bar simulated
    """
    count = state.shape[1]
    by_weight = choices[BY_WEIGHT] == 1
    fill_at = choices[FILL_AT]
    next_end = -1
    row = 0
    if by_weight:
        while row < weights_at.shape[0] and weights_at[row] < first + start:
            row += 1
    for n in range(count):
        if ended[n] >= first + start and (next_end < 0 or ended[n] < next_end):
            next_end = ended[n]
    for t in range(start, stop):
        if counters[FILLS] + 3 * count > fill_keys.shape[0]:
            return t
        p = first + t
        if counters[INSOLVENT] == 1:
            path[PATH_EQUITY, t] = account[CASH]
            path[PATH_CASH, t] = account[CASH]
            path[PATH_GROSS, t] = 0.0
            continue
        decides = not by_weight or (row < weights_at.shape[0] and weights_at[row] == p)

        if fill_at == NEXT_OPEN:
            if counters[WAITING] > 0:
                if by_weight:
                    rebalance(t, p, open_, state, orders, account, counters, numbers, choices, fill_keys, fill_values)
                else:
                    trade_signals(
                        t, p, open_, state, orders, account, counters, numbers, choices, fill_keys, fill_values
                    )
        else:
            if fill_at == SAME_CLOSE and decides:
                if by_weight:
                    decide_weights(p, row, weights, firsts, ended, state, orders, counters)
                else:
                    decide_signals(p, close, signals, ended, state, orders, counters, choices)
            if counters[WAITING] > 0:
                if by_weight:
                    rebalance(t, p, close, state, orders, account, counters, numbers, choices, fill_keys, fill_values)
                else:
                    trade_signals(
                        t, p, close, state, orders, account, counters, numbers, choices, fill_keys, fill_values
                    )

        if p == next_end:
            next_end = -1
            for n in range(count):
                if ended[n] == p:
                    if orders[ORDER, n] != 0:
                        orders[ORDER, n] = 0
                        counters[WAITING] -= 1
                    held = state[SHARES, n]
                    if held != 0.0:
                        fill(
                            t,
                            n,
                            -held,
                            close[n, p],
                            0.0,
                            BY_DELISTING,
                            state,
                            account,
                            counters,
                            fill_keys,
                            fill_values,
                        )
                elif ended[n] > p and (next_end < 0 or ended[n] < next_end):
                    next_end = ended[n]

        equity = account[CASH]
        gross = 0.0
        for n in range(count):
            held = state[SHARES, n]
            if held != 0.0:
                price = close[n, p]
                if math.isnan(price):
                    price = state[MARK, n]
                else:
                    state[MARK, n] = price
                equity += held * price
                gross += abs(held * price)
        if equity <= 0.0:
            for n in range(count):
                held = state[SHARES, n]
                if held != 0.0:
                    side = -1.0 if held > 0.0 else 1.0
                    price = state[MARK, n] * (1.0 + side * numbers[SLIPPAGE])
                    paid = commission_of(held, price, numbers)
                    fill(t, n, -held, price, paid, BY_INSOLVENCY, state, account, counters, fill_keys, fill_values)
                orders[ORDER, n] = 0
            counters[WAITING] = 0
            counters[INSOLVENT] = 1
            equity = account[CASH]
            gross = 0.0
        path[PATH_EQUITY, t] = equity
        path[PATH_CASH, t] = account[CASH]
        path[PATH_GROSS, t] = gross

        if fill_at != SAME_CLOSE and decides and counters[INSOLVENT] == 0:
            if by_weight:
                decide_weights(p, row, weights, firsts, ended, state, orders, counters)
            else:
                decide_signals(p, close, signals, ended, state, orders, counters, choices)
        if by_weight and decides:
            row += 1
    return stop
