"""Tables of a result: fills, trades and account events as structured arrays."""

import numpy as np
import numpy.typing as npt

from backproof.engine import layout
from backproof.engine import statistics as s
from backproof.engine.arrays import FloatArray, IntArray

Records = npt.NDArray[np.void]
DateArray = npt.NDArray[np.datetime64]

_PHASES = np.array(["open", "inside", "close"])
_REASONS = np.array(layout.REASONS)
_ORDERS = np.array(layout.ORDER_KINDS)


def fill_records(keys: IntArray, values: FloatArray, dates: DateArray, symbols: tuple[str, ...]) -> Records:
    """See Result.fills."""
    traded = keys[:, layout.KEY_REASON] < layout.FIRST_EVENT
    keys, values = keys[traded], values[traded]
    records = np.empty(
        len(keys),
        dtype=[
            ("bar", np.int64),
            ("date", dates.dtype),
            ("symbol", f"U{max(map(len, symbols))}"),
            ("side", "U4"),
            ("shares", np.float64),
            ("price", np.float64),
            ("commission", np.float64),
            ("reason", "U13"),
            ("order", "U6"),
            ("at", "U6"),
        ],
    )
    shares, reason = values[:, layout.VALUE_SHARES], keys[:, layout.KEY_REASON]
    records["bar"] = keys[:, layout.KEY_BAR]
    records["date"] = dates[keys[:, layout.KEY_BAR]]
    records["symbol"] = np.array(symbols)[keys[:, layout.KEY_SYMBOL]]
    records["side"] = np.where(shares > 0.0, "buy", "sell")
    records["shares"] = np.abs(shares)
    records["price"] = values[:, layout.VALUE_PRICE]
    records["commission"] = values[:, layout.VALUE_MONEY]
    records["reason"] = _REASONS[reason]
    records["order"] = _ORDERS[reason]
    records["at"] = _PHASES[keys[:, layout.KEY_PHASE]]
    return records


def event_records(keys: IntArray, values: FloatArray, dates: DateArray, symbols: tuple[str, ...]) -> Records:
    """See Result.events."""
    mine = keys[:, layout.KEY_REASON] >= layout.FIRST_EVENT
    keys, values = keys[mine], values[mine]
    records = np.empty(
        len(keys),
        dtype=[
            ("bar", np.int64),
            ("date", dates.dtype),
            ("symbol", f"U{max(map(len, symbols))}"),
            ("kind", "U8"),
            ("value", np.float64),
            ("shares", np.float64),
            ("cash", np.float64),
        ],
    )
    borrow = keys[:, layout.KEY_REASON] == layout.BY_BORROW
    records["bar"] = keys[:, layout.KEY_BAR]
    records["date"] = dates[keys[:, layout.KEY_BAR]]
    records["symbol"] = np.array(symbols)[keys[:, layout.KEY_SYMBOL]]
    records["kind"] = _REASONS[keys[:, layout.KEY_REASON]]
    records["value"] = np.where(borrow, np.nan, values[:, layout.VALUE_PRICE])
    records["shares"] = values[:, layout.VALUE_SHARES]
    records["cash"] = values[:, layout.VALUE_MONEY]
    return records


def trade_records(
    keys: IntArray, values: FloatArray, dates: DateArray, symbols: tuple[str, ...], marks: FloatArray
) -> Records:
    """See Result.trades. marks: float64 [N], the last close of each symbol."""
    records = np.empty(
        len(keys),
        dtype=[
            ("symbol", f"U{max(map(len, symbols))}"),
            ("side", "U5"),
            ("entry_date", dates.dtype),
            ("exit_date", dates.dtype),
            ("entry_price", np.float64),
            ("exit_price", np.float64),
            ("shares", np.float64),
            ("profit", np.float64),
            ("return", np.float64),
            ("costs", np.float64),
            ("income", np.float64),
            ("mae", np.float64),
            ("mfe", np.float64),
            ("bars", np.int64),
            ("reason", "U13"),
        ],
    )
    still = keys[:, s.TRIP_OPEN] == 1
    last = np.where(still, len(dates) - 1, keys[:, s.TRIP_EXIT])
    bought, closed = values[:, s.TRIP_BOUGHT], values[:, s.TRIP_CLOSED]
    records["symbol"] = np.array(symbols)[keys[:, s.TRIP_SYMBOL]]
    records["side"] = np.where(keys[:, s.TRIP_SIDE] > 0, "long", "short")
    records["entry_date"] = dates[keys[:, s.TRIP_ENTRY]]
    records["exit_date"] = np.where(still, np.datetime64("NaT"), dates[last])
    records["entry_price"] = bought / values[:, s.TRIP_SHARES]
    sold = values[:, s.TRIP_SOLD] / np.where(closed > 0.0, closed, 1.0)
    records["exit_price"] = np.where(still, marks[keys[:, s.TRIP_SYMBOL]], np.where(closed > 0.0, sold, np.nan))
    records["shares"] = values[:, s.TRIP_SHARES]
    records["profit"] = values[:, s.TRIP_PROFIT]
    records["return"] = values[:, s.TRIP_PROFIT] / bought
    records["costs"] = values[:, s.TRIP_COSTS]
    records["income"] = values[:, s.TRIP_INCOME]
    records["mae"] = values[:, s.TRIP_WORST]
    records["mfe"] = values[:, s.TRIP_BEST]
    records["bars"] = last - keys[:, s.TRIP_ENTRY]
    records["reason"] = np.where(still, "open", _REASONS[keys[:, s.TRIP_REASON]])
    return records


def held_shares(keys: IntArray, values: FloatArray, bars: int, symbols: int) -> FloatArray:
    """Signed shares held at each close, [bars, symbols], rebuilt from the ledger."""
    held = np.zeros((bars, symbols))
    changes = values[:, layout.VALUE_SHARES]
    for n in np.unique(keys[:, layout.KEY_SYMBOL]):
        mine = np.flatnonzero((keys[:, layout.KEY_SYMBOL] == n) & (changes != 0.0))
        after = np.cumsum(changes[mine])
        after[np.abs(after) <= layout.ROUNDING * np.abs(changes[mine])] = 0.0
        place = np.searchsorted(keys[mine, layout.KEY_BAR], np.arange(bars), side="right")
        held[:, n] = np.concatenate([[0.0], after])[place]
    return held


def costs(keys: IntArray, values: FloatArray, slippage: float, borrowed: float) -> dict[str, float]:
    """Money paid, by kind. slippage: fraction of the price; borrowed: borrow cost not in the ledger yet.

    Slippage is on the notional at unslipped prices, which limit orders and dividends never pay.
    """
    reason, money = keys[:, layout.KEY_REASON], values[:, layout.VALUE_MONEY]
    traded = reason < layout.FIRST_EVENT
    free = (layout.BY_LIMIT_ENTRY, layout.BY_TAKE_PROFIT, layout.BY_DIVIDEND, layout.BY_DELISTING)
    slips = traded & ~np.isin(reason, free)
    shares, price = values[slips, layout.VALUE_SHARES], values[slips, layout.VALUE_PRICE]
    unslipped = price / (1.0 + np.sign(shares) * slippage)
    return {
        "commission": float(money[traded].sum()),
        "slippage": float((shares * (price - unslipped)).sum()),
        "borrow": float(-money[reason == layout.BY_BORROW].sum()) + borrowed,
        "dividends": float(money[reason == layout.BY_PAYMENT].sum()),
        "cash_in_lieu": float(money[reason == layout.BY_SPLIT].sum()),
    }
