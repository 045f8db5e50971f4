"""The built-in strategies, and the check of a configuration against them. Light: no numba, no TA-Lib, no bars."""

from difflib import get_close_matches
from functools import cache

from pydantic import BaseModel, ValidationError

from backproof.domain.config import BacktestConfig, field_errors
from backproof.engine.strategies.base import EventStrategy, Parameters, SignalStrategy, Strategy, WeightStrategy
from backproof.engine.strategies.breakout import DonchianBreakout, KeltnerBreakout
from backproof.engine.strategies.crossover import EmaCrossover, Macd, SmaCrossover
from backproof.engine.strategies.oscillators import RsiPullback, Stochastic
from backproof.engine.strategies.pairs import PairsSpread
from backproof.engine.strategies.portfolio import BuyAndHold, EqualWeight, FixedWeights, MomentumTopN
from backproof.engine.strategies.reversion import Bollinger, RsiMeanReversion
from backproof.engine.strategies.rotation import DualMomentum, NearHigh
from backproof.engine.strategies.rules import Rules
from backproof.engine.strategies.timing import MovingAverageTiming, TimeSeriesMomentum, TurnOfMonth
from backproof.engine.strategies.trend import AdxTrend, ParabolicSar, Supertrend
from backproof.engine.strategies.volatility import InverseVolatility, LowVolatility, VolatilityTarget
from backproof.errors import FieldError, InvalidInput

__all__ = [
    "EventStrategy",
    "Parameters",
    "SignalStrategy",
    "Strategy",
    "WeightStrategy",
    "all_strategies",
    "check_config",
    "find_strategy",
]

_BUILT_IN: tuple[type[Strategy], ...] = (
    SmaCrossover,
    EmaCrossover,
    Macd,
    Supertrend,
    AdxTrend,
    ParabolicSar,
    TimeSeriesMomentum,
    MovingAverageTiming,
    DonchianBreakout,
    KeltnerBreakout,
    RsiMeanReversion,
    Bollinger,
    Stochastic,
    RsiPullback,
    MomentumTopN,
    DualMomentum,
    NearHigh,
    LowVolatility,
    PairsSpread,
    TurnOfMonth,
    VolatilityTarget,
    InverseVolatility,
    EqualWeight,
    FixedWeights,
    BuyAndHold,
    Rules,
)


def all_strategies() -> list[type[Strategy]]:
    """Every strategy a configuration may name, in the order a list shows them."""
    return list(_BUILT_IN)


@cache
def _by_name() -> dict[str, type[Strategy]]:
    return {strategy.name: strategy for strategy in _BUILT_IN}


def find_strategy(name: str) -> type[Strategy] | None:
    return _by_name().get(name)


def check_config(config: BacktestConfig, strategy: type[Strategy] | None = None) -> BaseModel:
    """The parsed parameters of the strategy that is given, or else named by the configuration.

    Raises InvalidInput naming every wrong field at once: an unknown strategy (with the nearest name), unknown or wrong
    parameters, and what else of the configuration the strategy cannot be run with.
    """
    errors: list[FieldError] = []
    if strategy is None:
        strategy = find_strategy(config.strategy_type)
    params: BaseModel | None = None
    if strategy is None:
        errors.append(_unknown_strategy(config.strategy_type))
    else:
        try:
            params = strategy.Params.model_validate(config.parameters)
        except ValidationError as error:
            errors.extend(_parameter_errors(strategy, error))
        if strategy.long_only and config.execution.direction == "short_only":
            errors.append(
                FieldError(
                    "/execution/direction",
                    "direction_mismatch",
                    f"{strategy.name} holds long positions only, short_only leaves it nothing to do",
                )
            )
        if params is not None:
            errors.extend(strategy.refusals(config, params))
    if errors or params is None:
        raise InvalidInput(errors)
    return params


def _unknown_strategy(name: str) -> FieldError:
    nearest = get_close_matches(name, _by_name(), n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else "there are " + ", ".join(_by_name())
    return FieldError("/strategy_type", "unknown_strategy", f"no strategy is called {name}; {hint}")


def _parameter_errors(strategy: type[Strategy], error: ValidationError) -> list[FieldError]:
    known = ", ".join(strategy.Params.model_fields) or "no parameters"
    return [
        FieldError(wrong.pointer, "unknown_parameter", f"unknown parameter; {strategy.name} has {known}")
        if wrong.code == "extra_forbidden"
        else wrong
        for wrong in field_errors(error, ("parameters",))
    ]
