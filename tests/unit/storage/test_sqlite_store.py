"""What is particular to the SQLite file: other processes, crashes, foreign files, and disks that do not work."""

# ruff: noqa: ASYNC220, ASYNC240 - small local files and one child at a time

import asyncio
import itertools
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import aiosqlite
import pytest
from store_writers import Counter

from backproof.bootstrap import DOCUMENTS
from backproof.domain.backtest import Backtest, ListMetric
from backproof.domain.documents import Change, Condition, Document, Op, eq, utc_now
from backproof.domain.lifecycle import Status
from backproof.errors import StoreUnavailable
from backproof.services.backtests import queries
from backproof.services.backtests.models import BacktestQuery, MetricRange
from backproof.storage import sql
from backproof.storage.sqlite import SCHEMA_VERSION, SqliteRepository

WRITERS = Path(__file__).with_name("store_writers.py")


async def opened(path: Path) -> SqliteRepository:
    return await SqliteRepository.open(path, (Counter,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


async def test_twenty_writers_in_four_processes_lose_nothing(path: Path) -> None:
    repository = await opened(path)
    await repository.add(Counter(id="c"))
    await repository.add(Counter(id="d"))
    children = [
        await asyncio.create_subprocess_exec(sys.executable, str(WRITERS), "count", str(path), "10") for _ in range(4)
    ]
    assert [await child.wait() for child in children] == [0, 0, 0, 0]
    counters = await repository.find(Counter)
    assert [counter.value for counter in counters] == [4 * 5 * 10, 4 * 5 * 10]
    await repository.close()


async def test_a_killed_writer_loses_nothing_that_was_acknowledged(path: Path) -> None:
    repository = await opened(path)
    await repository.add(Counter(id="c"))
    await repository.close()
    acknowledged = 0
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, WRITERS, "stream", str(path), str(acknowledged)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for _ in range(random.randrange(1, 60)):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *(int(line) for line in child.stdout if line.endswith("\n"))])
        repository = await opened(path)
        counter = await repository.get(Counter, "c")
        assert counter is not None
        # the write in flight may have arrived too, and is then whole
        assert counter.value in (acknowledged, acknowledged + 1)
        assert counter.seen == tuple(range(1, counter.value + 1))
        assert await repository.count(Counter, (Condition("id", Op.PREFIX, "n"),)) >= counter.value
        await repository.remove(Counter, (Condition("value", Op.GT, counter.value), Condition("id", Op.PREFIX, "n")))
        acknowledged = counter.value
        await repository.close()
        checked = sqlite3.connect(path)
        assert checked.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        checked.close()


async def test_the_journal_is_one_that_survives_a_kill(path: Path) -> None:
    repository = await opened(path)
    for connection in (repository._writer, repository._reader):
        assert [*await connection.execute_fetchall("PRAGMA journal_mode")] == [("wal",)]
        assert [*await connection.execute_fetchall("PRAGMA synchronous")] == [(1,)]
    await repository.close()


async def test_the_store_opens_again_with_what_was_in_it(path: Path) -> None:
    first = await opened(path)
    await first.add(Counter(id="a", value=7))
    await first.close()
    second = await SqliteRepository.open(path, (Counter, *DOCUMENTS))  # a newer program with more collections
    assert await second.get(Counter, "a") == Counter(id="a", value=7)
    await second.close()


async def test_a_newer_store_is_refused(path: Path) -> None:
    await (await opened(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE schema_version SET version = ?", [SCHEMA_VERSION + 1])
    connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailable, match=f"schema version {SCHEMA_VERSION + 1}.*newer backproof"):
        await opened(path)
    with pytest.raises(StoreUnavailable, match="newer backproof"):
        await SqliteRepository.open(path, DOCUMENTS)  # also when there would be tables to create


async def test_a_database_of_another_program_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="another program"):
        await opened(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database, but a text that is long enough to be read as one" * 20])
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="no database"):
        await opened(path)
    assert path.read_bytes() == content


async def test_a_path_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    for wrong in (tmp_path / "file" / "store.sqlite3", tmp_path / "directory"):
        with pytest.raises(StoreUnavailable, match="does not work"):
            await opened(wrong)


async def test_a_full_disk_is_said_and_what_was_there_can_be_read(path: Path) -> None:
    repository = await opened(path)
    await repository.add(Counter(id="a"))
    await repository._writer.execute_fetchall("PRAGMA max_page_count = 20")

    async def fill() -> None:
        for n in range(1000):
            await repository.add(Counter(id=f"n{n}", seen=tuple(range(1000))))

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await fill()
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await repository.update(Counter, "a", (), Change(push={"seen": range(100_000)}))
    assert await repository.get(Counter, "a") == Counter(id="a")
    await repository._writer.execute_fetchall("PRAGMA max_page_count = 100000")
    assert await repository.update(Counter, "a", (), Change(inc={"value": 1})) == Counter(id="a", value=1)
    await repository.close()


