"""A long history of finished backtests, like real ones in size and in what they hold."""

import datetime as dt
import math
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backproof.bootstrap import DOCUMENTS
from backproof.domain.backtest import (
    Backtest,
    Notice,
    Progress,
    ResultFile,
    RunError,
    TradingSummary,
    new_id,
)
from backproof.domain.config import BacktestConfig
from backproof.domain.lifecycle import Stage, Status
from backproof.services.backtests.queries import search_tokens
from backproof.storage.sqlite import SqliteRepository

SYMBOLS = ("AAPL", "MSFT", "IBM", "GE", "AMZN", "GOOG", "FB", "SPX", "KO", "JNJ", "XOM", "CVX")
STRATEGIES: dict[str, dict[str, tuple[float, ...]]] = {
    "sma_crossover": {"fast": (5, 10, 20), "slow": (50, 100, 200)},
    "ema_crossover": {"fast": (8, 12), "slow": (26, 50)},
    "rsi_mean_reversion": {"period": (7, 14, 21)},
    "donchian_breakout": {"entry": (20, 55), "exit": (10, 20)},
    "bollinger": {"period": (20, 50), "width": (1.5, 2.0)},
    "macd": {"fast": (12,), "slow": (26,)},
    "momentum_top_n": {"lookback": (63, 126, 252), "top": (1, 2, 3)},
    "buy_and_hold": {},
}
WORDS = ("Trend", "추세", "Breakout", "Reversion", "골든크로스", "Baseline", "Sweep", "Retest", "Costs", "모멘텀")
TAGS = ("trend", "reversion", "baseline", "추세", "q1-review", "q2-review", "costs", "paper", "retest", "demo")
DAY = dt.timedelta(days=1)


def backtests(count: int, seed: int = 1) -> Iterator[Backtest]:
    """Runs of the last two years, the newest first."""
    draw = random.Random(seed)
    now = dt.datetime.now(dt.UTC)
    for i in range(count):
        yield _backtest(draw, now - (730 * DAY) * (i / count) ** 1.5 - dt.timedelta(seconds=30))


def _backtest(draw: random.Random, created: dt.datetime) -> Backtest:
    strategy = draw.choice(tuple(STRATEGIES))
    parameters = {name: draw.choice(values) for name, values in STRATEGIES[strategy].items()}
    symbols = draw.sample(SYMBOLS, draw.choice((1, 1, 1, 2, 4, 10)))
    numbers = "/".join(f"{value:g}" for value in parameters.values())
    name = f"{draw.choice(WORDS)} {strategy.replace('_', ' ')} {numbers} {symbols[0]}"
    tags = tuple(sorted(draw.sample(TAGS, draw.choice((0, 1, 1, 2, 3)))))
    first = dt.date(draw.randrange(1995, 2008), draw.randrange(1, 13), 3)
    config = BacktestConfig.model_validate(
        {
            "name": name,
            "strategy_type": strategy,
            "parameters": parameters,
            "symbols": symbols,
            "start_date": first.isoformat(),
            "end_date": "2012-12-31",
            "data_source": "demo",
            "benchmark": "SPX",
            "costs": {"commission_rate": 0.001, "slippage_bps": 2.0},
            "tags": tags,
        }
    )
    notes = "" if draw.random() < 0.8 else f"Looked at again after {draw.choice(WORDS).lower()}; keep for the review."
    seconds = round(draw.lognormvariate(0, 1.3), 6)
    run: dict[str, Any] = {
        "id": new_id("bt"),
        "config": config,
        "name": name,
        "tags": tags,
        "notes": notes,
        "starred": draw.random() < 0.03,
        "search": search_tokens(config, name, tags, notes),
        "fence": 1,
        "attempt": 1,
        "heartbeat": 1,
        "seq": 5,
        "revision": 2,
        "created_at": created,
        "queued_at": created,
        "started_at": created + dt.timedelta(seconds=0.2),
        "completed_at": created + dt.timedelta(seconds=0.25 + seconds),
        "execution_seconds": seconds,
        "work_units": 2013 * len(symbols),
        "versions": {symbol: draw.randbytes(32).hex() for symbol in symbols},
        "request_hash": draw.randbytes(32).hex(),
    }
    fate = draw.random()
    if fate < 0.02:
        needed, bars = draw.choice((50, 100, 200)), draw.randrange(20, 50)
        error = RunError(
            code="not_enough_bars",
            message=f"{symbols[0]} has {bars} bars, and the strategy needs {needed} before its first decision",
            stage=Stage.INDICATORS,
            details={"symbol": symbols[0], "bars": bars, "needed": needed},
        )
        return Backtest(**run, status=Status.FAILED, error=error)
    if fate < 0.03:
        return Backtest(**run, status=Status.CANCELLED)
    deleted = {"deleted_at": dt.datetime.now(dt.UTC)} if fate > 0.996 else {}
    return Backtest(**run, **deleted, status=Status.COMPLETED, **_result(draw, run["id"], config))


