"""Layout of the arrays the kernel works on: one module, so that kernel, result and tests agree on every field.

All floats are float64, all arrays C-contiguous; N symbols in the order of the configuration, T bars of the calendar.
Prices are those of the run's price mode: adjusted, or raw (as traded).
"""

# --- state, float64 [STATE_ROWS, N]: what a bar hands to the next one, per symbol
SHARES = 0  # signed, < 0 is short
AVERAGE = 1  # average cost of the position, slipped price per share; stops are measured from it
PEAK = 2  # best price of the position so far, for the trailing stop
TARGET = 3  # weight of the waiting order, fraction of equity (weight strategies only)
LEVEL = 4  # price of the waiting limit or stop entry
BORROWED = 5  # borrow cost since the symbol's last record in the ledger
ASKED = 6  # size that the order asks for in place of the configuration's, by ASKED_AS
STATE_ROWS = 7

# --- orders, int64 [ORDER_ROWS, N]
ORDER = 0  # waiting order: 0 none, else bits below (weight strategies: OPEN_WEIGHT)
DROPPED = 1  # entries dropped so far because they could not buy one lot
EXPIRED = 2  # limit and stop entries so far that ran out
SEEN = 3  # calendar bar up to which (exclusive) PEAK has taken the bars' extremes
ENTERED = 4  # calendar bar on which the position was opened
INSIDE = 5  # 1: it was opened inside that bar, not at its open or close
ASKED_AS = 6  # 0: the configuration's sizing, else 1 + SIZING of ASKED
ORDER_ROWS = 7

CLOSE = 1  # order bits: leave the position ...
OPEN_LONG = 2  # ... then enter long
OPEN_SHORT = 4  # ... or enter short
OPEN_WEIGHT = 8  # trade to TARGET
AT_LIMIT = 16  # the entry waits for LEVEL or better
AT_STOP = 32  # the entry waits for LEVEL or worse
UNTIL_REPLACED = 64  # good till cancelled; otherwise for the next bar only

# --- account, float64 [ACCOUNT_SIZE]
CASH = 0  # account currency
SHORT = 1  # value of all short positions at the last close, >= 0 (kept when a borrow rate is set)
ACCOUNT_SIZE = 2

# --- counters, int64 [COUNTER_SIZE]
FILLS = 0  # ledger records so far
WAITING = 1  # symbols with an order
INSOLVENT = 2  # 1 once equity <= 0 at a close
COUNTER_SIZE = 3

# --- numbers, float64 [NUMBER_SIZE]: the configuration's, constant over a run
RATE = 0  # commission, fraction of notional
PER_SHARE = 1  # commission per share
FIXED = 2  # commission per fill
MINIMUM = 3  # least commission per fill
SLIPPAGE = 4  # fraction of the price (bps / 10000)
LEVERAGE = 5  # greatest gross exposure / equity that openings may reach
SIZE = 6  # fraction of equity, shares or cash, by SIZING
BORROW = 7  # annual rate on the value of short positions
MAINTENANCE = 8  # least equity / gross exposure at a close, 0 = no margin call
STOP_LOSS = 9  # fractions of the average cost or the peak, 0 = none
TAKE_PROFIT = 10
TRAILING = 11
NUMBER_SIZE = 12

# --- choices, int64 [CHOICE_SIZE]: the configuration's, constant over a run
FILL_AT = 0
WHOLE_SHARES = 1  # 1: lots are whole shares
ALLOW_LONG = 2
ALLOW_SHORT = 3
SIZING = 4
BY_WEIGHT = 5  # 1: decisions are target weights, else signals
STOPS = 6  # 1: some stop or target is set
STOPS_NEXT_BAR = 7  # 1: stops are first checked on the bar after the entry
REINVEST = 8  # 1: dividends of long positions buy shares at the ex-date's close
PLACED = 9  # 1: orders are placed from outside after each bar (`decide`), there are no signals or weights to read
TRACKED = 10  # 1: average cost, peak and entry bar of positions are kept (for stops, and for those who place orders)
CHOICE_SIZE = 11

NEXT_OPEN, NEXT_CLOSE, SAME_CLOSE = 0, 1, 2  # FILL_AT
PERCENT_EQUITY, FIXED_SHARES, FIXED_CASH = 0, 1, 2  # SIZING

# --- signals, uint8 [N, T]: bits a strategy sets at the close of a bar
ENTER_LONG = 1
EXIT_LONG = 2
ENTER_SHORT = 4
EXIT_SHORT = 8
LIMIT_ENTRY = 16  # the entry is a limit order at the price given for the bar
STOP_ENTRY = 32  # ... a stop order
GTC_ENTRY = 64  # ... which waits until a newer signal replaces it
ADD_ENTRY = 128  # the entry adds to a position on its side, where another one would be ignored

# --- corporate actions, float64 [A, ACTION_COLUMNS], of raw mode
ACTION_RATIO = 0  # new shares per old share, 1 = no split
ACTION_DIVIDEND = 1  # cash per share after the split
ACTION_COLUMNS = 2

# --- the ledger: int64 [capacity, KEY_COLUMNS] and float64 [capacity, VALUE_COLUMNS], in the order of execution
KEY_BAR = 0  # bar of the run, from 0
KEY_SYMBOL = 1  # number in the configuration's symbols
KEY_REASON = 2
KEY_PHASE = 3  # when in the bar
KEY_COLUMNS = 4
VALUE_SHARES = 0  # signed change of the position, > 0 bought
VALUE_PRICE = 1  # slipped price; of a split the ratio, of a dividend the cash per share
VALUE_MONEY = 2  # commission paid; of what is no trade the cash received
VALUE_COLUMNS = 3
RECORDS_PER_BAR = 8  # at most so many per symbol and bar

AT_OPEN, INSIDE_BAR, AT_CLOSE = 0, 1, 2  # KEY_PHASE

(
    BY_ENTRY,
    BY_LIMIT_ENTRY,
    BY_STOP_ENTRY,
    BY_SIGNAL,
    BY_REBALANCE,
    BY_STOP_LOSS,
    BY_TRAILING_STOP,
    BY_TAKE_PROFIT,
    BY_DIVIDEND,
    BY_MARGIN,
    BY_DELISTING,
    BY_INSOLVENCY,
) = range(12)
FIRST_EVENT = 12  # reasons from here on are no trades
BY_SPLIT, BY_PAYMENT, BY_BORROW = 12, 13, 14

REASONS = (
    *("entry", "entry", "entry", "signal", "rebalance", "stop_loss", "trailing_stop", "take_profit", "dividend"),
    *("margin_call", "delisted", "insolvent", "split", "dividend", "borrow"),
)
ORDER_KINDS = (
    *("market", "limit", "stop", "market", "market", "stop", "stop", "limit", "market"),
    *("market", "market", "market"),
)

# --- plan, int64 [PLAN_ROWS, N], and scratch, float64 [SCRATCH_ROWS, N]: room to work in, nothing is handed on
AWAKE_AT = 0  # calendar bar on which the symbol needs attention next
AWAKE = 1  # the symbols that need it today, in their order
PLAN_ROWS = 2
REINVESTED = 0  # dividend cash that buys shares at today's close
WANTED = 1  # signed shares still to open
SLIPPED = 2  # their slipped price
SCRATCH_ROWS = 3

# --- path, float64 [PATH_ROWS, T of the run]: recorded at every bar's end
PATH_EQUITY = 0
PATH_CASH = 1
PATH_GROSS = 2  # sum of |shares x mark|
PATH_ROWS = 3

# A difference smaller than this part of the position (or of equity) is rounding, not an order.
ROUNDING = 1e-12
