"""The OpenAPI document against the service: thousands of generated requests, right and wrong ones, on real data.

Nothing may be answered with a status, a content type, a header or a body that the document does not declare, wrong
requests must be refused, right ones accepted, and there is no 5xx at all.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import schemathesis.engine
import structlog
from api_support import Json, Redis, ThreadServer, never, settings_of
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from stacks import mend_results, spoil_results

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Intermediate
from backproof.domain.documents import utc_now
from backproof.services.backtests.admission import SubmitOptions
from backproof.web.app import create_app

SEED = 20_260_101
CASES = 2_500
ENDING = ("cancel_backtest", "delete_backtest")
HEAVY = ("probe_strategy",)  # each that is right starts a process that computes for a second
DEMO: Json = {
    "name": "SMA on Apple",
    "strategy_type": "sma_crossover",
    "symbols": ["AAPL"],
    "start_date": "2003-01-02",
    "end_date": "2004-12-31",
    "data_source": "demo",
    "benchmark": "SPX",
}
COMPUTED = SubmitOptions(use_cache=False)


@dataclass
class Outcome:
    cases: int = 0
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: dict[tuple[str, ...], str] = field(default_factory=dict)


def explore(
    server: ThreadServer,
    document: Json,
    outcome: Outcome,
    ids: list[str],
    examples: int,
    only: tuple[str, ...] = (),
    phases: Json | None = None,
) -> None:
    """Of some operations, or of all that are neither `ENDING` nor `HEAVY`."""
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": server.url,
            "continue-on-failure": True,
            "generation": {"max-examples": examples, "deterministic": True},
            "dictionaries": {"ids": {"values": ids}},
            "parameters": {"path.backtest_id": {"dictionary": "ids", "probability": 0.8}},
            "checks": {
                # what is right by its form may still name an unknown strategy, symbol or date
                "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]},
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx"]},
                "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "409", "413", "415", "422"]},
            },
            "phases": {"stateful": {"enabled": False}, **(phases or {})},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    chosen = schema.include(operation_id=list(only)) if only else schema.exclude(operation_id=[*ENDING, *HEAVY])
    for event in schemathesis.engine.from_schema(chosen).execute():
        if isinstance(event, NonFatalError):
            outcome.faults[event.label, "error"] = repr(event.value)
        elif isinstance(event, FatalError):
            raise event.exception
        elif isinstance(event, ScenarioFinished):
            note(event, document, outcome)


def note(event: ScenarioFinished, document: Json, outcome: Outcome) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        outcome.cases += 1
        operation = recorder.cases[case_id].value.operation
        if interaction.response is not None:
            outcome.answers[operation.label, interaction.response.status_code] += 1
        for check in recorder.checks.get(case_id, ()):
            if check.failure_info is not None:
                request, failure = interaction.request, check.failure_info.failure
                sent = f"{request.method} {request.uri} {str(request.body or b'')[:300]}"
                outcome.faults[operation.label, check.name, failure.title] = f"{sent}\n{failure.message}"


async def prepare(services: ServiceFactory) -> list[str]:
    """Ids of a completed, a cancelled and a failed run, of one that waits and one in the bin."""
    failed = await services.orchestrator.submit(DEMO, "local", options=COMPUTED)
    spoil_results(services.settings.data_dir)
    await services.runner(never).run_waiting()
    mend_results(services.settings.data_dir)
    completed = await services.orchestrator.submit(DEMO, "local")
    await services.runner(never).run_waiting()
    cancelled = await services.orchestrator.submit(DEMO, "local", options=COMPUTED)
    await services.orchestrator.cancel(cancelled.id, "local")
    waiting = await services.orchestrator.submit(DEMO, "local", options=COMPUTED)
    runs = [await services.orchestrator.get(run.id, "local") for run in (completed, failed, cancelled, waiting)]
    assert [run.status for run in runs] == ["completed", "failed", "cancelled", "queued"]
    deleted = await services.orchestrator.submit(DEMO, "local")
    await services.orchestrator.delete(deleted.id, "local")
    saved = {"fence": 1, "bars_done": 5, "total_bars": 9, "fills": 0, "trades": 0, "position_count": 0}
    now = utc_now()
    await services.repository.add(Intermediate(id=waiting.id, saved_at=now, points=((0, 1.0),), positions=(), **saved))
    return [completed.id, *(run.id for run in runs), deleted.id]


@pytest.fixture(scope="module")
def outcome(kernels: None, shared_redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    directory: Path = tmp_path_factory.mktemp("schema")
    settings = settings_of(directory, shared_redis.url, backtest_queue_max_size=100_000)
    app = create_app(settings)
    outcome = Outcome()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with ThreadServer(app) as server:
        ids = server.run(prepare(app.state.services))
        explore(server, app.openapi(), outcome, ids, examples=130)
        explore(server, app.openapi(), outcome, ids, examples=25, only=HEAVY, phases={"coverage": {"enabled": False}})
        submit = app.state.services.orchestrator.submit
        waiting = [server.run(submit(DEMO, "local", options=COMPUTED)).id for _ in range(50)]
        stateful = {"stateful": {"enabled": True, "generation": {"max-examples": 15}}}
        explore(server, app.openapi(), outcome, waiting, examples=60, only=ENDING, phases=stateful)
    structlog.reset_defaults()
    return outcome


def test_no_generated_request_finds_a_fault(outcome: Outcome) -> None:
    text = "\n\n".join(f"{' | '.join(key)}\n{fault}" for key, fault in sorted(outcome.faults.items()))
    assert not outcome.faults, text


def test_there_were_enough_of_them(outcome: Outcome) -> None:
    assert outcome.cases >= CASES


def test_every_operation_also_succeeded(outcome: Outcome, app: Any) -> None:
    """Requests that never get past validation prove nothing about what comes behind it."""
    operations = {f"{verb.upper()} {path}" for path, item in app.openapi()["paths"].items() for verb in item}
    succeeded = {label for label, status in outcome.answers if status < 300}
    assert operations - succeeded == set()
    assert not [answer for answer in outcome.answers if answer[1] >= 500]
