"""The lake on a directory and on an S3-compatible bucket: one contract, and what only a bucket can do wrong."""

import hashlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import numpy as np
import pyarrow as pa
import pytest

from backproof.cli.migrating import migrate_files
from backproof.domain.clock import MarketClock
from backproof.errors import Conflict, InvalidSettings, NotFound, StorageFailed
from backproof.settings import load_settings
from backproof.storage import opening
from backproof.storage.lake import Lake
from backproof.storage.manifests import LOG_ENTRIES, ManifestLog
from backproof.storage.moving import copy_lake
from backproof.storage.object_files import FileCache, ObjectFiles
from backproof.storage.opening import Location, open_files
from servers import s3

HOUR = 3600.0
BUCKET = "backproof-tests"
Host = Callable[[str], Lake]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    kept = {name: os.environ.get(name) for name in s3.ENVIRONMENT}
    with s3.server() as url:
        os.environ.update(s3.environment(url))
        s3.Bucket(f"s3://{BUCKET}").make()
        yield url
    for name, value in kept.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request to a store that works is given up because the machine stood still."""
    for name in ("CONNECT_SECONDS", "SILENCE_SECONDS"):
        monkeypatch.setattr(opening, name, 20.0)


@pytest.fixture(params=["directory", "bucket"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that is empty."""
    if request.param == "directory":
        return (tmp_path / "shared").as_uri()
    return bucket(request)


@pytest.fixture
def bucket_url(request: pytest.FixtureRequest) -> str:
    return bucket(request)


