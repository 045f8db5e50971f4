"""What the simulation contract promises and this engine cannot do yet: refused by name, never ignored."""

from backproof.domain.config import BacktestConfig
from backproof.errors import FieldError

LATER = frozenset({"rules", "ema_crossover", "macd", "bollinger"})  # strategies of the contract still to come
_INTRADAY = frozenset({"1m", "5m", "15m", "30m", "1h"})


def refused_features(config: BacktestConfig) -> list[FieldError]:
    """One error with code `not_yet` per field whose value is refused for now."""
    refused = []
    if config.timeframe in _INTRADAY:
        refused.append(("/timeframe", f"intraday bars ({config.timeframe}) are not supported yet: use 1d or 1w"))
    if config.execution.price_mode == "raw":
        refused.append(("/execution/price_mode", "raw prices are not supported yet: use adjusted"))
    if config.execution.dividends == "reinvest":
        refused.append(
            ("/execution/dividends", "reinvesting dividends needs raw prices, which are not supported yet: use cash")
        )
    if config.costs.borrow_rate > 0.0:
        refused.append(("/costs/borrow_rate", "a borrow rate is not supported yet: leave it 0"))
    risk = config.risk
    refused.extend(
        (f"/risk/{name}", f"{name.replace('_', ' ')} is not supported yet: leave it null")
        for name, level in (
            ("stop_loss", risk.stop_loss),
            ("take_profit", risk.take_profit),
            ("trailing_stop", risk.trailing_stop),
        )
        if level is not None
    )
    return [FieldError(pointer, "not_yet", message) for pointer, message in refused]
