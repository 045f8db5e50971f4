"""DatasetService: what market data there is, whether it covers a backtest, and the bars themselves."""

import asyncio
import datetime as dt
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from backproof.domain.clock import NEW_YORK, MarketClock
from backproof.domain.config import DATASET_PATTERN, BacktestConfig, Timeframe
from backproof.errors import FieldError, InvalidInput, NotFound
from backproof.services.dataset_checks import close_only_errors, date_errors, raw_mode_errors, unknown_symbol
from backproof.storage.lake import Lake, Series

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

RESERVED_NAMES = ("demo", "alpha_vantage")
TIMEFRAMES: tuple[str, ...] = get_args(Timeframe)
_CACHED_DATES = 64 << 20  # bytes
_ADJUSTMENT = ("close", "adj_close", "dividend", "split_ratio")
_MOST_UNEXPLAINED = 1e-2  # as in engine.setup: how far adjusted closes may move without an event


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Where bars come from. calendar: code of the one they are on; timeframes: number of symbols by timeframe.

    default: it serves backtests that name no data_source
    """

    name: str
    calendar: str
    timeframes: dict[str, int]
    default: bool = False


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """One symbol of a source. first, last: days of its bars, on the clock of the calendar's market."""

    symbol: str
    source: str
    timeframe: str
    first: dt.date
    last: dt.date
    bars: int
    close_only: bool
    currency: str | None
    note: str
    calendar: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the source holds of one symbol that a backtest names.

    bars_before: bars before start_date, which warm the indicators up
    bars_in_run: bars between start_date and end_date
    sha256:      of the version that is current; equal for equal bars
    note:        what a reader must know of this series; empty for nothing
    """

    symbol: str
    first: dt.date
    last: dt.date
    bars: int
    bars_before: int
    bars_in_run: int
    close_only: bool
    sha256: str
    note: str
    calendar: str


@dataclass(frozen=True, slots=True)
class LoadedBars:
    """Bars for a run: a long table, the code of the calendar that they are on, and what is to be known by symbol."""

    table: "pa.Table"
    calendar: str
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class BarSeries:
    """Bars of one symbol, JSON-plain: {date, open, high, low, close, volume}, of close-only data {date, close}.

    Raw bars also have dividend and split_ratio where the source knows them.
    total_bars: bars in the range asked for; with fewer `bars` each stands for a stretch of them, dated at its first
    """

    symbol: str
    source: str
    timeframe: str
    calendar: str
    adjusted: bool
    total_bars: int
    bars: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    replaced: symbols that the dataset had before, now in a new version
    times:    earliest and latest time of day of intraday bars on the market's clock, as 09:30
    """

    dataset: str
    timeframe: str
    calendar: str
    zone: str
    bars: int
    symbols: list[SymbolInfo]
    replaced: list[str]
    times: tuple[str, str] | None
    warnings: list[str]


