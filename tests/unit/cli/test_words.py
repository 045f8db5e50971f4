"""What is said about a run: how long, when, for what it waits, and how to go on."""

from typing import Any

import pytest

from backproof.cli import words


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0.1 s"),
        (0.34, "0.3 s"),
        (2.0, "2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3720.0, "1 h 02 min"),
    ],
)
def test_a_span_has_the_unit_that_people_would_use(seconds: float, shown: str) -> None:
    assert words.span(seconds) == shown


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"estimated_duration": None}, ""),
        ({"estimated_duration": 0.03}, "under 0.1 s"),
        ({"estimated_duration": 2.04}, "about 2 s"),
        ({"estimated_duration": 2.0, "estimate_low": 1.8, "estimate_high": 2.4}, "about 2 s (1.8 s to 2.4 s)"),
        ({"estimated_duration": 2.0, "estimate_low": 2.5, "estimate_high": 3.0}, "about 2 s"),  # no range of it
        ({"estimated_duration": 2.0, "estimate_low": 1.99, "estimate_high": 2.01}, "about 2 s"),
    ],
)
def test_an_estimate_is_said_with_its_range_where_there_is_one(data: dict[str, Any], shown: str) -> None:
    assert words.duration(data) == shown


@pytest.mark.parametrize(
    ("position", "wait", "shown"),
    [
        (None, None, ""),
        (1, 0.0, "starts at once"),
        (2, 0.0, "starts at once"),
        (1, 40.0, "next in the queue, starts in about 40 s"),
        (3, 40.0, "3rd in the queue, starts in about 40 s"),
        (22, None, "22nd in the queue"),
    ],
)
def test_a_waiting_run_says_its_place_and_when_it_starts(position: int | None, wait: float | None, shown: str) -> None:
    known = wait is not None
    eta = {"eta_seconds": wait + 2.0 if known and wait is not None else None, "estimated_duration": 2.0}
    assert words.start({"queue_position": position, **eta}) == shown


def test_ordinals() -> None:
    assert [words.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 101, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"),
    ]


def test_a_pending_run_names_the_first_of_what_it_waits_for() -> None:
    missing = [{"message": f"no symbol S{i}"} for i in range(5)]
    said = words.missing({"waiting_for": missing})
    assert said == "waiting for data: no symbol S0; no symbol S1; no symbol S2; and 2 more"
    assert words.missing({"waiting_for": []}) == "waiting for data"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"status": "cancelled", "checkpoint_bar": 1200, "total_bars": 2500}, "goes on after bar 1,200 of 2,500"),
        ({"status": "failed", "checkpoint_bar": 12, "total_bars": 0}, "goes on after bar 12"),
        ({"status": "cancelled", "checkpoint_bar": None}, ""),
        ({"status": "completed", "checkpoint_bar": 12}, ""),
        ({"status": "running", "checkpoint_bar": 12}, ""),
    ],
)
def test_a_run_that_ended_early_says_how_to_go_on(status: dict[str, Any], said: str) -> None:
    expected = f"`backproof resume bt-1` {said}" if said else ""
    assert words.how_to_resume("bt-1", status) == expected


def test_every_reason_for_which_the_service_queues_a_run_has_words() -> None:
    from backproof.services.backtests import transitions

    assert transitions.WORKER_STOPPED in words.REASONS
    assert words.queued_because("something_new") == "queued: something new"
