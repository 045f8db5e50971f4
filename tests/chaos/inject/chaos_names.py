"""The named points: where a process is when it gets there."""

WORKER = {
    "claim-before": "about to claim a run",
    "claim-written": "has claimed it, nobody was told",
    "attempt-unrecorded": "the claim is relayed, the attempt has no record yet",
    "data-loaded": "bars are in memory",
    "indicators-ready": "indicators are computed",
    "simulating": "between two chunks of bars",
    "checkpoint-before": "about to write a checkpoint",
    "checkpoint-synced": "the checkpoint's temporary file is complete, not renamed",
    "checkpoint-file": "the checkpoint is in place, not recorded",
    "checkpoint-recorded": "the checkpoint is recorded, nobody was told",
    "result-writing": "half of the result's bytes are written",
    "result-synced": "the result's temporary file is complete, not renamed",
    "result-file": "the result is in place under its name, not recorded",
    "tidy-before": "files of earlier attempts or checkpoints are about to be removed",
    "finish-before": "about to write the end of the run",
    "finish-written": "the end is written, nobody was told",
    "relay-stored": "an event is in the log, not in the stream",
    "relay-published": "it is in the stream, the outbox still has it",
    "attempt-open": "the run has ended, the record of its attempt has not",
    "slot-held": "about to give its slot back",
}
WEB = {
    "submit-saved": "a run is saved, not answered, no hint is sent",
    "cancel-written": "a cancel is saved, not answered",
}
SCHEDULER = {
    "requeue-before": "about to queue the run of a dead worker again",
    "requeue-written": "it is queued again, nobody was told",
}
