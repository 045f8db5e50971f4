"""What charts of a result show beyond its curve, and its tables as files."""

from dataclasses import fields
from typing import Annotated

from pydantic import ConfigDict, Field

from backproof.domain.backtest import Backtest
from backproof.services.backtests.chart_models import Charts, Period
from backproof.services.backtests.exports import ExportFormat, ExportTable
from backproof.web.schemas.common import Finite, In, Number, Out


class ChartsIn(In):
    max_points: Annotated[int, Field(ge=2, le=10_000, description="Points of a line, at most.")] = 600


class _Returned(Out):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True, populate_by_name=True)

    year: int = Field(examples=[2008])
    return_: Finite = Field(
        alias="return",
        validation_alias="return_",
        description="Fraction; the first starts from the initial capital.",
        examples=[-0.1421],
    )


class YearOut(_Returned):
    """A calendar year with a bar."""


class MonthOut(_Returned):
    """A calendar month with a bar."""

    month: int = Field(ge=1, le=12)
    turnover: Finite = Field(
        description="Value of the month's fills, bought and sold, over its mean equity; null where that is not above 0."
    )


class RollingOut(Out):
    """Columns of equal length: figures of the last `window` returns, annualised. null: the returns do not vary."""

    window: int = Field(description="Returns in each figure.", examples=[126])
    dates: list[str] = Field(description="Of the last return, ISO 8601.", examples=[["2005-07-05", "2005-07-06"]])
    sharpe: list[Finite]
    volatility: list[Finite]
    beta: list[Finite] | None = Field(description="Against the benchmark; null without one.")


class DistributionOut(Out):
    """A histogram of the returns that are not zero: bin i holds [low + i width, low + (i + 1) width)."""

    low: float = Field(examples=[-0.06])
    width: float = Field(examples=[0.002])
    counts: list[int]
    below: int = Field(description="Returns below the first bin.")
    above: int = Field(description="Returns above the last bin.")
    flat: int = Field(description="Returns that are zero, which no bin counts.")
    mean: Finite = Field(description="Of all that are not zero.")
    deviation: Finite = Field(description="Their standard deviation (ddof 1).")


class ExposureOut(Out):
    """Gross position value over equity: means of equally long stretches of bars."""

    dates: list[str] = Field(description="First bar of each stretch, ISO 8601.")
    values: list[Finite]


class ChartsOut(Out):
    backtest_id: str
    partial: bool
    period: Period = Field(description="What one return in `rolling` and `distribution` is of.")
    periods_per_year: float = Field(examples=[252.0])
    years: list[YearOut]
    months: list[MonthOut]
    rolling: RollingOut | None = Field(description="null for a run too short for two windows.")
    distribution: DistributionOut | None = Field(description="null where every return is zero.")
    exposure: ExposureOut
    benchmark: dict[str, Number] | None = Field(
        description="The benchmark's own headline metrics, as far as they need no trades.",
        examples=[{"total_return": 0.1864, "cagr": 0.0216, "sharpe": 0.21, "max_drawdown": -0.5678}],
    )

    @classmethod
    def of(cls, run: Backtest, charts: Charts) -> "ChartsOut":
        members = {field.name: getattr(charts, field.name) for field in fields(charts)}
        return cls.model_validate({"backtest_id": run.id, "partial": run.partial, **members})


class ExportIn(In):
    table: Annotated[ExportTable, Field(description="Which rows.")] = "equity"
    format: Annotated[ExportFormat, Field(description="As CSV, a JSON array of objects, or Parquet.")] = "csv"
