"""Checkpoints: everything a run knows after a bar, as bytes that no other run accepts.

    magic (8 bytes) | length of the header (4, little-endian) | header, JSON | arrays | SHA-256 of all before (32)

The header says the format, the engine's semantics, whose run it is (its fingerprint), the bar, and the arrays in order:
name, type, shape. Arrays are little-endian, in C order. Nothing is loaded unless every one of these fits.
"""

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from backproof.engine import layout
from backproof.engine.fingerprint import ENGINE_SEMANTICS
from backproof.errors import CheckpointMismatch

if TYPE_CHECKING:
    from backproof.engine.context import Context
    from backproof.engine.simulation import Simulation

MAGIC = b"BPCHKPT\n"
FORMAT = 1
_LENGTH = struct.Struct("<I")
_HASH = hashlib.sha256().digest_size

Arrays = dict[str, npt.NDArray[Any]]


def dump(simulation: "Simulation") -> bytes:
    """The simulation after its last simulated bar: the state of the account, and all it has recorded."""
    used = simulation.ledger_rows
    arrays = _state(simulation) | {
        "path": simulation.path[:, : simulation.position],
        "keys": simulation.keys[:used],
        "values": simulation.values[:used],
    }
    header = {
        "format": FORMAT,
        "engine_semantics": ENGINE_SEMANTICS,
        "fingerprint": simulation.fingerprint(),
        "position": simulation.position,
        "strategy": {"state": json.loads(simulation.saved_state()), "by_weight": int(_by_weight(simulation))},
        "arrays": [[name, array.dtype.newbyteorder("<").str, list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    body = [np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes() for array in arrays.values()]
    data = b"".join([MAGIC, _LENGTH.pack(len(text)), text, *body])
    return data + hashlib.sha256(data).digest()


def load(simulation: "Simulation", data: bytes) -> None:
    """Put a fresh simulation of the same run where the checkpoint was taken.

    Raises CheckpointMismatch, and leaves the simulation as it was, when a bit is flipped or missing, or when the
    checkpoint is of another format, engine, configuration, strategy or data.
    """
    header, body = _opened(data)
    for field, expected in (("format", FORMAT), ("engine_semantics", ENGINE_SEMANTICS)):
        _same(field, header.get(field), expected)
    _same("fingerprint", header.get("fingerprint"), simulation.fingerprint())
    position = header.get("position")
    if not isinstance(position, int) or not 0 <= position <= simulation.total_bars:
        raise _mismatch("position", position, f"0 to {simulation.total_bars}")
    arrays = _arrays(header.get("arrays"), body)
    counters = arrays.get("counters")
    rows = int(counters[layout.FILLS]) if counters is not None and counters.shape == (layout.COUNTER_SIZE,) else -1
    shapes = {name: (array.dtype.str, array.shape) for name, array in _state(simulation).items()} | {
        "path": ("<f8", (layout.PATH_ROWS, position)),
        "keys": ("<i8", (rows, layout.KEY_COLUMNS)),
        "values": ("<f8", (rows, layout.VALUE_COLUMNS)),
    }
    _same("arrays", {name: (array.dtype.str, array.shape) for name, array in arrays.items()}, shapes)
    strategy = header.get("strategy")
    if not isinstance(strategy, dict) or strategy.keys() != {"state", "by_weight"}:
        raise CheckpointMismatch("the checkpoint's strategy cannot be read", field="strategy")
    simulation.prepare()
    _restore(simulation, arrays, position, rows)
    if simulation.context is not None:
        _restore_context(simulation, simulation.context, strategy)


def _opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and arrays of a checkpoint that is whole."""
    begin = len(MAGIC) + _LENGTH.size
    if len(data) < begin + _HASH or data[: len(MAGIC)] != MAGIC:
        raise CheckpointMismatch("this is no checkpoint", field="magic")
    if hashlib.sha256(data[:-_HASH]).digest() != data[-_HASH:]:
        raise CheckpointMismatch("the checkpoint is damaged: its hash does not fit", field="hash")
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    try:
        header = json.loads(data[begin : begin + length])
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise CheckpointMismatch("the checkpoint's header cannot be read", field="header")
    return header, data[begin + length : -_HASH]


def _arrays(described: Any, body: bytes) -> Arrays:
    arrays: Arrays = {}
    offset = 0
    try:
        for name, kind, shape in described:
            count = int(np.prod(shape, dtype=np.int64))
            array = np.frombuffer(body, np.dtype(kind), count, offset).reshape(shape)
            arrays[name] = array.astype(array.dtype.newbyteorder("="))
            offset += array.nbytes
    except (TypeError, ValueError):
        offset = -1
    if offset != len(body):
        raise CheckpointMismatch("the checkpoint's arrays cannot be read", field="arrays")
    return arrays


def _state(simulation: "Simulation") -> Arrays:
    return {
        "state": simulation.state,
        "orders": simulation.orders,
        "account": simulation.account,
        "counters": simulation.counters,
    }


def _restore(simulation: "Simulation", arrays: Arrays, position: int, rows: int) -> None:
    simulation.make_room(rows)
    for name, array in _state(simulation).items():
        array[:] = arrays[name]
    simulation.path[:, :position] = arrays["path"]
    simulation.keys[:rows], simulation.values[:rows] = arrays["keys"], arrays["values"]
    simulation.position = position


def _by_weight(simulation: "Simulation") -> bool:
    return simulation.context is not None and bool(simulation.context.weighted)


def _restore_context(simulation: "Simulation", context: "Context", strategy: dict[str, Any]) -> None:
    context.state = strategy["state"]
    context.weighted = True if strategy["by_weight"] else None  # False is found out by the next order
    simulation.choices[layout.BY_WEIGHT] = strategy["by_weight"]


def _same(field: str, found: object, expected: object) -> None:
    if found != expected:
        raise _mismatch(field, found, expected)


def _mismatch(field: str, found: object, expected: object) -> CheckpointMismatch:
    message = f"the checkpoint is of another run: its {field} is {str(found)[:100]}, not {str(expected)[:100]}"
    return CheckpointMismatch(message, field=field)
