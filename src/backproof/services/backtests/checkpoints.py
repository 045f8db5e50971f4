"""CheckpointService: what a run has computed so far, on disk before it counts, so that another worker can go on."""

import asyncio

from backproof.domain.backtest import Backtest, Checkpoint, Intermediate
from backproof.domain.documents import Change, Condition, Op, Repository, eq, utc_now
from backproof.storage.lake import Lake


class CheckpointService:
    """Files of checkpoints, and the intermediate results that are kept beside them for who looks."""

    def __init__(self, repository: Repository, lake: Lake) -> None:
        self._repository = repository
        self._lake = lake

    async def write(self, run: Backtest, data: bytes, bar: int, total_bars: int) -> Checkpoint:
        """Make it durable. It counts once the run's document names it (BacktestOrchestrator.record_checkpoint)."""
        file = await asyncio.to_thread(self._lake.write_checkpoint, run.id, run.fence, bar, data)
        return Checkpoint(
            path=file.path,
            sha256=file.sha256,
            bytes=file.bytes,
            bar=bar,
            total_bars=total_bars,
            fence=run.fence,
            created_at=utc_now(),
        )

    async def read(self, checkpoint: Checkpoint) -> bytes:
        """StorageFailed when the file is not there or not what was recorded."""
        return await asyncio.to_thread(self._lake.read_checkpoint, checkpoint.path, checkpoint.sha256)

    async def tidy(self, run: Backtest) -> int:
        """Delete what this and earlier claims have left and the run does not name; how many files."""
        return await asyncio.to_thread(self._lake.keep_only, run.id, run.fence, run.files)

    async def tidy_lost(self, run: Backtest) -> int:
        """Delete what a claim that was lost has written, but for what the run names by now; how many files."""
        current = await self._repository.get(Backtest, run.id)
        named = current.files if current is not None else []
        return await asyncio.to_thread(self._lake.keep_only, run.id, run.fence, named)

    async def keep_intermediate(self, found: Intermediate) -> None:
        """Keep what a late viewer is shown; an older attempt does not overwrite a newer one."""
        if await self._repository.add(found):
            return
        fields = found.model_dump(exclude={"id", "schema_version"})
        not_newer = (Condition("fence", Op.LTE, found.fence),)
        await self._repository.update(Intermediate, found.id, not_newer, Change(set=fields))

    async def intermediate(self, run_id: str) -> Intermediate | None:
        return await self._repository.get(Intermediate, run_id)

    async def forget_intermediate(self, run: Backtest) -> None:
        """The result tells more."""
        await self._repository.remove(Intermediate, (eq("id", run.id),))
