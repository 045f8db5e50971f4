"""Estimates: a line through what runs took here, honest about its spread; memory, waiting, and when to come back."""

import datetime as dt
import itertools
import math
import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifecycle_support import OWNER, never

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Progress
from backproof.domain.config import parse_config
from backproof.domain.documents import utc_now
from backproof.domain.lifecycle import Priority, Status
from backproof.errors import InvalidInput, QueueFull
from backproof.services.backtests import estimates
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.estimates import Estimator, Line, Sample, fitted, memory_needed
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.datasets import Coverage

QUICK = settings(deadline=None, max_examples=150, derandomize=True, database=None)
seconds = st.floats(1e-3, 1e4)
units = st.integers(1, 10**9)
samples = st.lists(st.builds(Sample, units, seconds), min_size=1, max_size=20)


def squared_error(found: Sequence[Sample], overhead: float, rate: float) -> float:
    return sum(((overhead + rate * s.units) / s.seconds - 1.0) ** 2 for s in found)


# ---- the line ---------------------------------------------------------------------------------------------------


@QUICK
@given(st.floats(1e-3, 10.0), st.floats(1e-9, 1e-3), st.lists(units, min_size=2, max_size=20, unique=True))
def test_a_line_that_is_there_is_found(overhead: float, rate: float, sizes: list[int]) -> None:
    line = fitted([Sample(n, overhead + rate * n) for n in sizes])
    for n in sizes:
        assert line.seconds(n) == pytest.approx(overhead + rate * n, rel=1e-3)
    if max(sizes) * rate > overhead > 1e-3 * max(sizes) * rate and max(sizes) > 2 * min(sizes):
        assert line.rate == pytest.approx(rate, rel=0.1)
    assert line.low == pytest.approx(1.0, rel=1e-3)
    assert line.high == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize(("overhead", "rate"), [(0.05, 2e-6), (0.0, 3e-6), (1.5, 0.0)])
def test_overhead_and_rate_are_told_apart(overhead: float, rate: float) -> None:
    line = fitted([Sample(n, overhead + rate * n) for n in (1_000, 30_000, 200_000, 5_000_000)])
    assert line.overhead == pytest.approx(overhead, rel=1e-6, abs=1e-9)
    assert line.rate == pytest.approx(rate, rel=1e-6, abs=1e-12)


@QUICK
@given(samples)
def test_whatever_was_measured_every_prediction_is_possible(found: list[Sample]) -> None:
    line = fitted(found)
    assert line.overhead >= 0.0
    assert line.rate >= 0.0
    assert 0.0 <= line.low <= 1.0 <= line.high
    predicted = [line.seconds(n) for n in (1, *sorted(s.units for s in found), 10**12)]
    assert predicted == sorted(predicted)
    assert all(math.isfinite(value) and value > 0.0 for value in predicted)


@QUICK
@given(samples)
def test_no_other_possible_line_has_a_smaller_relative_error(found: list[Sample]) -> None:
    line = fitted(found)
    least = squared_error(found, line.overhead, line.rate)
    for up, along in itertools.product((0.0, 0.8, 0.99, 1.0, 1.01, 1.25), repeat=2):
        assert least <= squared_error(found, line.overhead * up, line.rate * along) + 1e-6 * len(found)


@QUICK
@given(samples, st.floats(0.01, 100.0), st.integers(2, 1000))
def test_other_units_of_time_and_size_give_the_same_line(found: list[Sample], times: float, larger: int) -> None:
    line = fitted(found)
    slower = fitted([Sample(s.units, s.seconds * times) for s in found])
    bigger = fitted([Sample(s.units * larger, s.seconds) for s in found])
    for n in (s.units for s in found):
        assert slower.seconds(n) == pytest.approx(times * line.seconds(n), rel=1e-3)
        assert bigger.seconds(n * larger) == pytest.approx(line.seconds(n), rel=1e-3)


@QUICK
@given(samples, st.randoms(use_true_random=False))
def test_the_order_in_which_runs_ended_does_not_matter(found: list[Sample], chance: random.Random) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)
    one, two = fitted(found), fitted(shuffled)
    for n in (s.units for s in found):
        assert one.seconds(n) == pytest.approx(two.seconds(n), rel=1e-3)


def test_one_run_predicts_itself() -> None:
    assert fitted([Sample(5_000, 0.3)]).seconds(5_000) == pytest.approx(0.3)


