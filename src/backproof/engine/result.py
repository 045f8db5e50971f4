"""The result of a run: arrays first, everything else made when it is first asked for."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from backproof.domain.backtest import Notice
from backproof.domain.config import BacktestConfig
from backproof.engine import fingerprint as identity
from backproof.engine import layout, notices, statistics
from backproof.engine.bars import content_hash
from backproof.engine.metrics import Metrics, headline, reasons, versus

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl

    from backproof.engine.simulation import Simulation

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DateArray = npt.NDArray[np.datetime64]
Records = npt.NDArray[np.void]
TableName = Literal["equity", "fills", "trades"]


class Result:
    """What a run did over its T bars and N symbols. Money in the account currency, rates as fractions.

    dates:  datetime64 [T]
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
        self._simulation_state = simulation.state.copy()
        self._orders = simulation.orders.copy()
        self._params = simulation.params
        self._strategy = simulation.strategy_type
        self._bars = simulation.bars
        self.config: BacktestConfig = simulation.config
        self.periods_per_year = simulation.periods_per_year
        self._risk_free = simulation.risk_free
        self.symbols: tuple[str, ...] = self.config.symbols
        count = simulation.position
        self.complete = count == simulation.total_bars
        self.insolvent = bool(simulation.counters[layout.INSOLVENT])
        fills = simulation.fills_so_far
        # views are enough: a simulation that goes on writes behind them and never changes what is there
        self._path = path = simulation.path
        self._fill_keys = simulation.fill_keys[:fills]
        self._fill_values = simulation.fill_values[:fills]
        self.dates: DateArray = simulation.dates[:count]
        self.equity: FloatArray = path[layout.PATH_EQUITY, :count]
        self.cash: FloatArray = path[layout.PATH_CASH, :count]
        self.gross: FloatArray = path[layout.PATH_GROSS, :count]
        self._by_weight = bool(simulation.choices[layout.BY_WEIGHT])
        self._measure(count, fills)

    def _measure(self, count: int, fills: int) -> None:
        config = self.config
        capital = config.initial_capital
        rate = self._risk_free
        moments = np.empty(statistics.CURVE_SIZE)
        returns = np.empty(max(count, 1))
        statistics.curve_moments(self._path, count, capital, rate, returns, moments)
        size = fills + len(self.symbols)
        self._trip_keys = np.zeros((size, statistics.TRIP_KEYS), dtype=np.int64)
        self._trip_values = np.empty((size, statistics.TRIP_VALUES))
        totals = np.empty(statistics.TOTAL_SIZE)
        trips = statistics.round_trips(
            self._fill_keys,
            self._fill_values,
            fills,
            self._simulation_state,
            self._trip_keys,
            self._trip_values,
            totals,
        )
        self._trip_keys, self._trip_values = self._trip_keys[:trips], self._trip_values[:trips]
        last = float(self.equity[-1]) if count else capital
        days = int((self.dates[-1] - self.dates[0]) / np.timedelta64(1, "D")) if count else 0
        self.metrics: Metrics = headline(moments, totals, last, capital, count, days, self.periods_per_year)
        self.benchmark: FloatArray | None = None
        self.benchmark_metrics: Metrics | None = None
        if config.benchmark is not None:
            closes = self._run.panel.aligned_close(self._bars, config.benchmark)
            self.benchmark = np.empty(count)
            values = np.empty(statistics.VERSUS_SIZE)
            statistics.against_benchmark(returns, count, closes, self._run.first, capital, self.benchmark, values)
            end = float(self.benchmark[-1]) if count else capital
            self.benchmark_metrics = versus(values, end, capital, count, rate, self.periods_per_year)

    def __repr__(self) -> str:
        total = self.metrics["total_return"]
        shown = "no bars" if total is None else f"{len(self.dates)} bars, total return {total:.2%}"
        return f"Result({self.config.name!r}: {shown}, {len(self._fill_keys)} fills)"

    @cached_property
    def null_reasons(self) -> dict[str, str]:
        """Why a metric is None, by name, one sentence each."""
        growth = float(self.equity[-1]) / self.config.initial_capital if len(self.equity) else 1.0
        return reasons(self.metrics, self.benchmark_metrics, len(self.dates), growth)

    @cached_property
    def fills(self) -> Records:
        """Every fill in the order of execution.

        bar (of the run, from 0), date, symbol, side (buy | sell), shares (> 0), price (slipped), commission,
        reason (entry | signal | rebalance | delisted | insolvent)
        """
        keys, values = self._fill_keys, self._fill_values
        width = max(map(len, self.symbols))
        records = np.empty(
            len(keys),
            dtype=[
                ("bar", np.int64),
                ("date", self.dates.dtype),
                ("symbol", f"U{width}"),
                ("side", "U4"),
                ("shares", np.float64),
                ("price", np.float64),
                ("commission", np.float64),
                ("reason", "U10"),
            ],
        )
        shares = values[:, layout.VALUE_SHARES]
        records["bar"] = keys[:, layout.KEY_BAR]
        records["date"] = self.dates[keys[:, layout.KEY_BAR]]
        records["symbol"] = np.array(self.symbols)[keys[:, layout.KEY_SYMBOL]]
        records["side"] = np.where(shares > 0.0, "buy", "sell")
        records["shares"] = np.abs(shares)
        records["price"] = values[:, layout.VALUE_PRICE]
        records["commission"] = values[:, layout.VALUE_COMMISSION]
        records["reason"] = np.array(layout.REASONS)[keys[:, layout.KEY_REASON]]
        return records

    @cached_property
    def trades(self) -> Records:
        """Round trips from flat to flat in the order they closed, then the ones still open.

        symbol, side (long | short), entry_date, exit_date (NaT while open), entry_price and exit_price (averages of
        openings and closings; of an open trade the last close), shares (opened), profit (net of costs; of an open trade
        at the last close), return (profit / notional of the openings), costs (commissions), bars (from the first to the
        last fill), reason (of the last fill, or open)
        """
        keys, values = self._trip_keys, self._trip_values
        width = max(map(len, self.symbols))
        records = np.empty(
            len(keys),
            dtype=[
                ("symbol", f"U{width}"),
                ("side", "U5"),
                ("entry_date", self.dates.dtype),
                ("exit_date", self.dates.dtype),
                ("entry_price", np.float64),
                ("exit_price", np.float64),
                ("shares", np.float64),
                ("profit", np.float64),
                ("return", np.float64),
                ("costs", np.float64),
                ("bars", np.int64),
                ("reason", "U10"),
            ],
        )
        is_open = keys[:, statistics.TRIP_OPEN] == 1
        last = np.where(is_open, len(self.dates) - 1, keys[:, statistics.TRIP_EXIT])
        records["symbol"] = np.array(self.symbols)[keys[:, statistics.TRIP_SYMBOL]]
        records["side"] = np.where(keys[:, statistics.TRIP_SIDE] > 0, "long", "short")
        records["entry_date"] = self.dates[keys[:, statistics.TRIP_ENTRY]]
        records["exit_date"] = np.where(is_open, np.datetime64("NaT"), self.dates[last])
        bought, shares = values[:, statistics.TRIP_BOUGHT], values[:, statistics.TRIP_SHARES]
        closed = values[:, statistics.TRIP_CLOSED]
        marks = self._simulation_state[layout.MARK][keys[:, statistics.TRIP_SYMBOL]]
        records["entry_price"] = bought / shares
        records["exit_price"] = np.where(
            is_open, marks, values[:, statistics.TRIP_SOLD] / np.where(closed > 0.0, closed, 1.0)
        )
        records["shares"] = shares
        records["profit"] = values[:, statistics.TRIP_PROFIT]
        records["return"] = values[:, statistics.TRIP_PROFIT] / bought
        records["costs"] = values[:, statistics.TRIP_COSTS]
        records["bars"] = last - keys[:, statistics.TRIP_ENTRY]
        records["reason"] = np.where(is_open, "open", np.array(layout.REASONS)[keys[:, statistics.TRIP_REASON]])
        return records

    @cached_property
    def positions(self) -> FloatArray:
        """Signed shares held at each close: [T, N], symbols in the configuration's order; rebuilt from the fills."""
        held = np.zeros((len(self.dates), len(self.symbols)))
        keys, shares = self._fill_keys, self._fill_values[:, layout.VALUE_SHARES]
        for n in range(len(self.symbols)):
            mine = keys[:, layout.KEY_SYMBOL] == n
            if mine.any():
                bars = keys[mine, layout.KEY_BAR]
                after = np.cumsum(shares[mine])
                place = np.searchsorted(bars, np.arange(len(self.dates)), side="right")
                held[:, n] = np.concatenate([[0.0], after])[place]
        return held

    @cached_property
    def notices(self) -> list[Notice]:
        """What must be known before trusting the numbers; empty when there is nothing to say."""
        baseline = self._strategy is not None and self._strategy.kind == "baseline"
        found = [
            notices.no_costs(self.config),
            notices.optimistic(self.config),
            notices.fictitious_units(self.config, self._run),
            notices.sizing_ignored(self.config, self._by_weight),
            notices.not_traded(self._run),
            notices.dropped_entries(self._orders, self.symbols),
            notices.delisted(self._fill_keys, self.symbols),
            notices.insolvent(self._insolvency_date()) if self.insolvent else None,
            notices.few_trades(int(self.metrics["trades"] or 0), baseline),
        ]
        return [notice for notice in found if notice is not None]

    def _insolvency_date(self) -> str:
        return str(self.dates[int(np.argmax(self.equity <= 0.0))])

    def fingerprint(self) -> str:
        """SHA-256 of canonical configuration, data, strategy code and engine semantics: equal means the same run."""
        return self._identity["fingerprint"]

    @cached_property
    def _identity(self) -> dict[str, str]:
        strategy = self._strategy
        config = identity.config_hash(identity.canonical_config(self.config, self._params))
        data = content_hash(self._bars, self._run, self.config.benchmark)
        code = identity.code_hash(strategy) if strategy else "given decisions"
        parts: dict[str, str | int] = {
            "config": config,
            "data": data,
            "strategy": strategy.name if strategy else self.config.strategy_type,
            "strategy_version": strategy.version if strategy else "",
            "strategy_code": code,
            "engine_semantics": identity.ENGINE_SEMANTICS,
        }
        return {"config": config, "data": data, "code": code, "fingerprint": identity.fingerprint(parts)}

    def manifest(self) -> dict[str, Any]:
        """Everything needed to say later what this result was made of, JSON-plain."""
        strategy = self._strategy
        return {
            "fingerprint": self._identity["fingerprint"],
            "config": identity.canonical_config(self.config, self._params),
            "config_hash": self._identity["config"],
            "data_hash": self._identity["data"],
            "strategy": {
                "name": strategy.name if strategy else self.config.strategy_type,
                "version": strategy.version if strategy else None,
                "code_hash": self._identity["code"],
            },
            "engine_semantics": identity.ENGINE_SEMANTICS,
            "equity_hash": identity.array_hash(self.equity),
            "fills_hash": identity.array_hash(self._fill_keys, self._fill_values),
            "bars": len(self.dates),
            "first_date": str(self.dates[0]) if len(self.dates) else None,
            "last_date": str(self.dates[-1]) if len(self.dates) else None,
            "periods_per_year": self.periods_per_year,
            "complete": self.complete,
            "versions": dict(identity.versions()),
        }

    def to_tables(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """Columns by table: "equity" (date, equity, cash, gross, benchmark), "fills", "trades"."""
        equity = {"date": self.dates, "equity": self.equity, "cash": self.cash, "gross": self.gross}
        if self.benchmark is not None:
            equity["benchmark"] = self.benchmark
        tables: dict[str, dict[str, npt.NDArray[Any]]] = {"equity": equity}
        for name, records in (("fills", self.fills), ("trades", self.trades)):
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
