"""Checker: what was promised, looked for in the facts. It knows nothing of how the product keeps its promises.

Each invariant is a function that yields one sentence per violation. `notes` are things worth a look that break none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from chaos.facts import Facts, Json, epoch
from chaos.store import CLAIMED, FINAL
from chaos.viewers import DURABLE
from chaos.workloads import hashes_of

MAX_DEATHS = 3  # a run whose workers died so often may end as failed: crash_loop
RUN_SLOTS = ("slot:", "user:")
Invariant = Callable[[Facts], Iterator[str]]


def check(facts: Facts) -> list[str]:
    """Every violation of every invariant."""
    return [f"{name}: {sentence}" for name, invariant in INVARIANTS.items() for sentence in invariant(facts)]


def _changes(facts: Facts, run_id: str) -> list[Json]:
    """The status changes of a run, in order."""
    return [event for event in facts.events.get(run_id, []) if event["type"] == "status_change"]


def _present(facts: Facts) -> Iterator[tuple[str, Json]]:
    """Accepted runs that have a document, and were not deleted by their owner."""
    gone = facts.deleted()
    for run_id in facts.accepted():
        if run_id in facts.runs and run_id not in gone:
            yield run_id, facts.runs[run_id]


def accepted_runs_exist(facts: Facts) -> Iterator[str]:
    gone = facts.deleted()
    for run_id in facts.accepted():
        if run_id not in facts.runs and run_id not in gone:
            yield f"{run_id} was accepted and does not exist"


def one_key_is_one_run(facts: Facts) -> Iterator[str]:
    runs = defaultdict(set)
    for answer in facts.of("answer"):
        if answer["code"] == 200:
            runs[answer["key"]].add(answer["run"])
    for key, found in runs.items():
        if len(found) > 1:
            yield f"{sorted(found)} were all accepted for the one Idempotency-Key {key}"


def one_final_state(facts: Facts) -> Iterator[str]:
    for run_id, run in _present(facts):
        changes = [event["data"]["status"] for event in _changes(facts, run_id)]
        ends = [status for status in changes if status in FINAL]
        if run["status"] not in FINAL:
            yield f"{run_id} is {run['status']} and has no final state"
        elif not ends:
            yield f"{run_id} is {run['status']}, but no event says so"
        elif changes[-1] != run["status"]:
            yield f"{run_id} is {run['status']}, but its last status change says {changes[-1]}"
        if len(ends) > 1 + facts.resumed(run_id):
            yield f"{run_id} has {len(ends)} final states: {', '.join(ends)}"


def nothing_after_the_end(facts: Facts) -> Iterator[str]:
    for run_id, _ in _present(facts):
        resumes = facts.resumed(run_id)
        for before, after in pairwise(_changes(facts, run_id)):
            if before["data"]["status"] in FINAL:
                resumes -= 1
                if resumes < 0 or after["data"]["status"] != "queued":
                    yield f"{run_id} went from {before['data']['status']} to {after['data']['status']}"


def one_end_per_claim(facts: Facts) -> Iterator[str]:
    """Between two claims a run is given back or ends, once."""
    for run_id, _ in _present(facts):
        claimed, ended, resumable = False, False, facts.resumed(run_id)
        for event in _changes(facts, run_id):
            status = event["data"]["status"]
            if status == "running":
                if claimed and not ended:
                    yield f"{run_id} was claimed at seq {event['seq']} while another claim stood"
                claimed, ended = True, False
            elif status in FINAL or status == "queued":
                if claimed and ended and not (status == "queued" and resumable):
                    yield f"{run_id} has two ends of one claim, the second at seq {event['seq']}"
                ended = True


def claims_are_numbered(facts: Facts) -> Iterator[str]:
    """attempt rises from claim to claim, but for workers that stopped on purpose; the fence counts the claims."""
    for run_id, run in _present(facts):
        attempt, spared, claims = 0, False, 0
        for event in _changes(facts, run_id):
            data = event["data"]
            if data["status"] == "queued" and data.get("reason") == "worker_stopped":
                spared = True
            if data["status"] == "running":
                claims += 1
                if data["attempt"] <= attempt - spared:
                    yield f"{run_id} had attempt {data['attempt']} after attempt {attempt}"
                attempt, spared = data["attempt"], False
        if run["fence"] != claims:
            yield f"{run_id} has fence {run['fence']} after {claims} claims"
        fences = [attempt["fence"] for attempt in facts.attempts.get(run_id, [])]
        if any(later <= earlier for earlier, later in pairwise(fences)):
            yield f"{run_id} has attempts with the fences {fences}"


def viewers_saw_everything_once(facts: Facts) -> Iterator[str]:
    shown: dict[str, list[Json]] = defaultdict(list)
    for frame in facts.of("frame"):
        if frame["type"] in DURABLE:
            shown[frame["viewer"]].append(frame)
    for viewer in facts.of("viewer"):
        frames, run_id = shown[viewer["viewer"]], viewer["run"]
        seqs = [frame["seq"] for frame in frames]
        if seqs != list(range(1, len(seqs) + 1)):
            yield f"{viewer['viewer']} of {run_id} was shown {_runs_of(seqs)}"
        run = facts.runs.get(run_id)
        ended = any(frame["type"] == "status_change" and frame["status"] in FINAL for frame in frames)
        if run is not None and run["status"] in FINAL and not ended and run_id not in facts.deleted():
            yield f"{viewer['viewer']} never saw the end of {run_id}, which is {run['status']}"


def viewers_saw_what_is_stored(facts: Facts) -> Iterator[str]:
    for frame in facts.of("frame"):
        if frame["type"] not in DURABLE or frame["run"] not in facts.runs:
            continue
        stored = next((e for e in facts.events.get(frame["run"], []) if e["seq"] == frame["seq"]), None)
        if stored is None:
            yield f"{frame['viewer']} was shown event {frame['seq']} of {frame['run']}, which is not stored"
        elif (stored["type"], stored["data"].get("status")) != (frame["type"], frame["status"]):
            yield f"{frame['viewer']} was shown another event {frame['seq']} of {frame['run']} than is stored"


def events_have_no_gaps(facts: Facts) -> Iterator[str]:
    for run_id, run in _present(facts):
        seqs = [event["seq"] for event in facts.events.get(run_id, [])]
        if seqs != list(range(1, run["seq"] + 1)):
            yield f"{run_id} has stored events {_runs_of(seqs)}, its last one has seq {run['seq']}"


def everything_was_told(facts: Facts) -> Iterator[str]:
    for run_id, run in _present(facts):
        if run["outbox"]:
            yield f"{run_id} has {len(run['outbox'])} events in its outbox"
        if run["relay_pending"]:
            yield f"{run_id} has events that nobody has relayed"


def results_are_those_of_an_undisturbed_run(facts: Facts) -> Iterator[str]:
    workloads = facts.accepted()
    for run_id, run in _present(facts):
        expected = facts.expected.get(workloads[run_id])
        if run["status"] != "completed" or expected is None:
            continue
        if run["partial"]:
            yield f"{run_id} is completed and partial"
        for name, value in hashes_of(run).items():
            if value != expected[name]:
                yield f"{run_id} has another {name} than an undisturbed run: {value} instead of {expected[name]}"


def results_are_of_the_last_claim(facts: Facts) -> Iterator[str]:
    """Whoever lost a run to another worker must not have written its end."""
    for run_id, run in _present(facts):
        if run["status"] == "completed" and run["result"] and not run.get("cached_from"):
            fence = int(run["result"]["path"].split("/")[2])
            if fence != run["fence"]:
                yield f"{run_id} has the result of claim {fence}, and was claimed {run['fence']} times"


def recorded_files_are_there(facts: Facts) -> Iterator[str]:
    for run_id, run in _present(facts):
        if run["status"] == "completed" and run["result"] is None:
            yield f"{run_id} is completed and has no result"
        for name in ("result", "checkpoint"):
            file = run.get(name)
            if file is None:
                continue
            if name == "checkpoint" and run["status"] == "completed":
                yield f"{run_id} is completed and still names a checkpoint"
            if file["path"] not in facts.files:
                yield f"{run_id} names a {name} that is missing: {file['path']}"
            elif facts.files[file["path"]] != file["sha256"]:
                yield f"{run_id} names a {name} with another sha256 than its file: {file['path']}"


def completed_runs_have_no_strays(facts: Facts) -> Iterator[str]:
    """But for those whose worker died between the end of the run and its tidying up: housekeeping finds them later."""
    for run_id, path in _strays(facts):
        if facts.runs[run_id]["status"] == "completed" and not _died_after_its_end(facts, run_id):
            yield f"{run_id} is completed and left {path} behind"


def _died_after_its_end(facts: Facts, run_id: str) -> bool:
    end = facts.events[run_id][-1]["timestamp"]
    deaths = [fault["at"] for kind in ("death", "thaw") for fault in facts.of(kind) if run_id in fault["runs"]]
    return any(death >= epoch(end) for death in deaths)


def no_file_is_torn(facts: Facts) -> Iterator[str]:
    for path in facts.torn:
        yield f"{path.split('/')[1]} has an incomplete file under a final name: {path}"


def cancels_agree_with_the_end(facts: Facts) -> Iterator[str]:
    asked: dict[str, list[Json]] = defaultdict(list)
    for run_id, call in facts.calls("POST", "cancel"):
        asked[run_id].append(call)
    for run_id, run in _present(facts):
        if facts.resumed(run_id):
            continue
        promised = [call["said"]["status"] for call in asked[run_id] if call["code"] == 200]
        refused = [call for call in asked[run_id] if call["code"] == 409]
        if promised and run["status"] == "completed":
            yield f"{run_id} is completed although a cancel was answered with {promised[0]}"
        if "cancelled" in promised and run["status"] != "cancelled":
            yield f"{run_id} is {run['status']} although a cancel was answered with cancelled"
        if run["status"] == "cancelled" and not promised and all(call["code"] != 0 for call in asked[run_id]):
            yield f"{run_id} is cancelled although no cancel was accepted"
        for call in refused:
            said = str(call["said"].get("detail", ""))
            if run["status"] in FINAL and run["status"] not in said:
                yield f"{run_id} is {run['status']} although a cancel was refused with {said!r}"


def failures_have_a_reason(facts: Facts) -> Iterator[str]:
    """Only what a scenario permits may fail: its error codes, and a crash loop after as many deaths as that takes."""
    permitted = {code for entry in facts.of("permit") for code in entry["codes"]}
    for run_id, run in _present(facts):
        if run["status"] != "failed":
            continue
        error = run["error"] or {}
        deaths = sum(run_id in death["runs"] for death in facts.of("death"))
        if error.get("code") == "crash_loop" and deaths >= MAX_DEATHS:
            continue
        if error.get("code") not in permitted:
            yield f"{run_id} failed after {deaths} deaths of its worker: {error.get('code')}, {error.get('message')}"


def no_claim_is_left(facts: Facts) -> Iterator[str]:
    """Runs that ended are held by nobody, and when nothing runs no slot is taken."""
    for run_id, run in _present(facts):
        if run["status"] in FINAL and run["worker"] is not None:
            yield f"{run_id} is {run['status']} and still held by {run['worker']['name']}"
    if not any(run["status"] in CLAIMED for run in facts.runs.values()):
        for slot in facts.slots:
            if not slot["id"].startswith(RUN_SLOTS):
                continue  # leadership is for as long as its holder lives
            yield f"slot {slot['id']} is held by {slot.get('holder')} while nothing runs"


def no_secret_is_logged(facts: Facts) -> Iterator[str]:
    for name, text in facts.logs.items():
        for canary in facts.canaries:
            if canary in text:
                line = next(line for line in text.splitlines() if canary in line)
                yield f"{name} holds a secret: {line.replace(canary, '<the secret>')[:200]}"


INVARIANTS: dict[str, Invariant] = {
    function.__name__: function
    for function in (
        accepted_runs_exist,
        one_key_is_one_run,
        one_final_state,
        nothing_after_the_end,
        one_end_per_claim,
        claims_are_numbered,
        viewers_saw_everything_once,
        viewers_saw_what_is_stored,
        events_have_no_gaps,
        everything_was_told,
        results_are_those_of_an_undisturbed_run,
        results_are_of_the_last_claim,
        recorded_files_are_there,
        completed_runs_have_no_strays,
        no_file_is_torn,
        cancels_agree_with_the_end,
        failures_have_a_reason,
        no_claim_is_left,
        no_secret_is_logged,
    )
}


def notes(facts: Facts) -> list[str]:
    """Worth a look: files that housekeeping will have to remove, records of attempts that were never closed."""
    found = [f"{run_id} ({facts.runs[run_id]['status']}) has a stray {path}" for run_id, path in _strays(facts)]
    for run_id, run in _present(facts):
        attempts = facts.attempts.get(run_id, [])
        found += [f"{a['id']} was never closed" for a in attempts if a["ended_at"] is None and run["status"] in FINAL]
        if len(attempts) != run["fence"]:
            found.append(f"{run_id} has {len(attempts)} records of {run['fence']} claims")
    return found


def _strays(facts: Facts) -> Iterator[tuple[str, str]]:
    recorded = {
        file["path"] for run in facts.runs.values() for file in (run.get("result"), run.get("checkpoint")) if file
    }
    for path in facts.files:
        run_id = path.split("/")[1]
        if path not in recorded and run_id in facts.runs:
            yield run_id, path


def _runs_of(seqs: list[int]) -> str:
    """1-4, 6, 6-9 for 1 2 3 4 6 6 7 8 9."""
    parts: list[list[int]] = []
    for seq in seqs:
        if parts and seq == parts[-1][1] + 1:
            parts[-1][1] = seq
        else:
            parts.append([seq, seq])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts) or "nothing"
