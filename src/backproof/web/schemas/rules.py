"""The language of rules: a text to check coming in, what is known of it going out."""

from typing import Annotated, Any, Literal

from pydantic import Field

from backproof.domain.config import Direction
from backproof.engine.rules import Completion
from backproof.engine.strategies.base import Form
from backproof.web.schemas.common import In, Out

CHECK_EXAMPLES: dict[str, Any] = {
    "right": {
        "summary": "Buy strength above the long average, leave after twenty bars",
        "value": {
            "parameters": {
                "entry": "close > highest(high, breakout)[1] and close > sma(close, 200)",
                "exit": "bars_held >= 20 or close < lowest(low, 10)[1]",
                "values": {"breakout": 20},
            }
        },
    },
    "wrong": {
        "summary": "Two mistakes, told at once",
        "value": {"parameters": {"entry": "smaa(close, 20) > close[-1]"}, "direction": "long_only"},
    },
    "rotation": {
        "summary": "The three symbols that rose most, once a month, if they rose at all",
        "value": {"parameters": {"rank": "roc(close, 126)", "top": 3, "entry": "roc(close, 126) > 0"}},
    },
}


class RulesCheckIn(In):
    """Rules as `parameters` of a backtest has them."""

    parameters: dict[str, Any] = Field(description="Of `strategy_type: rules`, right or wrong.", max_length=100)
    direction: Direction = Field(default="long_only", description="As `execution.direction`.")


class RuleErrorOut(Out):
    """One mistake. Those in a text have a place; for others everything from `line` on is null."""

    pointer: str = Field(description="RFC 6901 pointer into the configuration.", examples=["/parameters/entry"])
    code: str = Field(examples=["unknown_function"])
    message: str = Field(description="One line with everything.")
    reason: str = Field(description="Without place and suggestion.", examples=["there is no function smaa"])
    line: int | None = Field(description="From 1.")
    column: int | None = Field(description="From 1, of the first wrong character.")
    stop: int | None = Field(description="Column after the last wrong character.")
    excerpt: str | None = Field(description="The text around the mistake.")
    caret: str | None = Field(description="Spaces and ^ to show below the excerpt.")
    suggestion: str | None = Field(description="What was probably meant there.", examples=["sma"])


class RulesCheckOut(Out):
    """What is known of rules that have not run. `valid` is false exactly when there are errors."""

    valid: bool
    errors: list[RuleErrorOut]
    notes: list[str] = Field(description="What is right and still of no use, such as an unused name.")
    texts: dict[str, str] = Field(description="Every rule in its canonical form, by parameter; empty with errors.")
    form: Form | None = Field(description="How it decides; null with errors.")
    functions: list[str] = Field(description="Names of the functions used.")
    warmup: Annotated[int, Field(ge=0, description="A symbol's own bars before everything is defined.")]
    work: Annotated[int, Field(ge=0, description="Nanoseconds a bar of one symbol may take at worst, about.")]


class RuleParameterOut(Out):
    name: str
    description: str


class CompletionOut(Out):
    """A word an editor can offer."""

    name: str = Field(examples=["sma"])
    kind: Literal["function", "price", "position", "keyword"]
    signature: str = Field(examples=["sma(x, n)"])
    insert: str = Field(description="What to put into the text; the cursor belongs at the $.", examples=["sma($)"])
    description: str
    group: str | None = Field(description="Of a function.", examples=["averages"])
    parameters: list[RuleParameterOut] = Field(description="Of a function.")

    @classmethod
    def of(cls, completion: Completion) -> "CompletionOut":
        return cls(
            name=completion.name,
            kind=completion.kind,
            signature=completion.signature,
            insert=completion.insert,
            description=completion.description,
            group=completion.group,
            parameters=[RuleParameterOut(name=name, description=means) for name, means in completion.parameters],
        )
