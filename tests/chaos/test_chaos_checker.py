"""The checker itself: silent about a good run, and each invariant able to fail."""

import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.checker import INVARIANTS, check, notes
from chaos.facts import Facts, gather
from chaos.files import Directory
from chaos.lab import recoveries
from chaos.scenario_durability import wrong_order
from chaos.store import Store

RUN, KEY, PATH = "bt-000000000001", "key-1", "runs/bt-000000000001/2/result.parquet"
EXPECTED = {"equity_hash": "e", "fills_hash": "f", "fingerprint": "p"}
Break = Callable[[Facts], None]


def event(seq: int, kind: str = "log", **data: Any) -> dict[str, Any]:
    return {"run_id": RUN, "seq": seq, "type": kind, "timestamp": f"2026-01-01T00:00:{seq:02d}.000000Z", "data": data}


def status(seq: int, to: str, **data: Any) -> dict[str, Any]:
    return event(seq, "status_change", status=to, **data)


def frame(seq: int, kind: str, to: str | None = None) -> dict[str, Any]:
    return {"kind": "frame", "viewer": "v", "run": RUN, "type": kind, "seq": seq, "status": to, "wall": 0.0}


def killed_once() -> Facts:
    """A run whose first worker died, watched by one viewer, and completed by the second."""
    events = [
        *(status(1, "queued", attempt=0), status(2, "running", attempt=1), event(3)),
        *(status(4, "queued", attempt=1, reason="worker_died"), status(5, "running", attempt=2), event(6)),
        status(7, "completed", attempt=2),
    ]
    run = {
        "id": RUN,
        "status": "completed",
        "seq": 7,
        "outbox": [],
        "relay_pending": False,
        "fence": 2,
        "attempt": 2,
        "worker": None,
        "error": None,
        "partial": False,
        "fingerprint": "p",
        "checkpoint": None,
        "manifest": {"equity_hash": "e", "fills_hash": "f"},
        "result": {"path": PATH, "sha256": "abc"},
    }
    frames = [frame(e["seq"], e["type"], e["data"].get("status")) for e in events]
    return Facts(
        record=[
            {"kind": "submit", "key": KEY, "workload": "long"},
            {"kind": "answer", "key": KEY, "workload": "long", "code": 200, "run": RUN},
            {"kind": "viewer", "viewer": "v", "run": RUN},
            {"kind": "death", "what": "pool child", "runs": [RUN], "at": 0.0},
            *frames,
        ],
        runs={RUN: run},
        events={RUN: events},
        attempts={RUN: [attempt(1), attempt(2)]},
        files={PATH: "abc"},
        expected={"long": EXPECTED},
        logs={"web.log": "all is well"},
        canaries=("canary123",),
    )


def attempt(number: int) -> dict[str, Any]:
    return {"id": f"{RUN}:{number}", "attempt": number, "fence": number, "ended_at": "2026-01-01T00:00:09.000000Z"}


def cancel(code: int, said: str) -> dict[str, Any]:
    path = f"/api/v1/backtests/{RUN}/cancel"
    return {
        "kind": "call",
        "method": "POST",
        "path": path,
        "code": code,
        "said": {"status": said, "detail": f"it is {said}"},
    }


def resume(code: int = 200) -> dict[str, Any]:
    path = f"/api/v1/backtests/{RUN}/resume"
    return {"kind": "call", "method": "POST", "path": path, "code": code, "said": {"status": "queued"}}


def end_as(facts: Facts, to: str) -> None:
    """The last event, what the viewer saw of it, and the document say another end."""
    facts.runs[RUN]["status"] = facts.events[RUN][-1]["data"]["status"] = to
    facts.record[-1]["status"] = to


def appended(*changes: str, resumed: bool = False) -> Break:
    """More status changes after the end."""

    def break_it(facts: Facts) -> None:
        for to in changes:
            run = facts.runs[RUN]
            run["seq"], run["status"] = run["seq"] + 1, to
            if to == "running":
                run["fence"], run["attempt"] = run["fence"] + 1, run["attempt"] + 1
                facts.attempts[RUN].append(attempt(run["attempt"]))
            facts.events[RUN].append(status(run["seq"], to, attempt=run["attempt"]))
        if resumed:
            facts.record.append(resume())

    return break_it


def document(**changes: Any) -> Break:
    return lambda facts: facts.runs[RUN].update(changes)


def recorded(*entries: dict[str, Any]) -> Break:
    return lambda facts: facts.record.extend(entries)


def insert_claim(facts: Facts) -> None:
    """Somebody else claims the run while the second worker holds it."""
    facts.events[RUN][5] = status(6, "running", attempt=3)
    facts.record[-2] = frame(6, "status_change", "running")
    facts.runs[RUN]["fence"] = 3


