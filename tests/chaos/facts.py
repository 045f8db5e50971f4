"""Facts: everything the checker judges, gathered once from the record, the store, the lake and the logs."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from chaos.files import RunFiles
from chaos.store import Store

Json = dict[str, Any]


@dataclass(slots=True)
class Facts:
    """record: the recorder's entries in order; runs: documents by id; events, attempts: by run, in order;
    files: path below the lake to sha256, of everything below lake/runs; expected: hashes by workload, of runs that
    nothing disturbed; logs: text of every log file by name; canaries: texts that no log may hold; torn: files below
    lake/runs that have their final name and are not complete; running: whether somebody may still change all this"""

    record: list[Json]
    runs: dict[str, Json]
    events: dict[str, list[Json]] = field(default_factory=dict)
    attempts: dict[str, list[Json]] = field(default_factory=dict)
    slots: list[Json] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    torn: list[str] = field(default_factory=list)
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()

    def of(self, kind: str) -> list[Json]:
        return [entry for entry in self.record if entry["kind"] == kind]

    def accepted(self) -> dict[str, str]:
        """Run to the workload it was submitted as."""
        return {a["run"]: a["workload"] for a in self.of("answer") if a["code"] == 200}

    def calls(self, method: str, ending: str) -> Iterable[tuple[str, Json]]:
        """(run, call) of the calls of `/{run}/<ending>`, or `/{run}` for an empty ending."""
        for call in self.of("call"):
            parts = call["path"].partition("?")[0].strip("/").split("/")[3:]
            if call["method"] == method and parts and "/".join(parts[1:]) == ending:
                yield parts[0], call

    def resumed(self, run_id: str) -> int:
        """How often its owner had it resumed; a call whose answer was lost may have been one."""
        return sum(run == run_id and call["code"] in (0, 200) for run, call in self.calls("POST", "resume"))

    def deleted(self) -> set[str]:
        return {run for run, call in self.calls("DELETE", "") if call["code"] in (0, 200, 204)}


def gather(
    store: Store,
    files: RunFiles,
    logs: Path,
    record: list[Json],
    expected: Mapping[str, Mapping[str, str]],
    canaries: tuple[str, ...] = (),
) -> Facts:
    """Read the store and the lake for the runs of this record, and all logs."""
    ids = {entry["run"] for entry in record if entry["kind"] == "answer" and entry.get("run")}
    events, attempts = store.events(), store.executions()
    digests: dict[str, str] = {}
    torn: list[str] = []
    for path, data in (found for run in sorted(ids) for found in files.of(run)):
        digests[path] = hashlib.sha256(data).hexdigest()
        if not _complete(PurePath(path), data):
            torn.append(path)
    return Facts(
        record=record,
        runs=store.runs(sorted(ids)),
        events={run: events.get(run, []) for run in ids},
        attempts={run: attempts.get(run, []) for run in ids},
        slots=store.slots(),
        files=digests,
        torn=torn,
        expected=expected,
        logs={path.name: path.read_text(errors="replace") for path in sorted(logs.glob("*"))},
        canaries=canaries,
    )


def _complete(path: PurePath, data: bytes) -> bool:
    """Whether what has this name is whole; temporary files may be anything."""
    if path.suffix == ".parquet":
        return data[:4] == b"PAR1" and data[-4:] == b"PAR1"
    if path.name.startswith("checkpoint-"):  # the hash of all before stands at the end
        return hashlib.sha256(data[:-32]).digest() == data[-32:]
    return True


def epoch(timestamp: str) -> float:
    """What time.time() was at an event's timestamp."""
    return dt.datetime.fromisoformat(timestamp).timestamp()
