"""Strategies going out."""

from typing import Any

from pydantic import Field

from backproof.engine.strategies import Strategy, plugin_of
from backproof.engine.strategies.base import Form
from backproof.engine.strategies.plugins import Refused, Source
from backproof.web.schemas.common import Out, PageOut


class PluginOut(Out):
    """The installed package that a strategy comes from."""

    distribution: str = Field(examples=["backproof-example-strategies"])
    version: str = Field(examples=["1.0.0"])

    @classmethod
    def of(cls, source: Source) -> "PluginOut":
        return cls(distribution=source.distribution, version=source.version)


class RefusedPluginOut(PluginOut):
    """An installed plug-in that cannot be run."""

    entry: str = Field(description="As its package declares it.", examples=["my_strategy = my_package:MyStrategy"])
    reason: str = Field(description="Why, in one sentence.", examples=["has no version"])

    @classmethod
    def of_refused(cls, refused: Refused) -> "RefusedPluginOut":
        source = refused.source
        return cls(entry=source.entry, distribution=source.distribution, version=source.version, reason=refused.reason)


class StrategyOut(Out):
    """What `strategy_type` may be."""

    name: str = Field(description="The value of `strategy_type`.", examples=["sma_crossover"])
    version: str = Field(description="Raised with every change of what it decides.")
    kind: str = Field(description="trend, breakout, reversion, rotation, spread, calendar, risk, portfolio, baseline …")
    summary: str
    rule: str = Field(description="Exactly what it decides, a line of the simulation contract; may be empty.")
    source: str = Field(description="Who described it: author, title, year; may be empty.")
    long_only: bool
    form: Form | None = Field(
        description="How it decides: signals, target weights, or events (bar by bar); null: that depends on parameters."
    )
    plugin: PluginOut | None = Field(description="null: a built-in.")
    parameters: dict[str, Any] = Field(
        description="JSON Schema (2020-12) of `parameters`; numbers have `sensible`, a range to try, and `step`."
    )
    defaults: dict[str, Any] = Field(description="`parameters` when nothing is given.")

    @classmethod
    def of(cls, strategy: type[Strategy]) -> "StrategyOut":
        schema = strategy.Params.model_json_schema()
        properties: dict[str, Any] = schema.setdefault("properties", {})
        form, plugin = getattr(strategy, "form", None), plugin_of(strategy)
        return cls(
            name=strategy.name,
            version=strategy.version,
            kind=strategy.kind,
            summary=strategy.summary,
            rule=strategy.rule,
            source=strategy.source,
            long_only=strategy.long_only,
            form=form if isinstance(form, str) else None,
            plugin=None if plugin is None else PluginOut.of(plugin.source),
            parameters=schema,
            defaults={name: value["default"] for name, value in properties.items() if "default" in value},
        )


class StrategyPageOut(PageOut[StrategyOut]):
    """All strategies, and the plug-ins that are installed but cannot be run."""

    refused: list[RefusedPluginOut]
