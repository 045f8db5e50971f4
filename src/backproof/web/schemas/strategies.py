"""Strategies going out."""

from typing import Any

from pydantic import Field

from backproof.engine.strategies import Strategy
from backproof.web.schemas.common import Out


class StrategyOut(Out):
    """What `strategy_type` may be."""

    name: str = Field(description="The value of `strategy_type`.", examples=["sma_crossover"])
    version: str = Field(description="Raised with every change of what it decides.")
    kind: str = Field(description="trend, breakout, reversion, rotation, spread, calendar, risk, portfolio, baseline …")
    summary: str
    rule: str = Field(description="Exactly what it decides, a line of the simulation contract; may be empty.")
    source: str = Field(description="Who described it: author, title, year; may be empty.")
    long_only: bool
    parameters: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of `parameters`; numbers have `sensible`, a range to try, and `step`."
    )
    defaults: dict[str, Any] = Field(description="`parameters` when nothing is given.")

    @classmethod
    def of(cls, strategy: type[Strategy]) -> "StrategyOut":
        schema = strategy.Params.model_json_schema()
        properties: dict[str, Any] = schema.setdefault("properties", {})
        return cls(
            name=strategy.name,
            version=strategy.version,
            kind=strategy.kind,
            summary=strategy.summary,
            rule=strategy.rule,
            source=strategy.source,
            long_only=strategy.long_only,
            parameters=schema,
            defaults={name: value["default"] for name, value in properties.items() if "default" in value},
        )
