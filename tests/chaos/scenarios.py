"""All scenarios: in which world each runs, and how often it breaks something in the short and in the long form."""

from dataclasses import dataclass

from chaos import scenario_broker as broker
from chaos import scenario_cancel as cancel
from chaos import scenario_durability as durability
from chaos import scenario_points as points
from chaos import scenario_processes as processes
from chaos import scenario_resources as resources
from chaos import variants
from chaos.lab import Scenario
from chaos.scenario_soak import soak


@dataclass(frozen=True, slots=True)
class Entry:
    """minutes: what the long form may need on two cores; it ends earlier when there is less time."""

    name: str
    scenario: Scenario
    variant: variants.Variant
    short: int
    long: int
    minutes: float


ALL = (
    Entry("worker-points", points.worker_points, variants.plain, 20, 600, 25.0),
    Entry("web-points", points.web_points, variants.plain, 2, 16, 4.0),
    Entry("scheduler-points", points.scheduler_points, variants.plain, 2, 12, 4.0),
    Entry("crash-loop", points.crash_loop, variants.plain, 1, 10, 2.0),
    Entry("torn-result", points.torn_result, variants.plain, 3, 30, 2.0),
    Entry("pool-children", processes.pool_children, variants.plain, 5, 100, 5.0),
    Entry("celery-parents", processes.celery_parents, variants.plain, 1, 16, 5.0),
    Entry("webs", processes.webs, variants.plain, 1, 12, 4.0),
    Entry("schedulers", processes.schedulers, variants.plain, 1, 12, 4.0),
    Entry("everything", processes.everything, variants.plain, 1, 12, 4.0),
    Entry("restarts", processes.restarts, variants.plain, 1, 10, 3.0),
    Entry("supervisors", processes.supervisors, variants.plain, 1, 8, 3.0),
    Entry("stale-writers", processes.stale_writers, variants.plain, 2, 18, 6.0),
    Entry("frozen", processes.frozen, variants.plain, 1, 12, 7.0),
    Entry("valkeys", broker.valkeys, variants.plain, 2, 12, 4.0),
    Entry("frozen-brokers", broker.frozen_brokers, variants.plain, 1, 10, 5.0),
    Entry("flushed", broker.flushed, variants.plain, 3, 20, 2.0),
    Entry("hints", broker.hints, variants.plain, 20, 200, 3.0),
    Entry("same-key", broker.same_key, variants.plain, 2, 20, 1.0),
    Entry("damaged-checkpoint", durability.damaged_checkpoint, variants.plain, 3, 24, 2.0),
    Entry("cancels", cancel.cancels, variants.plain, 40, 500, 6.0),
    Entry("cancels-at-the-end", cancel.cancels_at_the_end, variants.plain, 10, 100, 2.0),
    Entry("resumed", cancel.resumed, variants.plain, 2, 15, 2.0),
    Entry("soak", soak, variants.plain, 6, 150, 20.0),
    Entry("durable-order", durability.durable_order, variants.traced, 4, 20, 1.0),
    Entry("workers-and-brokers", broker.workers_and_brokers, variants.with_a_broker_of_its_own, 4, 20, 4.0),
    Entry("brokers", broker.brokers, variants.with_a_broker_of_its_own, 3, 60, 7.0),
    Entry("read-only-lake", resources.read_only_lake, variants.obeying_permissions, 1, 5, 1.0),
    Entry("full-disk", resources.full_disk, variants.on_a_small_disk, 1, 12, 3.0),
    Entry("no-descriptors", resources.no_descriptors, variants.plain, 2, 12, 2.0),
    Entry("clock-steps", resources.clock_steps, variants.with_clocks, 3, 20, 3.0),
    Entry("clock-of-a-dead-leader", resources.clock_of_a_dead_leader, variants.with_clocks, 1, 3, 2.0),
    Entry("oversubscribed", resources.oversubscribed, variants.plain, 4, 40, 4.0),
)
BY_NAME = {entry.name: entry for entry in ALL}
