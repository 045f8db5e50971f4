"""Moving-average crossovers."""

import operator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy
from backproof.engine.strategies.fields import beside, count

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import FloatArray, Indicators, SignalMask

Act = Annotated[
    Literal["level", "cross"],
    Field(description="level: in while the one is above the other; cross: act on the bar of the crossing only."),
]

CROSSOVER_RULE = (
    "level: long while {a} > {b}, out while <= (long_short: short while <=); cross: acts on the bar where the one goes "
    "from <= to > the other, mirrored downward, both defined on both of the symbol's bars"
)


def _line_signals(act: str, bars: "RunBars", fast: "FloatArray", slow: "FloatArray") -> "SignalMask":
    """Long while (or where) one line is above (or crosses) the other; the short side mirrored."""
    import numpy as np

    from backproof.engine.signals import cross_signals, level_signals

    mask = np.empty(fast.shape, dtype=np.uint8)
    if act == "level":
        level_signals(fast, slow, mask)
    else:
        cross_signals(fast, slow, bars.panel.adjusted.close, mask)
    return mask


_slow_is_slower = beside("fast", operator.gt, "fast_not_below_slow", "slow ({slow}) must be greater than fast ({fast})")


class CrossoverParams(Parameters):
    fast: Annotated[int, count("Bars of the fast average.", (5, 50))] = 20
    slow: Annotated[int, count("Bars of the slow average, more than fast.", (20, 250), 5, least=2)] = 50
    signal: Act = "level"

    _in_order = field_validator("slow")(_slow_is_slower)


class MovingAverageCrossover(SignalStrategy):
    """What the two crossovers share: only the average differs."""

    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = CrossoverParams
    p: CrossoverParams

    def warmup(self) -> int:
        return self.p.slow - 1 + (self.p.signal == "cross")

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        return _line_signals(self.p.signal, bars, indicators["fast"], indicators["slow"])


class SmaCrossover(MovingAverageCrossover):
    """Long while the fast simple moving average is above the slow one, else flat (or short where allowed)."""

    name: ClassVar[str] = "sma_crossover"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Long while the fast moving average of the close is above the slow one."
    rule: ClassVar[str] = CROSSOVER_RULE.format(a="SMA(fast)", b="SMA(slow)")
    source: ClassVar[str] = (
        "William Brock, Josef Lakonishok, Blake LeBaron, Simple Technical Trading Rules and the Stochastic Properties "
        "of Stock Returns, 1992"
    )

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"fast": indicators.sma(bars, self.p.fast), "slow": indicators.sma(bars, self.p.slow)}


class EmaCrossover(MovingAverageCrossover):
    """Long while the fast exponential moving average is above the slow one, else flat (or short where allowed)."""

    name: ClassVar[str] = "ema_crossover"
    version: ClassVar[str] = "1"
    summary: ClassVar[str] = "Long while the fast exponential average of the close is above the slow one."
    rule: ClassVar[str] = CROSSOVER_RULE.format(a="EMA(fast)", b="EMA(slow)")
    source: ClassVar[str] = "Perry Kaufman, Trading Systems and Methods, 2013"

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"fast": indicators.ema(bars, self.p.fast), "slow": indicators.ema(bars, self.p.slow)}


class MacdParams(Parameters):
    fast: Annotated[int, count("Bars of the fast exponential average.", (5, 20), least=2)] = 12
    slow: Annotated[int, count("Bars of the slow exponential average, more than fast.", (15, 60), least=3)] = 26
    signal_period: Annotated[int, count("Bars of the average of the MACD, its signal line.", (5, 15))] = 9
    signal: Act = "level"

    _in_order = field_validator("slow")(_slow_is_slower)


class Macd(SignalStrategy):
    """Long while the MACD is above its signal line, else flat (or short where allowed)."""

    name: ClassVar[str] = "macd"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Long while the MACD is above its signal line."
    rule: ClassVar[str] = CROSSOVER_RULE.format(
        a="the MACD, EMA(fast) - EMA(slow),", b="its signal line, EMA(signal_period) of the MACD"
    )
    source: ClassVar[str] = "Gerald Appel, Technical Analysis: Power Tools for Active Investors, 2005"
    Params: ClassVar[type[Parameters]] = MacdParams
    p: MacdParams

    def warmup(self) -> int:
        return self.p.slow + self.p.signal_period - 2 + (self.p.signal == "cross")

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        macd, signal = indicators.macd(bars, self.p.fast, self.p.slow, self.p.signal_period)
        return {"macd": macd, "signal": signal}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        return _line_signals(self.p.signal, bars, indicators["macd"], indicators["signal"])