def repeat_attempt(facts: Facts) -> None:
    facts.events[RUN][4]["data"]["attempt"] = 1


def fail_with(code: str, deaths: int) -> Break:
    def break_it(facts: Facts) -> None:
        end_as(facts, "failed")
        facts.runs[RUN].update(result=None, error={"code": code, "message": "it broke"})
        facts.files.clear()
        facts.record += [{"kind": "death", "what": "x", "runs": [RUN], "at": 0.0}] * (deaths - 1)

    return break_it


def cancelled_with(*calls: dict[str, Any]) -> Break:
    def break_it(facts: Facts) -> None:
        end_as(facts, "cancelled")
        facts.record += calls

    return break_it


def drop(name: str, index: int) -> Break:
    def break_it(facts: Facts) -> None:
        if name == "events":
            del facts.events[RUN][index]
        else:
            del facts.record[index]

    return break_it


BROKEN: list[tuple[str, Break]] = [
    ("accepted_runs_exist", lambda facts: facts.runs.clear()),
    ("one_key_is_one_run", recorded({"kind": "answer", "key": KEY, "workload": "x", "code": 200, "run": "bt-other"})),
    ("one_final_state", document(status="running")),
    ("one_final_state", document(status="failed")),
    ("one_final_state", appended("completed")),
    ("nothing_after_the_end", appended("running", "completed")),
    ("nothing_after_the_end", appended("running", "completed", resumed=True)),
    ("one_end_per_claim", appended("completed")),
    ("one_end_per_claim", insert_claim),
    ("claims_are_numbered", repeat_attempt),
    ("claims_are_numbered", document(fence=3)),
    ("claims_are_numbered", lambda facts: facts.attempts[RUN].append({**attempt(3), "fence": 2})),
    ("viewers_saw_everything_once", drop("record", -3)),
    ("viewers_saw_everything_once", recorded(frame(7, "status_change", "completed"))),
    ("viewers_saw_everything_once", drop("record", -1)),
    ("viewers_saw_what_is_stored", recorded(frame(8, "log"))),
    ("viewers_saw_what_is_stored", lambda facts: facts.record[-1].update(status="failed")),
    ("events_have_no_gaps", drop("events", 2)),
    ("events_have_no_gaps", document(seq=8)),
    ("everything_was_told", document(outbox=[event(7)])),
    ("everything_was_told", document(relay_pending=True)),
    ("results_are_those_of_an_undisturbed_run", document(fingerprint="another")),
    ("results_are_those_of_an_undisturbed_run", document(manifest={"equity_hash": "e", "fills_hash": "x"})),
    ("results_are_those_of_an_undisturbed_run", document(partial=True)),
    ("results_are_of_the_last_claim", document(result={"path": PATH.replace("/2/", "/1/"), "sha256": "abc"})),
    ("recorded_files_are_there", document(result=None)),
    ("recorded_files_are_there", lambda facts: facts.files.clear()),
    ("recorded_files_are_there", lambda facts: facts.files.update({PATH: "another"})),
    ("recorded_files_are_there", document(checkpoint={"path": "runs/x/1/checkpoint-5.bin", "sha256": "d"})),
    ("completed_runs_have_no_strays", lambda facts: facts.files.update({f"runs/{RUN}/1/result.parquet": "abc"})),
    ("no_file_is_torn", lambda facts: facts.torn.append(PATH)),
    ("cancels_agree_with_the_end", recorded(cancel(200, "cancelling"))),
    ("cancels_agree_with_the_end", recorded(cancel(409, "running"))),
    ("cancels_agree_with_the_end", cancelled_with()),
    ("failures_have_a_reason", fail_with("internal_error", 1)),
    ("failures_have_a_reason", fail_with("crash_loop", 2)),
    ("no_claim_is_left", document(worker={"name": "w", "host": "h", "pid": 1})),
    ("no_claim_is_left", lambda facts: facts.slots.append({"id": "slot:0", "holder": "w"})),
    ("no_secret_is_logged", lambda facts: facts.logs.update({"web.log": "GET /?key=canary123"})),
]


def test_a_run_that_was_killed_once_and_completed_breaks_nothing() -> None:
    assert check(killed_once()) == []
    assert notes(killed_once()) == []


@pytest.mark.parametrize(("invariant", "break_it"), BROKEN, ids=[f"{i}-{name}" for i, (name, _) in enumerate(BROKEN)])
def test_an_invariant_that_is_broken_is_named(invariant: str, break_it: Break) -> None:
    facts = killed_once()
    break_it(facts)
    found = [sentence for sentence in check(facts) if sentence.startswith(f"{invariant}: ")]
    assert found
    assert all(RUN in sentence or "web.log" in sentence or "slot:0" in sentence for sentence in found)


