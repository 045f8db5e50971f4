"""Strategies of other installed packages, found by the entry point group `backproof.strategies`.

They are loaded when a name is asked for that no built-in has, and again when their files have changed and `renew` is
called. Whatever is wrong with one of them is kept as a reason to show; nothing it does while it is loaded goes further.
A plug-in is trusted code all the same.
"""

import contextlib
import inspect
import json
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from backproof.domain.config import STRATEGY_PATTERN
from backproof.engine.strategies.base import (
    EventStrategy,
    Form,
    Kind,
    Parameters,
    SignalStrategy,
    Strategy,
    WeightStrategy,
)
from backproof.engine.strategies.failures import own_frames
from backproof.engine.strategies.source_files import Stamp, code_of, places, stamps, unload

GROUP = "backproof.strategies"

_FORMS = (SignalStrategy, WeightStrategy, EventStrategy)
_DECIDES = {"signals": "signals", "weights": "target_weights", "events": "on_bar"}
_METHODS = {
    "warmup": ("self",),
    "indicators": ("self", "bars"),
    "signals": ("self", "bars", "indicators"),
    "target_weights": ("self", "bars", "indicators"),
    "on_bar": ("self", "ctx"),
}
_TEXTS = {"version": 50, "summary": 500}  # longest
_MOST_REASON = 400
_MOST_SCHEMA = 200_000  # characters
_LOADS = 3  # of files that change while they are loaded


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plug-in comes from. entry: as the package declares it, `name = module:class`."""

    entry: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """A strategy of another package that can be run. code: what it is written in, see `code_of`"""

    strategy: type[Strategy]
    source: Source
    code: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A plug-in that cannot be run. names: what a configuration may call it."""

    source: Source
    names: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Every declared plug-in, in the order of distribution and entry point.

    roots: where they are written; written: the files there, as they were loaded
    """

    plugins: tuple[Plugin, ...] = ()
    refused: tuple[Refused, ...] = ()
    roots: frozenset[Path] = frozenset()
    written: Mapping[Path, Stamp] = field(default_factory=dict)

    def find(self, name: str) -> type[Strategy] | None:
        return next((plugin.strategy for plugin in self.plugins if plugin.strategy.name == name), None)

    def plugin(self, strategy: type[Strategy]) -> Plugin | None:
        """The plug-in that a class is."""
        return next((plugin for plugin in self.plugins if plugin.strategy is strategy), None)

    def reason(self, name: str) -> str | None:
        """Why the plug-in of this name was refused."""
        return next((f"{one.source.distribution}: {one.reason}" for one in self.refused if name in one.names), None)

    def is_current(self) -> bool:
        """Whether every file is still as it was loaded."""
        return stamps(self.roots) == self.written


_EMPTY = Registry()
_lock = threading.RLock()
_loading = False
_loaded: Registry | None = None


def registry(taken: Collection[str]) -> Registry:
    """All plug-ins, loaded at the first call. taken: names of built-ins, which no plug-in may have."""
    if _loaded is None:
        with _lock:
            if _loading:  # a plug-in asks for strategies while it is imported
                return _EMPTY
            if _loaded is None:
                return _load(taken)
    return _loaded


def renew(taken: Collection[str]) -> None:
    """Load every plug-in again if a file of one of them is not as it was loaded: an edit, or another version."""
    if _loaded is None or _loaded.is_current():
        return
    with _lock:
        if not _loading and not _loaded.is_current():  # else somebody has done it meanwhile
            unload(_loaded.roots)
            _load(taken)


def forget() -> None:
    """Look for plug-ins again at the next call (tests)."""
    global _loaded
    _loaded = None


def _load(taken: Collection[str]) -> Registry:
    global _loading, _loaded
    _loading = True
    try:
        _loaded = load(lambda: entry_points(group=GROUP), taken)
    finally:
        _loading = False
    return _loaded


def load(declared: Callable[[], Iterable[EntryPoint]], taken: Collection[str]) -> Registry:
    """Import and check what packages declare. Raises nothing that a plug-in does."""
    for _ in range(_LOADS - 1):
        found = _imported_all(declared(), taken)
        if found.is_current():
            return found
        unload(found.roots)
    return _imported_all(declared(), taken)


def _imported_all(declared: Iterable[EntryPoint], taken: Collection[str]) -> Registry:
    plugins: list[Plugin] = []
    refused: list[Refused] = []
    written: dict[Path, dict[Path, Stamp]] = {}  # by root, as it was before anything of it was imported
    for entry in sorted(declared, key=lambda entry: (_source(entry).distribution, entry.name, entry.value)):
        source = _source(entry)
        for root in places(entry.module):
            written.setdefault(root, stamps([root]))
        strategy, reason = _imported(entry)
        if reason is None:
            reason = problem(strategy)
        if reason is None and strategy.name in taken:
            reason = f"{strategy.name} is the name of a built-in strategy"
        if reason is None:
            for root in places(strategy.__module__):  # of another package, if the entry names what it has imported
                written.setdefault(root, stamps([root]))
            code, reason = _code(strategy)
        if reason is not None:
            named = getattr(strategy, "name", None)
            names = frozenset({entry.name, *([named] if isinstance(named, str) else [])} - set(taken))
            refused.append(Refused(source, names, reason[:_MOST_REASON]))
        elif all(plugin.strategy is not strategy for plugin in plugins):  # declared twice is no conflict
            plugins.append(Plugin(strategy, source, code))
    together = {path: stamp for stamped in written.values() for path, stamp in stamped.items()}
    return _without_conflicts(plugins, refused, frozenset(written), together)


def _source(entry: EntryPoint) -> Source:
    distribution = entry.dist
    name = distribution.name if distribution is not None else "unknown"
    version = distribution.version if distribution is not None else "unknown"
    return Source(f"{entry.name} = {entry.value}", str(name), str(version))


def _imported(entry: EntryPoint) -> tuple[Any, str | None]:
    """(the object, None), or (None, why it could not be imported)."""
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a command prints may be read by a program
            return entry.load(), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 (anybody's code)
        said = " ".join(str(error).split()) or "no reason given"
        frames = own_frames(error.__traceback__)
        where = f" ({frames[-1]})" if frames and "importlib" not in frames[-1] else ""
        return None, f"cannot be imported: {type(error).__name__}: {said}{where}"


def _code(strategy: type[Strategy]) -> tuple[bytes, str | None]:
    """(what it is written in, None), or (nothing, why that cannot be read)."""
    try:
        return code_of(strategy), None
    except OSError as error:
        return b"", f"its files cannot be read: {error.strerror}: {Path(str(error.filename)).name}"


def problem(strategy: Any) -> str | None:
    """Why this is no strategy that can be run, or None."""
    try:
        for check in (_class_problem, _text_problem, _method_problem, _params_problem):
            if (found := check(strategy)) is not None:
                return found
    except Exception as error:  # noqa: BLE001 (a metaclass or a property of the plug-in's may do anything)
        return f"cannot be looked at: {type(error).__name__}: {error}"
    return None


def _class_problem(strategy: Any) -> str | None:
    if not isinstance(strategy, type):
        return f"is no class but {type(strategy).__name__}"
    if not issubclass(strategy, Strategy):
        return f"{strategy.__name__} is no backproof strategy: derive it from one of {_names(_FORMS)}"
    if not issubclass(strategy, _FORMS) or strategy in _FORMS:
        return f"{strategy.__name__} must be derived from one of {_names(_FORMS)}"
    if inspect.isabstract(strategy):
        return f"{strategy.__name__} does not define {', '.join(sorted(strategy.__abstractmethods__))}"
    return None


def _text_problem(strategy: Any) -> str | None:
    name = getattr(strategy, "name", None)
    if not isinstance(name, str):
        return "has no name"
    if not re.fullmatch(STRATEGY_PATTERN, name):
        return f"the name {name[:80]!r} is not lower-case letters, digits and _, a letter first"
    for attribute, longest in _TEXTS.items():
        text = getattr(strategy, attribute, None)
        if not isinstance(text, str) or not text.strip():
            return f"has no {attribute}"
        if len(text) > longest or not text.isprintable():
            return f"its {attribute} is not one line of at most {longest} characters"
    for attribute in ("rule", "source"):
        if not isinstance(getattr(strategy, attribute), str):
            return f"its {attribute} is no text"
    if strategy.kind not in get_args(Kind):
        return f"its kind {strategy.kind!r} is none of {', '.join(get_args(Kind))}"
    if not isinstance(strategy.long_only, bool):
        return "its long_only is neither True nor False"
    return None


def _method_problem(strategy: Any) -> str | None:
    form = strategy.form
    if isinstance(form, str) and (form not in get_args(Form) or not hasattr(strategy, _DECIDES[form])):
        return f"its form {form!r} does not fit its methods"
    for method, arguments in _METHODS.items():
        function = getattr(strategy, method, None)
        if function is None:
            continue
        if not callable(function) or inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            return f"{method} must be a plain method"
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError:
            return f"{method} must take ({', '.join(arguments)})"
        except ValueError:  # of compiled code, which says nothing about itself
            continue
    return None


def _params_problem(strategy: Any) -> str | None:
    params = getattr(strategy, "Params", None)
    if not (isinstance(params, type) and issubclass(params, Parameters)):
        return "its Params is no class derived from backproof.Parameters"
    try:
        schema = json.dumps(params.model_json_schema(), allow_nan=False)
    except Exception as error:  # noqa: BLE001 (pydantic has many)
        return f"its Params have no JSON Schema: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    if len(schema) > _MOST_SCHEMA:
        return f"the JSON Schema of its Params has more than {_MOST_SCHEMA} characters"
    if any(field.is_required() for field in params.model_fields.values()):
        return None
    try:
        json.dumps(params().model_dump(mode="json"), allow_nan=False)
    except ValidationError as error:
        wrong = error.errors()[0]
        return f"the defaults of its Params are refused by themselves: {wrong['loc']}: {wrong['msg']}"
    except ValueError as error:
        return f"the defaults of its Params are not JSON-plain: {error}"
    return None


def _without_conflicts(
    plugins: list[Plugin], refused: list[Refused], roots: frozenset[Path], written: Mapping[Path, Stamp]
) -> Registry:
    """Two packages with one name: neither is run, because nobody could say which of them a result is of."""
    by_name: dict[str, list[Plugin]] = defaultdict(list)
    for plugin in plugins:
        by_name[plugin.strategy.name].append(plugin)
    alone = []
    for plugin in plugins:
        same = [f"{p.source.distribution} ({p.source.entry})" for p in by_name[plugin.strategy.name] if p is not plugin]
        if not same:
            alone.append(plugin)
            continue
        reason = f"{plugin.strategy.name} is also the name of a strategy of {', '.join(same)}: uninstall one"
        refused.append(Refused(plugin.source, frozenset({plugin.strategy.name}), reason))
    return Registry(tuple(alone), tuple(refused), roots, written)


def _names(kinds: Iterable[type]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
