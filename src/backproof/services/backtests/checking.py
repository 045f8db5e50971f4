"""What is checked of a described backtest before anything is done with it."""

import asyncio
from collections.abc import Mapping

from backproof.domain.config import BacktestConfig, parse_config
from backproof.engine.strategies import check_config
from backproof.errors import FieldError, InvalidInput
from backproof.services.datasets import Coverage, DatasetService


async def checked(datasets: DatasetService, given: Mapping[str, object]) -> tuple[BacktestConfig, list[Coverage]]:
    """The configuration with all its parameters and what the data holds; InvalidInput with everything that is wrong.

    The strategy is asked in a thread: a plug-in is anybody's code, and the event loop must not wait for it.
    """
    config = parse_config(given)
    errors: list[FieldError] = []
    coverage: list[Coverage] = []
    try:
        parameters = await asyncio.to_thread(check_config, config)
        config = config.model_copy(update={"parameters": parameters.model_dump(mode="json")})
    except InvalidInput as error:
        errors.extend(error.errors)
    try:
        coverage = await datasets.check(config)
    except InvalidInput as error:
        errors.extend(error.errors)
    if errors:
        raise InvalidInput(errors)
    return config, coverage