def test_runs_of_one_size_predict_something_between_them() -> None:
    line = fitted([Sample(5_000, s) for s in (0.2, 0.3, 0.4, 0.35)])
    assert 0.2 <= line.seconds(5_000) <= 0.4


def test_runs_that_take_less_the_larger_they_are_predict_a_constant() -> None:
    line = fitted([Sample(100, 1.0), Sample(10_000, 0.5), Sample(1_000_000, 0.4)])
    assert line.rate == 0.0
    assert 0.4 <= line.overhead <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_four_of_five_runs_lie_within_what_is_said(seed: int) -> None:
    chance = random.Random(seed)

    def taken(count: int) -> list[Sample]:
        sizes = [int(10 ** chance.uniform(2, 7)) for _ in range(count)]
        return [Sample(n, (0.02 + 2e-6 * n) * math.exp(chance.gauss(0.0, 0.3))) for n in sizes]

    line = fitted(taken(60))

    def share(found: list[Sample]) -> float:
        inside = [line.low <= s.seconds / line.seconds(s.units) <= line.high for s in found]
        return sum(inside) / len(inside)

    assert 0.65 < share(taken(400)) < 0.95
    assert 0.3 < line.low < 0.9 < 1.1 < line.high < 3.0


# ---- what is learned --------------------------------------------------------------------------------------------


_numbers = itertools.count()


def run(strategy: str = "sma_crossover", **changes: object) -> Backtest:
    """A document as a run leaves it."""
    config = parse_config({"name": "x", "strategy_type": strategy, "symbols": ["A"]})
    number = next(_numbers)
    fields: dict[str, object] = {
        "status": Status.COMPLETED,
        "attempt": 1,
        "created_at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
    }
    return Backtest.model_validate(
        {"id": f"bt-{number}", "owner_id": OWNER, "config": config, "name": "x", **fields, **changes}
    )


async def learn(services: ServiceFactory, taken: Sequence[Sample], strategy: str = "sma_crossover") -> None:
    await services.repository.add_all([run(strategy, work_units=s.units, execution_seconds=s.seconds) for s in taken])


def estimator(services: ServiceFactory, slots: int = 2, megabytes: int = 100_000, reserve: int = 0) -> Estimator:
    return Estimator(services.repository, MemoryLimit(megabytes, 1, enforce=False), slots, reserve)


async def test_nothing_is_said_until_a_run_has_finished(services: ServiceFactory) -> None:
    fresh = estimator(services, slots=1)
    assert await fresh.seconds("sma_crossover", 1000) is None
    assert await fresh.wait_seconds(1) == 0.0
    assert await fresh.wait_seconds(2) is None
    assert await fresh.seconds_until_free(5) == 10
    config = parse_config({"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"]})
    estimate = await fresh.estimate(config, [], 1000)
    assert (estimate.seconds, estimate.low, estimate.high, estimate.learned_from) == (None, None, None, 0)
    assert (estimate.queue_position, estimate.wait_seconds, estimate.work_units) == (1, 0.0, 1000)
    await services.repository.add(run(work_units=1000, execution_seconds=2.0))
    assert await fresh.seconds("sma_crossover", 1000) == 2.0, "what is not known is asked for again"


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_learned_from_runs_of_all_sizes_is_about_right_for_the_next_ones(
    services: ServiceFactory, seed: int
) -> None:
    """Median error below a fifth, where single runs differ by as much, from milliseconds to minutes."""
    chance = random.Random(seed)
    overhead, rate = 10 ** chance.uniform(-2, -1), 10 ** chance.uniform(-7, -5)

    def taken(count: int) -> list[Sample]:
        sizes = [int(10 ** chance.uniform(2, 7.5)) for _ in range(count)]
        return [Sample(n, (overhead + rate * n) * math.exp(chance.gauss(0.0, 0.2))) for n in sizes]

    await learn(services, taken(50))
    known, errors, inside = estimator(services), [], []
    config = parse_config({"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"]})
    for sample in taken(60):
        estimate = await known.estimate(config, [], sample.units)
        assert estimate.seconds is not None
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.seconds <= estimate.high
        assert estimate.learned_from == 50
        errors.append(abs(estimate.seconds / sample.seconds - 1.0))
        inside.append(estimate.low - 1e-3 <= sample.seconds <= estimate.high + 1e-3)
    assert statistics.median(errors) < 0.2
    assert sum(inside) / len(inside) > 0.6


