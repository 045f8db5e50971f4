"""Runs a conformance case, or any configuration with scripted decisions, through the engine.

A case is JSON: `config` (the contract's schema), `bars` (columns per symbol), `expected`. Most use a strategy called
`scripted`, which exists only here: it lists the decisions made at the close of each bar, unshifted.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from backproof.domain.config import parse_config
from backproof.engine.bars import Bars, RunBars
from backproof.engine.decisions import Decisions, Signals, Weights
from backproof.engine.layout import (
    ADD_ENTRY,
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    GTC_ENTRY,
    LIMIT_ENTRY,
    STOP_ENTRY,
)
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation

CASES = Path(__file__).with_name("cases")
BITS = {"": 0, "enter_long": ENTER_LONG, "enter_short": ENTER_SHORT, "exit": EXIT_LONG | EXIT_SHORT}
TOLERANCE = 1e-9  # relative above 1, absolute below
Case = dict[str, Any]


def load_case(name: str) -> Case:
    case: Case = json.loads((CASES / f"{name}.json").read_text())
    return case


def case_names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.json"))


def frame_of(bars: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """The case's columns per symbol as one long table; what a symbol lacks is null."""
    names = sorted({name for columns in bars.values() for name in columns} - {"date"})
    tables = []
    for symbol, columns in bars.items():
        count = len(columns["date"])
        data: dict[str, Any] = {
            "symbol": [symbol] * count,
            "date": pa.array([str(date) for date in columns["date"]], pa.string()),
        }
        for name in names:
            values = columns.get(name)
            data[name] = pa.array([None] * count if values is None else [float(x) for x in values], pa.float64())
        tables.append(pa.table(data))
    return pa.concat_tables(tables)


def bars_of(bars: Mapping[str, Mapping[str, Any]], calendar: str = "XNYS") -> Bars:
    return Bars.from_frame(frame_of(bars), calendar=calendar)


def bits_of(wish: str | Mapping[str, Any]) -> int:
    """The signal bits of one scripted wish."""
    if isinstance(wish, str):
        return BITS[wish]
    kind = {"market": 0, "limit": LIMIT_ENTRY, "stop": STOP_ENTRY}[wish.get("type", "market")]
    kind |= GTC_ENTRY if wish.get("valid") == "gtc" else 0
    return BITS[wish["signal"]] | kind | (ADD_ENTRY if wish.get("add") else 0)


def scripted(parameters: Mapping[str, Any]) -> Callable[[RunBars], Decisions]:
    """Decisions as listed: signals per bar of the symbol's own data, weights per bar of the run."""

    def decide(run: RunBars) -> Decisions:
        if "weights" in parameters:
            values = np.full((run.stop - run.first, len(run.symbols)), np.nan)
            for symbol, weights in parameters["weights"].items():
                column = [np.nan if weight is None else weight for weight in weights]
                values[:, run.symbols.index(symbol)] = column
            weights = Weights.dense(values)
            return Weights(weights.at + run.first, weights.values)
        mask = np.zeros((len(run.symbols), run.stop), dtype=np.uint8)
        levels = np.full(mask.shape, np.nan)
        for symbol, wishes in parameters["signals"].items():
            n = run.symbols.index(symbol)
            own = np.arange(run.stop)[run.own(n)]
            for p, wish in zip(own, wishes, strict=False):
                mask[n, p] = bits_of(wish)
                if isinstance(wish, dict):
                    levels[n, p] = wish.get("price", np.nan)
        return Signals(mask, levels if np.isfinite(levels).any() else None)

    return decide


def simulate_given(config: Mapping[str, Any], bars: Bars) -> Result:
    """`backproof.simulate`, but the strategy `scripted` is known."""
    parsed = parse_config(config)
    decide = scripted(parsed.parameters) if parsed.strategy_type == "scripted" else None
    simulation = Simulation(parsed, bars, decide=decide)
    simulation.advance(simulation.total_bars)
    return simulation.result()


def near(a: Any, b: Any) -> bool:
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return bool(a == b)
    return bool(abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b)))


def plain_fills(result: Result) -> list[dict[str, Any]]:
    names = result.fills.dtype.names or ()
    return [dict(zip(names, record.tolist(), strict=True)) for record in result.fills]


def differences(result: Result, expected: Mapping[str, Any]) -> list[str]:
    """What a result has other than expected, as sentences."""
    wrong = []
    for name in ("equity", "cash"):
        have = getattr(result, name).tolist()
        if len(have) != len(expected[name]):
            wrong.append(f"{name}: {len(have)} bars, expected {len(expected[name])}")
        wrong += [
            f"{name}[{t}] {a!r}, expected {b!r}"
            for t, (a, b) in enumerate(zip(have, expected[name], strict=False))
            if not near(a, b)
        ]
    fills = plain_fills(result)
    if len(fills) != len(expected["fills"]):
        wrong.append(f"{len(fills)} fills, expected {len(expected['fills'])}: {fills}")
    for i, (have, want) in enumerate(zip(fills, expected["fills"], strict=False)):
        wrong += [
            f"fill {i} {name} {have[name]!r}, expected {want[name]!r}"
            for name in want
            if not near(have[name], want[name])
        ]
    for text in expected.get("notices", []):
        if not any(text in notice.message for notice in result.notices):
            wrong.append(f"no notice with {text!r}: {result.notices}")
    have_metrics = {**result.metrics, **(result.benchmark_metrics or {})}
    for name, value in expected.get("metrics", {}).items():
        if not near(have_metrics[name], value):
            wrong.append(f"{name} {have_metrics[name]!r}, expected {value!r}")
    return wrong
