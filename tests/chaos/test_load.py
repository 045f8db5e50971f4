"""The load scenarios in short: what must hold whatever the machine can do."""

from pathlib import Path

from chaos.load import perform

LIMIT = 2


def test_a_full_queue_is_worked_off_and_never_more_run_than_may(tmp_path: Path) -> None:
    settings = {"MAX_CONCURRENT_BACKTESTS": str(LIMIT), "WORKER_CONCURRENCY": str(2 * LIMIT)}
    figures = perform("queue", tmp_path, settings, kind="small", number=40, limit=LIMIT)
    assert figures["problems"] == []
    assert figures["most_running"] <= LIMIT
    assert figures["counts"] == {"completed": 40 + 2 * LIMIT}
