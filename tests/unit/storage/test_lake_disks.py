"""Full and read-only disks, real ones: small file systems in memory. Needs the right to mount."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backproof.errors import StorageFailed, StoreUnavailable
from backproof.storage.lake import Lake
from backproof.storage.sqlite import SqliteRepository

Mount = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A directory with one megabyte of space, and how to mount it again with other options."""
    path = tmp_path / "disk"
    path.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("no right to mount a small file system here")

    mount("size=1m")
    try:
        yield path, mount
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def noise(rows: int) -> dict[str, dict[str, np.ndarray]]:
    return {"equity": {"equity": np.random.default_rng(rows).uniform(1, 2, rows)}}


def files(path: Path) -> list[str]:
    return sorted(found.name for found in path.rglob("*") if found.is_file())


def test_a_result_that_does_not_fit_fails_with_that_reason_and_leaves_the_space(disk: tuple[Path, Mount]) -> None:
    path, _ = disk
    lake = Lake(path, None)
    with pytest.raises(StorageFailed, match="cannot save the result: the disk is full"):
        lake.write_result("bt-1", 1, noise(1_000_000))
    assert files(path) == []
    file = lake.write_result("bt-1", 2, noise(1000))
    assert lake.read_result(file.path, "equity").num_rows == 1000


def test_bars_that_do_not_fit_fail_and_the_older_ones_stay(disk: tuple[Path, Mount]) -> None:
    path, _ = disk
    lake = Lake(path, None)

    def bars(rows: int) -> pa.Table:
        dates = pa.array(np.arange(rows).astype("M8[D]"))
        return pa.table({"date": dates, "close": np.random.default_rng(rows).uniform(1, 2, rows)})

    lake.write_bars("mine", "1d", {"A": bars(100)})
    before = files(path)
    # the first two fit, and go again
    with pytest.raises(StorageFailed, match="cannot write the bars of mine: the disk is full"):
        lake.write_bars("mine", "1d", {"A": bars(50), "B": bars(70), "C": bars(1_000_000)})
    assert files(path) == before
    assert lake.read_bars("mine", "1d", ["A"]).num_rows == 100


def test_a_read_only_disk_is_said_and_can_be_read(disk: tuple[Path, Mount]) -> None:
    path, mount = disk
    file = Lake(path, None).write_result("bt-1", 1, noise(10))
    mount("remount,ro")
    lake = Lake(path, None)
    assert lake.read_result(file.path, "equity").num_rows == 10
    for use in (lambda: lake.write_result("bt-2", 1, noise(10)), lambda: lake.remove_run("bt-1")):
        with pytest.raises(StorageFailed, match="the file system is read-only"):
            use()


async def test_a_store_on_a_read_only_disk_is_said(disk: tuple[Path, Mount]) -> None:
    path, mount = disk
    mount("remount,ro")
    with pytest.raises(StoreUnavailable, match=r"read-only|cannot be opened"):
        await SqliteRepository.open(path / "store.sqlite3", ())
