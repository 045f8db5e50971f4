"""Housekeeping: what is kept no longer. Every step can be cut off anywhere and done again."""

import asyncio
import datetime as dt
import sys

import structlog

from backproof.domain.backtest import Backtest, Execution, IdempotencyKey, Intermediate
from backproof.domain.documents import Change, Condition, Op, Repository, eq, is_in, utc_now
from backproof.domain.events import EventType, RunEvent
from backproof.domain.lifecycle import Status
from backproof.errors import StorageFailed
from backproof.storage.lake import Lake

log = structlog.get_logger(__name__)

STRAY_SECONDS = 3600.0  # files that nobody has recorded may still be recorded before that
KEYS_KEPT = dt.timedelta(days=7)
_PAGE = 200


class Housekeeping:
    """logs, checkpoints: of finished runs, kept so long after their end; deleted: runs in the bin."""

    def __init__(
        self,
        repository: Repository,
        lake: Lake,
        *,
        logs: dt.timedelta,
        checkpoints: dt.timedelta,
        deleted: dt.timedelta,
    ) -> None:
        self._repository = repository
        self._lake = lake
        self._logs = logs
        self._checkpoints = checkpoints
        self._deleted = deleted

    async def tidy(self) -> None:
        counts = {
            "runs": await self.empty_bin(),
            "logs": await self.forget_logs(),
            "checkpoints": await self.forget_checkpoints(),
            "files": await self.remove_strays(),
            "keys": await self.forget_keys(),
            "attempts": await self.close_attempts(),
        }
        if any(counts.values()):
            log.info("tidied", **counts)

    async def empty_bin(self) -> int:
        """Runs that were deleted long enough ago, with all they left; how many."""
        removed = 0
        before = Condition("deleted_at", Op.LT, utc_now() - self._deleted)
        while runs := await self._repository.find(Backtest, (before,), limit=_PAGE):
            for run in runs:
                # from here on nobody restores it; cut off below, it is done again
                if await self._repository.update(Backtest, run.id, (before,), Change(set={"purging": True})):
                    await self._remove_traces(run.id)
                removed += await self._repository.remove(Backtest, (eq("id", run.id), before))
        return removed

    async def forget_logs(self) -> int:
        """Log lines of runs that ended long ago, whose status changes stay; how many lines."""
        where = (eq("type", EventType.LOG), Condition("timestamp", Op.LT, utc_now() - self._logs))
        removed = 0
        for run_id in await self._repository.counts_by(RunEvent, "run_id", where):
            run = await self._repository.get(Backtest, run_id)
            if run is not None and (run.completed_at is None or run.completed_at > utc_now() - self._logs):
                continue  # still going on, or ended a short while ago
            removed += await self._repository.remove(RunEvent, (eq("run_id", run_id), *where))
        return removed

    async def forget_checkpoints(self) -> int:
        """Of runs that their owner has not resumed for so long; how many."""
        where = (
            Condition("checkpoint.bar", Op.GTE, 0),
            is_in("status", (Status.FAILED, Status.CANCELLED)),
            Condition("completed_at", Op.LT, utc_now() - self._checkpoints),
        )
        forgotten = 0
        for run in await self._repository.find(Backtest, where, limit=_PAGE):
            changed = await self._repository.update(Backtest, run.id, where, Change(set={"checkpoint": None}))
            if changed is not None:
                forgotten += 1
                await self._keep_recorded(changed, 0.0)
        return forgotten

    async def remove_strays(self) -> int:
        """Files that no run has recorded: of attempts that died, and of runs that are gone; how many."""
        removed = 0
        for run_id in await asyncio.to_thread(self._lake.run_ids):
            run = await self._repository.get(Backtest, run_id)
            if run is None or run.final:
                removed += await self._keep_recorded(run or run_id, STRAY_SECONDS)
        return removed

    async def forget_keys(self) -> int:
        """Idempotency keys after a week."""
        return await self._repository.remove(IdempotencyKey, (Condition("created_at", Op.LT, utc_now() - KEYS_KEPT),))

    async def close_attempts(self) -> int:
        """Records of attempts whose worker died before it could write that they had ended; how many."""
        closed = 0
        for attempt in await self._repository.find(Execution, (eq("ended_at", None),), limit=_PAGE):
            run = await self._repository.get(Backtest, attempt.run_id)
            if run is None or (run.fence == attempt.fence and not run.final):
                continue
            ended = run.completed_at if run.fence == attempt.fence else run.started_at
            outcome = str(run.status) if run.fence == attempt.fence else "worker_died"
            change = Change(set={"ended_at": ended, "outcome": outcome})
            closed += await self._repository.update(Execution, attempt.id, (eq("ended_at", None),), change) is not None
        return closed

    async def _keep_recorded(self, run: Backtest | str, older_than: float) -> int:
        if isinstance(run, str):
            run_id, fence, named = run, sys.maxsize, []
        else:
            run_id, fence, named = run.id, run.fence, run.files
        try:
            return await asyncio.to_thread(self._lake.keep_only, run_id, fence, named, older_than)
        except StorageFailed as error:
            log.warning("not_tidied", backtest_id=run_id, reason=str(error))
            return 0

    async def _remove_traces(self, run_id: str) -> None:
        await self._repository.remove(RunEvent, (eq("run_id", run_id),))
        await self._repository.remove(Execution, (eq("run_id", run_id),))
        await self._repository.remove(Intermediate, (eq("id", run_id),))
        await asyncio.to_thread(self._lake.remove_run, run_id)
