"""The short form of the chaos suite: a few faults of each kind on one real stack, or in server mode on several servers.

The long one is `run.py --long`.
"""

import random

import pytest

from chaos import scenario_broker, scenario_cancel, scenario_points, scenario_processes, scenario_servers
from chaos.inject.chaos_names import SCHEDULER, WEB, WORKER
from chaos.lab import Lab, Scenario

# the rest is for the long form: each costs a run of two seconds
POINTS = (
    *("claim-written", "attempt-unrecorded", "checkpoint-file", "checkpoint-recorded", "result-synced"),
    *("result-file", "finish-written", "relay-stored"),
)


def survives(lab: Lab, name: str, scenario: Scenario, count: int) -> None:
    lab.rng = random.Random(f"{name}{count}")
    report = lab.perform(name, scenario, count)
    assert report.violations == []
    assert report.lost == 0
    assert report.n >= count, report.figures


def test_every_named_point_is_there(lab: Lab) -> None:
    assert {*WORKER, *WEB, *SCHEDULER} - lab.world.points() == set()


def test_a_worker_may_die_at_a_named_point(lab: Lab) -> None:
    survives(lab, "worker-points", scenario_points.at_points(POINTS), len(POINTS))


def test_no_file_that_is_half_written_has_the_name_of_a_result(lab: Lab) -> None:
    survives(lab, "torn-result", scenario_points.torn_result, 1)


def test_a_worker_that_stood_still_writes_nothing_once_its_run_is_somebody_elses(lab: Lab) -> None:
    survives(lab, "stale-writers", scenario_processes.stale_writers, 1)


def test_what_a_cancel_is_answered_comes_true(lab: Lab) -> None:
    survives(lab, "cancels", scenario_cancel.cancels, 12)
    survives(lab, "cancels-at-the-end", scenario_cancel.cancels_at_the_end, 5)


def test_a_run_that_was_cancelled_and_resumed_gives_the_result_of_an_undisturbed_one(lab: Lab) -> None:
    survives(lab, "resumed", scenario_cancel.resumed, 1)


def test_hints_may_come_five_times_or_never(lab: Lab) -> None:
    survives(lab, "hints", scenario_broker.hints, 6)


def test_a_broker_may_die_and_forget_everything(lab: Lab) -> None:
    survives(lab, "valkeys", scenario_broker.valkeys, 2)


def test_everything_may_die_at_once(lab: Lab) -> None:
    survives(lab, "everything", scenario_processes.everything, 1)


# ---- only of several servers ------------------------------------------------------------------------------------


@pytest.mark.servers
def test_a_host_of_workers_may_die_and_its_runs_finish_on_the_other(lab: Lab) -> None:
    survives(lab, "worker-hosts", scenario_servers.worker_hosts, 2)


@pytest.mark.servers
def test_a_web_process_may_die_and_its_viewers_go_on_at_the_other(lab: Lab) -> None:
    survives(lab, "webs", scenario_servers.webs, 2)


@pytest.mark.servers
def test_the_scheduler_may_die_and_a_worker_after_it(lab: Lab) -> None:
    survives(lab, "schedulers", scenario_processes.schedulers, 1)


@pytest.mark.servers
def test_processes_of_every_kind_may_stand_still(lab: Lab) -> None:
    survives(lab, "frozen", scenario_servers.frozen, len(scenario_servers.FROZEN))
