"""The metadata store as it lies on disk, read without the product: what is true whatever any process says."""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
FINAL = ("completed", "failed", "cancelled")
CLAIMED = ("running", "cancelling")
_STATUS = "json_extract(doc, '$.\"status\"')"  # as the product's index has it


class Store:
    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, run_id: str) -> Json | None:
        rows = self._rows("SELECT doc FROM backtests WHERE id = ?", run_id)
        return json.loads(rows[0][0]) if rows else None

    def runs(self, ids: Sequence[str] | None = None) -> dict[str, Json]:
        found = {str(run): json.loads(doc) for run, doc in self._rows("SELECT id, doc FROM backtests")}
        return found if ids is None else {run: found[run] for run in ids if run in found}

    def status(self, run_id: str) -> str | None:
        rows = self._rows("SELECT json_extract(doc, '$.status') FROM backtests WHERE id = ?", run_id)
        return str(rows[0][0]) if rows else None

    def holder(self, run_id: str) -> int:
        """pid of the process that has claimed the run, 0 for none."""
        rows = self._rows("SELECT json_extract(doc, '$.worker.pid') FROM backtests WHERE id = ?", run_id)
        return int(rows[0][0] or 0) if rows else 0

    def held(self, pid: int | None = None) -> list[str]:
        """Runs that a process, or any, has claimed now."""
        rows = self._rows(
            "SELECT id, json_extract(doc, '$.worker.pid') FROM backtests WHERE " + _STATUS + " IN (?, ?)", *CLAIMED
        )
        return [str(run) for run, holder in rows if pid is None or holder == pid]

    def holders(self) -> int:
        """How many processes have claimed a run now."""
        rows = self._rows(
            "SELECT count(DISTINCT json_extract(doc, '$.worker.pid')) FROM backtests WHERE " + _STATUS + " IN (?, ?)",
            *CLAIMED,
        )
        return int(rows[0][0])

    def unfinished(self, ids: Sequence[str]) -> list[str]:
        """Those that are not final, or have events that were not relayed."""
        known = self._rows(
            f"SELECT id FROM backtests WHERE id IN ({','.join('?' * len(ids))}) AND {_STATUS} IN (?, ?, ?) "
            "AND NOT json_extract(doc, '$.relay_pending') AND json_array_length(doc, '$.outbox') = 0",
            *ids,
            *FINAL,
        )
        done = {str(row[0]) for row in known}
        return [run for run in ids if run not in done]

    def settled(self, ids: Sequence[str], patience: float) -> list[str]:
        """Wait until these are final and told, as long as anything about them changes; those that do not get there."""
        waiting, seen, changed_at = list(ids), None, time.monotonic()
        while waiting := self.unfinished(waiting):
            if (now := self._standing(waiting)) != seen:
                seen, changed_at = now, time.monotonic()
            if time.monotonic() - changed_at > patience:
                break
            time.sleep(0.1)
        return waiting

    def _standing(self, ids: Sequence[str]) -> list[Any]:
        """How far they are, by what only a worker that gets on changes."""
        return self._rows(
            f"SELECT id, json_extract(doc, '$.seq', '$.attempt', '$.progress') FROM backtests "
            f"WHERE id IN ({','.join('?' * len(ids))}) ORDER BY id",
            *ids,
        )

    def events(self) -> dict[str, list[Json]]:
        """Stored durable events by run, in the order of seq."""
        found: dict[str, list[Json]] = {}
        for event in self._documents("backtest_logs"):
            found.setdefault(event["run_id"], []).append(event)
        for events in found.values():
            events.sort(key=lambda event: event["seq"])
        return found

    def executions(self) -> dict[str, list[Json]]:
        """Records of attempts by run, in order."""
        found: dict[str, list[Json]] = {}
        for attempt in self._documents("backtest_executions"):
            found.setdefault(attempt["run_id"], []).append(attempt)
        for attempts in found.values():
            attempts.sort(key=lambda attempt: (attempt["attempt"], attempt["fence"]))
        return found

    def slots(self) -> list[Json]:
        try:
            return self._documents("slots")
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # a version without limits across processes
                return []
            raise

    def _documents(self, collection: str) -> list[Json]:
        return [json.loads(doc) for (doc,) in self._rows(f"SELECT doc FROM {collection}")]

    def _rows(self, query: str, *values: object) -> list[Any]:
        """Patient: a store that is being opened, or whose disk is full for a moment, is asked again."""
        deadline = time.monotonic() + 10.0
        while True:
            try:
                with self._connected() as connection:
                    return connection.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10.0)
        try:
            yield connection
        finally:
            connection.close()
