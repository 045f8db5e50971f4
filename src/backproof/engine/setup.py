"""What a configuration asks of its bars, and its numbers in the kernel's arrays."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from backproof.domain.config import BacktestConfig
from backproof.engine import layout as l
from backproof.engine.arrays import Actions, FloatArray, IntArray, Market
from backproof.engine.bars import Bars, Panel, RunBars
from backproof.engine.calendar import MINUTES
from backproof.engine.frames import unexplained
from backproof.errors import FieldError, InvalidInput

_FILL_AT = {"next_open": l.NEXT_OPEN, "next_close": l.NEXT_CLOSE, "same_close": l.SAME_CLOSE}
_SIZING = {"percent_equity": l.PERCENT_EQUITY, "fixed_shares": l.FIXED_SHARES, "fixed_cash": l.FIXED_CASH}
_WEEKLY = (4.0, 11.0)  # median days between two bars, from and to, that weekly bars have
_NO_EVENTS = 1e-2  # adjusted closes that move more than this without an event cannot be traded raw


class Rules(NamedTuple):
    """The configuration as the kernel reads it: float64 [NUMBER_SIZE] and int64 [CHOICE_SIZE]."""

    numbers: FloatArray
    choices: IntArray


def rules_of(config: BacktestConfig) -> Rules:
    costs, execution, risk = config.costs, config.execution, config.risk
    size = execution.sizing.value
    numbers = np.zeros(l.NUMBER_SIZE)
    numbers[l.RATE] = costs.commission_rate
    numbers[l.PER_SHARE] = costs.commission_per_share
    numbers[l.FIXED] = costs.commission_fixed
    numbers[l.MINIMUM] = costs.commission_min
    numbers[l.SLIPPAGE] = costs.slippage_bps / 10_000.0
    numbers[l.LEVERAGE] = execution.max_leverage
    numbers[l.SIZE] = 1.0 / len(config.symbols) if size is None else size
    numbers[l.BORROW] = costs.borrow_rate
    numbers[l.MAINTENANCE] = execution.maintenance_margin or 0.0
    numbers[l.STOP_LOSS] = risk.stop_loss or 0.0
    numbers[l.TAKE_PROFIT] = risk.take_profit or 0.0
    numbers[l.TRAILING] = risk.trailing_stop or 0.0
    choices = np.zeros(l.CHOICE_SIZE, dtype=np.int64)
    choices[l.FILL_AT] = _FILL_AT[execution.fill]
    choices[l.WHOLE_SHARES] = not execution.fractional_shares
    choices[l.ALLOW_LONG] = execution.direction != "short_only"
    choices[l.ALLOW_SHORT] = execution.direction != "long_only"
    choices[l.SIZING] = _SIZING[execution.sizing.type]
    choices[l.STOPS] = choices[l.TRACKED] = bool(risk.levels)
    choices[l.STOPS_NEXT_BAR] = risk.stops_active == "next_bar"
    choices[l.REINVEST] = execution.dividends == "reinvest"
    return Rules(numbers, choices)


def market_of(config: BacktestConfig, panel: Panel) -> tuple[Market, Actions]:
    """Prices that fill, and the corporate actions that go with them."""
    if config.execution.price_mode == "raw":
        return panel.raw, panel.actions
    return panel.adjusted, no_actions(len(panel.series))


def no_actions(symbols: int) -> Actions:
    empty: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    return Actions(np.zeros(symbols + 1, dtype=np.int64), empty, np.zeros((0, l.ACTION_COLUMNS)))


def run_of(config: BacktestConfig, bars: Bars, panel: Panel) -> RunBars:
    """The bars of the run, or an error that says why these bars cannot serve this configuration."""
    errors = [*_benchmark_errors(config, bars), *_price_errors(config, panel), *_timeframe_errors(config, panel)]
    if errors:
        raise InvalidInput(errors)
    run = panel.run(config.start_date, config.end_date)
    if run.stop <= run.first:
        late = config.start_date is not None and np.datetime64(config.start_date) > panel.days[-1]
        raise InvalidInput.at(
            "/start_date" if late else "/end_date",
            "outside_data",
            f"no bar lies between these dates: the data are from {panel.days[0]} to {panel.days[-1]}",
        )
    return run


def _benchmark_errors(config: BacktestConfig, bars: Bars) -> list[FieldError]:
    if config.benchmark is None or config.benchmark in bars:
        return []
    return [FieldError("/benchmark", "unknown_symbol", f"the bars have no symbol {config.benchmark}")]


def _price_errors(config: BacktestConfig, panel: Panel) -> list[FieldError]:
    errors = []
    names = ", ".join(panel.close_only[:5])
    if panel.close_only and config.execution.fill == "next_open":
        message = f"next_open needs open prices, and {names} has closes only: use next_close or same_close"
        errors.append(FieldError("/execution/fill", "no_open_prices", message))
    if panel.close_only:
        errors += [
            FieldError(
                f"/risk/{name}", "no_high_and_low", f"stops need open, high and low, and {names} has closes only"
            )
            for name in config.risk.levels
        ]
    if config.execution.price_mode == "raw":
        unknown = [
            one.symbol
            for one in panel.series
            if not one.as_traded
            or (panel.is_adjusted and one.split is None and one.dividend is None and unexplained(one) > _NO_EVENTS)
        ]
        if unknown:
            message = (
                f"raw prices need their splits and dividends (split_ratio, dividend), and {', '.join(unknown[:5])} "
                "has adjusted closes only: use adjusted"
            )
            errors.append(FieldError("/execution/price_mode", "no_events", message))
    return errors


def _timeframe_errors(config: BacktestConfig, panel: Panel) -> list[FieldError]:
    minutes = MINUTES.get(config.timeframe)
    step = panel.median_step
    message = None
    if panel.intraday != (minutes is not None):
        have = "times of day" if panel.intraday else "dates only"
        use = "an intraday timeframe" if panel.intraday else "1d or 1w"
        message = f"the bars have {have}: use {use}"
    elif minutes is not None:
        usual, symbol = panel.closest
        if usual < minutes:
            message = f"the bars of {symbol} are {usual:g} minutes apart, which {config.timeframe} bars cannot be"
    elif config.timeframe == "1w" and step < _WEEKLY[0]:
        message = "the bars are daily, not weekly: use 1d"
    elif step >= _WEEKLY[config.timeframe == "1w"] and math.isfinite(step) and config.periods_per_year is None:
        use = "say how many a year has (periods_per_year)" if step >= _WEEKLY[1] else "use 1w"
        message = f"the bars are {step:g} days apart, and {config.timeframe} would annualise them wrongly: {use}"
    return [] if message is None else [FieldError("/timeframe", "bars_do_not_fit", message)]
