"""Probes going out."""

from typing import Literal

from pydantic import Field

from backproof.engine.strategies.base import Form
from backproof.web.schemas.common import Finite, Out


class FindingOut(Out):
    """A decision that changed although only later prices did (`resumed`: although the run was only interrupted)."""

    change: Literal["cut", "noise", "mirrored noise", "reversed", "run ends", "resumed"] = Field(
        description="What was done to the bars after `t`; `run ends`: the run itself was ended after the next bar."
    )
    t: int = Field(description="Bar of the run, from 0, up to which prices stayed as they are.")
    t_date: str = Field(description="Its date.")
    bar: int = Field(description="The first bar of the run, from 0, with another decision.")
    date: str = Field(description="Its date.", examples=["2004-03-05"])
    symbol: str = Field(examples=["AAPL"])
    given: str | float | None = Field(
        description="What was decided with the real prices: signals and orders in words, weights as numbers, null "
        "where the weight was left as it is.",
        examples=["enter long, exit short", 0.25],
    )
    changed: str | float | None = Field(description="What was decided with the changed prices.")


class LookaheadOut(Out):
    """What the look-ahead probe saw: it finds, it does not prove."""

    strategy: str
    version: str
    form: Form
    verdict: Literal["clean", "looks ahead"]
    finding: FindingOut | None = Field(description="The difference on the earliest bar; null when there is none.")
    bars_ahead: int | None = Field(description="How many bars after its decision the strategy reads, at least.")
    comparisons: int = Field(description="Changed futures whose decisions were compared with the given ones.")
    cuts: list[int] = Field(description="The bars `t` of the run that were tried.")
    indicators: list[str] = Field(description="The strategy's indicators that changed too.")
    notes: list[str] = Field(description="What else a reader should know, one sentence each.")


class HistoryCheckOut(Out):
    """What a shorter history changed."""

    history: int = Field(description="Each symbol's own bars before the run.")
    decisions: int = Field(description="Bars of the run with other decisions than with all history.")
    largest: Finite = Field(description="By how much a target weight differed at most; 1 where it is no number.")
    indicator: Finite = Field(description="By how much an indicator differed at most, as a fraction of it.")


class AmnesiaOut(Out):
    """Whether decisions depend on more history than the strategy says, and on what a resumed run has lost."""

    strategy: str
    version: str
    form: Form
    verdict: Literal["clean", "remembers", "forgets", "not measured"] = Field(
        description="clean: the history it says it needs gives the decisions that all of it gives; remembers: it "
        "depends on more, as averages without end do; forgets: a resumed run decides otherwise, because something is "
        "kept outside ctx.state; not measured: too few bars."
    )
    warmup: int = Field(description="Bars of history the strategy says it needs.")
    enough: int | None = Field(description="Least history tried from which decisions agree; null: only all of it.")
    available: int = Field(description="Bars before `start`.")
    start: str | None = Field(description="Date from which decisions were compared.")
    bars: int = Field(description="How many bars were compared.")
    checks: list[HistoryCheckOut]
    lost: FindingOut | None = Field(description="The first decision of a resumed run that is another one.")
    notes: list[str]


class ProbesOut(Out):
    """Both probes of one strategy."""

    passed: bool = Field(description="It neither looks ahead nor loses what it must keep.")
    lookahead: LookaheadOut
    amnesia: AmnesiaOut