async def test_another_strategys_runs_serve_until_there_is_one_of_its_own(services: ServiceFactory) -> None:
    await learn(services, [Sample(1000, 5.0)], "sma_crossover")
    assert await estimator(services).seconds("ema_crossover", 1000) == 5.0
    await learn(services, [Sample(1000, 1.0)], "ema_crossover")
    assert await estimator(services).seconds("ema_crossover", 1000) == 1.0
    assert await estimator(services).seconds("sma_crossover", 1000) == 5.0


async def test_a_plug_ins_first_run_is_not_estimated_from_others(services: ServiceFactory) -> None:
    """Its own code may take any time; the second one is known."""
    await learn(services, [Sample(1000, 5.0)], "sma_crossover")
    assert await estimator(services).seconds("my_plug_in", 1000) is None
    await learn(services, [Sample(1000, 700.0)], "my_plug_in")
    assert await estimator(services).seconds("my_plug_in", 1000) == 700.0


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.CANCELLED},
        {"status": Status.FAILED},
        {"attempt": 2},
        {"attempt": 0, "execution_seconds": None, "cached_from": "bt-0"},
        {"execution_seconds": 0.0},
    ],
    ids=str,
)
async def test_only_undisturbed_runs_are_learned_from(services: ServiceFactory, changes: dict[str, object]) -> None:
    await learn(services, [Sample(1000, 1.0)])
    await services.repository.add(run(**{"work_units": 1000, "execution_seconds": 77.0, **changes}))
    assert await estimator(services).seconds("sma_crossover", 1000) == 1.0


async def test_the_newest_runs_count(services: ServiceFactory) -> None:
    """The machine is another one since."""
    await learn(services, [Sample(1000, 100.0)] * 50)
    await learn(services, [Sample(1000, 1.0)] * estimates._SAMPLE)
    assert await estimator(services).seconds("sma_crossover", 1000) == 1.0