def test_every_invariant_can_fail() -> None:
    assert {name for name, _ in BROKEN} == set(INVARIANTS)


PERMITTED: dict[str, Break] = {
    "a crash loop after three deaths": fail_with("crash_loop", 3),
    "a cancel that was accepted": cancelled_with(cancel(200, "cancelling")),
    "a cancel whose answer was lost": cancelled_with(cancel(0, "")),
    "a cancel that came too late": recorded(cancel(409, "completed")),
    "a submission that was sent twice": recorded(
        {"kind": "answer", "key": KEY, "workload": "long", "code": 200, "run": RUN}
    ),
}


@pytest.mark.parametrize("name", PERMITTED)
def test_what_may_happen_breaks_nothing(name: str) -> None:
    facts = killed_once()
    PERMITTED[name](facts)
    assert check(facts) == []


def test_a_run_that_its_owner_resumes_has_two_ends() -> None:
    facts = killed_once()
    end_as(facts, "cancelled")
    facts.record += [cancel(200, "cancelling"), resume()]
    appended("queued", "running", "completed")(facts)
    third = PATH.replace("/2/", "/3/")
    facts.runs[RUN]["result"] = {"path": third, "sha256": "abc"}
    facts.files = {third: "abc"}
    assert check(facts) == []


def test_a_failure_that_the_scenario_permits_is_none() -> None:
    facts = killed_once()
    fail_with("storage_failed", 1)(facts)
    assert len(check(facts)) == 1
    facts.record.append({"kind": "permit", "codes": ["storage_failed"]})
    assert check(facts) == []


def test_a_run_that_its_owner_deleted_need_not_exist() -> None:
    facts = killed_once()
    facts.record.append({"kind": "call", "method": "DELETE", "path": f"/api/v1/backtests/{RUN}", "code": 204})
    facts.runs.clear()
    assert check(facts) == []


def test_notes_tell_strays_and_attempts_without_an_end() -> None:
    facts = killed_once()
    end_as(facts, "cancelled")
    facts.files[f"runs/{RUN}/1/.7-ab.tmp"] = "x"
    facts.attempts[RUN][0] = {**attempt(1), "ended_at": None}
    found = notes(facts)
    assert len(found) == 2
    assert "stray" in found[0]
    assert "never closed" in found[1]


def test_recovery_is_timed_from_the_death_to_the_next_claim_or_to_the_end_that_viewers_see() -> None:
    facts = killed_once()
    first_claim = 1767225602.0  # 2026-01-01T00:00:02Z
    facts.record[3]["at"] = first_claim + 0.5
    assert recoveries(facts) == [2.5]
    facts.record[3]["at"] = first_claim + 5.5
    facts.record[-1]["wall"] = first_claim + 6.5
    assert recoveries(facts) == [1.0]


def test_an_incomplete_file_is_seen_under_a_final_name_only(tmp_path: Path) -> None:
    read = store(tmp_path / "backproof.sqlite3")
    folder = tmp_path / "lake" / "runs" / RUN / "1"
    folder.mkdir(parents=True)
    (folder / "result.parquet").write_bytes(b"PAR1 half a fi")
    (folder / ".12-ab.tmp").write_bytes(b"PAR1 half a fi")
    whole = b"state"
    (folder / "checkpoint-10.bin").write_bytes(whole + hashlib.sha256(whole).digest())
    (folder / "checkpoint-20.bin").write_bytes(whole + hashlib.sha256(b"other").digest())
    facts = gather(read, Directory(tmp_path / "lake"), tmp_path / "logs", copy.deepcopy(killed_once().record), {})
    assert sorted(facts.torn) == [f"runs/{RUN}/1/checkpoint-20.bin", f"runs/{RUN}/1/result.parquet"]


def store(path: Path) -> Store:
    import sqlite3

    with sqlite3.connect(path) as connection:
        for table in ("backtests", "backtest_logs", "backtest_executions"):
            connection.execute(f"CREATE TABLE {table} (id TEXT, doc TEXT)")
    connection.close()
    return Store(path)


def test_files_that_are_named_before_they_are_synced_are_told() -> None:
    final, temporary, folder = "/d/lake/runs/bt-1/1/result.parquet", "/d/lake/runs/bt-1/1/.9.tmp", "/d/lake/runs/bt-1/1"
    synced, renamed, directory = ["fsync", temporary], ["rename", final, temporary], ["fsync", folder]
    record = ["record", "/lake/runs/bt-1/1/result.parquet"]
    assert list(wrong_order([synced, renamed, directory, record])) == []
    assert len(list(wrong_order([renamed, synced, directory, record]))) == 1
    assert len(list(wrong_order([directory, synced, renamed, record]))) == 1
    assert len(list(wrong_order([record, synced, renamed, directory]))) == 1
