"""The simulation loop. The same source runs compiled and interpreted with the same bits: only + - * / floor and <.

Most bars change nothing but the value of what is held. So the loop goes from event to event: every symbol has a next
bar that needs attention (an order waits, a signal matters, a level is reached, a split, its last bar), and the bars
between two events are valued in one go. Which bars are events never changes a result, only its price in time.

`t` counts bars of the run, `p` bars of the calendar (p = first + t). Arrays are described in `layout`.
"""

import math

import numpy as np

from backproof.engine import layout as l
from backproof.engine.actions import act, next_action, reinvest
from backproof.engine.arrays import Actions, Book, FloatArray, IntArray, Listing, Market, MaskArray, Wishes
from backproof.engine.compiled import inner, kernel, shared
from backproof.engine.stops import check_stops, next_stop
from backproof.engine.trading import commission_of, fill, leave, rebalance, slipped, to_lots, trade_signals

VALUED_AT_ONCE = 4096  # bars, so that the recorded path stays in the cache while many symbols are added up


@inner
def decide_signals(book: Book, market: Market, listing: Listing, wishes: Wishes, q: int, p: int, n: int) -> bool:
    """Turn a symbol's signal of bar p, in column q, into its waiting order; whether it became one.

    Of an entry and an exit at once the entry counts while flat; on the side that is held it is ignored unless it adds,
    and the exit counts.
    """
    orders, choices = book.orders, book.choices
    bits = wishes.signals[n, q]
    if bits == 0 or p == listing.ended[n] or math.isnan(market.close[n, p]):
        return False
    held = book.state[l.SHARES, n]
    order = 0
    if bits & l.ENTER_LONG and choices[l.ALLOW_LONG] == 1:
        if held > 0.0 and bits & l.ADD_ENTRY == 0:
            if bits & l.EXIT_LONG == 0:
                return False
            order = l.CLOSE
        else:
            order = l.OPEN_LONG | l.CLOSE if held < 0.0 else l.OPEN_LONG
    elif bits & l.ENTER_SHORT and choices[l.ALLOW_SHORT] == 1:
        if held < 0.0 and bits & l.ADD_ENTRY == 0:
            if bits & l.EXIT_SHORT == 0:
                return False
            order = l.CLOSE
        else:
            order = l.OPEN_SHORT | l.CLOSE if held > 0.0 else l.OPEN_SHORT
    elif bits & (l.EXIT_LONG | l.EXIT_SHORT) == 0:
        return False  # an entry on a side that is not allowed
    elif (held > 0.0 and bits & l.EXIT_LONG) or (held < 0.0 and bits & l.EXIT_SHORT):
        order = l.CLOSE
    if order & (l.OPEN_LONG | l.OPEN_SHORT) and bits & (l.LIMIT_ENTRY | l.STOP_ENTRY):
        order |= l.AT_LIMIT if bits & l.LIMIT_ENTRY else l.AT_STOP
        if bits & l.GTC_ENTRY:
            order |= l.UNTIL_REPLACED
        book.state[l.LEVEL, n] = wishes.levels[n, q]
    if orders[l.ORDER, n] == 0 and order != 0:
        book.counters[l.WAITING] += 1
    elif orders[l.ORDER, n] != 0 and order == 0:
        book.counters[l.WAITING] -= 1
    orders[l.ORDER, n] = order
    return True


@inner
def decide_weights(book: Book, listing: Listing, wishes: Wishes, p: int, row: int) -> None:
    """Turn a row of target weights into waiting orders; a symbol not yet listed or ended takes none."""
    for n in range(book.state.shape[1]):
        weight = wishes.weights[row, n]
        if math.isnan(weight) or listing.first[n] > p or 0 <= listing.ended[n] <= p:
            continue
        if book.orders[l.ORDER, n] == 0:
            book.counters[l.WAITING] += 1
        book.orders[l.ORDER, n] = l.OPEN_WEIGHT
        book.state[l.TARGET, n] = weight


