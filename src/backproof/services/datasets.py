"""DatasetService: what market data there is, whether it covers a backtest, and the bars themselves."""

import asyncio
import datetime as dt
import difflib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, get_args

from backproof.domain.config import DATASET_PATTERN, BacktestConfig, Timeframe
from backproof.errors import FieldError, InvalidInput, NotFound
from backproof.storage.lake import Lake, Series

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

RESERVED_NAMES = ("demo", "alpha_vantage")
TIMEFRAMES: tuple[str, ...] = get_args(Timeframe)
# a run may ask for a start on a holiday or weekend before the first bar, and an end after the last one
CALENDAR_SLACK = dt.timedelta(days=7)
_CACHED_DATES = 64 << 20  # bytes


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """One symbol of a source. first, last: dates of its bars, in UTC for intraday ones."""

    symbol: str
    source: str
    timeframe: str
    first: dt.date
    last: dt.date
    bars: int
    close_only: bool
    currency: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the source holds of one symbol that a backtest names.

    bars_in_run: bars between start_date and end_date
    sha256:      of the version that is current; equal for equal bars
    note:        what a reader must know of this series; empty for nothing
    """

    symbol: str
    first: dt.date
    last: dt.date
    bars: int
    bars_in_run: int
    close_only: bool
    sha256: str
    note: str


@dataclass(frozen=True, slots=True)
class BarSeries:
    """Bars of one symbol, JSON-plain: {date, open, high, low, close, volume}, of close-only data {date, close}.

    Raw bars also have dividend and split_ratio where the source knows them.
    total_bars: bars in the range asked for; with fewer `bars` each stands for a stretch of them, dated at its first
    """

    symbol: str
    source: str
    timeframe: str
    adjusted: bool
    total_bars: int
    bars: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. replaced: symbols that the dataset had before, now in a new version."""

    dataset: str
    timeframe: str
    bars: int
    symbols: list[SymbolInfo]
    replaced: list[str]
    warnings: list[str]


