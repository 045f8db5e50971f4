"""Strategies going out."""

from typing import Any

from pydantic import Field

from backproof.engine.strategies import Strategy
from backproof.web.schemas.common import Out


class StrategyOut(Out):
    """What `strategy_type` may be."""

    name: str = Field(description="The value of `strategy_type`.", examples=["sma_crossover"])
    version: str = Field(description="Raised with every change of what it decides.")
    kind: str = Field(description="trend, reversion, portfolio or baseline.")
    summary: str
    long_only: bool
    parameters: dict[str, Any] = Field(description="JSON Schema (2020-12) of `parameters`.")
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
            long_only=strategy.long_only,
            parameters=schema,
            defaults={name: value["default"] for name, value in properties.items() if "default" in value},
        )