@inner
def next_event(
    book: Book, market: Market, listing: Listing, actions: Actions, wishes: Wishes, n: int, p: int, stop: int
) -> int:
    """First bar in [p, stop) on which symbol n needs attention as things stand, else `stop`."""
    if book.orders[l.ORDER, n] != 0:
        return p
    held = book.state[l.SHARES, n]
    until = stop
    if book.choices[l.BY_WEIGHT] == 0 and book.choices[l.PLACED] == 0:
        matters = 0
        if book.choices[l.ALLOW_LONG] == 1 and held <= 0.0:
            matters |= l.ENTER_LONG
        if book.choices[l.ALLOW_SHORT] == 1 and held >= 0.0:
            matters |= l.ENTER_SHORT
        if held > 0.0:
            matters |= l.EXIT_LONG | l.ADD_ENTRY
        elif held < 0.0:
            matters |= l.EXIT_SHORT | l.ADD_ENTRY
        bits = np.uint8(matters)
        signals = wishes.signals[n, p:stop]
        for i in range(stop - p):
            if signals[i] & bits != 0:
                until = p + i
                break
    if held != 0.0:
        if p <= listing.ended[n] < until:
            until = listing.ended[n]
        if actions.bars.shape[0] > 0:
            row = next_action(actions, n, p)
            if row < actions.first[n + 1] and actions.bars[row] < until:
                until = actions.bars[row]
        if book.choices[l.STOPS] == 1:
            until = next_stop(book, market, n, p, until)
    return until


@inner
def value_quietly(book: Book, market: Market, path: FloatArray, first: int, p: int, stop: int) -> int:
    """Record bars [p, stop), on which nothing is traded; the first bar that ends in insolvency or a margin call."""
    # slices, counts from 0 and one array per loop let the compiler use vector instructions
    cash = book.account[l.CASH]
    begin, end = p - first, stop - first
    size = end - begin
    equity, gross = path[l.PATH_EQUITY, begin:end], path[l.PATH_GROSS, begin:end]
    kept = path[l.PATH_CASH, begin:end]
    for t in range(size):
        kept[t] = cash
    none = True
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held == 0.0:
            continue
        marks = market.marks[n, p:stop]
        if none:
            none = False
            for t in range(size):
                equity[t] = cash + held * marks[t]
            for t in range(size):
                gross[t] = abs(held * marks[t])
        else:
            for t in range(size):
                equity[t] += held * marks[t]
            for t in range(size):
                gross[t] += abs(held * marks[t])
    if none:
        for t in range(size):
            equity[t] = cash
        for t in range(size):
            gross[t] = 0.0
    maintenance = book.numbers[l.MAINTENANCE]
    trouble = 0
    for t in range(size):
        trouble |= (equity[t] <= 0.0) | (equity[t] < maintenance * gross[t])
    if trouble:
        for t in range(size):
            if equity[t] <= 0.0 or equity[t] < maintenance * gross[t]:
                return p + t
    return stop


@inner
def accrue_borrow(book: Book, market: Market, listing: Listing, p: int) -> float:
    """What the shorts of the last close cost until today; kept per symbol until its next record."""
    cost = 0.0
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held < 0.0:
            value = -held * market.marks[n, p - 1]
            owed = value * book.numbers[l.BORROW] * listing.gaps[p] / 365.0
            book.state[l.BORROWED, n] += owed
            cost += owed
    return cost


@shared
def liquidate(book: Book, market: Market, t: int, p: int) -> None:
    """Insolvency: close everything at the last closes with ordinary costs, and stop trading."""
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held != 0.0:
            price = slipped(book, market.marks[n, p], -1.0 if held > 0.0 else 1.0)
            leave(book, t, p, n, price, l.BY_INSOLVENCY, l.AT_CLOSE)
        book.orders[l.ORDER, n] = 0
    book.counters[l.WAITING] = 0
    book.counters[l.INSOLVENT] = 1


@shared
def call_margin(book: Book, market: Market, equity: float, gross: float, t: int, p: int) -> None:
    """Reduce all positions that trade today by one factor, to the gross exposure that openings may reach."""
    keep = min(1.0, book.numbers[l.LEVERAGE] * equity / gross)
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held == 0.0 or math.isnan(market.close[n, p]):
            continue
        traded = to_lots(book, held * keep) - held
        if traded != 0.0:
            price = slipped(book, market.close[n, p], 1.0 if traded > 0.0 else -1.0)
            paid = commission_of(book, traded, price)
            fill(book, t, p, n, traded, price, paid, l.BY_MARGIN, l.AT_CLOSE)
            book.plan[l.AWAKE_AT, n] = p  # it may be flat now, and then other signals matter


@inner
def mark(book: Book, market: Market, p: int) -> tuple[float, float, float]:
    """Equity, gross exposure and the value of all shorts at today's close."""
    equity, gross, short = book.account[l.CASH], 0.0, 0.0
    for n in range(book.state.shape[1]):
        held = book.state[l.SHARES, n]
        if held != 0.0:
            value = held * market.marks[n, p]
            equity += value
            gross += abs(value)
            if held < 0.0:
                short -= value
    return equity, gross, short


