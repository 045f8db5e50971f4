"""What is checked of a described backtest before anything is done with it."""

import asyncio
from collections.abc import Mapping

from backproof.domain.config import BacktestConfig
from backproof.engine.strategies import beyond, inspected, renew_plugins
from backproof.errors import FieldError, InvalidInput
from backproof.services.datasets import Coverage, DatasetService

_WHICH_DATA = ("data_source", "timeframe", "symbols")  # with others than were meant, nothing can be said of the data


async def checked(datasets: DatasetService, given: Mapping[str, object]) -> tuple[BacktestConfig, list[Coverage]]:
    """The configuration with all its parameters and what the data holds; InvalidInput with everything that is wrong.

    The strategy is asked in a thread: a plug-in is anybody's code, and the event loop must not wait for it.
    """
    config, errors = await asyncio.to_thread(_inspected_anew, datasets.named(given))
    coverage: list[Coverage] = []
    if config is not None and not any(error.pointer.split("/")[1] in _WHICH_DATA for error in errors):
        try:
            coverage = await datasets.check(config)
        except InvalidInput as error:
            errors.extend(beyond(errors, error.errors))
    if errors or config is None:
        raise InvalidInput(errors)
    return config, coverage


def _inspected_anew(given: Mapping[str, object]) -> tuple[BacktestConfig | None, list[FieldError]]:
    """By the strategy as its files are now."""
    renew_plugins(str(given.get("strategy_type")))
    return inspected(given)
