"""One action on many runs: each has its own outcome, and what one refuses does not keep the others from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backproof.domain.lifecycle import Status
from backproof.errors import BackproofError, Conflict, InvalidInput, NotFound, QueueFull
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.models import BacktestPatch
from backproof.services.backtests.orchestrator import BacktestOrchestrator

BulkAction = Literal["change", "cancel", "resume", "rerun", "delete", "restore"]
_REFUSALS = (NotFound, Conflict, InvalidInput, QueueFull)


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """status: afterwards, None where it was refused or is gone; new_id: of the repetition; error: why it was refused"""

    backtest_id: str
    status: Status | None = None
    new_id: str | None = None
    error: BackproofError | None = None


async def apply(
    orchestrator: BacktestOrchestrator, owner: str, ids: Sequence[str], action: BulkAction, patch: BacktestPatch
) -> list[BulkOutcome]:
    """In the order of `ids`. patch: what `change` changes.

    Refused runs are outcomes; what concerns all of them, like a store that is away, is raised.
    """
    outcomes = []
    for run_id in ids:
        try:
            outcomes.append(await _one(orchestrator, owner, run_id, action, patch))
        except _REFUSALS as error:
            outcomes.append(BulkOutcome(run_id, error=error))
    return outcomes


async def _one(
    orchestrator: BacktestOrchestrator, owner: str, run_id: str, action: BulkAction, patch: BacktestPatch
) -> BulkOutcome:
    match action:
        case "change":
            run = await orchestrator.patch(run_id, owner, patch)
        case "cancel":
            run = await orchestrator.cancel(run_id, owner)
        case "resume":
            run = await orchestrator.resume(run_id, owner)
        case "restore":
            run = await orchestrator.restore(run_id, owner)
        case "delete":
            await orchestrator.delete(run_id, owner)
            return BulkOutcome(run_id)
        case "rerun":
            again = await orchestrator.rerun(run_id, owner, SubmitOptions(use_cache=False))
            return BulkOutcome(run_id, again.status, again.id)
    return BulkOutcome(run_id, run.status)
