"""A strategy's author edits it and runs it again: the service runs what is written, and never shows old for new."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, import_prices, mine, never

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.lifecycle import Status
from backproof.errors import InvalidInput
from backproof.services.backtests.admission import SubmitOptions
from plugin_packages import SIGNALS, importable, write_package

EVERY_FIFTH = SIGNALS.replace("[:, ::2], mask[:, 1::2]", "[:, ::5], mask[:, 1::5]")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with importable(tmp_path / "site", monkeypatch) as site:
        yield site


async def submitted(services: ServiceFactory) -> Backtest:
    given: dict[str, Any] = mine(strategy_type="given", parameters={}, symbols=["A"])
    return await services.orchestrator.submit(given, OWNER)


async def done(services: ServiceFactory) -> Backtest:
    """The same request, with its result."""
    run = await submitted(services)
    await services.runner(never).run_waiting()
    run = await services.orchestrator.get(run.id, OWNER)
    assert run.status == Status.COMPLETED
    return run


async def test_an_edited_strategy_is_what_the_next_run_is_of(
    services: ServiceFactory, tmp_path: Path, site: Path
) -> None:
    await import_prices(services, tmp_path)
    write_package(site, SIGNALS)
    first = await done(services)
    write_package(site, EVERY_FIFTH)
    second = await done(services)
    assert second.cached_from is None
    assert (first.result, second.result) != (None, None)
    assert 0 < second.result.trades < first.result.trades / 2  # type: ignore[union-attr]
    assert second.fingerprint != first.fingerprint
    write_package(site, SIGNALS)
    third = await done(services)
    assert (third.cached_from, third.fingerprint) == (first.id, first.fingerprint), "as it was written before"


async def test_a_result_is_given_again_only_if_that_code_has_computed_it(
    services: ServiceFactory, tmp_path: Path, site: Path
) -> None:
    """The strategy is edited while its run waits, which then is one of the new code; and edited back."""
    await import_prices(services, tmp_path)
    write_package(site, SIGNALS)
    waiting = await submitted(services)
    write_package(site, EVERY_FIFTH)
    await services.runner(never).run_waiting()
    of_new_code = await services.orchestrator.get(waiting.id, OWNER)
    write_package(site, SIGNALS)
    of_old_code = await done(services)
    assert of_old_code.cached_from is None
    assert of_old_code.fingerprint != of_new_code.fingerprint
    assert (await done(services)).cached_from == of_old_code.id


async def test_what_is_broken_is_refused_with_the_reason_and_loses_nothing(
    services: ServiceFactory, tmp_path: Path, site: Path
) -> None:
    await import_prices(services, tmp_path)
    write_package(site, SIGNALS)
    first = await done(services)
    home = write_package(site, "    def half(:\n")
    with pytest.raises(InvalidInput, match=r"the plug-in given cannot be run; .*cannot be imported: SyntaxError"):
        await submitted(services)
    write_package(site, SIGNALS)
    waiting = await services.orchestrator.rerun(first.id, OWNER, SubmitOptions(use_cache=False))
    (home / "__init__.py").write_text("raise RuntimeError('not now')\n")
    await services.runner(never).run_waiting()
    failed = await services.orchestrator.get(waiting.id, OWNER)
    assert failed.error is not None
    assert failed.status == Status.FAILED
    assert "not now" in failed.error.message
    write_package(site, SIGNALS)
    assert (await done(services)).fingerprint == first.fingerprint
