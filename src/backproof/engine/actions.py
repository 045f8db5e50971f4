"""Splits and dividends of raw prices, at the start of the bar on which they take effect."""

from backproof.engine import layout as l
from backproof.engine.arrays import Actions, Book, Market
from backproof.engine.compiled import inner, shared
from backproof.engine.trading import fill, record, to_lots


@inner
def next_action(actions: Actions, n: int, p: int) -> int:
    """Row of symbol n's first action on bar p or later; first[n + 1] when there is none."""
    low: int = actions.first[n]
    high: int = actions.first[n + 1]
    while low < high:
        middle = (low + high) // 2
        if actions.bars[middle] < p:
            low = middle + 1
        else:
            high = middle
    return low


@shared
def act(book: Book, market: Market, actions: Actions, t: int, p: int, n: int) -> float:
    """Apply what happens to symbol n on bar p; the dividend cash that is to buy shares at the close.

    A split multiplies shares and divides every price that is remembered; with whole shares its fraction is paid in cash
    at the previous close / ratio. A dividend credits cash; a short pays it.
    """
    row = next_action(actions, n, p)
    if row == actions.first[n + 1] or actions.bars[row] != p:
        return 0.0
    state = book.state
    ratio, dividend = actions.values[row, l.ACTION_RATIO], actions.values[row, l.ACTION_DIVIDEND]
    held = state[l.SHARES, n]
    if ratio != 1.0:
        if book.orders[l.ORDER, n] & (l.AT_LIMIT | l.AT_STOP):
            state[l.LEVEL, n] /= ratio
        if held != 0.0:
            exact = held * ratio
            whole = to_lots(book, exact)
            in_lieu = (exact - whole) * (market.marks[n, p - 1] / ratio)
            book.account[l.CASH] += in_lieu
            if whole == 0.0 and state[l.BORROWED, n] != 0.0:
                record(book, t, n, 0.0, 0.0, -state[l.BORROWED, n], l.BY_BORROW, l.AT_OPEN)
                state[l.BORROWED, n] = 0.0
            change = whole - held
            record(book, t, n, change, ratio, in_lieu, l.BY_SPLIT, l.AT_OPEN)
            state[l.SHARES, n] = held = held + change  # as who adds up the ledger has it, to the last bit
            state[l.AVERAGE, n] /= ratio
            state[l.PEAK, n] /= ratio
    if dividend == 0.0 or held == 0.0:
        return 0.0
    paid = held * dividend
    book.account[l.CASH] += paid
    record(book, t, n, 0.0, dividend, paid, l.BY_PAYMENT, l.AT_OPEN)
    return paid if book.choices[l.REINVEST] == 1 and held > 0.0 else 0.0


@inner
def reinvest(book: Book, market: Market, t: int, p: int, n: int, money: float) -> None:
    """Buy shares for a dividend at the ex-date's close, without costs, unless the position was closed that day."""
    price = market.close[n, p]
    shares = to_lots(book, money / price)
    if shares > 0.0 and book.state[l.SHARES, n] > 0.0:
        fill(book, t, p, n, shares, price, 0.0, l.BY_DIVIDEND, l.AT_CLOSE)
