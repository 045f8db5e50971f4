"""/api/v1/strategies."""

from functools import cache
from typing import Annotated

from fastapi import APIRouter, Path

from backproof.engine.strategies import Strategy, all_strategies, find_strategy
from backproof.errors import NotFound
from backproof.web.bodies import StrictRoute
from backproof.web.openapi import problems
from backproof.web.schemas.common import PageOut
from backproof.web.schemas.strategies import StrategyOut

router = APIRouter(prefix="/api/v1/strategies", tags=["strategies"], route_class=StrictRoute)


@cache
def _described(strategy: type[Strategy]) -> StrategyOut:
    """Its schema never changes while the process lives."""
    return StrategyOut.of(strategy)


@router.get(
    "",
    operation_id="list_strategies",
    summary="All strategies",
    response_model=PageOut[StrategyOut],
    responses=problems(),
)
async def find() -> PageOut[StrategyOut]:
    """With the JSON Schema of their parameters, from which a form can be made."""
    items = [_described(strategy) for strategy in all_strategies()]
    return PageOut[StrategyOut](items=items, next_cursor=None, total=len(items))


@router.get(
    "/{strategy_type}",
    operation_id="get_strategy",
    summary="One strategy",
    response_model=StrategyOut,
    responses=problems(404),
)
async def read(strategy_type: Annotated[str, Path(examples=["sma_crossover"])]) -> StrategyOut:
    strategy = find_strategy(strategy_type)
    if strategy is None:
        raise NotFound(f"there is no strategy {strategy_type[:60]!r}")
    return _described(strategy)
