"""Plug-ins are found, or refused with a reason; nothing they do at import or in their class stops anybody else."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from markets import prices

import backproof
from backproof.domain.config import parse_config
from backproof.engine import fingerprint
from backproof.engine.strategies import (
    all_strategies,
    built_in_strategies,
    check_config,
    find_strategy,
    plugin_of,
    plugins,
    refused_plugins,
    warmup_of,
)
from backproof.errors import InvalidInput, StrategyError
from plugin_packages import SIGNALS, code_hash_of, drop_modules, importable, write_package

TAKEN = {strategy.name for strategy in built_in_strategies()}


def loaded(site: Path) -> plugins.Registry:
    """What the packages of this import path declare."""
    sys.path.insert(0, str(site))
    try:
        declared = [e for d in distributions(path=[str(site)]) for e in d.entry_points if e.group == plugins.GROUP]
        return plugins.load(lambda: declared, TAKEN)
    finally:
        sys.path.remove(str(site))
        drop_modules()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def on_path(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with importable(site, monkeypatch):
        yield site


@pytest.fixture
def whole_bars() -> backproof.Bars:
    return backproof.Bars.from_frame({"symbol": ["A"] * 6, **prices([10, 11, 12, 13, 14, 15.0])})


def changed(code: str, **attributes: str) -> str:
    """SIGNALS with some lines replaced; an empty text takes the line away."""
    lines = code.splitlines()
    for attribute, value in attributes.items():
        place = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{attribute} ="))
        lines[place] = f"        {attribute} = {value}" if value else ""
    return "\n".join(lines)


def test_a_plug_in_is_found_with_the_distribution_it_comes_from(site: Path) -> None:
    write_package(site, SIGNALS)
    found = loaded(site)
    assert not found.refused
    (plugin,) = found.plugins
    assert (plugin.strategy.name, plugin.strategy.kind, plugin.strategy.form) == ("given", "other", "signals")
    assert plugin.source == plugins.Source("given = given_strategies:Given", "given-strategies", "1.2.3")
    assert found.find("given") is plugin.strategy
    assert found.find("other") is None


REFUSED: dict[str, tuple[str, str]] = {
    "import fails": ("import there_is_no_such_module", "cannot be imported: ModuleNotFoundError: No module named"),
    "import raises": ("raise RuntimeError('not\\ntoday')", "cannot be imported: RuntimeError: not today"),
    "import exits": ("import sys; sys.exit(3)", "cannot be imported: SystemExit: 3"),
    "syntax error": ("def f(:", "cannot be imported: SyntaxError"),
    "no such class": ("", "cannot be imported: AttributeError"),
    "no class": ("Given = 3", "is no class but int"),
    "a function": ("def Given(params): return params", "is no class but function"),
    "no strategy": ("class Given: name = 'given'", "Given is no backproof strategy: derive it from one of"),
    "the base itself": ("Given = SignalStrategy", "SignalStrategy must be derived from one of"),
    "no form": (
        SIGNALS.replace("(SignalStrategy)", "(backproof.engine.strategies.Strategy)"),
        "Given must be derived from one of",
    ),
    "abstract": (SIGNALS.replace("def signals", "def signal"), "Given does not define signals"),
    "wrong arguments": (SIGNALS.replace("bars, indicators", "bars"), "signals must take (self, bars, indicators)"),
    "a coroutine": (SIGNALS.replace("def signals", "async def signals"), "signals must be a plain method"),
    "a generator": (SIGNALS.replace("return mask", "yield mask"), "signals must be a plain method"),
    "no name": (changed(SIGNALS, name=""), "has no name"),
    "no text as a name": (changed(SIGNALS, name="3"), "has no name"),
    "bad name": (changed(SIGNALS, name="'My Strategy'"), "the name 'My Strategy' is not lower-case letters"),
    "name with a newline": (changed(SIGNALS, name="'given\\n'"), "the name 'given\\n' is not lower-case letters"),
    "unicode name": (changed(SIGNALS, name="'gіven'"), "is not lower-case letters"),
    "endless name": (changed(SIGNALS, name="'a' * 65"), "is not lower-case letters"),
    "no version": (changed(SIGNALS, version=""), "has no version"),
    "empty version": (changed(SIGNALS, version="'  '"), "has no version"),
    "a number as version": (changed(SIGNALS, version="1.0"), "has no version"),
    "no summary": (changed(SIGNALS, summary=""), "has no summary"),
    "long summary": (changed(SIGNALS, summary="'x' * 501"), "its summary is not one line"),
    "unknown kind": (SIGNALS.replace("Params = ", "kind = 'magic'\n        Params = "), "its kind 'magic' is none of"),
    "no Params": (changed(SIGNALS, Params=""), "its Params is no class derived from backproof.Parameters"),
    "Params of something else": (changed(SIGNALS, Params="dict"), "its Params is no class derived from"),
    "Params of plain pydantic": (changed(SIGNALS, Params="__import__('pydantic').BaseModel"), "its Params is no class"),
    "Params without a schema": (
        "class P(Parameters):\n        x: type = int\n" + changed(SIGNALS, Params="P"),
        "its Params have no JSON Schema",
    ),
    "defaults that are wrong": (
        "class P(Parameters):\n        x: int = 'a'\n" + changed(SIGNALS, Params="P"),
        "the defaults of its Params are refused by themselves: ('x',)",
    ),
    "a built-in's name": (changed(SIGNALS, name="'sma_crossover'"), "sma_crossover is the name of a built-in strategy"),
    "a hostile metaclass": (
        "class Meta(type(SignalStrategy)):\n"
        "        def __getattribute__(cls, name):\n"
        "            if name == 'version': raise KeyError(name)\n"
        "            return super().__getattribute__(name)\n"
        + SIGNALS.replace("(SignalStrategy)", "(SignalStrategy, metaclass=Meta)"),
        "cannot be looked at: KeyError",
    ),
    "a form that does not fit": (
        SIGNALS.replace("Params = ", "form = 'events'\n        Params = "),
        "its form 'events'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_strategy_is_refused_with_the_reason(site: Path, what: str) -> None:
    code, reason = REFUSED[what]
    write_package(site, "\n".join("    " + line.removeprefix("    ") for line in code.splitlines()))
    found = loaded(site)
    assert not found.plugins
    (refused,) = found.refused
    assert reason in refused.reason
    assert refused.source.distribution == "given-strategies"
    assert refused.reason.isprintable()
    assert len(refused.reason) <= 400


def test_a_broken_plug_in_does_not_keep_others_from_being_found(site: Path) -> None:
    write_package(site, "raise ValueError", distribution="a-strategies", package="a_strategies")
    write_package(site, SIGNALS, distribution="b-strategies", package="b_strategies")
    found = loaded(site)
    assert [plugin.source.distribution for plugin in found.plugins] == ["b-strategies"]
    assert [refused.source.distribution for refused in found.refused] == ["a-strategies"]


def test_two_packages_with_one_name_are_both_refused_and_name_each_other(site: Path) -> None:
    for letter in "ab":
        write_package(site, SIGNALS, distribution=f"{letter}-strategies", package=f"{letter}_strategies")
    found = loaded(site)
    assert not found.plugins
    assert [refused.source.distribution for refused in found.refused] == ["a-strategies", "b-strategies"]
    assert "b-strategies" in found.refused[0].reason
    assert "a-strategies" in found.refused[1].reason


def test_a_class_declared_twice_by_its_own_package_is_one_plug_in(site: Path) -> None:
    write_package(site, SIGNALS, {"given": "Given", "again": "Given"})
    found = loaded(site)
    assert (len(found.plugins), found.refused) == (1, ())


def test_what_a_plug_in_prints_at_import_does_not_get_into_a_programs_output(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_package(site, "    print('hello')\n" + SIGNALS)
    assert loaded(site).plugins
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


# --- in the process's own registry


def test_installed_plug_ins_are_strategies_like_any_other(on_path: Path, whole_bars: backproof.Bars) -> None:
    write_package(on_path, SIGNALS)
    kind = find_strategy("given")
    assert kind is not None
    assert all_strategies() == [*built_in_strategies(), kind]
    plugin = plugin_of(kind)
    assert plugin is not None
    assert plugin.source == plugins.Source("given = given_strategies:Given", "given-strategies", "1.2.3")
    assert plugin_of(built_in_strategies()[0]) is None
    bars = whole_bars
    config = {"name": "x", "strategy_type": "given", "symbols": ["A"]}
    result = backproof.simulate(config, bars)
    assert len(result.fills) == 5
    part = result.manifest()["strategy"]
    assert part["plugin"] == {"distribution": "given-strategies", "version": "1.2.3"}
    json.dumps(part)
    built_in = backproof.simulate({**config, "strategy_type": "buy_and_hold"}, bars)
    assert built_in.manifest()["strategy"]["plugin"] is None
    directly = backproof.simulate(config, bars, strategy=kind)
    assert directly.fingerprint() == result.fingerprint()


def test_a_refused_plug_in_is_explained_to_who_asks_for_it(on_path: Path) -> None:
    write_package(on_path, changed(SIGNALS, version=""))
    assert find_strategy("given") is None
    assert [refused.reason for refused in refused_plugins()] == ["has no version"]
    with pytest.raises(InvalidInput) as caught:
        check_config(parse_config({"name": "x", "strategy_type": "given", "symbols": ["A"]}))
    (error,) = caught.value.errors
    assert (error.pointer, error.code) == ("/strategy_type", "plugin_refused")
    assert "given-strategies: has no version" in error.message


def test_the_nearest_name_may_be_that_of_a_plug_in(on_path: Path) -> None:
    write_package(on_path, changed(SIGNALS, name="'zigzag_turns'"))
    with pytest.raises(InvalidInput, match="did you mean zigzag_turns"):
        check_config(parse_config({"name": "x", "strategy_type": "zigzag_turn", "symbols": ["A"]}))


def test_a_built_in_is_run_without_looking_for_plug_ins(on_path: Path) -> None:
    write_package(on_path, "    raise SystemExit")
    check_config(parse_config({"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"]}))
    assert "given_strategies" not in sys.modules
    assert plugins._loaded is None


def test_a_plug_in_that_asks_for_strategies_while_it_is_imported_gets_an_answer(on_path: Path) -> None:
    asks = "    from backproof.engine.strategies import all_strategies, find_strategy\n"
    write_package(on_path, asks + "    KNOWN = [len(all_strategies()), find_strategy('given')]\n" + SIGNALS)
    kind = find_strategy("given")
    assert kind is not None
    assert [len(built_in_strategies()), None] == sys.modules["given_strategies"].KNOWN


PARAMS = """
    from pydantic import field_validator

    class P(Parameters):
        x: int = 1

        @field_validator("x")
        @classmethod
        def _checked(cls, x):
            return x // (x - 2)

