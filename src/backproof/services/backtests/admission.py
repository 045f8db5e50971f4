"""From a request to a run's document: what was asked for, checked, weighed, and named by what determines its result."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from backproof.domain.backtest import Backtest, Missing, Notice
from backproof.domain.config import BacktestConfig, parse_config
from backproof.domain.documents import Order, Repository, eq, utc_now
from backproof.domain.lifecycle import Priority, Status
from backproof.engine.foreseen import likely_percent, never_decided
from backproof.engine.strategies import find_strategy
from backproof.errors import FieldError, InvalidInput
from backproof.services.backtests import queries
from backproof.services.backtests.checking import checked
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.transitions import queued
from backproof.services.datasets import Coverage, DatasetService

# what an import can mend: a run may wait for it
MISSING_DATA = frozenset({"unknown_symbol", "unknown_data_source", "no_such_bars", "outside_the_data", "no_bars"})


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """How to treat a submission; none of it changes what is computed.

    use_cache:     take the stored result of an identical run of the same owner instead of computing it again
    wait_for_data: where only data is missing, accept the run as pending and start it when the data is there
    """

    use_cache: bool = True
    priority: Priority = Priority.NORMAL
    wait_for_data: bool = False
    rerun_of: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request.

    work_units: bars to simulate, over all symbols; code: hash of the strategy's; hash: equal for equal results
    """

    config: BacktestConfig
    coverage: list[Coverage]
    work_units: int
    code: str
    hash: str

    @property
    def versions(self) -> dict[str, str]:
        return {series.symbol: series.sha256 for series in self.coverage}


class Admission:
    """Checks requests and makes documents of them; saves nothing."""

    def __init__(self, repository: Repository, datasets: DatasetService, estimator: Estimator) -> None:
        self._repository = repository
        self._datasets = datasets
        self._estimator = estimator

    async def check(self, given: Mapping[str, object]) -> Request:
        """InvalidInput with everything that is wrong."""
        config, coverage = await checked(self._datasets, given)
        units = work_units(config, coverage)
        await self._estimator.refuse_too_large(config, coverage)
        code = await asyncio.to_thread(_code_of, config)
        return Request(config, coverage, units, code, _request_hash(config, coverage, code))

    async def identical(self, request: Request, owner: str) -> Backtest | None:
        """The newest completed run of this owner with the same configuration, data and code; None: there is none.

        Code may have changed between that run's submit and its start: what it was computed by counts too.
        """
        found = await self._repository.find(
            Backtest,
            (
                eq("request_hash", request.hash),
                eq("status", Status.COMPLETED),
                eq("owner_id", owner),
                eq("deleted_at", None),
            ),
            Order("created_at", descending=True),
            limit=1,
        )
        return found[0] if found and _was_computed_by(request.code, found[0]) else None

    async def waiting_run(self, run_id: str, owner: str, request: Request, options: SubmitOptions) -> Backtest:
        """A new run that waits for a worker."""
        return self._document(run_id, owner, request.config, options).model_copy(
            update={
                "status": Status.QUEUED,
                **queued(options.priority),
                **await self.weighed(request),
            }
        )

    def pending_run(
        self, run_id: str, owner: str, given: Mapping[str, object], options: SubmitOptions, missing: list[FieldError]
    ) -> Backtest:
        """A new run that waits for data."""
        return self._document(run_id, owner, parse_config(self._datasets.named(given)), options).model_copy(
            update={"waiting_for": missing_data(missing), "pending_at": utc_now()}
        )

    async def weighed(self, request: Request) -> dict[str, object]:
        """The fields of a run that are known once its data is."""
        units = request.work_units
        return {
            "config": request.config,
            "work_units": units,
            "estimated_seconds": await self._estimator.seconds(request.config.strategy_type, units),
            "request_hash": request.hash,
            "versions": request.versions,
        }

    def _document(self, run_id: str, owner: str, config: BacktestConfig, options: SubmitOptions) -> Backtest:
        return Backtest(
            id=run_id,
            owner_id=owner,
            config=config,
            name=config.name,
            tags=config.tags,
            search=queries.search_tokens(config, config.name, config.tags, ""),
            status=Status.PENDING,
            priority=options.priority,
            created_at=utc_now(),
            rerun_of=options.rerun_of,
        )


def only_data_is_missing(error: InvalidInput) -> bool:
    return all(field.code in MISSING_DATA for field in error.errors)


def missing_data(errors: list[FieldError]) -> tuple[Missing, ...]:
    return tuple(Missing(pointer=e.pointer, code=e.code, message=e.message) for e in errors)


def work_units(config: BacktestConfig, coverage: list[Coverage]) -> int:
    """Bars to simulate, over all symbols."""
    return sum(series.bars_in_run for series in coverage if series.symbol in config.symbols)


def _code_of(config: BacktestConfig) -> str:
    from backproof.engine.fingerprint import code_hash  # late: it needs numpy

    strategy = find_strategy(config.strategy_type)
    return "" if strategy is None else code_hash(strategy)  # gone since it was checked: its run will say so


def _was_computed_by(code: str, run: Backtest) -> bool:
    from backproof.engine.fingerprint import ENGINE_SEMANTICS

    if run.manifest is None:
        return False
    return bool(run.manifest["strategy"]["code_hash"] == code and run.manifest["engine_semantics"] == ENGINE_SEMANTICS)


def _request_hash(config: BacktestConfig, coverage: list[Coverage], code: str) -> str:
    """Equal for two requests that must give the same result: configuration without labels, data files, code, engine."""
    from backproof.engine.fingerprint import ENGINE_SEMANTICS

    return digest(
        {
            "config": config.model_dump(mode="json", exclude={"name", "tags"}),
            "data": {series.symbol: [series.sha256, series.calendar] for series in coverage},
            "code": code,
            "engine": ENGINE_SEMANTICS,
        }
    )


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def warnings_of(config: BacktestConfig, coverage: list[Coverage], warmup: int | None) -> list[Notice]:
    """What the result's notices would say and is known before. warmup: see `warmup_of`"""
    warnings: list[Notice] = []
    if not any(value for name, value in config.costs.model_dump().items() if name != "borrow_rate"):
        warnings.append(Notice(code="no_costs", message="no costs: commission and slippage are all zero"))
    if config.execution.fill == "same_close":
        warnings.append(
            Notice(code="optimistic_fill", message="same_close fills at the price the decision was made on: optimistic")
        )
    if (percent := likely_percent(config)) is not None:
        warnings.append(percent)
    traded = coverage[: len(config.symbols)]
    bars = [series.bars_before + series.bars_in_run for series in traded]
    if (undecided := never_decided([series.symbol for series in traded], bars, warmup)) is not None:
        warnings.append(undecided)
    warnings.extend(series_notice(s.symbol, s.note) for s in coverage if s.note)
    return warnings


def series_notice(symbol: str, note: str) -> Notice:
    return Notice(code="data_note", message=f"{symbol}: {note}", details={"symbol": symbol})