async def test_a_real_run_is_learned_from(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    first = await services.orchestrator.submit(demo_config, OWNER)
    assert first.estimated_seconds is None
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(first.id, OWNER)
    assert done.execution_seconds is not None
    assert done.result is not None
    again = await services.orchestrator.submit(demo_config, OWNER, options=SubmitOptions(use_cache=False))
    assert again.estimated_seconds == pytest.approx(done.execution_seconds, abs=1e-3)
    assert again.work_units == done.work_units == done.result.bars


# ---- waiting ----------------------------------------------------------------------------------------------------


async def test_the_wait_is_what_those_before_are_expected_to_take_over_the_slots(services: ServiceFactory) -> None:
    await learn(services, [Sample(1000, 8.0)])
    now = utc_now()
    one, two = estimator(services, slots=1), estimator(services, slots=2)
    assert await one.wait_seconds(1) == 0.0
    await services.repository.add(
        run(status=Status.RUNNING, started_at=now, progress=Progress(percent=50.0, eta_seconds=3.0))
    )
    assert await one.wait_seconds(1) == 3.0, "as it measures itself"
    assert await two.wait_seconds(1) == 0.0, "a slot is free"
    more = estimator(services, slots=1, reserve=1)
    assert [await more.wait_seconds(1, owner) for owner in (OWNER, "newcomer", None)] == [3.0, 0.0, 3.0]
    for number, expected in ((1, 5.0), (2, 7.0), (3, None)):
        at = now + dt.timedelta(seconds=number)
        key = Backtest.place_in_queue(Priority.NORMAL, at)
        await services.repository.add(
            run(status=Status.QUEUED, queued_at=at, queue_key=key, estimated_seconds=expected)
        )
    assert [await one.wait_seconds(n) for n in (1, 2, 3, 4)] == [3.0, 8.0, 15.0, 23.0]
    assert [await two.wait_seconds(n) for n in (1, 2, 3, 4)] == [0.0, 4.0, 7.5, 11.5]


async def test_a_run_that_does_not_know_itself_is_expected_to_take_what_was_estimated(
    services: ServiceFactory,
) -> None:
    await learn(services, [Sample(1000, 8.0)])
    started = utc_now() - dt.timedelta(seconds=1000)
    await services.repository.add(run(status=Status.RUNNING, started_at=started, estimated_seconds=2000.0))
    left = await estimator(services, slots=1).wait_seconds(1)
    assert left is not None
    assert 900.0 < left <= 1000.0
    await services.repository.add(run(status=Status.RUNNING, started_at=started, estimated_seconds=5.0))
    again = await estimator(services, slots=1).wait_seconds(1)
    assert again is not None
    assert 900.0 < again <= left, "it should be over by now"


async def test_a_status_tells_the_wait_and_the_run_together(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    await learn(services, [Sample(2517, 4.0)])
    services.monitoring._estimator._slots = 1
    held = run(status=Status.RUNNING, started_at=utc_now(), progress=Progress(eta_seconds=3.0))
    await services.repository.add(held)
    waiting = await services.orchestrator.submit(demo_config, OWNER)
    view = await services.monitoring.status(waiting)
    assert (view.estimated_duration, view.eta_seconds, view.queue_position) == (4.0, 7.0, 1)


@pytest.mark.parametrize("took", [1e-3, 0.5, 30.0, 1e5])
@pytest.mark.parametrize("places", [1, 7, 10_000])
async def test_who_is_refused_may_come_back_in_a_second_to_a_minute(
    services: ServiceFactory, took: float, places: int
) -> None:
    await learn(services, [Sample(1000, took)] * 3)
    after = await estimator(services, slots=2).seconds_until_free(places)
    assert after == max(1, min(60, math.ceil(took * places / 2)))


async def test_a_full_queue_says_so_with_that_number(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    await learn(services, [Sample(1000, 20.0)] * 3)
    services.orchestrator._queue_max_size = 1
    services.orchestrator._estimator._slots = 2
    await services.orchestrator.submit(demo_config, OWNER)
    with pytest.raises(QueueFull) as caught:
        await services.orchestrator.submit(demo_config, OWNER)
    assert caught.value.retry_after == 10


async def test_one_owner_may_not_take_all_places(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    services.orchestrator._queue_max_per_owner = 2
    for _ in range(2):
        await services.orchestrator.submit(demo_config, "ann", options=SubmitOptions(use_cache=False))
    with pytest.raises(QueueFull, match="2 of your backtests are waiting"):
        await services.orchestrator.submit(demo_config, "ann")
    await services.orchestrator.submit(demo_config, "bob")


# ---- memory -----------------------------------------------------------------------------------------------------


def coverage(bars: int) -> Coverage:
    """Of one symbol with so many bars."""
    day = dt.date(2020, 1, 1)
    return Coverage(
        symbol="A",
        first=day,
        last=day,
        bars=bars,
        bars_before=0,
        bars_in_run=bars,
        close_only=False,
        sha256="0" * 64,
        note="",
        calendar="XNYS",
    )


def test_memory_grows_with_all_bars_that_are_read() -> None:
    assert memory_needed([]) == estimates.BASE_BYTES
    for bars in (1, 1000, 10**7):
        assert memory_needed([coverage(bars)] * 3) == estimates.BASE_BYTES + 3 * bars * estimates.BYTES_PER_BAR


async def test_what_cannot_be_held_is_refused_before_it_is_tried(services: ServiceFactory) -> None:
    config = parse_config({"name": "x", "strategy_type": "sma_crossover", "symbols": ["A", "B"]})
    room = 300 << 20
    fits = (room - estimates.BASE_BYTES) // estimates.BYTES_PER_BAR
    limited = estimator(services, megabytes=300)
    await limited.refuse_too_large(config, [coverage(fits)])
    with pytest.raises(InvalidInput) as caught:
        await limited.refuse_too_large(config, [coverage(fits), coverage(1)])
    [error] = caught.value.errors
    assert (error.pointer, error.code) == ("/symbols", "too_large")
    assert f"2 symbols with {fits + 1:,} bars need about 300 MB" in error.message
    assert "MAX_BACKTEST_MEMORY_MB" in error.message


async def test_a_request_that_is_too_large_is_told_so_when_it_is_made(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    services.orchestrator._estimator._memory.bytes = estimates.BASE_BYTES
    with pytest.raises(InvalidInput) as caught:
        await services.orchestrator.submit(demo_config, OWNER)
    assert [error.pointer for error in caught.value.errors] == ["/symbols"]
    validation = await services.orchestrator.validate(demo_config, OWNER)
    assert not validation.valid
    with pytest.raises(InvalidInput):
        waiting = SubmitOptions(wait_for_data=True)
        await services.orchestrator.submit(demo_config, OWNER, options=waiting)


def test_a_line_says_seconds_for_any_size() -> None:
    line = Line(overhead=0.5, rate=0.001, low=0.8, high=1.3)
    assert [line.seconds(n) for n in (0, 1000, 10_000)] == [0.5, 1.5, 10.5]
