"""The watchdog ends a process that cannot renew its claim, and only such a one."""

import threading

from backproof.services.backtests.watchdog import Watchdog


def test_a_claim_that_is_not_renewed_ends_the_process() -> None:
    ended = threading.Event()
    with Watchdog(0.05, lambda _reason: ended.set()):
        assert ended.wait(5.0)


def test_a_claim_that_is_renewed_does_not() -> None:
    ended = threading.Event()
    pause = threading.Event()
    with Watchdog(0.5, lambda _reason: ended.set()) as watchdog:
        for _ in range(20):
            pause.wait(0.05)
            watchdog.renewed()
        assert not ended.is_set()


def test_leaving_the_block_stops_the_watch() -> None:
    ended = threading.Event()
    with Watchdog(0.05, lambda _reason: ended.set()) as watchdog:
        watchdog.renewed()
    assert not ended.wait(0.2)
