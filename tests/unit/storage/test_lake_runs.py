"""What a run has on disk: checkpoints that are whole or not there, results with several names, and what is tidied."""

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproof.errors import NotFound, StorageFailed
from backproof.storage import lake as lake_module
from backproof.storage.lake import Lake

HOUR = 3600.0


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, None)


def saved(lake: Lake, run_id: str = "bt-1", fence: int = 1) -> str:
    return lake.write_result(run_id, fence, {"equity": {"equity": np.arange(5.0)}}).path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root / "runs")) for path in (root / "runs").rglob("*") if path.is_file())


def directories(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root / "runs")) for path in (root / "runs").rglob("*") if path.is_dir())


def aged(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float = 2 * HOUR) -> None:
    """From now on it is so much later; the file is as old as that."""
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + seconds)
    assert path.exists()


# ---- checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", os.urandom(3 << 20)], ids=["nothing", "a byte", "3 MB"])
def test_a_checkpoint_comes_back_as_it_was_written(lake: Lake, tmp_path: Path, data: bytes) -> None:
    file = lake.write_checkpoint("bt-1", 3, 250, data)
    assert file.path == "runs/bt-1/3/checkpoint-250.bin"
    assert (file.bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert lake.read_checkpoint(file.path, file.sha256) == data
    assert files(tmp_path) == ["bt-1/3/checkpoint-250.bin"]


def test_a_checkpoint_that_was_changed_is_not_read(lake: Lake, tmp_path: Path) -> None:
    data = os.urandom(1000)
    file = lake.write_checkpoint("bt-1", 1, 10, data)
    path = tmp_path / file.path
    for place in (0, 500, 999):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(StorageFailed, match="the file is damaged"):
            lake.read_checkpoint(file.path, file.sha256)
    path.write_bytes(data[:-1])
    with pytest.raises(StorageFailed, match="the file is damaged"):
        lake.read_checkpoint(file.path, file.sha256)
    path.unlink()
    with pytest.raises(StorageFailed, match="it is missing"):
        lake.read_checkpoint(file.path, file.sha256)


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "/etc/passwd",
        "runs/bt-1/1/result.parquet",
        "runs/bt-1/1/checkpoint-1.bin/../../../../secret",
        "runs/../bars/1/checkpoint-1.bin",
        "runs/bt-1/x/checkpoint-1.bin",
        "runs/bt-1/1/checkpoint-1.bin\n",
        "",
    ],
)
def test_what_is_no_path_of_a_checkpoint_is_not_opened(lake: Lake, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    with pytest.raises(NotFound):
        lake.read_checkpoint(path, hashlib.sha256(b"x").hexdigest())


def test_a_checkpoint_that_does_not_read_back_is_not_there(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(path: Path, data: bytes) -> None:
        path.write_bytes(data[:-1])

    monkeypatch.setattr(lake_module, "_write_bytes", short)
    with pytest.raises(StorageFailed, match="did not read back"):
        lake.write_checkpoint("bt-1", 1, 10, b"1234")
    assert files(tmp_path) == []


def test_a_full_disk_leaves_the_checkpoint_before_it(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lake.write_checkpoint("bt-1", 1, 10, b"first")

    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:1])
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(lake_module, "_write_bytes", full)
    with pytest.raises(StorageFailed, match="cannot save a checkpoint: the disk is full"):
        lake.write_checkpoint("bt-1", 1, 20, b"second")
    assert files(tmp_path) == ["bt-1/1/checkpoint-10.bin"]
    assert lake.read_checkpoint(first.path, first.sha256) == b"first"


@pytest.mark.parametrize("run_id", ["..", ".", "", "a/b", "-x", "x" * 101, "bt\n"])
def test_what_is_no_run_has_no_files(lake: Lake, run_id: str) -> None:
    uses: list[Any] = [
        lambda: lake.write_checkpoint(run_id, 1, 1, b""),
        lambda: lake.write_result(run_id, 1, {"equity": {"equity": np.arange(2.0)}}),
        lambda: lake.keep_only(run_id, 1, []),
        lambda: lake.remove_run(run_id),
        lambda: lake.share_result("runs/bt-1/1/result.parquet", run_id, 0),
    ]
    for use in uses:
        with pytest.raises(NotFound):
            use()


# ---- a result with two names ------------------------------------------------------------------------------------


def test_a_shared_result_is_the_same_file_and_survives_the_other(lake: Lake, tmp_path: Path) -> None:
    path = saved(lake)
    shared = lake.share_result(path, "bt-2", 0)
    assert shared == "runs/bt-2/0/result.parquet"
    assert (tmp_path / shared).samefile(tmp_path / path), "no second copy of the bytes"
    lake.remove_run("bt-1")
    assert lake.read_result(shared, "equity")["equity"].to_pylist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    lake.remove_run("bt-2")
    assert files(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP])
