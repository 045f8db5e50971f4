"""Strategies written as text: see `engine.rules` for the language."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from backproof.engine.layout import GTC_ENTRY, LIMIT_ENTRY, STOP_ENTRY
from backproof.engine.strategies.base import Form, Kind, Parameters, Strategy
from backproof.engine.strategies.rules_params import EntryOrder, RulesParams
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.context import Context
    from backproof.engine.decisions import Signals, Weights
    from backproof.engine.rules.decide import Orders
    from backproof.engine.strategies.base import Indicators


class Rules(Strategy):
    """Enters and leaves on conditions written as text, or holds the symbols that a written number ranks highest.

    With a rank it sets target weights; with bars_held it decides bar by bar; else it gives signals.
    """

    name: ClassVar[str] = "rules"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "rules"
    summary: ClassVar[str] = "Enters and leaves on conditions written as text, or rotates by a number written as text."
    rule: ClassVar[str] = (
        "entry, exit, short_entry, short_exit: conditions at the close, undefined counts as no; entry_order: entries "
        "wait for its price, a limit or stop; or on schedule, among the listed symbols whose entry (if given) is true: "
        "exposure / top in each of the top by rank (ties by symbol), the rest cash"
    )
    Params: ClassVar[type[Parameters]] = RulesParams
    p: RulesParams

    def __init__(self, params: BaseModel) -> None:
        super().__init__(params)
        book = self.p.book
        self._program = book.program
        self.form: Form = "weights" if self.p.rank is not None else "events" if book.held else "signals"
        self._waits = 0 if self.p.entry_order is None else _waiting(self.p.entry_order)
        # of a built-in these are the class's own; here they depend on the rules
        self.waits = self._waits != 0  # type: ignore[misc]
        self.independent = "rank" not in self._program.functions  # type: ignore[misc]

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list[FieldError]:
        refused: list[FieldError] = params.refusals(config.execution.direction, config.execution.fill)
        return refused

    def warmup(self) -> int:
        return self._program.warmup

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "Signals":  # noqa: ARG002
        from backproof.engine.rules import decide

        return decide.signals(self._program, self._waits, bars)

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        from backproof.engine.rules import decide

        at = self.p.decision_bars(bars)
        return decide.weights(self._program, self.p.top or 1, self.p.exposure, at, bars)

    def indicators(self, bars: "RunBars") -> "Indicators":
        """What `on_bar` looks up; the other forms look nothing up."""
        return self._orders.lines(self._waits, bars) if self.form == "events" else {}

    def on_bar(self, ctx: "Context") -> None:
        self._orders.place(ctx)

    @cached_property
    def _orders(self) -> "Orders":
        from backproof.engine.rules import decide

        return decide.Orders(self._program)


def _waiting(order: EntryOrder) -> int:
    """Bits of every entry."""
    if order.type == "market":
        return 0
    kind = LIMIT_ENTRY if order.type == "limit" else STOP_ENTRY
    return kind | GTC_ENTRY if order.time_in_force == "gtc" else kind
