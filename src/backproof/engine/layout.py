"""Layout of the arrays the kernel works on: one module, so that kernel, result and tests agree on every field.

All floats are float64, all arrays C-contiguous; N symbols in the order of the configuration, T bars of the calendar.
"""

# --- state, float64 [STATE_ROWS, N]: what a bar hands to the next one, per symbol
SHARES = 0  # signed, < 0 is short
MARK = 1  # last close seen while held, account currency per share
TARGET = 2  # weight of the waiting order, fraction of equity (weight strategies only)
STATE_ROWS = 3

# --- orders, int64 [ORDER_ROWS, N]
ORDER = 0  # waiting order: 0 none, else bits below (weight strategies: OPEN_WEIGHT)
DROPPED = 1  # entries dropped so far because they could not buy one lot
ORDER_ROWS = 2

CLOSE = 1  # order bits: leave the position ...
OPEN_LONG = 2  # ... then enter long
OPEN_SHORT = 4  # ... or enter short
OPEN_WEIGHT = 8  # trade to TARGET

# --- account, float64 [ACCOUNT_SIZE]
CASH = 0  # account currency
ACCOUNT_SIZE = 1

# --- counters, int64 [COUNTER_SIZE]
FILLS = 0  # fills so far
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
NUMBER_SIZE = 7

# --- choices, int64 [CHOICE_SIZE]: the configuration's, constant over a run
FILL_AT = 0
WHOLE_SHARES = 1  # 1: lots are whole shares
ALLOW_LONG = 2
ALLOW_SHORT = 3
SIZING = 4
BY_WEIGHT = 5  # 1: decisions are target weights, else signals
CHOICE_SIZE = 6

NEXT_OPEN, NEXT_CLOSE, SAME_CLOSE = 0, 1, 2  # FILL_AT
PERCENT_EQUITY, FIXED_SHARES, FIXED_CASH = 0, 1, 2  # SIZING

# --- signals, uint8 [N, T]: bits a strategy sets at the close of a bar
ENTER_LONG = 1
EXIT_LONG = 2
ENTER_SHORT = 4
EXIT_SHORT = 8

# --- fills: int64 [capacity, KEY_COLUMNS] and float64 [capacity, VALUE_COLUMNS], in the order of execution
KEY_BAR = 0  # bar of the run, from 0
KEY_SYMBOL = 1  # number in the configuration's symbols
KEY_REASON = 2
KEY_COLUMNS = 3
VALUE_SHARES = 0  # signed, > 0 bought
VALUE_PRICE = 1  # slipped price
VALUE_COMMISSION = 2
VALUE_COLUMNS = 3

REASONS = ("entry", "signal", "rebalance", "delisted", "insolvent")
BY_ENTRY, BY_SIGNAL, BY_REBALANCE, BY_DELISTING, BY_INSOLVENCY = 0, 1, 2, 3, 4

# --- path, float64 [PATH_ROWS, T of the run]: recorded at every bar's end
PATH_EQUITY = 0
PATH_CASH = 1
PATH_GROSS = 2  # sum of |shares x mark|
PATH_ROWS = 3

# A difference smaller than this part of the position (or of equity) is rounding, not an order.
ROUNDING = 1e-12
