"""The result of a run: arrays first, everything else made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from backproof.domain.backtest import Notice
from backproof.domain.config import BacktestConfig
from backproof.engine import analysis, layout, notices, statistics, tables
from backproof.engine import fingerprint as identity
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.calendar import DateArray, days_spanned, last_of_each
from backproof.engine.foreseen import likely_percent, never_decided
from backproof.engine.metrics import Metrics, headline, reasons, versus
from backproof.engine.strategies import warmup_with
from backproof.engine.tables import Records

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl

    from backproof.engine.simulation import Simulation

TableName = Literal["equity", "fills", "trades", "events"]


class Result:
    """What a run did over its T bars and N symbols. Money in the account currency, rates as fractions.

    dates:  datetime64 [T]; of bars within a day their start, in UTC
    equity: float64 [T], cash plus the value of all positions at the close
    cash:   float64 [T]
    gross:  float64 [T], sum of the absolute values of all positions
    metrics: headline metrics; None where undefined, `null_reasons` says why
    benchmark, benchmark_metrics: the benchmark's curve from the same capital and statistics against it, or None
    insolvent: equity fell to zero or below
    complete: the run reached its last bar; a partial result covers the bars simulated so far
    """

    def __init__(self, simulation: "Simulation") -> None:
        self._run = simulation.run
        self._state, self._orders = simulation.state.copy(), simulation.orders.copy()
        self._params = simulation.params
        self._strategy = simulation.strategy_type
        self._bars = simulation.bars
        self._market = simulation.market
        self.config: BacktestConfig = simulation.config
        self.periods_per_year, self._risk_free, self._by_day = simulation.scale
        self.symbols: tuple[str, ...] = self.config.symbols
        count = simulation.position
        self.complete = count == simulation.total_bars
        self.insolvent = bool(simulation.counters[layout.INSOLVENT])
        used = simulation.ledger_rows
        # views are enough: a simulation that goes on writes behind them and never changes what is there
        path = simulation.path
        self._keys, self._values = simulation.keys[:used], simulation.values[:used]
        self.dates: DateArray = simulation.dates[:count]
        self.equity: FloatArray = path[layout.PATH_EQUITY, :count]
        self.cash: FloatArray = path[layout.PATH_CASH, :count]
        self.gross: FloatArray = path[layout.PATH_GROSS, :count]
        self._by_weight = bool(simulation.choices[layout.BY_WEIGHT])
        self._measure()

    def _measure(self) -> None:
        capital, rate = self.config.initial_capital, self._risk_free
        count = len(self.dates)
        periods = self.equity[self._period_ends] if self._by_day else self.equity
        moments, totals = np.empty(statistics.CURVE_SIZE), np.empty(statistics.TOTAL_SIZE)
        returns, scratch = np.zeros(len(periods)), np.empty(max(count, 1))
        statistics.curve_moments(self.equity, self.gross, periods, capital, rate, returns, scratch, moments)
        self.returns = returns[1:]
        room = np.empty((statistics.TOTAL_ROOM, len(self.symbols)))
        statistics.trade_totals(self._keys, self._values, len(self._keys), room, totals)
        last = float(self.equity[-1]) if count else capital
        self.metrics: Metrics = headline(
            moments, totals, last, capital, len(periods), days_spanned(self._days), self.periods_per_year
        )
        self.benchmark: FloatArray | None = None
        self.benchmark_metrics: Metrics | None = None
        if self.config.benchmark is not None:
            self._measure_benchmark(self.config.benchmark, returns)

    def _measure_benchmark(self, symbol: str, returns: FloatArray) -> None:
        capital, count = self.config.initial_capital, len(self.dates)
        closes = self._run.panel.aligned_close(self._bars, symbol)
        self.benchmark, others = np.empty(count), np.zeros(count)
        overlap = statistics.follow_benchmark(closes, self._run.first, count, capital, self.benchmark, others)
        if self._by_day:
            curve = self.benchmark[self._period_ends]
            others = np.zeros(len(curve))
            others[1:] = curve[1:] / curve[:-1] - 1.0
        values = np.empty(statistics.VERSUS_SIZE)
        statistics.against_benchmark(returns, others, np.empty(3 * len(returns)), values)
        end = float(self.benchmark[-1]) if count else capital
        self.benchmark_metrics = versus(
            values, overlap, end, capital, len(returns), self._risk_free, self.periods_per_year
        )

    @cached_property
    def _period_ends(self) -> IntArray:
        """Bars whose values give the returns of intraday runs: the last one of every day."""
        return last_of_each(self._days)

    @property
    def _days(self) -> DateArray:
        """The market's day of each bar."""
        return self._run.days[self._run.first : self._run.first + len(self.dates)]

    def __repr__(self) -> str:
        total = self.metrics["total_return"]
        shown = "no bars" if total is None else f"{len(self.dates)} bars, total return {total:.2%}"
        return f"Result({self.config.name!r}: {shown}, {len(self.fills)} fills)"

    @cached_property
    def null_reasons(self) -> dict[str, str]:
        """Why a metric is None, by name, one sentence each."""
        growth = float(self.equity[-1]) / self.config.initial_capital if len(self.equity) else 1.0
        return reasons(self.metrics, self.benchmark_metrics, len(self.returns) + 1 if len(self.dates) else 0, growth)

    @cached_property
    def full_metrics(self) -> Metrics:
        """Everything else that is measured of the curve and its trades; None where undefined. See METRIC_NOTES."""
        return self._full[0]

    @cached_property
    def full_null_reasons(self) -> dict[str, str]:
        """Why one of the full metrics is None."""
        return self._full[1]

    @cached_property
    def _full(self) -> tuple[Metrics, dict[str, str]]:
        return analysis.full_metrics(
            returns=self.returns,
            equity=self.equity,
            capital=self.config.initial_capital,
            gross=self.gross,
            dates=self.dates,
            risk_free=self._risk_free,
            trades=self.trades,
        )

    @cached_property
    def drawdowns(self) -> Records:
        """The ten deepest falls from a peak; see `analysis.drawdown_table`."""
        return analysis.drawdown_table(self.equity, self.dates, self.config.initial_capital)

    @cached_property
    def monthly_returns(self) -> Records:
        """year, month, return of every month with a bar on the market's calendar; compounded, the total return."""
        return analysis.monthly_returns(self.equity, self._days, self.config.initial_capital)

    @cached_property
    def yearly_returns(self) -> Records:
        """year, return of every year with a bar; as `monthly_returns`."""
        return analysis.yearly_returns(self.equity, self._days, self.config.initial_capital)

    @cached_property
    def fills(self) -> Records:
        """Every fill in the order of execution.

        bar (of the run, from 0), date, symbol, side (buy | sell), shares (> 0), price (slipped), commission,
        reason (entry | signal | rebalance | stop_loss | trailing_stop | take_profit | dividend | margin_call |
        delisted | insolvent), order (market | limit | stop), at (open | inside | close: when in the bar)
        """
        return tables.fill_records(self._keys, self._values, self.dates, self.symbols)

    @cached_property
    def events(self) -> Records:
        """What changed the account and was no fill, in order: raw mode's splits and dividends, and borrow paid.

        bar, date, symbol, kind (split | dividend | borrow), value (the ratio, or the cash per share), shares (change of
        the position), cash (received; cash in lieu of a fraction of a share with a split). Borrow is listed when the
        position changes, for all the days since it changed before.
        """
        return tables.event_records(self._keys, self._values, self.dates, self.symbols)

    @cached_property
    def trades(self) -> Records:
        """Round trips from flat to flat in the order they closed, then the ones still open.

        symbol, side (long | short), entry_date, exit_date (NaT while open), entry_price and exit_price (averages of
        openings and closings; of an open trade the last close; NaN where a split left no share), shares (opened),
        profit (net of costs, with income; of an open trade at the last close), return (profit / notional of the
        openings), costs (commissions), income (dividends received or paid, cash in lieu, borrow), mae and mfe (worst
        and best price against the average cost, fractions), bars (from the first to the last fill), reason (of the last
        fill, or open)
        """
        size = len(self._keys) + len(self.symbols)
        keys = np.zeros((size, statistics.TRIP_KEYS), dtype=np.int64)
        values = np.zeros((size, statistics.TRIP_VALUES))
        first = self._run.first
        market, stop = self._market, first + len(self.dates)
        trips = statistics.round_trips(
            self._keys,
            self._values,
            len(self._keys),
            market.high,
            market.low,
            market.marks,
            first,
            stop,
            np.zeros((len(self.symbols), statistics.TRIP_KEYS + 1), dtype=np.int64),
            np.zeros((len(self.symbols), statistics.TRIP_VALUES + 2)),
            keys,
            values,
        )
        keys, values = keys[:trips], values[:trips]
        owed = self._state[layout.BORROWED][keys[:, statistics.TRIP_SYMBOL]] * keys[:, statistics.TRIP_OPEN]
        values[:, statistics.TRIP_PROFIT] -= owed
        values[:, statistics.TRIP_INCOME] -= owed
        marks = market.marks[:, max(stop - 1, 0)]
        return tables.trade_records(keys, values, self.dates, self.symbols, marks)

    @cached_property
    def costs(self) -> dict[str, float]:
        """Money: commission, slippage and borrow paid; dividends received (or paid by shorts) and cash_in_lieu."""
        slippage = self.config.costs.slippage_bps / 10_000.0
        return tables.costs(self._keys, self._values, slippage, float(self._state[layout.BORROWED].sum()))

    @cached_property
    def positions(self) -> FloatArray:
        """Signed shares held at each close: [T, N], symbols in the configuration's order; rebuilt from the ledger."""
        return tables.held_shares(self._keys, self._values, len(self.dates), len(self.symbols))

    @cached_property
    def notices(self) -> list[Notice]:
        """What must be known before trusting the numbers; empty when there is nothing to say."""
        baseline = self._strategy is not None and self._strategy.kind == "baseline"
        strategy, params = self._strategy, self._params
        warmup = warmup_with(strategy, params) if strategy is not None and params is not None else None
        found = [
            notices.no_costs(self.config),
            notices.optimistic(self.config),
            likely_percent(self.config),
            notices.fictitious_units(self.config, self._run),
            notices.sizing_ignored(self.config, self._by_weight),
            notices.short_run(self._run),
            notices.not_traded(self._run),
            never_decided(self.symbols, self._own_bars(), warmup),
            notices.gaps(self._run),
            notices.events_disagree(self.config, self._run),
            notices.survivors(self._run),
            notices.dropped_entries(self._orders, self.symbols),
            notices.expired_entries(self._orders, self.symbols),
            notices.free_credit(self.cash),
            notices.margin_calls(self._keys),
            notices.delisted(self._keys, self.symbols),
            notices.insolvent(self._insolvency_date()) if self.insolvent else None,
            notices.few_trades(int(self.metrics["trades"] or 0), baseline),
        ]
        return [notice for notice in found if notice is not None]

    def _own_bars(self) -> list[int]:
        """Of each symbol, up to the run's end."""
        closes = self._run.panel.adjusted.close[: len(self.symbols), : self._run.stop]
        counts: list[int] = np.count_nonzero(~np.isnan(closes), axis=1).tolist()
        return counts

    def _insolvency_date(self) -> str:
        return str(self.dates[int(np.argmax(self.equity <= 0.0))])

    def fingerprint(self) -> str:
        """SHA-256 of canonical configuration, data, strategy code and engine semantics: equal means the same run."""
        return self._identity["fingerprint"]

    @cached_property
    def _identity(self) -> dict[str, str]:
        return identity.identify(self.config, self._params, self._strategy, self._bars, self._run)

    def manifest(self) -> dict[str, Any]:
        """Everything needed to say later what this result was made of, JSON-plain."""
        strategy, parts = self._strategy, self._identity
        return {
            "fingerprint": parts["fingerprint"],
            "config": identity.canonical_config(self.config, self._params),
            "config_hash": parts["config"],
            "data_hash": parts["data"],
            "strategy": {
                "name": strategy.name if strategy else self.config.strategy_type,
                "version": strategy.version if strategy else None,
                "code_hash": parts["code"],
                "plugin": identity.plugin_versions(strategy),
            },
            "engine_semantics": identity.ENGINE_SEMANTICS,
            "equity_hash": identity.array_hash(self.equity),
            "fills_hash": identity.array_hash(self._keys, self._values),
            "bars": len(self.dates),
            "first_date": str(self.dates[0]) if len(self.dates) else None,
            "last_date": str(self.dates[-1]) if len(self.dates) else None,
            "periods_per_year": self.periods_per_year,
            "complete": self.complete,
            "versions": dict(identity.versions()),
        }

    def to_tables(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """Columns by table: "equity" (date, equity, cash, gross, benchmark), "fills", "trades", "events"."""
        equity = {"date": self.dates, "equity": self.equity, "cash": self.cash, "gross": self.gross}
        if self.benchmark is not None:
            equity["benchmark"] = self.benchmark
        tables: dict[str, dict[str, npt.NDArray[Any]]] = {"equity": equity}
        for name, records in (("fills", self.fills), ("trades", self.trades), ("events", self.events)):
            tables[name] = {column: np.ascontiguousarray(records[column]) for column in records.dtype.names or ()}
        return tables

    def to_pandas(self, table: TableName = "equity") -> "pd.DataFrame":
        """One table as a pandas frame (pandas must be installed)."""
        import pandas as pd

        return pd.DataFrame(
            {
                name: values.astype("datetime64[s]") if values.dtype.kind == "M" else values
                for name, values in self.to_tables()[table].items()
            }
        )

    def to_polars(self, table: TableName = "equity") -> "pl.DataFrame":
        """One table as a polars frame (polars must be installed)."""
        import polars as pl

        return pl.DataFrame(self.to_tables()[table])
