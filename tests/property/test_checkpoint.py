"""Checkpoints: the state after any bar as bytes, accepted by the same run only, and then to the same bits."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from harness import bars_of, scripted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import World, worlds

from backproof.domain.config import parse_config
from backproof.engine import checkpoint, fingerprint
from backproof.engine.bars import Bars
from backproof.engine.simulation import Simulation
from backproof.errors import CheckpointMismatch

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


def simulation_of(config: dict[str, Any], bars: Bars) -> Simulation:
    parsed = parse_config(config)
    decide = scripted(parsed.parameters) if parsed.strategy_type == "scripted" else None
    return Simulation(parsed, bars, decide=decide)


def everything(simulation: Simulation) -> list[bytes]:
    result = simulation.result()
    names = ("equity", "cash", "gross", "fills", "events", "trades", "positions")
    return [*(getattr(result, name).tobytes() for name in names), repr(result.metrics).encode()]


@pytest.fixture(scope="module")
def bars() -> Bars:
    rng = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, (2, 120)), axis=1))
    dates = [str(np.datetime64("2020-01-01") + i) for i in range(120)]
    return bars_of(
        {
            symbol: {
                "date": dates,
                "open": row.tolist(),
                "high": (row * 1.02).tolist(),
                "low": (row * 0.98).tolist(),
                "close": row.tolist(),
            }
            for symbol, row in zip("AB", close, strict=True)
        }
    )


CONFIG: dict[str, Any] = {
    "name": "checkpoint",
    "strategy_type": "sma_crossover",
    "parameters": {"fast": 2, "slow": 5},
    "symbols": ["A", "B"],
    "risk": {"trailing_stop": 0.05},
    "costs": {"commission_rate": 0.001, "borrow_rate": 0.02},
    "execution": {"direction": "long_short"},
}


@QUICK
@given(worlds(), st.data())
def test_a_run_resumed_at_any_bars_has_the_same_bits_as_one_never_stopped(world: World, data: st.DataObject) -> None:
    bars = world.engine_bars()
    whole = simulation_of(world.config, bars)
    whole.advance(whole.total_bars)
    current = simulation_of(world.config, bars)
    for stop in sorted(data.draw(st.lists(st.integers(0, whole.total_bars), max_size=5))):
        current.advance(stop)
        saved = current.checkpoint()
        current = simulation_of(world.config, world.engine_bars())
        current.resume(saved)
        assert current.position == stop
        assert current.checkpoint() == saved
    current.advance(current.total_bars)
    assert everything(current) == everything(whole)


def test_a_checkpoint_of_a_long_ledger_fits_into_a_fresh_simulation(
    bars: Bars, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = simulation_of(CONFIG, bars)
    run.advance(run.total_bars)
    assert run.ledger_rows > 40
    saved = run.checkpoint()
    fresh = simulation_of(CONFIG, bars)
    fresh.keys, fresh.values = fresh.keys[:2].copy(), fresh.values[:2].copy()
    fresh.resume(saved)
    assert everything(fresh) == everything(run)


def test_every_flipped_bit_and_every_missing_byte_is_refused_and_changes_nothing(bars: Bars) -> None:
    run = simulation_of(CONFIG, bars)
    run.advance(60)
    saved = run.checkpoint()
    victim = simulation_of(CONFIG, bars)
    victim.advance(10)
    before = everything(victim)
    rng = np.random.default_rng(1)
    for place in [*range(12), *rng.integers(12, len(saved), 300).tolist(), len(saved) - 1]:
        damaged = bytearray(saved)
        damaged[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(CheckpointMismatch) as caught:
            victim.resume(bytes(damaged))
        assert caught.value.details["field"] in ("magic", "hash")
    for size in (0, 1, 11, 12, 40, len(saved) // 2, len(saved) - 1):
        with pytest.raises(CheckpointMismatch):
            victim.resume(saved[:size])
    with pytest.raises(CheckpointMismatch):
        victim.resume(saved + b"\0")
    assert everything(victim) == before


def resealed(saved: bytes, change: dict[str, Any], body: bytes | None = None) -> bytes:
    """The checkpoint with another header and a hash that fits."""
    begin = len(checkpoint.MAGIC) + 4
    (length,) = struct.unpack_from("<I", saved, len(checkpoint.MAGIC))
    header = json.loads(saved[begin : begin + length]) | change
    text = json.dumps(header).encode()
    arrays = saved[begin + length : -32] if body is None else body
    data = checkpoint.MAGIC + struct.pack("<I", len(text)) + text + arrays
    import hashlib

    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": checkpoint.FORMAT + 1}, "format"),
        ({"engine_semantics": fingerprint.ENGINE_SEMANTICS + 1}, "engine_semantics"),
        ({"fingerprint": "0" * 64}, "fingerprint"),
        ({"position": 10_000}, "position"),
        ({"position": -1}, "position"),
        ({"position": "60"}, "position"),
        ({"position": 59}, "arrays"),
        ({"arrays": []}, "arrays"),
        ({"arrays": None}, "arrays"),
        ({"arrays": [["state", "<f8", [3, 2]]]}, "arrays"),
        ({"arrays": [["state", "nonsense", [1]]]}, "arrays"),
    ],
)
def test_a_checkpoint_of_another_version_run_or_shape_names_the_field(
    bars: Bars, change: dict[str, Any], field: str
) -> None:
    run = simulation_of(CONFIG, bars)
    run.advance(60)
    saved = run.checkpoint()
    assert resealed(saved, {})[-32:] != b""
    fresh = simulation_of(CONFIG, bars)
    with pytest.raises(CheckpointMismatch) as caught:
        fresh.resume(resealed(saved, change))
    assert caught.value.details["field"] == field
    assert fresh.position == 0


@pytest.mark.parametrize(
    "other",
    [
        {"initial_capital": 5.0},
        {"parameters": {"fast": 2, "slow": 6}},
        {"symbols": ["B", "A"]},
        {"risk": {}},
        {"end_date": "2020-03-01"},
    ],
)
def test_another_configuration_is_another_run(bars: Bars, other: dict[str, Any]) -> None:
    run = simulation_of(CONFIG, bars)
    run.advance(30)
    with pytest.raises(CheckpointMismatch) as caught:
        simulation_of({**CONFIG, **other}, bars).resume(run.checkpoint())
    assert caught.value.details["field"] == "fingerprint"


def test_other_data_are_another_run_but_another_name_is_not(bars: Bars) -> None:
    run = simulation_of(CONFIG, bars)
    run.advance(30)
    simulation_of({**CONFIG, "name": "other", "tags": ["x"]}, bars).resume(run.checkpoint())
    series = [bars.series(symbol) for symbol in bars.symbols]
    series[0].close[100] *= 1.0000001
    try:
        with pytest.raises(CheckpointMismatch):
            simulation_of(CONFIG, Bars(series)).resume(run.checkpoint())
    finally:
        series[0].close[100] /= 1.0000001
