"""/api/v1/market-data: the prices that are there."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Services
from backproof.web.openapi import problems
from backproof.web.schemas.common import PageOut
from backproof.web.schemas.market_data import BarsIn, BarsOut, SourceOut, SymbolOut, SymbolsIn

router = APIRouter(prefix="/api/v1/market-data", tags=["market-data"], route_class=StrictRoute)


@router.get(
    "/sources",
    operation_id="list_data_sources",
    summary="Data sources",
    response_model=PageOut[SourceOut],
    responses=problems(),
)
async def sources(services: Services) -> PageOut[SourceOut]:
    """`demo` is built in; the others were imported."""
    items = [SourceOut.model_validate(source) for source in await services.datasets.sources()]
    return PageOut[SourceOut](items=items, next_cursor=None, total=len(items))


@router.get(
    "/symbols",
    operation_id="list_symbols",
    summary="Symbols with prices",
    response_model=PageOut[SymbolOut],
    responses=problems(404),
)
async def symbols(asked: Annotated[SymbolsIn, Query()], services: Services) -> Any:
    """Of one source, or of all; with the range of their bars."""
    found = await services.datasets.symbols(asked.source, asked.timeframe)
    return PageOut[SymbolOut](
        items=[SymbolOut.model_validate(info) for info in found], next_cursor=None, total=len(found)
    )


@router.get(
    "/{symbol}/bars",
    operation_id="get_bars",
    summary="Bars of a symbol",
    response_model=BarsOut,
    response_model_exclude_unset=True,
    responses=problems(404, 507),
)
async def bars(
    symbol: Annotated[str, Path(examples=["AAPL"])], asked: Annotated[BarsIn, Query()], services: Services
) -> Any:
    """Oldest first; `start` and `end` are days on the market's clock."""
    return await services.datasets.bars(
        symbol, asked.source, asked.timeframe, asked.start, asked.end, asked.adjusted, asked.max_points
    )