@inner
def simulate_bar(
    book: Book,
    market: Market,
    listing: Listing,
    actions: Actions,
    wishes: Wishes,
    today: int,
    row: int,
    t: int,
    p: int,
) -> tuple[float, float]:
    """Everything that happens on bar p up to its mark: (equity, gross).

    today: how many symbols of AWAKE need attention; row: of the weights decided today, or -1
    """
    state, orders, counters = book.state, book.orders, book.counters
    awake, money = book.plan[l.AWAKE], book.scratch[l.REINVESTED]
    fill_at = book.choices[l.FILL_AT]
    by_weight = book.choices[l.BY_WEIGHT] == 1
    has_actions = actions.bars.shape[0] > 0
    borrowed = 0.0
    if book.account[l.SHORT] > 0.0:
        borrowed = accrue_borrow(book, market, listing, p)
    if has_actions:
        for i in range(today):
            money[i] = act(book, market, actions, t, p, awake[i])
    if fill_at == l.NEXT_OPEN and counters[l.WAITING] > 0:
        if by_weight:
            rebalance(book, market, market.open, l.AT_OPEN, t, p)
        else:
            trade_signals(book, market, market.open, l.AT_OPEN, today, t, p)
    if book.choices[l.STOPS] == 1:
        for i in range(today):
            check_stops(book, market, t, p, awake[i])  # an exit that waits finds nothing to close afterwards
    if has_actions:
        for i in range(today):
            if money[i] > 0.0:
                reinvest(book, market, t, p, awake[i], money[i])
    if fill_at == l.SAME_CLOSE:
        if row >= 0:
            decide_weights(book, listing, wishes, p, row)
        elif not by_weight and book.choices[l.PLACED] == 0:
            for i in range(today):
                decide_signals(book, market, listing, wishes, p, p, awake[i])
    if fill_at != l.NEXT_OPEN and counters[l.WAITING] > 0:
        if by_weight:
            rebalance(book, market, market.close, l.AT_CLOSE, t, p)
        else:
            trade_signals(book, market, market.close, l.AT_CLOSE, today, t, p)
    for i in range(today):
        n = awake[i]
        if listing.ended[n] == p:
            if orders[l.ORDER, n] != 0:
                orders[l.ORDER, n] = 0
                counters[l.WAITING] -= 1
            held = state[l.SHARES, n]
            if held != 0.0:
                fill(book, t, p, n, -held, market.close[n, p], 0.0, l.BY_DELISTING, l.AT_CLOSE)

    book.account[l.CASH] -= borrowed
    equity, gross, short = mark(book, market, p)
    if 0.0 < equity < book.numbers[l.MAINTENANCE] * gross:
        call_margin(book, market, equity, gross, t, p)
        equity, gross, short = mark(book, market, p)
    if equity <= 0.0:  # the costs of a margin call may be what ends it
        liquidate(book, market, t, p)
        equity, gross, short = book.account[l.CASH], 0.0, 0.0
    if book.numbers[l.BORROW] > 0.0:
        book.account[l.SHORT] = short
    return equity, gross


@shared
def run(
    book: Book,
    market: Market,
    listing: Listing,
    actions: Actions,
    wishes: Wishes,
    path: FloatArray,
    first: int,
    start: int,
    stop: int,
) -> int:
    """Simulate bars [start, stop) of the run and return the bar reached; see `advance`."""
    counters = book.counters
    count = book.state.shape[1]
    awake_at, awake = book.plan[l.AWAKE_AT], book.plan[l.AWAKE]
    by_weight = book.choices[l.BY_WEIGHT] == 1
    decides_after = book.choices[l.FILL_AT] != l.SAME_CLOSE
    end = first + stop
    p = first + start
    row = 0
    while row < wishes.at.shape[0] and wishes.at[row] < p:
        row += 1
    deciding = wishes.at[row] if row < wishes.at.shape[0] else end
    limit = min(end, deciding)
    troubled = False
    looked = False
    while p < end:
        if counters[l.INSOLVENT] == 1:
            for t in range(p - first, stop):
                path[l.PATH_EQUITY, t] = path[l.PATH_CASH, t] = book.account[l.CASH]
                path[l.PATH_GROSS, t] = 0.0
            return stop
        if not looked:
            for n in range(count):
                awake_at[n] = next_event(book, market, listing, actions, wishes, n, p, limit)
            looked = True
        if not troubled:
            until = min(p + VALUED_AT_ONCE, limit)
            if book.account[l.SHORT] > 0.0:
                until = p  # borrowing costs something on every bar
            for n in range(count):
                until = min(until, awake_at[n])
            if until > p:
                p = value_quietly(book, market, path, first, p, until)
                troubled = p < until
                continue
        if counters[l.FILLS] + l.RECORDS_PER_BAR * count > book.keys.shape[0]:
            return p - first
        troubled = False
        today = 0
        for n in range(count):
            if awake_at[n] <= p:
                awake[today] = n
                today += 1
        t = p - first
        decides = p == deciding
        equity, gross = simulate_bar(book, market, listing, actions, wishes, today, row if decides else -1, t, p)
        path[l.PATH_EQUITY, t] = equity
        path[l.PATH_CASH, t] = book.account[l.CASH]
        path[l.PATH_GROSS, t] = gross
        if book.numbers[l.MAINTENANCE] > 0.0:  # a margin call reaches symbols that were not awake
            today = 0
            for n in range(count):
                if awake_at[n] <= p:
                    awake[today] = n
                    today += 1
        if decides_after and counters[l.INSOLVENT] == 0:
            if decides:
                decide_weights(book, listing, wishes, p, row)
            elif not by_weight and book.choices[l.PLACED] == 0:
                for i in range(today):
                    decide_signals(book, market, listing, wishes, p, p, awake[i])
        p += 1
        if decides:
            row += 1
            deciding = wishes.at[row] if row < wishes.at.shape[0] else end
            limit = min(end, deciding)
            looked = False
        else:
            for i in range(today):
                n = awake[i]
                awake_at[n] = next_event(book, market, listing, actions, wishes, n, p, limit)
    return stop