async def test_a_read_only_store_is_said(path: Path) -> None:
    repository = await opened(path)
    await repository._writer.execute_fetchall("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailable, match="read-only"):
        await repository.add(Counter(id="a"))
    await repository.close()


async def test_a_writer_that_blocks_for_long_is_said_and_reading_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backproof.storage.sqlite.BUSY_SECONDS", 60.0)
    patient = await opened(path)
    monkeypatch.setattr("backproof.storage.sqlite.BUSY_SECONDS", 0.2)
    repository = await opened(path)
    await repository.add(Counter(id="a"))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(patient.update(Counter, "a", (), Change(inc={"value": 1})))
    with pytest.raises(StoreUnavailable, match=r"locked by another process for more than 0\.2 seconds"):
        await repository.update(Counter, "a", (), Change(inc={"value": 1}))
    for one in (patient, repository):
        assert await one.get(Counter, "a") == Counter(id="a")
    assert not waiting.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    assert await waiting == Counter(id="a", value=1)
    assert await repository.update(Counter, "a", (), Change(inc={"value": 1})) == Counter(id="a", value=2)
    for one in (patient, repository):
        await one.close()


async def test_a_damaged_document_is_said(path: Path) -> None:
    repository = await opened(path)
    await repository._writer.execute_fetchall('INSERT INTO counters VALUES (\'a\', \'{"id": "a", "value": "x"}\')')
    with pytest.raises(StoreUnavailable, match="counters cannot be read"):
        await repository.get(Counter, "a")
    await repository.close()


def test_a_process_that_never_closes_the_store_ends(path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path; from store_writers import Counter, SqliteRepository\n"
        "async def main():\n"
        "    repository = await SqliteRepository.open(Path(sys.argv[1]), (Counter,))\n"
        "    await repository.add(Counter(id='a'))\n"
        "    sys.exit(3)\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=WRITERS.parent, timeout=20, check=False)
    assert done.returncode == 3


@pytest.mark.parametrize("model", DOCUMENTS, ids=lambda model: model.collection)
async def test_every_declared_index_serves_its_query(tmp_path: Path, model: type[Document]) -> None:
    path = tmp_path / "store.sqlite3"
    await (await SqliteRepository.open(path, DOCUMENTS)).close()
    connection = sqlite3.connect(path)
    for fields in model.indexes:
        condition, _ = sql.where_sql(model, [eq(field, "x") for field in fields])
        statement = f"EXPLAIN QUERY PLAN SELECT doc FROM {model.collection} WHERE {condition} ORDER BY id"
        plan = str(connection.execute(statement, ["x"] * len(fields)).fetchall())
        assert "USING INDEX" in plan, fields
        assert "TEMP B-TREE" not in plan, fields
    connection.close()


async def test_long_lists_are_read_from_their_listing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    await (await SqliteRepository.open(path, DOCUMENTS)).close()
    connection = sqlite3.connect(path)
    for sort, deleted in itertools.product(queries.SORTS, (False, True)):
        query = BacktestQuery(
            status=(Status.COMPLETED, Status.FAILED),
            strategies=("macd", "rules"),
            symbols=("AAPL", "IBM"),
            tags=("a", "b"),
            starred=True,
            text="momentum 20",
            created_from=utc_now(),
            created_to=utc_now(),
            metrics=tuple(MetricRange(metric, -1.0, 1.0) for metric in get_args(ListMetric)),
            deleted=deleted,
            sort=sort,
        )
        where, order = queries.conditions(query, "local"), queries.order(query)
        condition, bound = sql.where_sql(Backtest, where)
        found = sql.find_sql(Backtest, where, condition, order)
        counted = f"SELECT count(*) FROM {sql.source_sql(Backtest, where)} WHERE {condition}"
        for statement, values in ((found, [*bound, 10, 0]), (counted, bound)):
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
            assert f"INDEX {sql.listing_name(Backtest)}" in plan, sort
    newest = BacktestQuery(created_from=utc_now())
    condition, bound = sql.where_sql(Backtest, queries.conditions(newest, "local"))
    found = sql.find_sql(Backtest, queries.conditions(newest, "local"), condition, queries.order(newest))
    plan = str(connection.execute(f"EXPLAIN QUERY PLAN {found}", [*bound, 10, 0]).fetchall())
    assert "INDEX backtests__owner_id__deleted_at__created_at" in plan
    assert plan.count("TEMP B-TREE") == 1, "only the page is sorted again"
    connection.close()


def test_a_question_outside_the_listing_is_answered_without_it() -> None:
    kept = queries.kept("local")
    assert "INDEXED" in sql.source_sql(Backtest, kept, "name", "id")
    for where, fields in (((*kept, eq("fence", 1)), ()), (kept, ("notes",)), (kept[:1], ()), (kept[1:], ())):
        assert sql.source_sql(Backtest, where, *fields) == '"backtests"'


async def test_an_opening_that_is_cancelled_at_any_statement_closes_what_it_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a thread speaks to an event loop that is closed, over the one line that says why the process ends."""
    connect, execute = aiosqlite.connect, aiosqlite.Connection.execute_fetchall
    opened: list[aiosqlite.Connection] = []
    left = 0

    def kept(*arguments: Any, **options: Any) -> aiosqlite.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    async def cancelled(self: aiosqlite.Connection, *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise asyncio.CancelledError
        return await execute(self, *arguments)

    monkeypatch.setattr(aiosqlite, "connect", kept)
    monkeypatch.setattr(aiosqlite.Connection, "execute_fetchall", cancelled)
    for statements in range(100):
        left = statements
        try:
            repository = await SqliteRepository.open(tmp_path / f"{statements}.sqlite3", DOCUMENTS)
        except asyncio.CancelledError:
            assert [one for one in opened if one._connection is not None] == [], f"after {statements} statements"
        else:
            await repository.close()
            break
    assert 5 < statements < 99