"""


def test_a_fault_in_a_plug_ins_validator_or_refusals_is_a_strategy_error(on_path: Path) -> None:
    refusals = "\n        @classmethod\n        def refusals(cls, config, params):\n            return RETURNED\n"
    write_package(on_path, PARAMS + changed(SIGNALS, Params="P") + refusals.replace("RETURNED", "[1 / (params.x + 1)]"))
    for x, message in ((2, "on its parameters: ZeroDivisionError"), (1, "on its configuration: ZeroDivisionError")):
        given = {"name": "x", "strategy_type": "given", "symbols": ["A"], "parameters": {"x": x}}
        with pytest.raises(StrategyError, match=message) as caught:
            check_config(parse_config(given))
        frames: Any = caught.value.details["traceback"]
        assert frames[-1].startswith("given_strategies/__init__.py:")
    with pytest.raises(StrategyError, match="refusals must be FieldErrors"):
        check_config(parse_config({**given, "parameters": {"x": 3}}))


def test_the_warm_up_is_known_before_a_run_and_a_plug_in_that_fails_to_say_it_has_none(on_path: Path) -> None:
    described = {"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"], "parameters": {"slow": 200}}
    assert warmup_of(parse_config(described)) == 199
    write_package(on_path, SIGNALS + "\n        def warmup(self):\n            return 1 // 0\n")
    assert warmup_of(parse_config({**described, "strategy_type": "given", "parameters": {}})) is None
    assert warmup_of(parse_config({**described, "strategy_type": "nothing"})) is None


def test_a_class_of_ones_own_that_is_no_strategy_is_refused_by_name(whole_bars: backproof.Bars) -> None:
    class NoVersion(backproof.SignalStrategy):
        name = "mine"
        summary = "Of the tests."
        Params = backproof.Parameters

        def signals(self, bars: Any, indicators: Any) -> Any:
            return None

    config = {"name": "x", "strategy_type": "anything", "symbols": ["A"]}
    for kind, reason in ((NoVersion, "has no version"), (dict, "is no backproof strategy"), (3, "is no class but int")):
        for call in (backproof.simulate, backproof.probe):
            with pytest.raises(StrategyError, match=f"cannot be run as a strategy: .*{reason}"):
                call(config, whole_bars, strategy=kind)  # type: ignore[arg-type]


# --- identity


def test_the_code_hash_covers_every_file_of_the_package_and_the_distributions_version(site: Path) -> None:
    home = write_package(site, SIGNALS, files={"helper.py": "X = 1\n", "table.csv": "1\n"})
    first = code_hash_of(site)
    assert code_hash_of(site) == first, "compiled files do not count"
    (home / "helper.py").write_text("X = 2\n")
    second = code_hash_of(site)
    (home / "table.csv").write_text("2\n")
    third = code_hash_of(site)
    (site / "given_strategies-1.2.3.dist-info").rename(site / "given_strategies-1.2.4.dist-info")
    metadata = site / "given_strategies-1.2.4.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2.3", "1.2.4"))
    fourth = code_hash_of(site)
    (home / "helper.py").rename(home / "renamed.py")
    assert len({first, second, third, fourth, code_hash_of(site)}) == 5


def test_a_class_without_a_file_has_the_hash_of_its_code() -> None:
    def defined(code: str) -> Any:
        names: dict[str, Any] = {"__name__": "no_such_module"}
        exec(compile(code, "<cell>", "exec"), names)
        return names["Given"]

    code = (
        "from backproof import SignalStrategy\nclass Given(SignalStrategy):\n    def signals(self, bars, indicators):\n"
    )
    one, same, other = (defined(code + f"        return {value}\n") for value in (1, 1, 2))
    hashes = [fingerprint.code_hash(kind) for kind in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
