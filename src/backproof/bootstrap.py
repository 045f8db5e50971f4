"""ServiceFactory: the composition root. Each process makes one from its Settings, passes it in, and closes it."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from redis.asyncio import Redis

from backproof.domain.backtest import Backtest, Execution, IdempotencyKey, Intermediate, Served, Slot
from backproof.domain.documents import Document, Repository
from backproof.domain.events import RunEvent
from backproof.errors import BrokerRefused, BrokerUnavailable, StorageFailed, StoreRefused, StoreUnavailable
from backproof.messaging.check import check
from backproof.messaging.line import PATIENT_SECONDS, Line
from backproof.messaging.queue import WorkQueue
from backproof.messaging.redis import QUEUE_CONNECTIONS, EventStream, LiveState, Presence, connect
from backproof.redis_url import RedisUrl
from backproof.services.backtests.admission import Admission
from backproof.services.backtests.attempt import Equipment
from backproof.services.backtests.checkpoints import CheckpointService
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.host import this_worker
from backproof.services.backtests.housekeeping import Housekeeping
from backproof.services.backtests.ledger import RunLedger
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.monitoring import MonitoringService
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.reaper import Reaper
from backproof.services.backtests.results import ResultService
from backproof.services.backtests.runner import BacktestRunner
from backproof.services.backtests.slots import Seat, Slots
from backproof.services.datasets import DatasetService
from backproof.services.lakes import open_lake, storage_location
from backproof.services.moving import MOVE_ID, Move
from backproof.services.probes import ProbeService
from backproof.settings import Settings
from backproof.storage.lake import Lake
from backproof.storage.sqlite import SqliteRepository

T = TypeVar("T")
log = structlog.get_logger(__name__)
RETRY_SECONDS = 1.0
DOCUMENTS: tuple[type[Document], ...] = (Backtest, RunEvent, Execution, Intermediate, Slot, Served, IdempotencyKey)
COLLECTIONS: tuple[type[Document], ...] = (*DOCUMENTS, Move)


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
    checkpoints: CheckpointService
    probes: ProbeService
    _redis: "Redis"
    _queue: WorkQueue
    _stream: EventStream
    _live: LiveState

    @classmethod
    async def open(
        cls, settings: Settings, redis_seconds: float = PATIENT_SECONDS, *, check_storage: bool = True
    ) -> "ServiceFactory":
        """Open the store and prepare the clients (Redis is connected to when first used).

        redis_seconds: in which Redis has to answer a call
        check_storage: see whether the object store can be used; its parent has, where a process is one of many
        Raises StoreUnavailable when the store does not answer, and StoreRefused when it cannot be used as it is.
        """
        url = settings.redis
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        repository = await open_whole_repository(settings)
        lake = open_lake(settings)
        if check_storage:
            try:
                await asyncio.to_thread(check_lake, settings, lake)
            except BaseException:
                await repository.close()
                raise
        redis, line = connect(url, settings.redis_max_connections - QUEUE_CONNECTIONS), Line(redis_seconds)
        queue = WorkQueue(url, line)
        stream, live, presence = EventStream(redis, line), LiveState(redis, line), Presence(redis, line)
        datasets = DatasetService(lake, settings.default_data_source)
        processes = settings.worker_processes
        pool = settings.with_reserve(processes)
        memory = MemoryLimit(settings.max_backtest_memory_mb, pool, enforce=False)
        estimator = Estimator(
            repository, memory, min(settings.max_concurrent_backtests, processes), reserve=pool - processes
        )
        execution = ExecutionManager(queue)
        ledger = RunLedger(repository, stream)
        return cls(
            settings=settings,
            repository=repository,
            lake=lake,
            datasets=datasets,
            orchestrator=BacktestOrchestrator(
                repository,
                ledger,
                execution,
                Admission(repository, datasets, estimator),
                estimator,
                lake,
                settings.backtest_queue_max_size,
                settings.backtest_queue_max_per_user,
            ),
            execution=execution,
            ledger=ledger,
            monitoring=MonitoringService(repository, stream, live, presence, estimator),
            results=ResultService(lake),
            checkpoints=CheckpointService(repository, lake),
            probes=ProbeService(
                datasets,
                storage_location(settings),
                settings.default_data_source,
                memory,
            ),
            _redis=redis,
            _queue=queue,
            _stream=stream,
            _live=live,
        )

    def runner(
        self, end_process: Callable[[str], None], *, enforce: bool = False, for_all: int | None = None
    ) -> BacktestRunner:
        """The runner of this worker process. `end_process(reason)` must not return.

        enforce: let the kernel hold the limits too; for a process that does nothing else
        for_all: see Seat
        """
        settings, worker = self.settings, this_worker()
        equipment = Equipment(
            orchestrator=self.orchestrator,
            monitoring=self.monitoring,
            datasets=self.datasets,
            lake=self.lake,
            checkpoints=self.checkpoints,
            stream=self._stream,
            live=self._live,
            worker=worker,
            memory=MemoryLimit(
                settings.max_backtest_memory_mb, settings.with_reserve(settings.worker_processes), enforce=enforce
            ),
        )
        return BacktestRunner(
            equipment,
            Seat(
                Slots(self.repository),
                worker,
                settings.max_concurrent_backtests,
                settings.max_concurrent_backtests_per_user,
                beat_seconds=settings.worker_lease_seconds / 4,
                for_all=for_all,
            ),
            lease_seconds=settings.worker_lease_seconds,
            max_seconds=settings.max_backtest_duration,
            checkpoint_seconds=settings.checkpoint_seconds,
            end_process=end_process,
            enforce=enforce,
        )

    def reaper(self) -> Reaper:
        return Reaper(self.repository, self.orchestrator, Slots(self.repository), self.settings.worker_lease_seconds)

    def housekeeping(self) -> Housekeeping:
        settings = self.settings
        return Housekeeping(
            self.repository,
            self.lake,
            logs=dt.timedelta(days=settings.log_retention_days),
            checkpoints=dt.timedelta(days=settings.checkpoint_retention_days),
            deleted=dt.timedelta(hours=settings.bin_retention_hours),
        )

    async def close(self) -> None:
        await self._redis.aclose()
        self._queue.close()
        await self.repository.close()


def check_lake(settings: Settings, lake: Lake) -> None:
    """InvalidSettings where the place refuses files; one that cannot be reached may be there in a minute."""
    if settings.storage_url is None:
        return
    try:
        lake.check()
    except StorageFailed as error:
        log.warning("storage_out_of_reach", reason=error.message)


async def patiently(
    ask: Callable[[], Awaitable[T]], server: str = "the_store", waiting: Callable[[str], None] = lambda _reason: None
) -> T:
    """What `ask` gives once the server answers. It says once that it waits; raises StoreRefused and BrokerRefused.

    server: for the log; waiting: told why, after each vain attempt
    """
    waits, answers, said = f"waiting_for_{server}", f"{server}_answers", False
    while True:
        try:
            answer = await ask()
        except (StoreRefused, BrokerRefused):
            raise
        except (StoreUnavailable, BrokerUnavailable) as error:
            waiting(error.message)
            if not said:
                log.warning(waits, reason=error.message)
            said = True
            await asyncio.sleep(RETRY_SECONDS)
        else:
            if said:
                log.info(answers)
            return answer


async def verified(url: RedisUrl) -> None:
    """Return as soon as Redis has answered and can be used. Raises BrokerRefused."""
    for warning in await patiently(lambda: check(url), "redis"):
        log.warning("redis_is_badly_set_up", where=url.where, reason=warning)


async def open_whole_repository(settings: Settings) -> Repository:
    """The same, unless `migrate-store` has begun to fill it and was cut off."""
    repository = await open_repository(settings)
    try:
        going = await repository.get(Move, MOVE_ID)
        if going is not None:
            raise StoreRefused(
                f"the metadata store holds only a part of {going.source}: repeat `backproof migrate-store`"
            )
    except BaseException:
        await repository.close()
        raise
    return repository


async def open_repository(settings: Settings, models: Sequence[type[Document]] = COLLECTIONS) -> Repository:
    """The metadata store that the settings name, connected in this very process: connections outlive no fork."""
    if settings.mongodb_url is None:
        try:
            return await SqliteRepository.open(settings.database_path, models)
        except StoreUnavailable as error:  # a file is there or not: nobody waits for it
            raise StoreRefused(error.message, **error.details) from error
    from backproof.storage.mongo import MongoRepository

    return await MongoRepository.open(
        settings.mongodb_url.get_secret_value(),
        models,
        timeout_seconds=settings.mongodb_timeout_seconds,
        max_connections=settings.mongodb_max_connections,
    )