class DatasetService:
    """Asynchronous face of the lake's bars. `default_source` serves backtests that name no data_source."""

    def __init__(self, lake: Lake, default_source: str) -> None:
        self._lake = lake
        self._default = default_source
        self._dates: OrderedDict[str, np.ndarray[Any, Any]] = OrderedDict()
        self._dates_lock = Lock()

    async def sources(self) -> list[str]:
        return await asyncio.to_thread(self._lake.sources)

    async def symbols(self, source: str | None = None, timeframe: str = "1d") -> list[SymbolInfo]:
        """All symbols of a source, or of every source; NotFound for an unknown source."""
        return await asyncio.to_thread(self._symbols, source, timeframe)

    async def bars(
        self,
        symbol: str,
        source: str | None = None,
        timeframe: str = "1d",
        start: dt.date | None = None,
        end: dt.date | None = None,
        adjusted: bool = True,
        max_points: int | None = None,
    ) -> BarSeries:
        """Bars between two dates (inclusive), at most `max_points` of them; NotFound for what is not there."""
        return await asyncio.to_thread(
            self._bars, symbol, source or self._default, timeframe, start, end, adjusted, max_points
        )

    async def import_file(self, path: Path, dataset: str, timeframe: str = "1d") -> ImportReport:
        """Check a price file and add its symbols to the dataset; InvalidInput, and nothing imported, if it is wrong."""
        return await asyncio.to_thread(self._import_file, path, dataset, timeframe)

    async def warm(self) -> None:
        """Import what reading a file needs, so that the first request does not wait for it."""

        def read_one() -> None:
            for source in self._lake.builtin_sources():
                for series in self._lake.series(source)[:1]:
                    self._series_dates(series)

        await asyncio.to_thread(read_one)

    async def check(self, config: BacktestConfig) -> list[Coverage]:
        """Coverage of the symbols, then the benchmark; InvalidInput with everything the data cannot give."""
        return await asyncio.to_thread(self._check, config)

    async def load(self, config: BacktestConfig) -> "pa.Table":
        """All bars of the symbols and the benchmark in long form.

        Also those after end_date: they tell a symbol that ended from one that only has no bar on the last day of the
        run. The engine decides nothing from them.
        """
        return await asyncio.to_thread(self._load, config)

    # ---- looking around ---------------------------------------------------------------------------------------

    def _symbols(self, source: str | None, timeframe: str) -> list[SymbolInfo]:
        sources = self._lake.sources() if source is None else [source]
        return [_info(series) for name in sources for series in self._lake.series(name, timeframe)]

    def _bars(
        self,
        symbol: str,
        source: str,
        timeframe: str,
        start: dt.date | None,
        end: dt.date | None,
        adjusted: bool,
        max_points: int | None,
    ) -> BarSeries:
        from backproof.marketdata.views import downsampled, json_rows, price_view, rows_between

        known = self._lake.find_series(source, timeframe)
        if symbol not in known:
            self._lake.timeframes(source)  # NotFound for an unknown source
            raise NotFound(_unknown(symbol, source, timeframe, known), symbol=symbol)
        table = self._lake.read_series([known[symbol]])
        dates, columns = price_view(table, adjusted)
        first, last = rows_between(dates, start, end)
        dates, columns = dates[first:last], {name: values[first:last] for name, values in columns.items()}
        total = len(dates)
        if max_points is not None and total > max_points:
            dates, columns = downsampled(dates, columns, max(1, max_points))
        return BarSeries(symbol, source, timeframe, adjusted, total, json_rows(dates, columns))

    # ---- importing --------------------------------------------------------------------------------------------

    def _import_file(self, path: Path, dataset: str, timeframe: str) -> ImportReport:
        from backproof.marketdata.importer import check_prices

        errors = []
        if not re.fullmatch(DATASET_PATTERN, dataset):
            errors.append(
                FieldError(
                    "/dataset",
                    "bad_name",
                    "a dataset name begins with a letter and has at most 50 lower-case letters, digits, - and _",
                )
            )
        elif dataset in RESERVED_NAMES or dataset in self._lake.builtin_sources():
            errors.append(
                FieldError("/dataset", "reserved_name", f"{dataset!r} is the program's own; take another name")
            )
        if timeframe not in TIMEFRAMES:
            errors.append(FieldError("/timeframe", "unknown_timeframe", f"one of {', '.join(TIMEFRAMES)}"))
        if errors:
            raise InvalidInput(errors)
        prices = check_prices(Path(path), timeframe)
        before = self._lake.find_series(dataset, timeframe)
        written = self._lake.write_bars(dataset, timeframe, prices.by_symbol())
        warnings = list(prices.warnings)
        if any(series.close_only for series in written):
            warnings.append("close-only data: backtests on it need execution.fill next_close or same_close")
        return ImportReport(
            dataset=dataset,
            timeframe=timeframe,
            bars=prices.table.num_rows,
            symbols=[_info(series) for series in written],
            replaced=[series.symbol for series in written if series.symbol in before],
            warnings=warnings,
        )

    # ---- for a backtest ---------------------------------------------------------------------------------------

    def _check(self, config: BacktestConfig) -> list[Coverage]:
        source = config.data_source or self._default
        known = self._known(source, config.timeframe)
        errors = []
        for index, symbol in enumerate(config.symbols):
            if symbol not in known:
                message = _unknown(symbol, source, config.timeframe, known)
                errors.append(FieldError(f"/symbols/{index}", "unknown_symbol", message))
        if config.benchmark is not None and config.benchmark not in known:
            message = _unknown(config.benchmark, source, config.timeframe, known)
            errors.append(FieldError("/benchmark", "unknown_symbol", message))
        traded = [known[symbol] for symbol in config.symbols if symbol in known]
        if traded:
            errors += _date_errors(config, source, traded)
            errors += _fill_errors(config, traded)
        if errors:
            raise InvalidInput(errors)
        coverage = [self._coverage(known[symbol], config) for symbol in _named(config)]
        self._refuse_empty(config, source, coverage)
        return coverage

    def _known(self, source: str, timeframe: str) -> Mapping[str, Series]:
        known = self._lake.find_series(source, timeframe)
        if known:
            return known
        sources = self._lake.sources()
        if source not in sources:
            raise InvalidInput.at(
                "/data_source",
                "unknown_data_source",
                f"there is no data source {source!r}; there are {', '.join(sources)}",
            )
        there = ", ".join(self._lake.timeframes(source))
        raise InvalidInput.at("/timeframe", "no_such_bars", f"{source} has no {timeframe} bars, only {there}")

    def _coverage(self, series: Series, config: BacktestConfig) -> Coverage:
        from backproof.marketdata.views import rows_between  # late, as everything that needs numpy

        start, end = config.start_date, config.end_date
        if (start is None or start <= series.first) and (end is None or end >= series.last):
            inside = series.bars
        elif (start is not None and start > series.last) or (end is not None and end < series.first):
            inside = 0
        else:
            first, last = rows_between(self._series_dates(series), start, end)
            inside = last - first
        return Coverage(
            symbol=series.symbol,
            first=series.first,
            last=series.last,
            bars=series.bars,
            bars_in_run=inside,
            close_only=series.close_only,
            sha256=series.sha256,
            note=series.note,
        )

    def _refuse_empty(self, config: BacktestConfig, source: str, coverage: Sequence[Coverage]) -> None:
        traded = coverage[: len(config.symbols)]
        if not any(series.bars_in_run for series in traded):
            raise InvalidInput.at(
                "/start_date",
                "no_bars",
                f"{source} has no bar of these symbols from {config.start_date} to {config.end_date}",
            )
        if config.benchmark is not None:
            benchmark = next(series for series in coverage if series.symbol == config.benchmark)
            if not benchmark.bars_in_run:
                raise InvalidInput.at(
                    "/benchmark",
                    "no_bars",
                    f"{benchmark.symbol} has no bar in the run: its bars go from {benchmark.first} to {benchmark.last}",
                )

    def _series_dates(self, series: Series) -> "np.ndarray[Any, Any]":
        """Dates of all bars, datetime64, kept for the series that were asked for last."""
        with self._dates_lock:
            if (kept := self._dates.get(series.sha256)) is not None:
                self._dates.move_to_end(series.sha256)
                return kept
        dates: np.ndarray[Any, Any] = self._lake.read_series([series], columns=()).column(1).to_numpy()
        with self._dates_lock:
            self._dates[series.sha256] = dates
            while len(self._dates) > 1 and sum(held.nbytes for held in self._dates.values()) > _CACHED_DATES:
                self._dates.popitem(last=False)
        return dates

    def _load(self, config: BacktestConfig) -> "pa.Table":
        source = config.data_source or self._default
        known = self._lake.find_series(source, config.timeframe)
        named = _named(config)
        if missing := [symbol for symbol in named if symbol not in known]:
            raise NotFound(f"{source} has no {config.timeframe} bars of {', '.join(missing[:10])}")
        return self._lake.read_series([known[symbol] for symbol in named])


