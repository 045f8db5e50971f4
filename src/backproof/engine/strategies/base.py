"""The protocol of a strategy. Nothing here needs numba or TA-Lib: forms and validation import it.

A strategy is made for one run from its parsed parameters and answers, in this order, `warmup`, `indicators`, and
`signals` or `target_weights`. It reads bars up to the close it decides at and never shifts: the kernel lags them.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.context import Context
    from backproof.engine.decisions import Weights
    from backproof.errors import FieldError

    FloatArray: TypeAlias = npt.NDArray[np.float64]
    Indicators: TypeAlias = Mapping[str, FloatArray]
    SignalMask: TypeAlias = npt.NDArray[np.uint8]

Kind = Literal[
    "trend",
    "breakout",
    "reversion",
    "rotation",
    "spread",
    "calendar",
    "risk",
    "portfolio",
    "baseline",
    "rules",
    "other",
]
Form = Literal["signals", "weights", "events"]


class Parameters(BaseModel):
    """Base of every strategy's parameters: frozen, unknown names are errors, defaults are checked too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Strategy(ABC):
    """What signal and weight strategies share.

    name:      the configuration's `strategy_type`
    version:   raised with every change of what it decides
    summary:   one sentence for a list or a form
    rule:      exactly what it decides, a line of the contract
    source:    who described it first or best: author, title, year
    long_only: it never decides a short position, so `direction: short_only` is an error
    independent: what it decides for a symbol never depends on other symbols, so that a grid may run many at once
    waits:     its signals come with prices that entries wait for (`Signals.levels`)
    p:         the parsed parameters of this run
    """

    form: Form
    """How it decides: by `signals`, by `target_weights`, or bar by bar in `on_bar`; it may depend on the parameters."""

    name: ClassVar[str]
    version: ClassVar[str]
    kind: ClassVar[Kind] = "other"
    summary: ClassVar[str]
    rule: ClassVar[str] = ""
    source: ClassVar[str] = ""
    long_only: ClassVar[bool] = False
    independent: ClassVar[bool] = False
    waits: ClassVar[bool] = False
    Params: ClassVar[type[Parameters]]
    p: Any

    def __init__(self, params: BaseModel) -> None:
        self.p = params

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list["FieldError"]:  # noqa: ARG003
        """What the rest of a configuration has that this strategy, with these parameters, cannot be run with."""
        return []

    def warmup(self) -> int:
        """Bars of a symbol's own history before its first decision can exist (0: decides on its first bar)."""
        return 0

    def indicators(self, bars: "RunBars") -> "Indicators":  # noqa: ARG002
        """Named arrays [N, T]; row n is defined on symbol n's own bars and NaN elsewhere."""
        return {}


class SignalStrategy(Strategy):
    """Decides per symbol when to be in and when to be out."""

    form: Form = "signals"

    @abstractmethod
    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        """uint8 [N, T], bits of `layout` (1 enter long, 2 exit long, 4 enter short, 8 exit short), 0 = no signal.

        Directions that are not allowed are ignored later. Of an entry and an exit on one bar the entry counts while
        flat, the exit while that side is held.
        """


class WeightStrategy(Strategy):
    """Decides the portfolio: target weights on the bars where it rebalances."""

    form: Form = "weights"

    @abstractmethod
    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":
        """Weights as signed fractions of equity; NaN leaves a symbol as it is."""


class EventStrategy(Strategy):
    """Decides at the close of every bar, knowing the account: `on_bar` places orders for the next bar.

    What it remembers from bar to bar lives in `ctx.state` alone, a dict of JSON-plain values that is saved with
    checkpoints; attributes of the strategy are lost when a run is resumed.
    """

    form: Form = "events"

    @abstractmethod
    def on_bar(self, ctx: "Context") -> None:
        """Look at `ctx` (prices up to this close, positions, cash) and place orders; see `Context`."""
