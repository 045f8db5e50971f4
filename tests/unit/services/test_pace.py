"""The time left, as a simulation's chunks show it."""

import pytest

from backproof.services.backtests.pace import Pace


def test_nothing_is_known_before_a_second_chunk() -> None:
    pace = Pace()
    assert pace.seconds_left(1000, 5.0) is None
    pace.passed(200, 10.0)
    assert pace.seconds_left(1000, 10.0) is None


def test_the_first_chunk_counts_for_nothing() -> None:
    pace = Pace()
    for bar, at in ((200, 60.0), (1000, 60.1), (4200, 60.5)):  # a minute of loading, then 8,000 bars a second
        pace.passed(bar, at)
    assert pace.seconds_left(1_004_200, 60.5) == pytest.approx(125.0)


def test_it_goes_down_within_a_chunk_and_never_below_nothing() -> None:
    pace = Pace()
    for bar, at in ((100, 1.0), (200, 2.0)):
        pace.passed(bar, at)
    assert pace.seconds_left(500, 2.5) == pytest.approx(2.5)
    assert pace.seconds_left(500, 9.0) == 0.0


def test_a_run_that_goes_on_measures_what_this_attempt_does() -> None:
    pace = Pace()
    for bar, at in ((900_000, 0.5), (910_000, 1.5)):
        pace.passed(bar, at)
    assert pace.seconds_left(1_000_000, 1.5) == pytest.approx(9.0)