def test_where_the_disk_has_no_second_names_the_result_is_copied(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_links(_: Path, __: Path) -> None:
        raise OSError(number, "no links here")

    path = saved(lake)
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    shared = lake.share_result(path, "bt-2", 0)
    assert not (tmp_path / shared).samefile(tmp_path / path)
    assert (tmp_path / shared).read_bytes() == (tmp_path / path).read_bytes()
    assert files(tmp_path) == ["bt-1/1/result.parquet", "bt-2/0/result.parquet"]


def test_a_result_that_is_gone_cannot_be_shared(lake: Lake) -> None:
    with pytest.raises(StorageFailed, match="cannot share the result: it is missing"):
        lake.share_result("runs/bt-1/1/result.parquet", "bt-2", 0)
    for path in ("runs/bt-1/1/checkpoint-1.bin", "../x", ""):
        with pytest.raises(NotFound):
            lake.share_result(path, "bt-2", 0)


def test_sharing_it_twice_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    path = saved(lake)
    assert lake.share_result(path, "bt-2", 0) == lake.share_result(path, "bt-2", 0)
    assert files(tmp_path) == ["bt-1/1/result.parquet", "bt-2/0/result.parquet"]


# ---- tidying ----------------------------------------------------------------------------------------------------


def test_what_is_not_recorded_goes_and_what_is_stays(lake: Lake, tmp_path: Path) -> None:
    kept = lake.write_checkpoint("bt-1", 2, 20, b"kept").path
    for fence, bar in ((1, 5), (1, 10), (2, 15)):
        lake.write_checkpoint("bt-1", fence, bar, b"old")
    lake.write_checkpoint("bt-2", 1, 5, b"another run's")
    assert lake.keep_only("bt-1", 2, [kept]) == 3
    assert files(tmp_path) == ["bt-1/2/checkpoint-20.bin", "bt-2/1/checkpoint-5.bin"]
    assert directories(tmp_path) == ["bt-1", "bt-1/2", "bt-2", "bt-2/1"]
    assert lake.keep_only("bt-1", 2, [kept]) == 0


def test_what_later_claims_have_written_stays(lake: Lake, tmp_path: Path) -> None:
    saved(lake, fence=12)
    lake.write_checkpoint("bt-1", 3, 5, b"later")
    lake.write_checkpoint("bt-1", 2, 5, b"own")
    lake.write_checkpoint("bt-1", 1, 5, b"earlier")
    assert lake.keep_only("bt-1", 2, []) == 2
    assert files(tmp_path) == ["bt-1/12/result.parquet", "bt-1/3/checkpoint-5.bin"]


def test_what_belongs_to_no_claim_goes_too(lake: Lake, tmp_path: Path) -> None:
    path = saved(lake)
    for name in ("notes.txt", "x/deep/file", "1/.123-abc.tmp"):
        (tmp_path / "runs/bt-1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs/bt-1" / name).write_text("x")
    assert lake.keep_only("bt-1", 1, [path]) == 3
    assert files(tmp_path) == ["bt-1/1/result.parquet"]
    assert directories(tmp_path) == ["bt-1", "bt-1/1"]


def test_a_run_that_keeps_nothing_has_no_directory(lake: Lake, tmp_path: Path) -> None:
    lake.write_checkpoint("bt-1", 1, 5, b"x")
    assert lake.keep_only("bt-1", 1, []) == 1
    assert lake.run_ids() == []
    assert lake.keep_only("bt-1", 1, []) == 0


def test_what_is_fresh_stays_however_little_it_is_recorded(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = lake.write_checkpoint("bt-1", 1, 5, b"x")
    assert lake.keep_only("bt-1", 1, [], older_than=HOUR) == 0
    aged(tmp_path / file.path, monkeypatch)
    lake.write_checkpoint("bt-1", 1, 6, b"also old on this clock")
    assert lake.keep_only("bt-1", 1, [], older_than=3 * HOUR) == 0
    assert lake.keep_only("bt-1", 1, [], older_than=HOUR) == 2


def test_a_name_that_was_just_given_to_an_old_file_is_fresh(lake: Lake, tmp_path: Path) -> None:
    path = saved(lake)
    os.utime(tmp_path / path, (time.time() - 5 * HOUR,) * 2)
    shared = lake.share_result(path, "bt-2", 0)
    assert lake.keep_only("bt-2", 2**62, [], older_than=HOUR) == 0
    assert lake.read_result(shared, "equity").num_rows == 5


def test_runs_with_files_are_listed(lake: Lake, tmp_path: Path) -> None:
    assert lake.run_ids() == []
    saved(lake, "bt-2")
    lake.write_checkpoint("bt-1", 1, 5, b"x")
    assert lake.run_ids() == ["bt-1", "bt-2"]


def test_removing_a_run_removes_every_file_of_it_and_nothing_else(lake: Lake, tmp_path: Path) -> None:
    saved(lake, "bt-1")
    lake.write_checkpoint("bt-1", 2, 5, b"x")
    saved(lake, "bt-10")
    lake.remove_run("bt-1")
    assert files(tmp_path) == ["bt-10/1/result.parquet"]
    lake.remove_run("bt-1")
