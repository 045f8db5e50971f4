"""The oracle's memory: every call of a client with its answer, every frame of a viewer, every fault, as it happened.

It lies outside the data directory, one JSON object per line, flushed at once, so that it outlives whatever is broken.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from chaos.workloads import config

# identical requests may be answered with a stored result; a run that is to be disturbed has to be computed
FRESH = "use_cache=false"
TIMEOUT_SECONDS = 10.0
RETRY_SECONDS = 0.2
_API = "/api/v1/backtests"


class Recorder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file = path.open("a", buffering=1)

    def note(self, kind: str, **fields: Any) -> None:
        """kind: submit, answer, call, frame, viewer, death, permit, ... (see checker.py for what is read)."""
        line = json.dumps({"kind": kind, "mono": time.monotonic(), "wall": time.time(), **fields}, default=str)
        with self._lock:
            self._file.write(line + "\n")

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def close(self) -> None:
        self._file.close()


class NotAccepted(Exception):
    """A run that was to be submitted was refused, or nobody answered for too long."""


class Client:
    """A user: submits, asks, cancels. What could not be delivered is tried again under the same Idempotency-Key."""

    def __init__(self, url: str, recorder: Recorder, label: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self._recorder = recorder
        self._label = label
        self._submitted = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, kind: str, *, priority: str = "normal", patience: float = 60.0, **changes: Any) -> str:
        """The id of a new run. Raises NotAccepted."""
        with self._lock:
            self._submitted += 1
            key = f"{self._label}-{self._submitted}-{time.time_ns()}"
        body = {**config(kind, f"{self._label} {self._submitted}"), **changes}
        deadline = time.monotonic() + patience
        while True:
            answer = self._post(f"{_API}?{FRESH}&priority={priority}", key, kind, body)
            if answer is not None and answer.status_code == 200:
                return str(answer.json()["backtest_id"])
            again = answer is None or answer.status_code in (429, 503)
            if not again or time.monotonic() > deadline:
                said = "no answer" if answer is None else f"{answer.status_code} {answer.text[:300]}"
                raise NotAccepted(f"{key}: {said}")
            time.sleep(RETRY_SECONDS)

    def post_once(self, key: str, kind: str) -> httpx.Response | None:
        """One attempt to submit under this Idempotency-Key."""
        return self._post(f"{_API}?{FRESH}", key, kind, config(kind, f"{self._label} {key}"))

    def cancel(self, run_id: str) -> tuple[int, str]:
        """(status code, the run's status in the answer); (0, "") without one."""
        answer = self.call("POST", f"{_API}/{run_id}/cancel")
        if answer is None:
            return 0, ""
        said = answer.json()
        return answer.status_code, str(said.get("status", "")) if answer.status_code == 200 else ""

    def resume(self, run_id: str) -> int:
        answer = self.call("POST", f"{_API}/{run_id}/resume")
        return 0 if answer is None else answer.status_code

    def status(self, run_id: str) -> dict[str, Any] | None:
        answer = self.call("GET", f"{_API}/{run_id}/status")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    def call(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        """Anything, recorded; None when there was no answer."""
        began = time.monotonic()
        asked = {"method": method, "path": path, "began": began}
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            self._recorder.note("call", **asked, code=0, error=f"{type(error).__name__}: {error}")
            return None
        self._recorder.note("call", **asked, code=answer.status_code, said=_short(answer))
        return answer

    def _post(self, path: str, key: str, kind: str, body: dict[str, Any]) -> httpx.Response | None:
        self._recorder.note("submit", key=key, workload=kind)
        try:
            answer = self._http.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx.HTTPError as error:
            self._recorder.note("answer", key=key, code=0, error=f"{type(error).__name__}: {error}")
            return None
        run_id = answer.json().get("backtest_id") if answer.status_code == 200 else None
        self._recorder.note("answer", key=key, workload=kind, code=answer.status_code, run=run_id, said=_short(answer))
        return answer


def _short(answer: httpx.Response) -> Any:
    """The answer's status fields, or the beginning of its text."""
    try:
        said = answer.json()
    except ValueError:
        return answer.text[:200]
    if isinstance(said, dict):
        return {k: said[k] for k in ("backtest_id", "status", "code", "detail", "seq", "error") if k in said}
    return str(said)[:200]
