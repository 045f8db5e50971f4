"""The Prometheus exposition: few numbers, each read from where it is true."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from backproof import __version__
from backproof.domain.lifecycle import CLAIMED, Status
from backproof.web.realtime import Hub


class _Once(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)  # seconds


def exposition(
    counts: Mapping[str, int], times: tuple[Sequence[int], int, float], workers: int | str, hub: Hub
) -> bytes:
    """counts: backtests by status. times: executions within BUCKETS, all of them, and their seconds.

    workers: how many, or a text when Redis is away (then the metric is left out)
    """
    within, executed, seconds = times
    buckets = [*zip(map(str, BUCKETS), map(float, within), strict=True), ("+Inf", float(executed))]
    # a gauge in spite of its name: deleting a backtest lowers it
    total = GaugeMetricFamily("backtest_total", "Backtests in the store, by status.", labels=["status"])
    for status in Status:
        total.add_metric([str(status)], counts.get(status, 0))
    metrics: list[Metric] = [
        total,
        HistogramMetricFamily(
            "backtest_execution_seconds",
            "Seconds from the claim to the end, of the attempts that ended a backtest.",
            buckets=buckets,
            sum_value=seconds,
        ),
        _gauge(
            "active_backtests_count",
            "Backtests that a worker holds (running or cancelling).",
            sum(counts.get(status, 0) for status in CLAIMED),
        ),
        _gauge("backtest_queue_size", "Backtests that wait for a worker.", counts.get(Status.QUEUED, 0)),
        _gauge("websocket_connections", "WebSockets open in this process.", hub.sockets),
        _gauge("live_stream_connected", "1 while this process reads the event stream.", int(hub.connected)),
        InfoMetricFamily("backproof", "What runs here.", {"version": __version__}),
    ]
    if isinstance(workers, int):
        metrics.append(_gauge("worker_processes", "Worker processes that can take work now.", workers))
    registry = CollectorRegistry()
    registry.register(_Once(metrics))
    return generate_latest(registry)


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
