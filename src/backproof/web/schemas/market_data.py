"""Prices going out, and how they are asked for."""

import datetime as dt
from typing import Annotated

from pydantic import Field

from backproof.domain.config import DATASET_PATTERN, Day, Timeframe
from backproof.web.schemas.common import CALENDAR, Finite, In, Out

Source = Annotated[str | None, Field(pattern=DATASET_PATTERN, description="A data source; see the list of sources.")]


class SymbolsIn(In):
    source: Source = None
    timeframe: Timeframe = "1d"


class BarsIn(In):
    source: Annotated[Source, Field(description="Without it, the source of backtests that name none.")] = None
    timeframe: Timeframe = "1d"
    start: Annotated[Day | None, Field(description="First day on the market's clock, inclusive.")] = None
    end: Annotated[Day | None, Field(description="Last day on the market's clock, inclusive.")] = None
    adjusted: Annotated[bool, Field(description="Prices adjusted for splits and dividends, as a run sees them.")] = True
    max_points: Annotated[
        int | None, Field(ge=2, le=100_000, description="At most so many; each then stands for a stretch of bars.")
    ] = None


class SourceOut(Out):
    """Where bars come from: the value of `data_source`."""

    name: str = Field(examples=["demo"])
    calendar: str = Field(description=CALENDAR, examples=["XNYS"])
    timeframes: dict[str, int] = Field(description="Number of symbols by timeframe.", examples=[{"1d": 6}])
    default: bool = Field(description="It serves backtests that name no `data_source`.")


class SymbolOut(Out):
    """One symbol of one source."""

    symbol: str
    source: str
    timeframe: str
    calendar: str = Field(description=CALENDAR, examples=["XNYS"])
    first: dt.date = Field(description="Day of the first bar on the market's clock.")
    last: dt.date
    bars: int
    close_only: bool = Field(description="Without open, high and low: fill must be next_close or same_close.")
    currency: str | None
    note: str = Field(description="What a reader must know of this series; empty for nothing.")


class BarOut(Out):
    """What the source does not have is left out."""

    date: str = Field(
        description="A day, or for a bar within a day its start in UTC, to the second.",
        examples=["2005-02-28", "2024-03-11T13:30:00Z"],
    )
    open: Finite = None
    high: Finite = None
    low: Finite = None
    close: Finite
    volume: Finite = None
    dividend: Finite = None
    split_ratio: Finite = None


class BarsOut(Out):
    symbol: str
    source: str
    timeframe: str
    calendar: str = Field(description=CALENDAR, examples=["XNYS"])
    adjusted: bool
    total_bars: int = Field(description="Bars in the range asked for.")
    bars: list[BarOut] = Field(description="With max_points: first open, highest high, lowest low, last close of each.")