def bucket(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue("endpoint")
    return f"s3://{BUCKET}/a prefix/{token_hex(6)}"


def at(url: str, cache: Path, megabytes: int = 64) -> Location:
    return Location(url, str(cache), megabytes)


@pytest.fixture
def host(url: str, tmp_path: Path) -> Host:
    """The lake as a host of this name has it: with a cache of its own."""
    return lambda name: Lake(open_files(at(url, tmp_path / "caches" / name)), None)


def objects(url: str, tmp_path: Path) -> ObjectFiles:
    files = open_files(at(url, tmp_path / "caches" / token_hex(4)))
    assert isinstance(files, ObjectFiles)
    return files


def daily(rows: int, value: float = 1.0) -> pa.Table:
    return pa.table({"date": pa.array(np.arange(rows).astype("M8[D]")), "close": np.full(rows, value)})


def section(rows: int = 5) -> dict[str, dict[str, np.ndarray]]:
    return {"equity": {"equity": np.arange(float(rows))}}


# ---- results and checkpoints --------------------------------------------------------------------------------------


def test_what_one_host_has_written_another_reads(host: Host) -> None:
    result = host("a").write_result("bt-1", 3, section())
    checkpoint = host("a").write_checkpoint("bt-1", 3, 250, b"state")
    assert (result.path, checkpoint.path) == ("runs/bt-1/3/result.parquet", "runs/bt-1/3/checkpoint-250.bin")
    assert host("b").read_result(result.path, "equity")["equity"].to_pylist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert host("b").read_checkpoint(checkpoint.path, checkpoint.sha256) == b"state"
    assert host("b").run_ids() == ["bt-1"]


def test_the_hash_that_is_recorded_is_that_of_the_stored_bytes(host: Host, url: str, tmp_path: Path) -> None:
    result = host("a").write_result("bt-1", 1, section(1000))
    with open_files(at(url, tmp_path / "other")).open(result.path) as file:
        data = file.read()
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (result.sha256, result.bytes)


def test_an_attempt_saves_its_result_once(host: Host) -> None:
    host("a").write_result("bt-1", 1, section())
    with pytest.raises(StorageFailed, match="saved its result already"):
        host("b").write_result("bt-1", 1, section(6))


def test_a_shared_result_survives_the_other(host: Host) -> None:
    path = host("a").write_result("bt-1", 1, section()).path
    shared = host("b").share_result(path, "bt-2", 0)
    assert host("b").share_result(path, "bt-2", 0) == shared == "runs/bt-2/0/result.parquet"
    host("a").remove_run("bt-1")
    assert host("c").read_result(shared, "equity").num_rows == 5
    with pytest.raises(StorageFailed, match="cannot read the result: it is missing"):
        host("c").read_result(path, "equity")
    with pytest.raises(StorageFailed, match="cannot share the result: it is missing"):
        host("c").share_result(path, "bt-3", 0)


def test_what_is_not_recorded_goes_and_what_is_stays(host: Host) -> None:
    lake = host("a")
    kept = lake.write_checkpoint("bt-1", 2, 20, b"kept")
    for fence, bar in ((1, 5), (1, 10), (2, 15), (3, 5)):
        lake.write_checkpoint("bt-1", fence, bar, b"old")
    lake.write_checkpoint("bt-2", 1, 5, b"another run's")
    assert host("b").keep_only("bt-1", 2, [kept.path], older_than=HOUR) == 0, "all of them are fresh"
    assert host("b").keep_only("bt-1", 2, [kept.path]) == 3
    assert host("b").keep_only("bt-1", 2, [kept.path]) == 0
    assert host("c").read_checkpoint(kept.path, kept.sha256) == b"kept"
    assert host("c").keep_only("bt-1", 3, []) == 2
    assert host("c").read_checkpoint("runs/bt-2/1/checkpoint-5.bin", hashlib.sha256(b"another run's").hexdigest())


def test_a_removed_run_has_no_files(host: Host) -> None:
    lake = host("a")
    lake.write_result("bt-1", 1, section())
    lake.write_checkpoint("bt-1", 2, 5, b"x")
    other = lake.write_result("bt-10", 1, section())
    host("b").remove_run("bt-1")
    host("b").remove_run("bt-1")
    assert lake.run_ids() == ["bt-10"]
    assert lake.read_result(other.path, "equity").num_rows == 5


# ---- bars -----------------------------------------------------------------------------------------------------------


def test_bars_of_one_host_are_those_of_all(host: Host) -> None:
    assert host("b").sources() == []
    host("a").write_bars("mine", "1d", {"A": daily(3), "삼성": daily(2)})
    assert host("b").sources() == ["mine"]
    assert host("b").timeframes("mine") == ["1d"]
    table = host("b").read_bars("mine", "1d", ["삼성", "A"])
    assert table["symbol"].to_pylist() == ["삼성", "삼성", "A", "A", "A"]
    with pytest.raises(NotFound, match="no 1d bars of X"):
        host("b").read_bars("mine", "1d", ["X"])


def test_a_new_version_leaves_the_one_that_somebody_reads(host: Host) -> None:
    host("a").write_bars("mine", "1d", {"A": daily(3), "B": daily(3)})
    resolved = host("b").find_series("mine", "1d")
    host("a").write_bars("mine", "1d", {"A": daily(5, 2.0)})
    assert host("b").read_bars("mine", "1d", ["A", "B"]).num_rows == 8
    assert host("c").read_series([resolved["A"]])["close"].to_pylist() == [1.0] * 3


def test_all_bars_of_a_source_are_on_one_calendar(host: Host) -> None:
    host("a").write_bars("mine", "1d", {"A": daily(3)}, clock=MarketClock("XKRX", "Asia/Seoul"))
    assert host("b").clock("mine") == MarketClock("XKRX", "Asia/Seoul")
    with pytest.raises(Conflict, match="calendar XKRX, not XNYS"):
        host("b").write_bars("mine", "1d", {"B": daily(3)}, clock=MarketClock("XNYS", "America/New_York"))


def test_many_updates_are_all_there(host: Host) -> None:
    lake = host("a")
    for number in range(2 * LOG_ENTRIES + 5):
        lake.write_bars("mine", "1d", {f"S{number}": daily(2), "shared": daily(1 + number)})
    series = {one.symbol: one.bars for one in host("b").series("mine")}
    assert series == {f"S{number}": 2 for number in range(2 * LOG_ENTRIES + 5)} | {"shared": 2 * LOG_ENTRIES + 5}


def test_updates_become_one_before_they_are_many(bucket_url: str, tmp_path: Path) -> None:
    files = objects(bucket_url, tmp_path)
    lake = Lake(files, None)
    for number in range(2 * LOG_ENTRIES + 5):
        lake.write_bars("mine", "1d", {f"S{number}": daily(2)})
        assert len(files.names("bars/mine/1d/manifest")) <= LOG_ENTRIES


def test_an_update_that_a_merge_has_not_seen_counts(bucket_url: str, tmp_path: Path) -> None:
    """Two hosts update at the same time, so with the same number; one of them merges before it sees the other's."""
    files, late = objects(bucket_url, tmp_path), objects(bucket_url, tmp_path)
    lake = Lake(files, None)
    lake.write_bars("mine", "1d", {"A": daily(1)})
    lake.write_bars("mine", "1d", {"B": daily(1)})
    directory = "bars/mine/1d/manifest"
    Lake(late, None).write_bars("mine", "1d", {"A": daily(7)})
    *older, newest = files.names(directory)
    with files.open(f"{directory}/{newest}") as file:
        text = file.read()
    files.remove(f"{directory}/{newest}")
    ManifestLog(files)._merge("mine", "1d")
    (merged,) = files.names(directory)
    # it had the number of the last that the merge saw, and a name before that of the merge
    hidden = f"{older[-1].partition('-')[0]}-000000000000.json"
    assert hidden < merged
    files.write(directory, lambda _: hidden, lambda path: path.write_bytes(text) and None, lambda _: None)
    found = {one.symbol: one.bars for one in Lake(objects(bucket_url, tmp_path), None).series("mine")}
    assert found == {"A": 7, "B": 1}


def test_writers_on_several_hosts_lose_no_symbol_and_readers_see_whole_states(host: Host) -> None:
    host("z").write_bars("mine", "1d", {"first": daily(1)})
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            lake = host(name)
            for number in range(12):
                lake.write_bars("mine", "1d", {f"{name}{number}": daily(2), f"{name}{number}'": daily(2)})
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    reader = host("reader")
    while any(writer.is_alive() for writer in writers):
        seen = {one.symbol for one in reader.series("mine")}
        assert "first" in seen
        for symbol in seen - {"first"}:
            pair = symbol.removesuffix("'")
            assert {pair, pair + "'"} <= seen, "half of an update"
    assert not failures
    expected = {f"{name}{number}{mark}" for name in "abc" for number in range(12) for mark in ("", "'")}
    assert {one.symbol for one in host("late").series("mine")} == expected | {"first"}


def test_merging_gives_the_same_in_whatever_order(bucket_url: str, tmp_path: Path) -> None:
    """Entries of updates and of what they were merged to: read in any order, the last update of a symbol counts."""
    files = objects(bucket_url, tmp_path)
    log = ManifestLog(files)
    lake = Lake(files, None)
    for number in range(LOG_ENTRIES):
        lake.write_bars("mine", "1d", {f"S{number % 5}": daily(1 + number)})
    names = files.names("bars/mine/1d/manifest")
    expected = {symbol: one.bars for symbol, one in log.series("mine", "1d").items()}
    log._merge("mine", "1d")
    (merged,) = files.names("bars/mine/1d/manifest")
    assert {symbol: one.bars for symbol, one in ManifestLog(files).series("mine", "1d").items()} == expected
    rng = random.Random(1)
    entries = [*names, merged]
    for _ in range(20):
        rng.shuffle(entries)
        found = log._entries("mine", "1d", tuple(entries))  # the old ones are still in its cache
        assert {symbol: one.bars for symbol, (_, one) in found.items()} == expected


# ---- what only a bucket can do wrong --------------------------------------------------------------------------------


def test_a_damaged_object_is_said_and_not_kept(bucket_url: str, tmp_path: Path) -> None:
    lake = Lake(objects(bucket_url, tmp_path), None)
    (series,) = lake.write_bars("mine", "1d", {"A": daily(100)})
    files = objects(bucket_url, tmp_path)
    path = f"bars/mine/1d/{series.file}"
    with files.open(path) as file:
        data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    with files._filesystem.open_output_stream(files._key(path)) as stream:
        stream.write(bytes(data))
    other = Lake(objects(bucket_url, tmp_path), None)
    for _ in range(2):
        with pytest.raises(StorageFailed, match="another hash than was recorded"):
            other.read_bars("mine", "1d", ["A"])


def test_a_write_that_does_not_read_back_leaves_nothing(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = objects(bucket_url, tmp_path)
    original = ObjectFiles._download

    def flipped(self: ObjectFiles, path: str, to: Path) -> None:
        original(self, path, to)
        to.write_bytes(to.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(ObjectFiles, "_download", flipped)
    lake = Lake(files, None)
    with pytest.raises(StorageFailed, match="did not read back"):
        lake.write_checkpoint("bt-1", 1, 5, b"state")
    assert files.names("runs/bt-1/1") == []
    assert [path for path in (tmp_path / "caches").rglob("*") if path.is_file()] == []


def test_the_cache_stays_small_and_what_left_it_comes_again(bucket_url: str, tmp_path: Path) -> None:
    cache, size = tmp_path / "cache", 1 << 20
    files = open_files(at(bucket_url, cache, megabytes=16))
    states = {bar: os.urandom(size) for bar in range(40)}
    lake = Lake(files, None)
    written = {bar: lake.write_checkpoint("bt-1", 1, bar, state) for bar, state in states.items()}
    kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert 8 * size < kept <= 17 * size
    assert all(lake.read_checkpoint(file.path, file.sha256) == states[bar] for bar, file in written.items())


def test_copies_of_one_bucket_are_not_taken_for_anothers(bucket_url: str, tmp_path: Path) -> None:
    """STORAGE_URL was changed, the data directory was not."""
    path = Lake(open_files(at(bucket_url, tmp_path)), None).write_result("bt-1", 1, section()).path
    other = Lake(open_files(at(f"{bucket_url}-2", tmp_path)), None)
    with pytest.raises(StorageFailed, match="it is missing"):
        other.read_result(path, "equity")


def test_what_is_being_written_is_not_tidied_away(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 16)
    slow = cache.temporary()
    slow.write_bytes(b"begun")
    os.utime(slow, (time.time() - HOUR, time.time()))  # nobody has read it for an hour, and it grows
    for number in range(20):
        ready = cache.temporary()
        ready.write_bytes(bytes(1 << 20))
        os.utime(ready, (time.time() - HOUR / 2,) * 2)
        cache.take(ready, f"runs/bt-{number}")
    cache.take(slow, "runs/bt-slow")
    assert cache.path("runs/bt-slow").read_bytes() == b"begun"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://no-such-bucket/x", "the bucket does not exist"),
        ("file:///nowhere/at/all", r"no such directory \(is it mounted\?\)"),
    ],
)
def test_a_wrong_place_is_said_at_the_start(endpoint: str, tmp_path: Path, url: str, reason: str) -> None:
    with pytest.raises(InvalidSettings, match=f"STORAGE_URL={url}.*{reason}"):
        Lake(open_files(at(url, tmp_path)), None).check()


def test_a_good_place_is_left_as_it_was(bucket_url: str, tmp_path: Path) -> None:
    files = objects(bucket_url, tmp_path)
    Lake(files, None).check()
    assert list(files.walk("")) == []


def test_a_store_that_is_away_is_said_soon_and_is_no_wrong_setting(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    lake = Lake(open_files(at(bucket_url, tmp_path)), None)
    uses: list[Callable[[], object]] = [
        lake.check,
        lambda: lake.write_result("bt-1", 1, section()),
        lambda: lake.read_result("runs/bt-1/1/result.parquet", "equity"),
        lake.sources,
        lake.run_ids,
    ]
    for use in uses:
        with pytest.raises(StorageFailed, match="the object store cannot be reached"):
            use()


def test_a_store_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3.process() as (server, endpoint):
        for name, value in s3.environment(endpoint).items():
            monkeypatch.setenv(name, value)
        s3.Bucket(f"s3://{BUCKET}").make()
        lake = Lake(open_files(at(f"s3://{BUCKET}/x", tmp_path)), None)
        path = lake.write_result("bt-1", 1, section()).path
        monkeypatch.setattr(opening, "SILENCE_SECONDS", 2.0)
        fresh = Lake(open_files(at(f"s3://{BUCKET}/x", tmp_path / "fresh")), None)
        hang(server)
        began = time.monotonic()
        with pytest.raises(StorageFailed, match="the object store cannot be reached"):
            fresh.read_result(path, "equity")
        assert time.monotonic() - began < 30, "it is given up at all; how soon is measured elsewhere"
        server.send_signal(signal.SIGCONT)
        assert fresh.read_result(path, "equity").num_rows == 5


def hang(server: "subprocess.Popen[str]") -> None:
    server.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)


# ---- from one place to another --------------------------------------------------------------------------------------


def filled(lake: Lake) -> dict[str, object]:
    lake.write_bars("mine", "1d", {"A": daily(3)})
    old = lake.find_series("mine", "1d")["A"]
    lake.write_bars("mine", "1d", {"A": daily(5), "B": daily(2)})
    lake.write_bars("mine", "1h", {"A": pa.table({"timestamp": moments(3), "close": np.ones(3)})})
    lake.write_bars("seoul", "1d", {"삼성": daily(2)}, currency="KRW", clock=MarketClock("XKRX", "Asia/Seoul"))
    result, state = lake.write_result("bt-1", 2, section()), lake.write_checkpoint("bt-2", 1, 9, b"state")
    return {"old": old, "result": result.path, "checkpoint": (state.path, state.sha256)}


def moments(count: int) -> pa.Array:
    return pa.array(np.datetime64("2020-01-02T15:00", "us") + np.arange(count) * np.timedelta64(1, "h")).cast(
        pa.timestamp("us", "UTC")
    )


def everything(lake: Lake, given: dict[str, object]) -> list[object]:
    path, sha256 = given["checkpoint"]  # type: ignore[misc]
    return [
        [(source, timeframe, lake.series(source, timeframe)) for source, timeframe in frames(lake)],
        [
            lake.read_bars(source, timeframe, [one.symbol for one in lake.series(source, timeframe)]).to_pydict()
            for source, timeframe in frames(lake)
        ],
        lake.read_series([given["old"]]).num_rows,  # type: ignore[list-item]
        lake.read_result(str(given["result"]), "equity").to_pydict(),
        lake.read_checkpoint(path, sha256),
        lake.run_ids(),
    ]


def frames(lake: Lake) -> list[tuple[str, str]]:
    return [(source, timeframe) for source in lake.sources() for timeframe in lake.timeframes(source)]


def test_everything_moves_to_a_bucket_and_back(bucket_url: str, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old, new = open_files(at((tmp_path / "old").as_uri(), tmp_path)), objects(bucket_url, tmp_path)
    given = filled(Lake(old, None))
    (tmp_path / "old" / "runs" / ".DS_Store").write_text("nobody's")
    before = everything(Lake(old, None), given)
    moved = copy_lake(old, new)
    assert (moved.bars, moved.results, moved.series) == (5, 2, 4)
    assert everything(Lake(objects(bucket_url, tmp_path), None), given) == before
    assert copy_lake(old, new) == moved, "a second time it only compares"
    back = open_files(at((tmp_path / "back").as_uri(), tmp_path))
    assert copy_lake(objects(bucket_url, tmp_path), back) == moved
    assert everything(Lake(back, None), given) == before


def test_a_move_that_was_cut_off_goes_on(bucket_url: str, tmp_path: Path) -> None:
    old, new = open_files(at((tmp_path / "old").as_uri(), tmp_path)), objects(bucket_url, tmp_path)
    given = filled(Lake(old, None))
    arrived: list[str] = []

    def cut(path: str) -> None:
        arrived.append(path)
        if len(arrived) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_lake(old, new, cut)
    copy_lake(old, new, arrived.append)
    assert len(arrived) == len(set(arrived)) == 7, "nothing was copied twice"
    assert everything(Lake(new, None), given) == everything(Lake(old, None), given)


def test_a_repeated_move_compares_what_is_in_the_bucket(bucket_url: str, tmp_path: Path) -> None:
    """Not a copy that this machine still has of it."""
    settings = load_settings(data_dir=tmp_path / "data")
    (series,) = Lake(settings.lake_path, None).write_bars("mine", "1d", {"A": daily(100)})
    migrate_files(settings, "local", bucket_url)
    in_use = open_files(at(bucket_url, settings.data_dir / "cache"))
    assert Lake(in_use, None).read_bars("mine", "1d", ["A"]).num_rows == 100
    files = objects(bucket_url, tmp_path)
    with files._filesystem.open_output_stream(files._key(f"bars/mine/1d/{series.file}")) as stream:
        stream.write(b"damaged")
    with pytest.raises(Conflict, match="another file in the target"):
        migrate_files(settings, "local", bucket_url)
    assert [path.name for path in settings.data_dir.iterdir() if path.name.startswith("tmp")] == []


def test_a_place_with_other_files_is_refused_and_left(bucket_url: str, tmp_path: Path) -> None:
    old, new = open_files(at((tmp_path / "old").as_uri(), tmp_path)), objects(bucket_url, tmp_path)
    filled(Lake(old, None))
    path = Lake(new, None).write_result("bt-9", 1, section()).path
    with pytest.raises(Conflict, match=r"files of its own \(runs/bt-9/1/result.parquet\)"):
        copy_lake(old, new)
    assert [found.path for found in new.walk("")] == [path]


def test_a_place_with_another_file_of_that_name_is_refused(bucket_url: str, tmp_path: Path) -> None:
    old, new = open_files(at((tmp_path / "old").as_uri(), tmp_path)), objects(bucket_url, tmp_path)
    Lake(old, None).write_result("bt-1", 1, section(5))
    Lake(new, None).write_result("bt-1", 1, section(6))
    with pytest.raises(Conflict, match="another file in the target"):
        copy_lake(old, new)
