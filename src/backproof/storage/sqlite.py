"""SqliteRepository: the metadata store in one file, shared by every process of one machine.

Each operation is one statement in autocommit, so there is no transaction that could fail half-way and none that reads
before it writes (those fail under many writers). WAL with synchronous=NORMAL: a killed process loses nothing that was
acknowledged; a power cut may lose the last writes, but does not damage the file.
"""

# ruff: noqa: S608 - field paths are checked against the model, everything else is bound

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

import aiosqlite
from pydantic import ValidationError

from backproof.domain.documents import Change, D, Document, Order, Repository, Where
from backproof.errors import InvalidInput, StoreUnavailable
from backproof.storage import sql
from backproof.storage.fields import field_path

SCHEMA_VERSION = 1
BUSY_SECONDS = 10.0
RESERVE_BYTES = 4 << 20
_ROWS_AT_ONCE = 200
_APPLICATION_ID = 0x62707266  # "bprf" in the file's header
_BUGS = ("SQLITE_ERROR", "SQLITE_MISUSE", "SQLITE_RANGE")  # a wrong statement, not a store that is away
_OLDEST_SQLITE = (3, 38, 0)  # JSON functions always there, RETURNING, STRICT


class SqliteRepository(Repository):
    """The repository protocol on SQLite: one table per collection, the document as JSON, indexes over expressions."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(cls, path: Path, models: Sequence[type[Document]]) -> "SqliteRepository":
        """Open or create the store; StoreUnavailable for a foreign file, a newer store or an unusable disk."""
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreUnavailable(
                f"SQLite {sqlite3.sqlite_version} of this Python is too old; 3.38 or newer is needed"
            )
        connections: list[aiosqlite.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connections.append(await _connect(path))
            await _prepare(connections[0], path, models)
            connections.append(await _connect(path))
            await connections[1].execute_fetchall("PRAGMA query_only = ON")
            _make_reserve(_reserve(path))
        except BaseException as error:
            for connection in connections:
                await connection.close()
            if isinstance(error, (sqlite3.Error, OSError)):
                _raise_unavailable(error, path)
            raise
        return cls(path, *connections)

    async def add(self, document: D) -> bool:
        table = sql.table_name(type(document))
        rows = await self._write(
            f'INSERT INTO "{table}" (id, doc) VALUES (?, ?) ON CONFLICT (id) DO NOTHING RETURNING 1',
            [document.id, document.model_dump_json()],
        )
        return bool(rows)

    async def get(self, model: type[D], id: str) -> D | None:
        if not _storable(id):
            return None
        rows = await self._read(f'SELECT doc FROM "{sql.table_name(model)}" WHERE id = ?', [id])
        return self._parsed(model, rows[0][0]) if rows else None

    async def find(
        self,
        model: type[D],
        where: Where = (),
        order: Order | None = None,
        limit: int = 100,
        after: str | None = None,
        offset: int = 0,
    ) -> list[D]:
        condition, bound = sql.where_sql(model, where)
        if after is not None:
            beyond, values = sql.after_sql(model, order, after, await self._order_value(model, order, after))
            condition, bound = f"({condition}) AND {beyond}", bound + values
        statement = sql.find_sql(model, where, condition, order)
        rows = await self._read(statement, [*bound, max(0, limit), max(0, offset)])
        return [self._parsed(model, row[0]) for row in rows]

    async def _order_value(self, model: type[D], order: Order | None, id: str) -> object:
        """The value by which the document sorts; InvalidInput when the document that ended a page is gone."""
        column = sql.column(model, order.field if order is not None else "id")
        rows = (
            await self._read(f'SELECT {column} FROM "{sql.table_name(model)}" WHERE id = ?', [id])
            if _storable(id)
            else []
        )
        if not rows:
            raise InvalidInput.at(
                "/cursor", "unknown_cursor", "what the page before ended with is gone; begin with the first page again"
            )
        return rows[0][0]

    async def update(self, model: type[D], id: str, where: Where, change: Change) -> D | None:
        changed, values = sql.change_sql(model, change)
        condition, bound = sql.where_sql(model, where)
        if not _storable(id):
            return None
        rows = await self._write(
            f'UPDATE "{sql.table_name(model)}" SET doc = {changed} WHERE id = ? AND {condition} RETURNING doc',
            [*values, id, *bound],
        )
        return self._parsed(model, rows[0][0]) if rows else None

    async def remove(self, model: type[D], where: Where) -> int:
        condition, bound = sql.where_sql(model, where)
        rows = await self._write(
            f'DELETE FROM "{sql.table_name(model)}" WHERE {condition} RETURNING 1',
            bound,
        )
        return len(rows)

    async def count(self, model: type[D], where: Where = ()) -> int:
        condition, bound = sql.where_sql(model, where)
        rows = await self._read(f"SELECT count(*) FROM {sql.source_sql(model, where)} WHERE {condition}", bound)
        return int(rows[0][0])

    async def counts_by(self, model: type[D], field: str, where: Where = ()) -> dict[str, int]:
        column, source = sql.column(model, field), sql.source_sql(model, where, field)
        condition, bound = sql.where_sql(model, where)
        # the limit keeps SQLite from merging the two selects, after which it would read every document
        found = f"SELECT {column} AS value FROM {source} WHERE {condition} LIMIT -1"
        if field_path(model, field).array:
            found = f"SELECT item.value AS value FROM ({found}) AS list, json_each(list.value) AS item"
        rows = await self._read(
            f"SELECT value, count(*) FROM ({found}) WHERE value IS NOT NULL GROUP BY 1 ORDER BY 1", bound
        )
        return {str(value): int(count) for value, count in rows}

    async def total(self, model: type[D], field: str, where: Where = ()) -> float:
        condition, bound = sql.where_sql(model, where)
        rows = await self._read(
            f'SELECT total({sql.column(model, field)}) FROM "{sql.table_name(model)}" WHERE {condition}', bound
        )
        return float(rows[0][0])

    async def add_all(self, documents: Sequence[D]) -> None:
        for first in range(0, len(documents), _ROWS_AT_ONCE):
            some = documents[first : first + _ROWS_AT_ONCE]
            await self._write(
                f'INSERT INTO "{sql.table_name(type(some[0]))}" (id, doc) VALUES {", ".join(["(?, ?)"] * len(some))} '
                "ON CONFLICT (id) DO NOTHING RETURNING 1",
                [value for document in some for value in (document.id, document.model_dump_json())],
            )

    async def ping(self) -> None:
        await self._read("SELECT version FROM schema_version", [])

    async def close(self) -> None:
        await self._reader.close()
        await self._writer.close()

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _write(self, statement: str, values: list[Any]) -> list[Any]:
        return await self._run(self._writer, statement, values)

    async def _read(self, statement: str, values: list[Any]) -> list[Any]:
        return await self._run(self._reader, statement, values)

    async def _run(self, connection: aiosqlite.Connection, statement: str, values: list[Any]) -> list[Any]:
        try:
            try:
                return list(await connection.execute_fetchall(statement, values))
            except sqlite3.OperationalError as error:
                if not _is_full(error) or not _give_reserve(_reserve(self._path)):
                    raise
                return list(await connection.execute_fetchall(statement, values))
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.Error as error:
            if _name(error) in _BUGS:
                raise
            _raise_unavailable(error, self._path)
        except ValueError as error:
            if str(error) in ("Connection closed", "no active connection"):
                raise StoreUnavailable("the metadata store is closed") from None
            raise

    def _parsed(self, model: type[D], doc: str) -> D:
        try:
            return model.model_validate_json(doc)
        except ValidationError as error:
            raise StoreUnavailable(
                f"a document of {model.collection} cannot be read: {error.errors(include_url=False)[0]['msg']}"
            ) from error


def _storable(id: str) -> bool:
    """False for texts that are no UTF-8 and so cannot be an id of anything."""
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _connect(path: Path) -> aiosqlite.Connection:
    connecting = aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    thread = cast(threading.Thread, getattr(connecting, "_thread", connecting))  # a Thread itself before aiosqlite 0.22
    # a process that ends without closing the store must end: what it wrote is safe, what it was writing is undone
    thread.daemon = True
    try:
        connection = await connecting
    except BaseException:
        await asyncio.to_thread(thread.join, 5.0)  # it still wants to tell this loop that it has stopped
        raise
    try:
        await connection.execute_fetchall("PRAGMA synchronous = NORMAL")
    except BaseException:  # nobody else knows of it yet
        await connection.close()
        raise
    return connection


async def _prepare(connection: aiosqlite.Connection, path: Path, models: Sequence[type[Document]]) -> None:
    """Check whose file this is, and create what is missing. Several processes may do this at the same time."""
    statements = [statement for model in models for statement in sql.create_sql(model)]
    existing = await _patiently(lambda: _names(connection))
    if existing and "schema_version" not in existing:
        raise StoreUnavailable(f"{path} is a database of another program")
    if sql.names_of(statements) <= existing:
        await _check_version(connection, path)
        return
    if not existing:
        await _patiently(lambda: connection.execute_fetchall("PRAGMA journal_mode = WAL"))
    await _patiently(lambda: connection.execute_fetchall("BEGIN IMMEDIATE"))
    try:
        if "schema_version" in await _names(connection):
            await _check_version(connection, path)
        else:
            await connection.execute_fetchall("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT")
            await connection.execute_fetchall("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
            await connection.execute_fetchall(f"PRAGMA application_id = {_APPLICATION_ID}")
        for statement in statements:
            await connection.execute_fetchall(statement)
        await connection.execute_fetchall("COMMIT")
    except BaseException:
        if connection.in_transaction:
            await connection.execute_fetchall("ROLLBACK")
        raise


async def _names(connection: aiosqlite.Connection) -> set[str]:
    return {row[0] for row in await connection.execute_fetchall("SELECT name FROM sqlite_master")}


async def _check_version(connection: aiosqlite.Connection, path: Path) -> None:
    rows: Iterable[Any] = await connection.execute_fetchall("SELECT max(version) FROM schema_version")
    version = next(iter(rows))[0]
    if version != SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{path} has schema version {version}, this backproof knows {SCHEMA_VERSION}: "
            + ("install the newer backproof" if version is not None and version > SCHEMA_VERSION else "it is damaged")
        )


async def _patiently(call: Callable[[], Any]) -> Any:
    """Switching to WAL does not wait for other processes by itself."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BUSY_SECONDS
    while True:
        try:
            return await call()
        except sqlite3.OperationalError as error:
            if not _name(error).startswith("SQLITE_BUSY") or loop.time() > deadline:
                raise
            await asyncio.sleep(0.01)


