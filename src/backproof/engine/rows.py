"""The compiled part of a grid: many runs of signal strategies, each with its numbers, in one call without the GIL."""

import numpy as np
import numpy.typing as npt

from backproof.engine import layout as l
from backproof.engine import statistics as s
from backproof.engine.arrays import Actions, Book, FloatArray, IntArray, Listing, Market, Wishes
from backproof.engine.compiled import kernel
from backproof.engine.kernel import run

# --- what a row of a grid is made of, float64 [ROW_SIZE]: the moments, the totals, and the last equity
ROW_TOTALS = s.CURVE_SIZE
ROW_LAST = s.CURVE_SIZE + s.TOTAL_SIZE
ROW_SIZE = ROW_LAST + 1

# --- work, float64 [WORK_ROWS, T of the run]: the path first
WORK_PERIODS = l.PATH_ROWS
WORK_RETURNS = l.PATH_ROWS + 1
WORK_PARTS = l.PATH_ROWS + 2
WORK_ROWS = l.PATH_ROWS + 3


@kernel(
    "int64(uint8[:,:,::1], int64[::1], float64[:,:,::1], float64[:,:,::1], float64[:,:,::1], float64[:,:,::1],"
    " float64[:,:,::1], int64[:,::1], int64[:,::1], float64[::1], int64[:,::1], int64[::1], float64[:,::1],"
    " float64[:,::1], int64[:,::1], float64[::1], float64[::1], int64[::1], int64, int64,"
    " float64[:,::1], int64[:,::1], float64[::1], int64[::1], int64[:,::1], float64[:,::1], int64[:,::1],"
    " float64[:,::1], float64[:,::1], float64[:,::1], int64[::1], float64[:,::1], int64)"
)
def simulate_rows(
    signals: npt.NDArray[np.uint8],
    worlds: IntArray,
    open_: FloatArray,
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    marks: FloatArray,
    firsts: IntArray,
    ended: IntArray,
    gaps: FloatArray,
    action_first: IntArray,
    action_bars: IntArray,
    action_values: FloatArray,
    numbers: FloatArray,
    choices: IntArray,
    capital: FloatArray,
    risk_free: FloatArray,
    ends: IntArray,
    first: int,
    count: int,
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    keys: IntArray,
    values: FloatArray,
    plan: IntArray,
    scratch: FloatArray,
    work: FloatArray,
    levels: FloatArray,
    weights_at: IntArray,
    out: FloatArray,
    start: int,
) -> int:
    """Run rows `start` to K of signal strategies over `count` bars from calendar bar `first` and measure each.

    signals: [K, N, T], market orders only; worlds: [K], which of the W groups of N symbols each row trades
    open_ ... marks: [W, N, T]; firsts, ended: [W, N]; action_first: [W, N + 1]
    numbers, choices, capital, risk_free: one row or value each; ends: bars whose values give returns, empty for all
    state ... scratch: room for one run (`layout`); work: [WORK_ROWS, >= count]; levels [1, 1] and weights_at [0]: empty
    out: [K, ROW_SIZE]

    Returns K, or the row whose ledger was too small: enlarge it and call again from there.
    """
    rows: int = signals.shape[0]
    for k in range(start, rows):
        w, bar = worlds[k], start - start  # a 0 that is no constant, or `run` would be compiled a second time for it
        for n in range(state.shape[1]):
            for i in range(l.STATE_ROWS):
                state[i, n] = 0.0
            for i in range(l.ORDER_ROWS):
                orders[i, n] = 0
        for i in range(l.ACCOUNT_SIZE):
            account[i] = 0.0
        account[l.CASH] = capital[k]
        for i in range(l.COUNTER_SIZE):
            counters[i] = 0
        book = Book(state, orders, account, counters, numbers[k], choices[k], keys, values, plan, scratch)
        market = Market(open_[w], high[w], low[w], close[w], marks[w])
        listing = Listing(firsts[w], ended[w], gaps)
        actions = Actions(action_first[w], action_bars, action_values)
        wishes = Wishes(signals[k], levels, weights_at, levels)
        if run(book, market, listing, actions, wishes, work, first, bar, count) < count:
            return k
        equity = work[l.PATH_EQUITY]
        periods = equity
        if ends.shape[0] > 0:
            periods = work[WORK_PERIODS, : ends.shape[0]]
            for i in range(ends.shape[0]):
                periods[i] = equity[ends[i]]
        s.measure_curve(
            equity,
            work[l.PATH_GROSS],
            periods,
            capital[k],
            risk_free[k],
            work[WORK_RETURNS, : periods.shape[0]],
            work[WORK_PARTS],
            out[k, : s.CURVE_SIZE],
        )
        s.add_up_trades(keys, values, counters[l.FILLS], scratch, out[k, s.CURVE_SIZE : ROW_LAST])
        out[k, ROW_LAST] = equity[count - 1]
    return rows
