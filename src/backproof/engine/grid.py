"""Many runs at once: every combination of parameters, settings and symbols, one row of numbers each."""

import difflib
import itertools
import math
import operator
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from backproof.domain.config import BacktestConfig, parse_config
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.bars import Bars, Memory
from backproof.engine.blocks import Job, World, alone_on, run_block
from backproof.engine.metrics import headline_columns
from backproof.engine.rows import ROW_LAST, ROW_SIZE
from backproof.engine.scale import Scale, scale_of
from backproof.engine.setup import Rules, rules_of
from backproof.engine.simulation import simulate
from backproof.engine.strategies import Strategy, check_config, configured, find_strategy
from backproof.errors import DataError, FieldError, InvalidInput

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl

MOST_ROWS = 10_000_000
BATCH_ROWS = 32_768  # combinations that are held at a time
_MEMORY = 256_000_000  # bytes of indicators kept at a time
_PARAMETERS = "parameters."
_NAMED = "values"  # parameter of strategies whose rules have named numbers
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_SECTIONS = ("execution", "costs", "risk")
_SETTINGS = ("initial_capital", "risk_free_rate", "periods_per_year", "start_date", "end_date")
Column = npt.NDArray[Any]


class GridTable(Mapping[str, Column]):
    """One row a combination, in the order of itertools.product: what was varied, final_equity, every headline metric.

    Columns are numpy arrays of equal length; NaN where a metric is undefined.
    """

    def __init__(self, columns: dict[str, Column], varied: tuple[str, ...]) -> None:
        self._columns = columns
        self.varied = varied

    def __getitem__(self, name: str) -> Column:
        if name not in self._columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """How many columns; `rows` tells how many combinations."""
        return len(self._columns)

    @property
    def rows(self) -> int:
        return len(self._columns["final_equity"])

    def best(self, metric: str = "sharpe", *, least: bool = False) -> dict[str, Any]:
        """The row with the greatest (or least) value of a metric, as a dict; KeyError when no row has a value."""
        values = self[metric].astype(np.float64)
        if not np.isfinite(values).any():
            raise KeyError(f"no combination has a {metric}")
        row = int(np.nanargmin(values) if least else np.nanargmax(values))
        return {name: column[row].item() for name, column in self._columns.items()}

    def __repr__(self) -> str:
        return f"GridTable({self.rows} rows over {', '.join(self.varied)}; {len(self._columns)} columns)"

    def to_pandas(self) -> "pd.DataFrame":
        """A pandas frame (pandas must be installed)."""
        import pandas as pd

        return pd.DataFrame(self._columns)

    def to_polars(self) -> "pl.DataFrame":
        """A polars frame (polars must be installed)."""
        import polars as pl

        return pl.DataFrame(self._columns)


def simulate_grid(
    config: Mapping[str, object] | BacktestConfig,
    bars: Bars,
    grid: Mapping[str, Sequence[Any]],
    *,
    strategy: type[Strategy] | None = None,
    threads: int = 1,
    invalid: Literal["raise", "skip"] = "raise",
) -> GridTable:
    """Run one configuration with every combination of some values, and return a table with one row each.

    config:  as for `simulate`; what `grid` names need not be in it
    grid:    values by name: a parameter of the strategy ("fast"), a setting by its path ("risk.stop_loss",
             "costs.slippage_bps", "initial_capital"), a named value of rules ("values.fast"), or "symbol", which runs
             each symbol alone. A parameter called like a metric (exposure) has the column "parameters.exposure"
    strategy: your own strategy class, in place of the one that `strategy_type` names
    threads: runs are simulated without the GIL; more threads give the same table sooner
    invalid: what to do with combinations that are none (fast above slow): raise InvalidInput, or leave them out

    Every row equals the result of `simulate` with that configuration. An indicator is computed once for all runs that
    use it. Besides the bars and the table, memory is bounded by some 400 MB, whatever the number of combinations.

        table = backproof.simulate_grid(config, bars, {"fast": [5, 10, 20], "slow": [50, 100, 200]})
        table["sharpe"], table.best("calmar"), table.to_pandas()

    Raises InvalidInput, DataError and StrategyError as `simulate` does.
    """
    if threads < 1:
        raise InvalidInput.at("/threads", "too_small", "there must be at least one thread")
    return _Plan(config, bars, grid, strategy, skip=invalid == "skip").run(threads)


@dataclass(frozen=True, eq=False)
class _Variant:
    """One combination of settings, without parameters and symbol."""

    config: BacktestConfig
    rules: Rules
    scale: Scale
    bars: tuple[Any, ...]  # equal for variants that run on the same World


class _Row(NamedTuple):
    """One combination, checked."""

    values: tuple[Any, ...]
    params: BaseModel
    variant: _Variant
    symbol: str | None