@kernel(
    "void(float64[:,::1], int64[:,::1], float64[::1], int64[::1], int64[::1], float64[:,::1], int64[::1], int64[::1],"
    " uint8[:,::1], float64[:,::1], float64[:,::1], int64[::1], float64[::1], int64)"
)
def decide(
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    choices: IntArray,
    close: FloatArray,
    firsts: IntArray,
    ended: IntArray,
    signals: MaskArray,
    levels: FloatArray,
    weights: FloatArray,
    asked_as: IntArray,
    asked: FloatArray,
    p: int,
) -> None:
    """Turn what was placed at the close of bar p, after it was simulated, into waiting orders.

    signals, levels: [N, 1], with asked_as, asked [N] (see ASKED_AS); or weights: [1, N]
    """
    nothing = orders[:0]
    book = Book(state, orders, account, counters, account, choices, nothing, state, nothing, state)
    market = Market(close, close, close, close, close)
    listing = Listing(firsts, ended, account)
    wishes = Wishes(signals, levels, counters, weights)
    column = p - p  # a 0 that is no constant, or the functions below would be compiled a second time for it
    if choices[l.BY_WEIGHT] == 1:
        decide_weights(book, listing, wishes, p, column)
        return
    for n in range(state.shape[1]):
        if decide_signals(book, market, listing, wishes, column, p, n):
            orders[l.ASKED_AS, n] = asked_as[n]
            state[l.ASKED, n] = asked[n]


@kernel(
    "int64(float64[:,::1], int64[:,::1], float64[::1], int64[::1], float64[::1], int64[::1],"
    " int64[:,::1], float64[:,::1], int64[:,::1], float64[:,::1],"
    " float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1],"
    " int64[::1], int64[::1], float64[::1], int64[::1], int64[::1], float64[:,::1],"
    " uint8[:,::1], float64[:,::1], int64[::1], float64[:,::1], float64[:,::1], int64, int64, int64)"
)
def advance(
    state: FloatArray,
    orders: IntArray,
    account: FloatArray,
    counters: IntArray,
    numbers: FloatArray,
    choices: IntArray,
    keys: IntArray,
    values: FloatArray,
    plan: IntArray,
    scratch: FloatArray,
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
    signals: MaskArray,
    levels: FloatArray,
    weights_at: IntArray,
    weights: FloatArray,
    path: FloatArray,
    first: int,
    start: int,
    stop: int,
) -> int:
    """Simulate bars [start, stop) of the run and return the bar reached.

    It stops early when the ledger might not hold all records of the next bar: enlarge it and call again. Any sequence
    of ranges gives the same bits, because everything a bar hands on is in the arrays.

    path: [PATH_ROWS, T of the run], written for every bar simulated; the other arrays are those of Book, Market,
    Listing, Actions and Wishes in their order
    """
    book = Book(state, orders, account, counters, numbers, choices, keys, values, plan, scratch)
    market = Market(open_, high, low, close, marks)
    listing = Listing(firsts, ended, gaps)
    actions = Actions(action_first, action_bars, action_values)
    wishes = Wishes(signals, levels, weights_at, weights)
    return run(book, market, listing, actions, wishes, path, first, start, stop)