class DatasetService:
    """Asynchronous face of the lake's bars. `default_source` serves backtests that name no data_source."""

    def __init__(self, lake: Lake, default_source: str) -> None:
        self._lake = lake
        self._default = default_source
        self._dates: OrderedDict[str, np.ndarray[Any, Any]] = OrderedDict()
        self._dates_lock = Lock()
        self._eventless: dict[str, bool] = {}

    async def sources(self) -> list[SourceInfo]:
        return await asyncio.to_thread(self._sources)

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

    async def import_file(
        self, path: Path, dataset: str, timeframe: str = "1d", calendar: str | None = None, local_times: bool = False
    ) -> ImportReport:
        """Check a price file and add its symbols to the dataset; InvalidInput, and nothing imported, if it is wrong.

        calendar:    code of the exchange, or 24/7; None for the one the dataset has, else XNYS
        local_times: times that name no zone are on the exchange's clock, not in UTC
        """
        return await asyncio.to_thread(self._import_file, path, dataset, timeframe, calendar, local_times)

    async def warm(self) -> None:
        """Import what reading a file needs, so that the first request does not wait for it."""

        def read_one() -> None:
            for source in self._lake.builtin_sources():
                for series in self._lake.series(source)[:1]:
                    self._series_dates(series)

        await asyncio.to_thread(read_one)

    def named(self, given: Mapping[str, object]) -> Mapping[str, object]:
        """A description that names its data source: what serves those that name none may be another one tomorrow."""
        return {**given, "data_source": self._default} if given.get("data_source") is None else given

    async def check(self, config: BacktestConfig) -> list[Coverage]:
        """Coverage of the symbols, then the benchmark; InvalidInput with everything the data cannot give."""
        return await asyncio.to_thread(self._check, config)

    async def load(
        self,
        config: BacktestConfig,
        versions: Mapping[str, str] = MappingProxyType({}),
        on_read: Callable[[int], None] | None = None,
    ) -> LoadedBars:
        """All bars of the symbols and the benchmark in long form.

        Also those after end_date: they tell a symbol that ended from one that only has no bar on the last day of the
        run. The engine decides nothing from them.

        versions: symbol to the hash of the version to read; others in the current one
        on_read:  told how many of the symbols are read, from a thread
        """
        return await asyncio.to_thread(self._load, config, versions, on_read)

    # ---- looking around ---------------------------------------------------------------------------------------

    def _sources(self) -> list[SourceInfo]:
        found = []
        for name in self._lake.sources():
            counts = {
                timeframe: len(self._lake.find_series(name, timeframe)) for timeframe in self._lake.timeframes(name)
            }
            clock = self._lake.clock(name) or NEW_YORK
            found.append(SourceInfo(name, clock.calendar, counts, name == self._default))
        return found

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
            raise NotFound(unknown_symbol(symbol, source, timeframe, known), symbol=symbol)
        table = self._lake.read_series([known[symbol]])
        dates, columns = price_view(table, adjusted)
        first, last = rows_between(dates, start, end, known[symbol].clock)
        dates, columns = dates[first:last], {name: values[first:last] for name, values in columns.items()}
        total = len(dates)
        if max_points is not None and total > max_points:
            dates, columns = downsampled(dates, columns, max(1, max_points))
        calendar = known[symbol].clock.calendar
        return BarSeries(symbol, source, timeframe, calendar, adjusted, total, json_rows(dates, columns))

    # ---- importing --------------------------------------------------------------------------------------------

    def _import_file(
        self, path: Path, dataset: str, timeframe: str, calendar: str | None, local_times: bool
    ) -> ImportReport:
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
        clock = self._import_clock(dataset, calendar)
        prices = check_prices(Path(path), timeframe, clock.zone if local_times else "UTC")
        before = self._lake.find_series(dataset, timeframe)
        written = self._lake.write_bars(dataset, timeframe, prices.by_symbol(), clock=clock)
        warnings = list(prices.warnings)
        if any(series.close_only for series in written):
            warnings.append(
                "close-only data: backtests on it need execution.fill next_close or same_close, and no stops"
            )
        if timeframe != "1w" and (on_weekends := _on_weekends(prices.table, clock)) is not None:
            warnings.append(on_weekends)
        return ImportReport(
            dataset=dataset,
            timeframe=timeframe,
            calendar=clock.calendar,
            zone=clock.zone,
            bars=prices.table.num_rows,
            symbols=[_info(series) for series in written],
            replaced=[series.symbol for series in written if series.symbol in before],
            times=_times_of_day(prices.table, clock.zone),
            warnings=warnings,
        )

    def _import_clock(self, dataset: str, calendar: str | None) -> MarketClock:
        """Whose days the dataset's bars have: one calendar for all of them, so that any of them run together."""
        from backproof.engine.calendar import CALENDARS, DEFAULT_CALENDAR

        kept = self._lake.clock(dataset)
        if calendar is not None and calendar not in CALENDARS:
            message = f"there is no calendar {calendar!r}; there are {', '.join(CALENDARS)}"
            raise InvalidInput.at("/calendar", "unknown_calendar", message)
        if kept is not None:
            if calendar not in (None, kept.calendar):
                message = f"{dataset} is on calendar {kept.calendar}; bars of {calendar} need a dataset of their own"
                raise InvalidInput.at("/calendar", "other_calendar", message)
            return kept
        chosen = CALENDARS[calendar or DEFAULT_CALENDAR]
        return MarketClock(chosen.name, chosen.zone)

    # ---- for a backtest ---------------------------------------------------------------------------------------

    def _check(self, config: BacktestConfig) -> list[Coverage]:
        source = config.data_source or self._default
        known = self._known(source, config.timeframe)
        errors = []
        for index, symbol in enumerate(config.symbols):
            if symbol not in known:
                message = unknown_symbol(symbol, source, config.timeframe, known)
                errors.append(FieldError(f"/symbols/{index}", "unknown_symbol", message))
        if config.benchmark is not None and config.benchmark not in known:
            message = unknown_symbol(config.benchmark, source, config.timeframe, known)
            errors.append(FieldError("/benchmark", "unknown_symbol", message))
        traded = [known[symbol] for symbol in config.symbols if symbol in known]
        if traded:
            errors += date_errors(config, source, traded)
            errors += close_only_errors(config, traded)
            if config.execution.price_mode == "raw":
                errors += raw_mode_errors([series.symbol for series in traded if self._lacks_events(series)])
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
            before, inside = 0, series.bars
        elif start is not None and start > series.last:
            before, inside = series.bars, 0
        elif end is not None and end < series.first:
            before, inside = 0, 0
        else:
            before, last = rows_between(self._series_dates(series), start, end, series.clock)
            inside = last - before
        return Coverage(
            symbol=series.symbol,
            first=series.first,
            last=series.last,
            bars=series.bars,
            bars_before=before,
            bars_in_run=inside,
            close_only=series.close_only,
            sha256=series.sha256,
            note=series.note,
            calendar=series.clock.calendar,
        )

    def _lacks_events(self, series: Series) -> bool:
        """Its adjusted closes move without any split or dividend, so that its raw prices cannot be traded."""
        if not {"close", "adj_close"} <= set(series.columns):
            return False
        if (kept := self._eventless.get(series.sha256)) is None:
            from backproof.engine.frames import read_frame, unexplained

            [one] = read_frame(self._lake.read_series([series], columns=_ADJUSTMENT))
            kept = one.split is None and one.dividend is None and unexplained(one) > _MOST_UNEXPLAINED
            self._eventless[series.sha256] = kept
        return kept

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

    def _load(
        self, config: BacktestConfig, versions: Mapping[str, str], on_read: Callable[[int], None] | None
    ) -> LoadedBars:
        source = config.data_source or self._default
        known = self._lake.find_series(source, config.timeframe)
        named = _named(config)
        if missing := [symbol for symbol in named if symbol not in known]:
            raise NotFound(f"{source} has no {config.timeframe} bars of {', '.join(missing[:10])}")
        series = [known[symbol].at(versions.get(symbol, known[symbol].sha256)) for symbol in named]
        table = self._lake.read_series(series, on_read=on_read)
        notes = {item.symbol: item.note for item in series if item.note}
        return LoadedBars(table, series[0].clock.calendar, notes)


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
        calendar=series.clock.calendar,
    )


