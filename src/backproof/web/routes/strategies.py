"""/api/v1/strategies."""

import asyncio
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Path

from backproof.engine.strategies import Strategy, all_strategies, find_strategy, refused_plugins, renew_plugins
from backproof.errors import NotFound
from backproof.web.bodies import StrictRoute
from backproof.web.openapi import problems
from backproof.web.schemas.strategies import RefusedPluginOut, StrategyOut, StrategyPageOut

router = APIRouter(prefix="/api/v1/strategies", tags=["strategies"], route_class=StrictRoute)


@cache
def _described(strategy: type[Strategy]) -> StrategyOut:
    """Its schema never changes: code that is loaded again makes other classes."""
    return StrategyOut.of(strategy)


@router.get(
    "",
    operation_id="list_strategies",
    summary="All strategies",
    response_model=StrategyPageOut,
    responses=problems(),
)
async def find() -> StrategyPageOut:
    """With the JSON Schema of their parameters, from which a form can be made; and plug-ins that were refused."""
    await asyncio.to_thread(renew_plugins)
    items = [_described(strategy) for strategy in await asyncio.to_thread(all_strategies)]
    refused = [RefusedPluginOut.of_refused(one) for one in refused_plugins()]
    return StrategyPageOut(items=items, next_cursor=None, total=len(items), refused=refused)


@router.get(
    "/{strategy_type}",
    operation_id="get_strategy",
    summary="One strategy",
    response_model=StrategyOut,
    responses=problems(404),
)
async def read(strategy_type: Annotated[str, Path(examples=["sma_crossover"])]) -> StrategyOut:
    await asyncio.to_thread(renew_plugins, strategy_type)
    strategy = await asyncio.to_thread(find_strategy, strategy_type)
    if strategy is None:
        raise NotFound(f"there is no strategy {strategy_type[:60]!r}")
    return _described(strategy)
