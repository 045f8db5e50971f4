"""A plug-in whose files have changed is loaded again when somebody asks, and its hash is of what was loaded."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from backproof.engine.fingerprint import code_hash
from backproof.engine.strategies import Strategy, all_strategies, find_strategy, plugins, refused_plugins, renew_plugins
from backproof.engine.strategies.source_files import places, unload
from plugin_packages import SIGNALS, code_hash_of, importable, write_package

HELPED = "    from given_strategies.helper import NUMBER\n" + SIGNALS + "\n        number = NUMBER\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    with importable(tmp_path / "site", monkeypatch) as site:
        yield site


def given() -> type[Strategy]:
    kind = find_strategy("given")
    assert kind is not None
    return kind


def number() -> int:
    renew_plugins("given")
    return int(given().number)  # type: ignore[attr-defined]


def edit(path: Path, text: str) -> None:
    """Write a file of the same length in the same second as before: all that tells is a part of a second."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    second, part = divmod(before, 10**9)
    os.utime(path, ns=(before, second * 10**9 + (part + 1) % 10**9))


def test_an_edited_module_is_in_force_when_it_is_asked_for_again(site: Path) -> None:
    home = write_package(site, HELPED, files={"helper.py": "NUMBER = 1\n"})
    first, first_hash = given(), code_hash(given())
    assert number() == 1
    assert given() is first, "nothing is loaded again without a reason"
    edit(home / "helper.py", "NUMBER = 2\n")
    assert given() is first, "nobody has asked"
    assert number() == 2
    assert first.number == 1, "a run that is under way goes on as it began"  # type: ignore[attr-defined]
    assert code_hash(given()) != first_hash
    assert code_hash(given()) == code_hash_of(site)
    edit(home / "helper.py", "NUMBER = 1\n")
    assert number() == 1
    assert code_hash(given()) == first_hash, "the same files are the same code"


def test_the_hash_is_of_the_files_as_they_were_loaded(site: Path) -> None:
    home = write_package(site, HELPED, files={"helper.py": "NUMBER = 1\n"})
    loaded, expected = given(), code_hash_of(site)
    edit(home / "helper.py", "NUMBER = 2\n")
    assert code_hash(loaded) == expected
    assert code_hash(loaded) != code_hash_of(site)


def test_new_and_removed_files_count_and_what_python_writes_does_not(site: Path) -> None:
    home = write_package(site, HELPED, files={"helper.py": "NUMBER = 1\n"})
    seen = [given()]
    assert list(home.rglob("*.pyc"))
    renew_plugins("given")
    assert given() is seen[0]
    for change in ((home / "table.csv").touch, (home / "table.csv").unlink):
        change()
        renew_plugins("given")
        seen.append(given())
    assert len(set(map(id, seen))) == 3


def test_code_that_has_become_wrong_is_refused_until_it_is_mended(site: Path) -> None:
    home = write_package(site, HELPED, files={"helper.py": "NUMBER = 1\n"})
    assert number() == 1
    (home / "helper.py").write_text("NUMBER = (\n")
    renew_plugins("given")
    assert find_strategy("given") is None
    assert [one.reason.split(":")[1].strip() for one in refused_plugins()] == ["SyntaxError"]
    (home / "helper.py").write_text("NUMBER = 3\n")
    assert number() == 3
    assert refused_plugins() == ()


def test_a_package_that_cannot_be_read_is_refused(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(site, SIGNALS, files={"secret.bin": "x"})
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.name == "secret.bin":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert find_strategy("given") is None
    assert [one.reason for one in refused_plugins()] == ["its files cannot be read: Permission denied: secret.bin"]


def test_a_new_version_is_known_as_such(site: Path) -> None:
    home = write_package(site, HELPED, files={"helper.py": "NUMBER = 1\n"})
    given()
    (site / "given_strategies-1.2.3.dist-info").rename(site / "given_strategies-2.0.dist-info")
    metadata = site / "given_strategies-2.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2.3", "2.0"))
    edit(home / "helper.py", "NUMBER = 2\n")
    assert number() == 2
    plugin = plugins.registry(()).plugin(given())
    assert plugin is not None
    assert plugin.source.version == "2.0"