def _on_weekends(table: "pa.Table", clock: MarketClock) -> str | None:
    """Bars on days when no exchange is open: dates that are wrong, a wrong time zone, or another kind of market."""
    import numpy as np

    from backproof.engine.calendar import local_days

    if clock.calendar == "24/7":
        return None
    column = table.column(1).to_numpy()
    days = local_days(column, clock.zone) if table.column_names[1] == "timestamp" else column.astype("datetime64[D]")
    wrong = days[~np.is_busday(days)]
    if not len(wrong):
        return None
    count = "1 bar is" if len(wrong) == 1 else f"{len(wrong):,} bars are"
    return (
        f"{count} on a Saturday or Sunday ({clock.zone}), when {clock.calendar} is closed; the first is on "
        f"{wrong.min()}. Are dates and time zone right? A market that never closes has the calendar 24/7"
    )


def _times_of_day(table: "pa.Table", zone: str) -> tuple[str, str] | None:
    """The earliest and the latest on the market's clock; None for bars of days."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "timestamp" not in table.column_names:
        return None
    moments = table["timestamp"].cast(pa.timestamp("us", zone))
    bounds = pc.min_max(pc.local_timestamp(moments).cast(pa.time64("us")))
    return str(bounds["min"].as_py())[:5], str(bounds["max"].as_py())[:5]