class _Plan:
    """What is varied, every combination checked, and the rows it becomes."""

    def __init__(
        self,
        config: Mapping[str, object] | BacktestConfig,
        bars: Bars,
        grid: Mapping[str, Sequence[Any]],
        strategy: type[Strategy] | None,
        *,
        skip: bool,
    ) -> None:
        self._bars, self._skip = bars, skip
        self._given: dict[str, Any] = config.model_dump() if isinstance(config, BacktestConfig) else dict(config)
        self._values = {name: _listed(name, values) for name, values in grid.items()}
        if not self._values:
            raise InvalidInput.at("", "empty", "the grid varies nothing: give it at least one list of values")
        self._size = math.prod(len(values) for values in self._values.values())
        if self._size > MOST_ROWS:
            message = f"the grid has {self._size:,} combinations, more than {MOST_ROWS:,}"
            raise InvalidInput.at("", "too_many", message)
        self._alone = "symbol" in self._values
        if self._alone:
            self._given.setdefault("symbols", self._values["symbol"])
        self._own_class = strategy
        self._strategy = self._find_strategy()
        names = tuple(self._values)
        self._check_names(names)
        fields = self._strategy.Params.model_fields
        self._params_at = [
            i
            for i, name in enumerate(names)
            if name.removeprefix(_PARAMETERS) in fields or (_named_value(name) is not None and _NAMED in fields)
        ]
        self._settings_at = [i for i, name in enumerate(names) if i not in self._params_at and name != "symbol"]
        self._names = names
        self._params_key, self._settings_key = _picker(self._params_at), _picker(self._settings_at)
        self._params: dict[Any, BaseModel | InvalidInput] = {}
        self._variants: dict[Any, _Variant | InvalidInput] = {}
        self._fits: dict[int, bool] = {}  # by the identity of parameters, which live as long as the plan
        self._rows: list[_Row] = []

    def _find_strategy(self) -> type[Strategy]:
        if self._own_class is not None:
            self._given["strategy_type"] = self._own_class.name
            configured(self._given, self._own_class)
            return self._own_class
        config = parse_config(self._given)
        found = find_strategy(config.strategy_type)
        if found is None:
            check_config(config)
            raise AssertionError("a strategy that is not known is refused")
        return found

    def _check_names(self, names: tuple[str, ...]) -> None:
        known = {
            *self._strategy.Params.model_fields,
            *(_PARAMETERS + name for name in self._strategy.Params.model_fields),
            "symbol",
            *_SETTINGS,
            *(
                f"{section}.{name}"
                for section in _SECTIONS
                for name in type(BacktestConfig.model_fields[section].default).model_fields
            ),
        }
        if _NAMED in self._strategy.Params.model_fields:  # any word of a rule may be a number that is varied
            words = _words(self._given.get("parameters"))
            known |= {f"{prefix}{_NAMED}.{word}" for word in words for prefix in ("", _PARAMETERS)}
        errors = []
        for name in names:
            if name not in known and not name.startswith("execution.sizing."):
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ""
                message = f"{self._strategy.name} has no parameter and the configuration no setting {name!r}{hint}"
                errors.append(FieldError(f"/{name}", "unknown_name", message))
        if errors:
            raise InvalidInput(errors)

    def _batches(self) -> Iterator[list[_Row]]:
        """The valid combinations, so many at a time that they take little memory."""
        combinations = itertools.product(*self._values.values())
        while batch := list(itertools.islice(combinations, BATCH_ROWS)):
            self._params.clear()
            self._fits.clear()
            if rows := self._checked(batch):
                yield rows

    def _checked(self, combinations: list[tuple[Any, ...]]) -> list[_Row]:
        rows = []
        symbol_at = self._names.index("symbol") if self._alone else None
        checks = self._strategy.long_only or any(
            "refusals" in vars(kind) for kind in self._strategy.__mro__ if kind is not Strategy
        )
        for values in combinations:
            params, variant = self._params_of(values), self._variant_of(values)
            symbol = None if symbol_at is None else values[symbol_at]
            if checks and isinstance(params, BaseModel) and isinstance(variant, _Variant):
                variant = self._accepted(params, variant, symbol)
            if isinstance(params, BaseModel) and isinstance(variant, _Variant):
                rows.append(_Row(values, params, variant, symbol))
            elif not self._skip:
                raise self._refused(values, params, variant)
        return rows

    def _accepted(self, params: BaseModel, variant: _Variant, symbol: str | None) -> "_Variant | InvalidInput":
        """The variant, or why the strategy cannot be run with the rest of the configuration."""
        update: dict[str, Any] = {"parameters": params.model_dump()}
        if symbol is not None:
            update["symbols"] = (symbol,)
        try:
            check_config(variant.config.model_copy(update=update), self._strategy)
        except InvalidInput as error:
            return error
        return variant

    def _refused(self, values: tuple[Any, ...], *reasons: object) -> InvalidInput:
        where = f"in the combination {self._named(values)}"
        errors = [error for reason in reasons if isinstance(reason, InvalidInput) for error in reason.errors]
        return InvalidInput([FieldError(e.pointer, e.code, f"{e.message} ({where})") for e in errors])

    def _named(self, values: tuple[Any, ...]) -> str:
        return ", ".join(f"{name}={value}" for name, value in zip(self._names, values, strict=True))

    def _params_of(self, combination: tuple[Any, ...]) -> BaseModel | InvalidInput:
        key = self._params_key(combination)
        found = self._params.get(key)
        if found is None:
            given: dict[str, Any] = self._given.get("parameters") or {}
            parameters = {**given}
            for i in self._params_at:
                _put(parameters, self._names[i].removeprefix(_PARAMETERS).split("."), combination[i])
            document = {**self._given, "parameters": parameters}
            found = self._params[key] = self._strategy_params(document)
        return found

    def _strategy_params(self, document: dict[str, Any]) -> BaseModel | InvalidInput:
        try:
            return self._strategy.Params.model_validate(document["parameters"])
        except ValueError:
            try:
                return check_config(parse_config(document), self._own_class)
            except InvalidInput as error:
                return error

    def _variant_of(self, combination: tuple[Any, ...]) -> _Variant | InvalidInput:
        key = self._settings_key(combination)
        found = self._variants.get(key)
        if found is None:
            document = {**self._given}
            for i in self._settings_at:
                _put(document, self._names[i].split("."), combination[i])
            try:
                found = self._made(parse_config(document))
            except InvalidInput as error:
                found = error
            self._variants[key] = found
        return found

    def _made(self, config: BacktestConfig) -> _Variant:
        if self._alone:
            config = config.model_copy(update={"symbols": config.symbols[:1]})
        execution = config.execution
        bars = (config.start_date, config.end_date, execution.fill, execution.price_mode, config.risk.levels)
        return _Variant(
            config, rules_of(config), scale_of(config, self._bars.calendar), (*bars, config.periods_per_year)
        )

    # ---- running ----------------------------------------------------------------------------------------------

    def run(self, threads: int) -> GridTable:
        if self._size > BATCH_ROWS and not self._skip:
            for _ in self._batches():  # a wrong combination is told before hours of work
                pass
        parts = []
        with ThreadPoolExecutor(threads, thread_name_prefix="grid") as pool:
            for rows in self._batches():
                self._rows = rows
                parts.append(self._run_batch(threads, pool))
        if not parts:
            raise InvalidInput.at("", "empty", "not one combination of the grid is valid")
        columns = parts[0] if len(parts) == 1 else {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        return GridTable(columns, tuple(columns)[: len(self._names)])

    def _run_batch(self, threads: int, pool: ThreadPoolExecutor) -> dict[str, Column]:
        count = len(self._rows)
        varied = [np.array([row.values[i] for row in self._rows]) for i in range(len(self._names))]
        rows = np.full((count, ROW_SIZE), np.nan)
        groups, singles = self._grouped()
        rooms = threading.local()

        def work(task: tuple[World, list[Job]]) -> None:
            if not hasattr(rooms, "room"):
                rooms.room = {}
            run_block(*task, rows, rooms.room)

        tasks = [
            (world, jobs[i : i + size])
            for world, jobs in groups
            for size in (world.jobs_per_block(threads, len(jobs)),)
            for i in range(0, len(jobs), size)
        ]
        each = map if threads == 1 else pool.map
        list(each(work, tasks))
        whole = list(each(self._simulated, singles))
        measured: dict[str, Column] = {}
        for world, jobs in groups:
            mine = np.array([row for job in jobs for row in job.rows])
            self._measure(world, jobs, mine, rows, measured)
        for row, numbers in zip(singles, whole, strict=True):
            for name, value in numbers.items():
                measured.setdefault(name, np.full(count, np.nan))[row] = math.nan if value is None else value
        measured["trades"] = measured["trades"].astype(np.int64)
        # a metric keeps its name; a parameter called like one is told apart by its path
        names = [f"{_PARAMETERS}{name}" if name in measured else name for name in self._names]
        return {**dict(zip(names, varied, strict=True)), **measured}

    def _measure(
        self, world: World, jobs: list[Job], mine: IntArray, rows: FloatArray, measured: dict[str, Column]
    ) -> None:
        last = rows[mine, ROW_LAST]
        if not np.isfinite(last).all():
            row = self._rows[int(mine[np.flatnonzero(~np.isfinite(last))[0]])]
            message = "the prices move so far that the account's value is no number any more"
            raise DataError(f"{message} ({self._named(row.values)})")
        capital = np.repeat([job.capital for job in jobs], world.groups)
        periods = np.repeat([job.scale.periods for job in jobs], world.groups)
        found = headline_columns(rows[mine], capital, world.points, world.calendar_days, periods)
        for name, values in {"final_equity": last, **found}.items():
            measured.setdefault(name, np.full(len(rows), np.nan))[mine] = values

    def _simulated(self, number: int) -> dict[str, Any]:
        row = self._rows[number]
        update: dict[str, Any] = {"parameters": row.params.model_dump()}
        if row.symbol is not None:
            update["symbols"] = (row.symbol,)
        result = simulate(row.variant.config.model_copy(update=update), self._bars, strategy=self._own_class)
        return {"final_equity": float(result.equity[-1]), **result.metrics}

    def _grouped(self) -> tuple[list[tuple[World, list[Job]]], list[int]]:
        """Rows that share bars, and rows that must run by themselves."""
        regular = self._regular_symbols() if self._alone else ()
        singles: list[int] = []
        worlds: dict[tuple[Any, ...], tuple[World, list[Job]]] = {}
        memory = Memory(_MEMORY)
        together: dict[tuple[int, int], list[int]] = {}  # rows that differ in the symbol only
        for number, row in enumerate(self._rows):
            if not self._fits_blocks(row.params):
                singles.append(number)
            elif row.symbol in regular:
                together.setdefault((id(row.params), id(row.variant)), []).append(number)
            else:
                symbols = row.variant.config.symbols if row.symbol is None else (row.symbol,)
                self._add(worlds, memory, symbols, [number])
        for numbers in together.values():
            self._add(worlds, memory, tuple(str(self._rows[number].symbol) for number in numbers), numbers)
        return list(worlds.values()), singles

    def _fits_blocks(self, params: BaseModel) -> bool:
        """With these parameters it gives signals at the market, and if symbols run alone, each by itself."""
        fits = self._fits.get(id(params))
        if fits is None:
            strategy = self._strategy(params)
            fits = strategy.form == "signals" and not strategy.waits and (strategy.independent or not self._alone)
            self._fits[id(params)] = fits
        return fits

    def _add(
        self,
        worlds: dict[tuple[Any, ...], tuple[World, list[Job]]],
        memory: Memory,
        symbols: tuple[str, ...],
        numbers: list[int],
    ) -> None:
        """Put rows of one strategy and variant, one for each of the symbols that run apart, to others on their bars."""
        row = self._rows[numbers[0]]
        variant, apart = row.variant, len(numbers) > 1
        key = (apart, symbols, *variant.bars)
        if key not in worlds:
            config, part = variant.config.model_copy(update={"symbols": symbols}), memory.part(len(worlds))
            worlds[key] = (World.of(config, self._bars, part, by_day=variant.scale.by_day, apart=apart), [])
        strategy, capital = self._strategy(row.params), variant.config.initial_capital
        worlds[key][1].append(Job(numbers, strategy, variant.rules, variant.scale, capital))

    def _regular_symbols(self) -> frozenset[str]:
        """Symbols whose own dates are those of all the symbols together."""
        symbols = tuple(dict.fromkeys(self._values["symbol"]))
        panel = self._bars.panel(symbols)
        return frozenset(symbol for n, symbol in enumerate(symbols) if alone_on(panel, n))


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], Any]:
    """Picks what stands at some places of a combination, as something to look up by."""
    return operator.itemgetter(*places) if places else lambda _: None


def _named_value(name: str) -> str | None:
    """The number that `values.NAME` varies."""
    section, _, value = name.removeprefix(_PARAMETERS).partition(".")
    return value if section == _NAMED and value else None


def _words(given: Any) -> set[str]:
    """Everything in parameters that could be a name."""
    if isinstance(given, str):
        return set(_WORD.findall(given))
    if isinstance(given, Mapping):
        return set().union(*({str(name), *_words(value)} for name, value in given.items()))
    return set()


def _listed(name: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise InvalidInput.at(f"/{name}", "not_a_list", "give a list of values")
    listed = list(values)
    if not listed:
        raise InvalidInput.at(f"/{name}", "empty", "the list of values is empty")
    return [value.item() if isinstance(value, np.generic) else value for value in listed]


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a value inside nested sections, which are copied on the way."""
    *sections, last = path
    for section in sections:
        inside = document.get(section)
        document[section] = inside.model_dump() if isinstance(inside, BaseModel) else dict(inside or {})
        document = document[section]
    document[last] = value