def _reserve(path: Path) -> Path:
    return path.with_name(path.name + ".reserve")


def _make_reserve(reserve: Path) -> None:
    """Set space aside, so that a run which fails on a full disk can still be recorded as failed."""
    if reserve.exists():
        return
    try:
        with reserve.open("xb") as file:
            file.write(bytes(RESERVE_BYTES))
    except OSError:
        reserve.unlink(missing_ok=True)  # no space to set aside: try again at the next start


def _give_reserve(reserve: Path) -> bool:
    try:
        reserve.unlink()
    except OSError:
        return False
    return True


def _is_full(error: sqlite3.Error) -> bool:
    # the shared-memory file of WAL grows by writing zeros, and that reports an I/O error
    return _name(error) in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE")


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or ""


def _raise_unavailable(error: sqlite3.Error | OSError, path: Path) -> NoReturn:
    name = _name(error)
    if name == "SQLITE_FULL":
        reason = "the disk is full"
    elif name.startswith("SQLITE_READONLY"):
        reason = "it is read-only"
    elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        reason = f"it was locked by another process for more than {BUSY_SECONDS:g} seconds"
    elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        reason = f"it is damaged or no database ({error})"
    elif name.startswith("SQLITE_IOERR"):
        reason = f"the disk failed ({error})"
    elif name.startswith("SQLITE_CANTOPEN"):
        reason = "it cannot be opened (missing directory, no permission, or too many open files)"
    else:
        reason = str(error)
    raise StoreUnavailable(f"the metadata store {path} does not work: {reason}", sqlite=name) from error