def test_a_class_of_another_package_than_the_entry_points_is_watched_where_it_is_written(site: Path) -> None:
    code = "    from written_strategies import Given\n"
    write_package(site, code, distribution="given-strategies")
    home = write_package(site, SIGNALS, {}, distribution="written", package="written_strategies")
    (site / "written-1.2.3.dist-info" / "entry_points.txt").write_text("")
    first = given()
    assert first.version == "1"
    text = (home / "__init__.py").read_text()
    edit(home / "__init__.py", text.replace('version = "1"', 'version = "2"'))
    renew_plugins("given")
    assert given().version == "2"


def test_files_that_are_written_while_they_are_imported_come_to_an_end(site: Path) -> None:
    """As a build of something on first use does."""
    writes = "    import pathlib\n    BUILT = pathlib.Path(__file__).with_name('built.txt')\n"
    write_package(site, writes + "    if not BUILT.exists(): BUILT.write_text('once')\n" + SIGNALS)
    first = given()
    renew_plugins("given")
    assert given() is first, "loaded a second time at once, and then at rest"
    restless = writes + "    BUILT.write_text(BUILT.read_text() + '.' if BUILT.exists() else '.')\n" + SIGNALS
    home = write_package(site, restless)
    (home / "built.txt").unlink()
    renew_plugins("given")
    assert (home / "built.txt").read_text() == "...", "given up after the third time"


def test_many_who_ask_at_once_load_it_once(site: Path) -> None:
    counts = "    import pathlib, time\n    time.sleep(0.05)\n"
    counts += "    with (pathlib.Path(__file__).parent.parent / 'loads').open('a') as f: f.write('.')\n"
    home = write_package(site, counts + SIGNALS)
    given()
    edit(home / "__init__.py", (home / "__init__.py").read_text().replace('version = "1"', 'version = "2"'))
    seen: list[str] = []

    def ask() -> None:
        renew_plugins("given")
        seen.append(given().version)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["2"] * 8
    assert (site / "loads").read_text() == ".."


def test_who_wants_a_built_in_waits_for_nothing(site: Path) -> None:
    home = write_package(site, SIGNALS)
    first = given()
    (home / "__init__.py").write_text("raise SystemExit\n")
    renew_plugins("sma_crossover")
    assert given() is first
    renew_plugins()
    assert "given" not in {kind.name for kind in all_strategies()}


def test_modules_are_dropped_by_their_file_and_without_asking_lazy_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"asked for {name}")

    own, main = ModuleType("own_strategies"), ModuleType("__main__")
    own.__file__ = main.__file__ = str(tmp_path / "inner" / "x.py")
    for name, module in (("own_strategies", own), ("__main__", main), ("lazy_strategies", Lazy("lazy_strategies"))):
        monkeypatch.setitem(sys.modules, name, module)
    unload([tmp_path])
    assert "own_strategies" not in sys.modules
    assert sys.modules["__main__"] is main, "whoever runs"
    assert "lazy_strategies" in sys.modules


def test_where_a_module_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "alone_strategies.py").write_text("raise RuntimeError('imported')\n")
    package = tmp_path / "shared_strategies" / "own" / "inner"  # shared: a namespace
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").write_text("raise RuntimeError('imported')\n")
    assert places("alone_strategies") == (tmp_path / "alone_strategies.py",)
    assert places("shared_strategies.own.inner.deeper") == (package.parent,)
    assert places("shared_strategies") == places("there_is_no_such_module.at_all") == ()
    assert places("backproof.engine") == places("backproof") == (), "the product itself is never loaded again"
