"""How long rules take: `python bench/rules.py`. Texts parsed and checked, and strategies against their built-ins.

CPU time, minimum of repeats: other work on the machine disturbs it least.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

import backproof
from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from backproof.engine.rules.rulebook import rulebook

TEXTS, TEXTS_TARGET = 1_000, 1.0  # seconds
RATIO_TARGET = 1.3
BARS = 2_520
PAIRS: list[tuple[str, dict[str, object], dict[str, object]]] = [
    (
        *("sma_crossover", {}),
        {"entry": "sma(close, 20) > sma(close, 50)", "exit": "sma(close, 20) <= sma(close, 50)"},
    ),
    (
        *("sma_crossover", {"signal": "cross"}),
        {
            "entry": "sma(close, 20) crosses_above sma(close, 50)",
            "exit": "sma(close, 20) crosses_below sma(close, 50)",
        },
    ),
    ("ema_crossover", {}, {"entry": "ema(close, 20) > ema(close, 50)", "exit": "ema(close, 20) <= ema(close, 50)"}),
    ("rsi_mean_reversion", {}, {"entry": "rsi(close, 14) < 30", "exit": "rsi(close, 14) > 70"}),
    (
        *("donchian_breakout", {}),
        {"entry": "close > highest(high, 20)[1]", "exit": "close < lowest(low, 10)[1]"},
    ),
    (
        *("macd", {}),
        {
            "entry": "macd(close, 12, 26, 9) > macd_signal(close, 12, 26, 9)",
            "exit": "macd(close, 12, 26, 9) <= macd_signal(close, 12, 26, 9)",
        },
    ),
    ("bollinger", {}, {"entry": "close < bb_lower(close, 20, 2)", "exit": "close > bb_middle(close, 20)"}),
    ("momentum_top_n", {}, {"rank": "roc(close, 126)", "top": 3}),
]


def walks(symbols: int) -> Bars:
    dates = np.datetime64("2010-01-01") + np.arange(BARS)
    series = []
    for seed in range(symbols):
        rng = np.random.default_rng(seed)
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.015, BARS)))
        open_ = close * np.exp(rng.normal(0.0, 0.005, BARS))
        high, low = np.maximum(open_, close) * 1.003, np.minimum(open_, close) * 0.997
        series.append(Series(f"S{seed:03d}", dates, open_, high, low, close, np.ones(BARS), None, close_only=False))
    return Bars(series)


def seconds(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def parse_texts() -> float:
    rulebook((("entry", "close > 1"),))  # the parser is made
    texts = [
        f"close > sma(close, {n}) and not (rsi(close, 14) < 30 or close[1] crosses_above highest(high, {n})[1])"
        for n in range(1, TEXTS + 1)
    ]
    return seconds(lambda: [rulebook((("entry", text),)) for text in texts])


def against_built_in(bars: Bars, kind: str, parameters: dict[str, object], rules: dict[str, object]) -> list[float]:
    shared = {"name": "bench", "symbols": list(bars.symbols), "costs": {"commission_rate": 0.001}}
    theirs = parse_config({**shared, "strategy_type": kind, "parameters": parameters})
    ours = parse_config({**shared, "strategy_type": "rules", "parameters": rules})
    if backproof.simulate(theirs, bars).equity.tobytes() != backproof.simulate(ours, bars).equity.tobytes():
        sys.exit(f"{kind}: the rules are another strategy")
    best = [float("inf"), float("inf")]
    for _ in range(300 if len(bars.symbols) == 1 else 25):  # turn by turn
        for i, config in enumerate((theirs, ours)):
            best[i] = min(best[i], seconds(lambda config=config: backproof.simulate(config, bars)))  # type: ignore[misc]
    return best


def per_bar(bars: Bars) -> float:
    """Microseconds a bar of one symbol, rules that decide bar by bar."""
    parameters = {"entry": "sma(close, 20) > sma(close, 50)", "exit": "bars_held >= 10"}
    config = parse_config(
        {"name": "bench", "symbols": list(bars.symbols), "strategy_type": "rules", "parameters": parameters}
    )
    return min(seconds(lambda: backproof.simulate(config, bars)) for _ in range(30)) / BARS * 1e6


def main() -> None:
    missed = 0

    def tell(what: str, value: str, ok: bool | None) -> None:
        nonlocal missed
        missed += ok is False
        print(f"{what:<58}{value:>28}  {'' if ok is None else 'ok' if ok else 'MISSED'}")

    spent = parse_texts()
    tell(f"{TEXTS} texts of 95 characters parsed and checked", f"{spent:.2f} s", spent <= TEXTS_TARGET)
    for symbols in (1, 100):
        bars = walks(symbols)
        for kind, parameters, rules in PAIRS:
            theirs, ours = against_built_in(bars, kind, parameters, rules)
            ratio = ours / theirs
            what = f"{symbols} x {BARS} {kind} {'' if not parameters else 'cross'}"
            tell(what, f"{ours * 1e6:.0f} / {theirs * 1e6:.0f} us = {ratio:.2f}", ratio <= RATIO_TARGET)
    tell("bars_held, one symbol, a bar", f"{per_bar(walks(1)):.1f} us", None)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
