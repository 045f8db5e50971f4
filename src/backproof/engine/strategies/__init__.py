"""The built-in strategies, those of plug-ins, and the check of a configuration against them.

Light: no numba, no TA-Lib, no bars. Plug-ins are looked for when a name is asked for that no built-in has.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache

from pydantic import BaseModel, ValidationError

from backproof.domain.config import BacktestConfig, field_errors, parse_config, parse_what_is_right
from backproof.engine.strategies import plugins
from backproof.engine.strategies.averaging import DollarCostAveraging
from backproof.engine.strategies.base import EventStrategy, Parameters, SignalStrategy, Strategy, WeightStrategy
from backproof.engine.strategies.breakout import DonchianBreakout, KeltnerBreakout
from backproof.engine.strategies.crossover import EmaCrossover, Macd, SmaCrossover
from backproof.engine.strategies.failures import failure
from backproof.engine.strategies.oscillators import RsiPullback, Stochastic
from backproof.engine.strategies.pairs import PairsSpread
from backproof.engine.strategies.portfolio import BuyAndHold, EqualWeight, FixedWeights, MomentumTopN
from backproof.engine.strategies.reversion import Bollinger, RsiMeanReversion
from backproof.engine.strategies.rotation import DualMomentum, NearHigh
from backproof.engine.strategies.rules import Rules
from backproof.engine.strategies.timing import MovingAverageTiming, TimeSeriesMomentum, TurnOfMonth
from backproof.engine.strategies.trend import AdxTrend, ParabolicSar, Supertrend
from backproof.engine.strategies.volatility import InverseVolatility, LowVolatility, VolatilityTarget
from backproof.errors import BackproofError, FieldError, InvalidInput, StrategyError

__all__ = [
    "EventStrategy",
    "Parameters",
    "SignalStrategy",
    "Strategy",
    "WeightStrategy",
    "all_strategies",
    "built_in_strategies",
    "check_config",
    "configured",
    "find_strategy",
    "plugin_of",
    "refused_plugins",
    "renew_plugins",
    "warmup_of",
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
    DollarCostAveraging,
    BuyAndHold,
    Rules,
)


def built_in_strategies() -> list[type[Strategy]]:
    """Those that are part of this product, in the order a list shows them."""
    return list(_BUILT_IN)


def all_strategies() -> list[type[Strategy]]:
    """Every strategy a configuration may name, in the order a list shows them: built-ins, then plug-ins."""
    return [*_BUILT_IN, *(plugin.strategy for plugin in _plugins().plugins)]


@cache
def _by_name() -> dict[str, type[Strategy]]:
    return {strategy.name: strategy for strategy in _BUILT_IN}


def is_built_in(name: str) -> bool:
    return name in _by_name()


def _plugins() -> plugins.Registry:
    return plugins.registry(_by_name().keys())


def find_strategy(name: str) -> type[Strategy] | None:
    return _by_name().get(name) or _plugins().find(name)


def configured(config: Mapping[str, object] | BacktestConfig, strategy: type[Strategy] | None) -> BacktestConfig:
    """The parsed configuration, of the given class if there is one; StrategyError for a class that is no strategy."""
    if strategy is not None:
        if (problem := plugins.problem(strategy)) is not None:
            raise StrategyError(f"this class cannot be run as a strategy: {problem}")
        if isinstance(config, Mapping):
            config = {**config, "strategy_type": strategy.name}
    return parse_config(config)


def plugin_of(strategy: type[Strategy]) -> plugins.Plugin | None:
    """The plug-in that a strategy is; None for a built-in and for a class of one's own."""
    return None if strategy in _BUILT_IN else _plugins().plugin(strategy)


def renew_plugins(name: str | None = None) -> None:
    """Load plug-ins again whose files have changed. name: of the strategy that is wanted; a built-in needs none."""
    if name is None or not is_built_in(name):
        plugins.renew(_by_name().keys())


def refused_plugins() -> tuple[plugins.Refused, ...]:
    """Plug-ins that are installed and cannot be run, with the reason."""
    return _plugins().refused


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
            params = _parsed(strategy, config)
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
            errors.extend(_refusals(strategy, config, params))
    if errors or params is None:
        raise InvalidInput(errors)
    return params


def inspected(given: Mapping[str, object]) -> tuple[BacktestConfig | None, list[FieldError]]:
    """The configuration with all its parameters, and everything that is wrong with what was given.

    What is wrong is left out to find what else is: see `parse_what_is_right`.
    """
    config, errors = parse_what_is_right(given)
    if config is None:
        return None, errors
    try:
        config = config.model_copy(update={"parameters": check_config(config).model_dump(mode="json")})
    except InvalidInput as error:
        errors = [*errors, *beyond(errors, error.errors)]
    return config, errors


def beyond(known: Sequence[FieldError], found: Sequence[FieldError]) -> list[FieldError]:
    """What was found about other fields: one that was left out as wrong had its default then."""
    wrong = {error.pointer for error in known}
    lists = {pointer.rpartition("/")[0] for pointer in wrong if pointer.rpartition("/")[2].isdigit()}
    return [error for error in found if error.pointer not in wrong | lists]


def warmup_of(config: BacktestConfig) -> int | None:
    """Own bars of a symbol before the first decision; None for a strategy that does not say, or fails to."""
    strategy = find_strategy(config.strategy_type)
    with suppress(Exception):  # a plug-in's: its run will say what is wrong
        return warmup_with(strategy, _parsed(strategy, config)) if strategy is not None else None
    return None


def warmup_with(strategy: type[Strategy], params: BaseModel) -> int | None:
    """The same of a class and its parsed parameters."""
    with suppress(Exception):
        return max(0, int(strategy(params).warmup()))
    return None


def _parsed(strategy: type[Strategy], config: BacktestConfig) -> BaseModel:
    """The parameters; what a plug-in's validators raise by mistake is a StrategyError."""
    try:
        params = strategy.Params.model_validate(config.parameters)
        if strategy not in _BUILT_IN:
            params.model_dump_json()  # it is kept with the run
    except (ValidationError, BackproofError):
        raise
    except Exception as error:
        raise failure(strategy.name, error, " on its parameters") from error
    return params


def _refusals(strategy: type[Strategy], config: BacktestConfig, params: BaseModel) -> list[FieldError]:
    try:
        refusals = list(strategy.refusals(config, params))
    except BackproofError:
        raise
    except Exception as error:
        raise failure(strategy.name, error, " on its configuration") from error
    if not all(isinstance(refusal, FieldError) for refusal in refusals):
        raise StrategyError(f"{strategy.name}: refusals must be FieldErrors", strategy=strategy.name)
    return refusals


def _unknown_strategy(name: str) -> FieldError:
    if (reason := _plugins().reason(name)) is not None:
        return FieldError("/strategy_type", "plugin_refused", f"the plug-in {name} cannot be run; {reason}")
    known = [strategy.name for strategy in all_strategies()]
    nearest = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]}?" if nearest else "there are " + ", ".join(known)
    return FieldError("/strategy_type", "unknown_strategy", f"no strategy is called {name}; {hint}")


def _parameter_errors(strategy: type[Strategy], error: ValidationError) -> list[FieldError]:
    known = ", ".join(strategy.Params.model_fields) or "no parameters"
    return [
        FieldError(wrong.pointer, "unknown_parameter", f"unknown parameter; {strategy.name} has {known}")
        if wrong.code == "extra_forbidden"
        else wrong
        for wrong in field_errors(error, ("parameters",))
    ]
