"""What the charts of a run are made of, for those who only pass it on (no numpy)."""

from dataclasses import dataclass
from typing import Literal

Period = Literal["bar", "day", "week"]


@dataclass(frozen=True, slots=True)
class Month:
    """turnover: value of all fills over mean equity; None where that is not above zero."""

    year: int
    month: int
    return_: float
    turnover: float | None


@dataclass(frozen=True, slots=True)
class Year:
    year: int
    return_: float


@dataclass(frozen=True, slots=True)
class Rolling:
    window: int
    dates: list[str]
    sharpe: list[float | None]
    volatility: list[float | None]
    beta: list[float | None] | None


@dataclass(frozen=True, slots=True)
class Distribution:
    low: float
    width: float
    counts: list[int]
    below: int
    above: int
    flat: int
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Exposure:
    dates: list[str]
    values: list[float]


@dataclass(frozen=True, slots=True)
class Charts:
    """period: what one of the returns in `rolling` and `distribution` is of. benchmark: its own headline metrics."""

    period: Period
    periods_per_year: float
    months: list[Month]
    years: list[Year]
    rolling: Rolling | None
    distribution: Distribution | None
    exposure: Exposure
    benchmark: dict[str, float | int | None] | None
