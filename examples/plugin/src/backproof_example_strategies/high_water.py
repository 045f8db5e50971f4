"""Events: called at every close, knowing the account; what it remembers lives in ctx.state."""

from typing import Annotated

from pydantic import Field

from backproof import EventStrategy, Parameters


class HighWaterParams(Parameters):
    lookback: Annotated[int, Field(ge=2, le=1000, description="Buy a close above all closes of so many bars.")] = 50
    fall: Annotated[float, Field(gt=0.0, lt=1.0, description="Leave after this fall from the best close.")] = 0.1


class HighWaterExit(EventStrategy):
    """A breakout that is held until the close has fallen by a fraction from its best one since the entry."""

    name = "high_water_exit"
    version = "1"
    kind = "breakout"
    summary = "Buys new highs and leaves when the close has fallen too far from its best."
    Params = HighWaterParams
    p: HighWaterParams

    def warmup(self):
        return self.p.lookback

    def on_bar(self, ctx):
        best = ctx.state.setdefault("best", {})  # by symbol: JSON-plain, saved with every checkpoint
        for symbol in ctx.symbols:
            if not ctx.has_bar(symbol):
                continue
            closes = ctx.history("close", self.p.lookback + 1, symbol)
            close = float(closes[-1])
            if ctx.position(symbol):
                best[symbol] = max(best.get(symbol, close), close)
                if close < best[symbol] * (1.0 - self.p.fall):
                    ctx.close(symbol)
            else:
                best.pop(symbol, None)
                if len(closes) > self.p.lookback and close > closes[:-1].max():
                    ctx.buy(symbol)
