"""ServiceFactory: the composition root. Each process makes one from its Settings, passes it in, and closes it."""

from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis

from backproof.domain.backtest import Backtest, Execution, IdempotencyKey, Lease
from backproof.domain.documents import Document, Repository
from backproof.domain.events import RunEvent
from backproof.errors import InvalidSettings
from backproof.marketdata.demo import demo_lake
from backproof.messaging.queue import WorkQueue, make_celery
from backproof.messaging.redis import EventStream, LiveState, Presence, connect
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.host import this_worker
from backproof.services.backtests.ledger import RunLedger
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.monitoring import MonitoringService
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.reaper import Reaper
from backproof.services.backtests.results import ResultService
from backproof.services.backtests.runner import BacktestRunner
from backproof.services.datasets import DatasetService
from backproof.services.probes import ProbeService
from backproof.settings import Settings
from backproof.storage.lake import Lake
from backproof.storage.sqlite import SqliteRepository

DOCUMENTS: tuple[type[Document], ...] = (Backtest, RunEvent, Execution, IdempotencyKey, Lease)


@dataclass(frozen=True, slots=True)
class ServiceFactory:
    """Everything a process can be asked to do."""

    settings: Settings
    repository: Repository
    lake: Lake
    datasets: DatasetService
    orchestrator: BacktestOrchestrator
    execution: ExecutionManager
    ledger: RunLedger
    monitoring: MonitoringService
    results: ResultService
    probes: ProbeService
    _redis: "Redis"
    _queue: WorkQueue
    _stream: EventStream
    _live: LiveState

    @classmethod
    async def open(cls, settings: Settings) -> "ServiceFactory":
        """Open the store and prepare the clients (Redis is connected to when first used)."""
        if settings.redis_url is None:
            raise InvalidSettings(
                "REDIS_URL is not set: start the whole stack with `backproof serve`, or name a server"
            )
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        repository = await SqliteRepository.open(settings.database_path, DOCUMENTS)
        lake = Lake(settings.lake_path, demo_lake())
        redis = connect(settings.redis_url, settings.redis_max_connections)
        queue = WorkQueue(make_celery(settings.redis_url))
        stream, live, presence = EventStream(redis), LiveState(redis), Presence(redis)
        datasets = DatasetService(lake, settings.default_data_source)
        estimator = Estimator(repository)
        execution = ExecutionManager(queue)
        ledger = RunLedger(repository, stream)
        return cls(
            settings=settings,
            repository=repository,
            lake=lake,
            datasets=datasets,
            orchestrator=BacktestOrchestrator(
                repository, ledger, execution, datasets, estimator, lake, settings.backtest_queue_max_size
            ),
            execution=execution,
            ledger=ledger,
            monitoring=MonitoringService(repository, stream, live, presence, estimator),
            results=ResultService(lake),
            probes=ProbeService(
                datasets,
                settings.lake_path,
                settings.default_data_source,
                MemoryLimit(settings.max_backtest_memory_mb, settings.worker_concurrency, enforce=False),
            ),
            _redis=redis,
            _queue=queue,
            _stream=stream,
            _live=live,
        )

    def runner(self, end_process: Callable[[str], None], *, enforce: bool = False) -> BacktestRunner:
        """The runner of this worker process. `end_process(reason)` must not return.

        enforce: let the kernel hold the limits too; for a process that does nothing else
        """
        return BacktestRunner(
            self.orchestrator,
            self.monitoring,
            self.datasets,
            self.lake,
            self._stream,
            self._live,
            this_worker(),
            lease_seconds=self.settings.worker_lease_seconds,
            max_seconds=self.settings.max_backtest_duration,
            memory=MemoryLimit(self.settings.max_backtest_memory_mb, self.settings.worker_concurrency, enforce=enforce),
            end_process=end_process,
            enforce=enforce,
        )

    def reaper(self) -> Reaper:
        return Reaper(self.repository, self.orchestrator, self.settings.worker_lease_seconds)

    async def close(self) -> None:
        await self._redis.aclose()
        self._queue.close()
        await self.repository.close()
