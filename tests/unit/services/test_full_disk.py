"""A full disk fails the run with that reason, the service goes on, and heals when there is space again."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, PATIENCE, gate_at, messages, never

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import ResultFile
from backproof.domain.lifecycle import Status
from backproof.settings import Settings
from backproof.storage.lake import Lake


def mount(path: Path, options: str) -> int:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if mount(disk, "size=16m"):
        pytest.skip("mounting a small disk needs root")
    yield disk
    unmount(disk)


@pytest.fixture
async def small_services(small_disk: Path, redis_url: str) -> AsyncIterator[ServiceFactory]:
    factory = await ServiceFactory.open(Settings(data_dir=small_disk / "data", redis_url=redis_url), PATIENCE)
    yield factory
    await factory.close()


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


async def test_a_full_disk_fails_the_run_with_that_reason_and_nothing_is_lost(
    small_services: ServiceFactory,
    small_disk: Path,
    demo_config: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_result = Lake.write_result
    filler = small_disk / "filler"

    def write_on_a_disk_just_filled(lake: Lake, *arguments: Any) -> ResultFile:
        if not filler.exists():
            fill(filler)
        return write_result(lake, *arguments)

    monkeypatch.setattr(Lake, "write_result", write_on_a_disk_just_filled)
    run = await small_services.orchestrator.submit(demo_config, OWNER)
    await small_services.runner(never).run_waiting()
    failed = await small_services.orchestrator.get(run.id, OWNER)
    assert failed.status == Status.FAILED
    assert failed.error is not None
    assert failed.error.code == "storage_failed"
    assert "space" in failed.error.message.lower() or "full" in failed.error.message.lower()
    assert failed.error.stage == "save"
    filler.write_bytes(b"")  # space again
    again = await small_services.orchestrator.submit(demo_config, OWNER)
    await small_services.runner(never).run_waiting()
    assert (await small_services.orchestrator.get(again.id, OWNER)).status == Status.COMPLETED


async def test_a_read_only_lake_fails_the_run_with_that_reason(
    small_services: ServiceFactory, small_disk: Path, demo_config: dict[str, object]
) -> None:
    runs = small_services.settings.lake_path / "runs"
    runs.mkdir(parents=True)
    assert mount(runs, "ro,size=1m") == 0
    try:
        run = await small_services.orchestrator.submit(demo_config, OWNER)
        await small_services.runner(never).run_waiting()
        failed = await small_services.orchestrator.get(run.id, OWNER)
        assert failed.status == Status.FAILED
        assert failed.error is not None
        assert "read-only" in failed.error.message.lower()
    finally:
        unmount(runs)


async def test_a_disk_too_full_for_checkpoints_costs_the_run_nothing(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is space again when the result is to be written."""
    monkeypatch.setitem(services.settings.__dict__, "checkpoint_seconds", 0.0)
    runs = services.settings.lake_path / "runs"
    runs.mkdir(parents=True)
    if mount(runs, "size=1m"):
        pytest.skip("mounting a small disk needs root")
    try:
        filler = runs / "filler"
        fill(filler)
        run = await services.orchestrator.submit(demo_config, OWNER)
        runner = services.runner(never)
        with gate_at(1000, monkeypatch) as gate:
            working = asyncio.create_task(runner.run_waiting())
            await gate.reached()
            attempt = runner._current
            assert attempt is not None
            await attempt._save_checkpoint(attempt._simulation)  # type: ignore[arg-type]
            filler.write_bytes(b"")
            gate.let_go()
            await working
        done = await services.orchestrator.get(run.id, OWNER)
        assert done.status == Status.COMPLETED, done.error
        said = [
            message for message in await messages(services, run.id) if message.startswith("no checkpoint after bar")
        ]
        assert said
        assert all("the disk is full" in line for line in said)
        assert (await services.results.equity(done)).total_bars == 2517
    finally:
        unmount(runs)
