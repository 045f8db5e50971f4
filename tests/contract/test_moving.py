"""A move from one store to another: whole, resumable, verified, and only into an empty one."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from repository_models import MODELS, Item, Other, Part, Thing, later

from backproof.domain.documents import Change, Repository
from backproof.errors import BackproofError, Conflict, StorageFailed
from backproof.services.moving import Move, digest, move
from backproof.storage.mongo import MongoRepository
from backproof.storage.sqlite import SqliteRepository
from mongo_servers import with_database

Pair = tuple[Repository, Repository]
COUNT = 450  # three pages


@pytest.fixture(params=["to_mongodb", "to_sqlite"])
async def pair(request: pytest.FixtureRequest, java_url: str, tmp_path: Path) -> AsyncIterator[Pair]:
    models = (*MODELS, Move)
    url = with_database(java_url, f"moving_{tmp_path.name}"[:60])
    stores = (
        await SqliteRepository.open(tmp_path / "store.sqlite3", models),
        await MongoRepository.open(url, models, timeout_seconds=20),
    )
    yield stores if request.param == "to_mongodb" else (stores[1], stores[0])
    for store in stores:
        await store.close()


async def filled(store: Repository) -> None:
    things = [
        Thing(
            id=f"t{n:04}",
            score=n / 7 if n % 3 else None,
            created_at=later(n * 1.000001),
            worker=Part(name="한", pid=n) if n % 2 else None,
            items=tuple(Item(seq=k, text="'") for k in range(n % 4)),
            data={"a.b": [n, {"$x": 2**70 + n}], "": None},
        )
        for n in range(COUNT)
    ]
    await store.add_all(things)
    await store.add(Other(id="o\0", text="x\0y"))


async def test_a_move_takes_every_document_along(pair: Pair) -> None:
    source, target = pair
    await filled(source)
    seen: list[int] = []
    assert await move(source, target, MODELS, "old", lambda _, count: seen.append(count)) == {
        "things": COUNT,
        "others": 1,
    }
    assert seen == [200, 200, 50, 1]
    assert await target.find(Thing, limit=1000) == await source.find(Thing, limit=1000)
    assert await target.get(Other, "o\0") == Other(id="o\0", text="x\0y")
    assert await target.count(Move) == 0


async def test_a_move_that_was_cut_off_goes_on(pair: Pair) -> None:
    source, target = pair
    await filled(source)

    class CutOff(Exception):
        pass

    def cut(_collection: str, _count: int) -> None:
        raise CutOff

    for _ in range(2):
        with pytest.raises(CutOff):
            await move(source, target, MODELS, "old", cut)
    await target.remove(Thing, ())  # what is noted as copied is not copied again: this must be noticed
    with pytest.raises(StorageFailed, match="things differ"):
        await move(source, target, MODELS, "old")
    await target.remove(Move, ())
    await target.remove(Thing, ())
    await target.remove(Other, ())
    with pytest.raises(CutOff):
        await move(source, target, MODELS, "old", cut)
    seen: list[int] = []
    assert (await move(source, target, MODELS, "old", lambda _, count: seen.append(count)))["things"] == COUNT
    assert seen == [200, 50, 1]


async def test_a_target_that_is_not_empty_is_refused_and_left_alone(pair: Pair) -> None:
    source, target = pair
    await filled(source)
    await target.add(Other(id="mine"))
    with pytest.raises(Conflict, match="not empty: it has others"):
        await move(source, target, MODELS, "old")
    assert (await target.count(Thing), await target.count(Other), await target.count(Move)) == (0, 1, 0)
    await target.remove(Other, ())
    await target.add(Move(id="move", source="another"))
    with pytest.raises(Conflict, match="part of another store"):
        await move(source, target, MODELS, "old")


async def test_a_document_that_changes_meanwhile_is_noticed(pair: Pair) -> None:
    source, target = pair
    await source.add_all([Thing(id="a"), Thing(id="b")])
    await target.add(Move(id="move", source="old", copied={"things": "b"}))
    await target.add_all([Thing(id="a"), Thing(id="b")])
    assert await digest(source, Thing) == await digest(target, Thing)
    await source.update(Thing, "a", (), Change(inc={"fence": 1}))
    with pytest.raises(BackproofError, match=r"things differ .*2 and 2"):
        await move(source, target, MODELS, "old")


def test_the_command_moves_there_and_back(java_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_TIMEOUT_SECONDS", "20")
    url = with_database(java_url, f"command_{tmp_path.name}"[:60])

    def cli(*arguments: str, directory: str = "data") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "backproof.cli.app", "migrate-store", "--data-dir", str(tmp_path / directory)]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)

    missing = cli("--from", "sqlite", "--to", url)
    assert (missing.returncode, "there is no store at" in missing.stderr) == (2, True)
    same = cli("--from", "sqlite", "--to", "sqlite")
    assert (same.returncode, same.stderr) == (2, "error: --from and --to name the same store\n")
    empty = cli("--from", url, "--to", "sqlite")
    assert (empty.returncode, empty.stderr) == (0, "")
    assert "backtests: 0" in empty.stdout
    assert "copied, compared, equal" in empty.stdout
    back = cli("--from", "sqlite", "--to", url)
    assert back.returncode == 0, back.stderr
    wrong = cli("--from", "sqlite", "--to", "mongo://user:geheim@host")
    assert (wrong.returncode, "geheim" in wrong.stderr) == (2, False)