def _result(draw: random.Random, run_id: str, config: BacktestConfig) -> dict[str, Any]:
    years = 2013 - config.start_date.year if config.start_date else 8
    bars, trades = 252 * years, draw.choice((0, 4, 21, 30, 65, 113, 192))
    volatility, drift = draw.uniform(0.1, 0.4), draw.gauss(0.07, 0.09)
    curve, value, peak, deepest = [1.0], 1.0, 1.0, 0.0
    for _ in range(47):
        value *= math.exp((drift - volatility**2 / 2) * years / 47 + volatility * math.sqrt(years / 47) * draw.gauss())
        peak, deepest = max(peak, value), min(deepest, value / peak - 1)
        curve.append(round(value, 4))
    total, cagr = value - 1, value ** (1 / years) - 1
    metrics: dict[str, float | int | None] = {
        "total_return": total,
        "annual_return": cagr,
        "cagr": cagr,
        "volatility": volatility,
        "sharpe": drift / volatility,
        "sortino": 1.5 * drift / volatility,
        "max_drawdown": deepest,
        "calmar": cagr / -deepest if deepest else None,
        "exposure": draw.random(),
        "time_in_market": draw.random(),
        "turnover": draw.uniform(0, 8),
        "trades": trades,
        "win_rate": draw.random() if trades else None,
        "profit_factor": draw.uniform(0.5, 4) if trades else None,
        "expectancy": draw.gauss(0.01, 0.05) if trades else None,
        "costs_paid": draw.uniform(0, 20_000),
    }
    reasons = {} if trades else dict.fromkeys(("win_rate", "profit_factor", "expectancy"), "no trade was closed")
    fingerprint = draw.randbytes(32).hex()
    costs = {"commission": 15132.1, "slippage": 3026.4, "borrow": 0.0, "dividends": 0.0, "cash_in_lieu": 0.0}
    return {
        "progress": Progress(percent=100.0, stage=Stage.SAVE, bars_done=bars, total_bars=bars, fills=2 * trades),
        "fingerprint": fingerprint,
        "metrics": metrics,
        "null_reasons": reasons,
        "benchmark_metrics": {
            "alpha": draw.random(),
            "beta": draw.random(),
            "correlation": draw.random(),
            "tracking_error": draw.random(),
            "information_ratio": draw.random(),
            "benchmark_return": 0.18643517336878393,
            "overlap": bars,
        },
        "notices": (
            Notice(code="few_trades", message=f"few trades: {trades} closed", details={"trades": trades}),
            Notice(code="data_note", message="SPX: a price index: not tradable, and without dividends"),
        ),
        "manifest": {
            "fingerprint": fingerprint,
            "config": config.model_dump(mode="json", exclude={"name", "tags"}),
            "config_hash": draw.randbytes(32).hex(),
            "data_hash": draw.randbytes(32).hex(),
            "strategy": {"name": config.strategy_type, "version": "1", "code_hash": draw.randbytes(32).hex()},
            "equity_hash": draw.randbytes(32).hex(),
            "fills_hash": draw.randbytes(32).hex(),
            "versions": {"backproof": "0.1.0", "numpy": "2.4.6", "numba": "0.68.1", "ta-lib": "0.8.2"},
        },
        "result": ResultFile(
            path=f"runs/{run_id}/1/result.parquet",
            sha256=draw.randbytes(32).hex(),
            bytes=57254,
            bars=bars,
            fills=2 * trades,
            trades=trades,
        ),
        "trading": TradingSummary(costs=costs, exit_reasons={"signal": trades}, account_events={}),
        "sparkline": tuple(curve),
    }


async def fill(path: Path, count: int) -> float:
    """Add `count` runs to the store at `path`; seconds."""
    began = time.perf_counter()
    repository = await SqliteRepository.open(path, DOCUMENTS)
    some: list[Backtest] = []
    for run in backtests(count):
        some.append(run)
        if len(some) == 200:
            await repository.add_all(some)
            some = []
    await repository.add_all(some)
    await repository.close()
    return time.perf_counter() - began