def _named(config: BacktestConfig) -> list[str]:
    """The symbols in the order of the run, then the benchmark unless it is one of them."""
    extra = [config.benchmark] if config.benchmark is not None and config.benchmark not in config.symbols else []
    return [*config.symbols, *extra]


def _info(series: Series) -> SymbolInfo:
    return SymbolInfo(
        symbol=series.symbol,
        source=series.source,
        timeframe=series.timeframe,
        first=series.first,
        last=series.last,
        bars=series.bars,
        close_only=series.close_only,
        currency=series.currency,
        note=series.note,
    )


def _unknown(symbol: str, source: str, timeframe: str, known: Iterable[str]) -> str:
    names = sorted(known)
    same = [name for name in names if name.upper() == symbol.upper()]
    near = same or difflib.get_close_matches(symbol.upper(), names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    return f"{source} has no {timeframe} bars of {symbol!r}; {hint}"


def _date_errors(config: BacktestConfig, source: str, traded: Sequence[Series]) -> list[FieldError]:
    """Dates outside the data, with the range that is there."""
    first, last = min(series.first for series in traded), max(series.last for series in traded)
    there = f"the bars of {source} for these symbols go from {first} to {last}"
    errors = []
    for name, date in (("start_date", config.start_date), ("end_date", config.end_date)):
        if date is not None and not first - CALENDAR_SLACK <= date <= last + CALENDAR_SLACK:
            errors.append(FieldError(f"/{name}", "outside_the_data", f"{date} is outside the data: {there}"))
    return errors


def _fill_errors(config: BacktestConfig, traded: Sequence[Series]) -> list[FieldError]:
    lacking = [series.symbol for series in traded if series.close_only]
    if not lacking or config.execution.fill != "next_open":
        return []
    names = ", ".join(lacking[:5]) + (", …" if len(lacking) > 5 else "")
    message = f"next_open needs open prices, and the data of {names} is close-only: take next_close or same_close"
    return [FieldError("/execution/fill", "close_only_data", message)]
