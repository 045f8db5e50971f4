"""The metadata store on a MongoDB server, read without the product: the same questions as to the file of SQLite."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pymongo
from bson.decimal128 import Decimal128

from chaos.store import CLAIMED, FINAL, Json, Store

_ESCAPE = re.compile(r"%([0-9A-F]{2})")


class ServerStore(Store):
    """url: of the database"""

    def __init__(self, url: str) -> None:
        super().__init__(Path("nowhere"))
        self._client: Any = pymongo.MongoClient(url, timeoutMS=10_000)
        self._database: Any = self._client.get_default_database()

    def close(self) -> None:
        self._client.close()

    def run(self, run_id: str) -> Json | None:
        found = self._database.backtests.find_one({"_id": run_id})
        return None if found is None else _document(found)

    def runs(self, ids: Sequence[str] | None = None) -> dict[str, Json]:
        where = {} if ids is None else {"_id": {"$in": list(ids)}}
        found = {run["_id"]: _document(run) for run in self._database.backtests.find(where)}
        return found if ids is None else {run: found[run] for run in ids if run in found}

    def status(self, run_id: str) -> str | None:
        found = self._database.backtests.find_one({"_id": run_id}, {"status": 1})
        return None if found is None else str(found["status"])

    def holder(self, run_id: str) -> int:
        found = self._database.backtests.find_one({"_id": run_id}, {"worker.pid": 1})
        return int(((found or {}).get("worker") or {}).get("pid") or 0)

    def held(self, pid: int | None = None) -> list[str]:
        return [run for run, holder in self._claimed() if pid is None or holder == pid]

    def holders(self) -> int:
        return len({holder for _, holder in self._claimed()})

    def _claimed(self) -> list[tuple[str, int]]:
        found = self._database.backtests.find({"status": {"$in": list(CLAIMED)}}, {"worker.pid": 1})
        return [(str(run["_id"]), int((run.get("worker") or {}).get("pid") or 0)) for run in found]

    def unfinished(self, ids: Sequence[str]) -> list[str]:
        told = {"status": {"$in": list(FINAL)}, "relay_pending": {"$ne": True}, "outbox": []}
        known = self._database.backtests.find({"_id": {"$in": list(ids)}, **told}, {"_id": 1})
        done = {str(run["_id"]) for run in known}
        return [run for run in ids if run not in done]

    def _standing(self, ids: Sequence[str]) -> list[Any]:
        wanted = {"seq": 1, "attempt": 1, "progress": 1}
        return list(self._database.backtests.find({"_id": {"$in": list(ids)}}, wanted).sort("_id"))

    def _documents(self, collection: str) -> list[Json]:
        return [_document(found) for found in self._database[collection].find()]


def _document(raw: Mapping[str, Any]) -> Json:
    """As the JSON it was stored from."""
    fields: Json = _plain(raw)
    return {"id": fields.pop("_id"), **fields}


def _plain(value: Any) -> Any:
    match value:
        case {"%int": str(digits)}:
            return int(digits)
        case dict():
            return {_ESCAPE.sub(lambda m: chr(int(m[1], 16)), key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case Decimal128():
            return int(value.to_decimal())
    return value
