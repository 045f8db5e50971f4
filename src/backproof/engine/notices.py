"""What a reader of a result must know before trusting its numbers."""

import numpy as np

from backproof.domain.backtest import Notice
from backproof.domain.config import BacktestConfig
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.bars import RunBars
from backproof.engine.calendar import days_spanned
from backproof.engine.foreseen import named
from backproof.engine.frames import unexplained
from backproof.engine.layout import BY_DELISTING, BY_MARGIN, DROPPED, EXPIRED, KEY_BAR, KEY_REASON, KEY_SYMBOL
from backproof.engine.metrics import DAYS_PER_YEAR

FEW_TRADES = 30
LONG_GAP_DAYS = 10  # no exchange closes longer for holidays
SURVIVORS, SURVIVOR_YEARS = 5, 3


def no_costs(config: BacktestConfig) -> Notice | None:
    costs = config.costs
    if (
        costs.commission_rate
        or costs.commission_per_share
        or costs.commission_fixed
        or costs.commission_min
        or costs.slippage_bps
    ):
        return None
    return Notice(code="no_costs", message="no costs: the run trades without commission and slippage")


def optimistic(config: BacktestConfig) -> Notice | None:
    if config.execution.fill != "same_close":
        return None
    return Notice(
        code="optimistic_fill",
        message="same_close is optimistic: orders fill at the very close that decided them",
    )


def fictitious_units(config: BacktestConfig, run: RunBars) -> Notice | None:
    costs = config.costs
    counted = (
        not config.execution.fractional_shares
        or costs.commission_per_share
        or costs.commission_fixed
        or costs.commission_min
    )
    if not counted or config.execution.price_mode == "raw" or not run.panel.is_adjusted:
        return None
    return Notice(
        code="fictitious_units",
        message="whole shares, per-share, fixed and minimum costs are counted in adjusted prices, "
        "so unit counts before a split or dividend are not those really traded",
    )


def short_run(run: RunBars) -> Notice | None:
    days = days_spanned(run.days[run.first :])
    if days >= DAYS_PER_YEAR:
        return None
    return Notice(
        code="short_run",
        message="short run: figures per year, such as CAGR and Sharpe ratio, are extrapolated from less than one year",
        details={"days": days},
    )


def free_credit(cash: FloatArray) -> Notice | None:
    """No interest is charged on a debit; whoever borrows has to know."""
    if (least := float(cash.min(initial=0.0))) >= -0.01:  # less is rounding
        return None
    return Notice(
        code="free_credit",
        message=f"cash was borrowed, at most {-least:,.2f}, and no interest is charged on it: real leverage costs",
        details={"most": -least},
    )


def not_traded(run: RunBars) -> Notice | None:
    """Symbols without a bar in the run."""
    panel = run.panel
    without = [
        symbol for n, symbol in enumerate(run.symbols) if np.isnan(panel.adjusted.close[n, run.first : run.stop]).all()
    ]
    if not without:
        return None
    return Notice(
        code="symbol_without_bars",
        message=f"no bars in the run: {named(without)}",
        details={"symbols": without},
    )


def gaps(run: RunBars) -> Notice | None:
    """Symbols that miss bars others have, and days on which nothing has one."""
    panel = run.panel
    missing = {}
    for n in np.flatnonzero(~panel.whole):
        first, last = max(panel.firsts[n], run.first), min(panel.lasts[n] + 1, run.stop)
        if holes := int(np.isnan(panel.adjusted.close[n, first:last]).sum()):
            missing[run.symbols[n]] = holes
    days = run.days[run.first : run.stop]
    steps = np.diff(days).astype(np.int64)
    long = np.flatnonzero(steps > LONG_GAP_DAYS)
    if not missing and not len(long):
        return None
    parts = []
    if missing:
        parts.append(f"{sum(missing.values())} bars are missing in {named(list(missing))}")
    if len(long):
        worst = long[np.argmax(steps[long])]
        parts.append(
            f"no bar at all for more than {LONG_GAP_DAYS} days, {len(long)} times (longest from {days[worst]} "
            f"to {days[worst + 1]})"
        )
    return Notice(
        code="gaps",
        message="gaps in the data: " + " and ".join(parts),
        details={"missing": missing, "long_gaps": [[str(days[i]), str(days[i + 1])] for i in long[:100]]},
    )


def events_disagree(config: BacktestConfig, run: RunBars) -> Notice | None:
    """Raw mode stands on splits and dividends; stored adjusted closes say when some are missing."""
    if config.execution.price_mode != "raw":
        return None
    found = [one.symbol for one in run.panel.series if unexplained(one) > 1e-3]
    if not found:
        return None
    return Notice(
        code="events_disagree",
        message="adj_close moves where no split or dividend is given, so raw prices may miss some of them: "
        f"{named(found)}",
        details={"symbols": found},
    )


def survivors(run: RunBars) -> Notice | None:
    """Many symbols over years, and not one of them ended: probably chosen because they survived."""
    years = days_spanned(run.days[run.first :]) / DAYS_PER_YEAR
    if len(run.symbols) < SURVIVORS or years < SURVIVOR_YEARS or (run.ended >= 0).any():
        return None
    return Notice(
        code="survivorship",
        message=f"all {len(run.symbols)} symbols still trade at the end: a list chosen with hindsight flatters results",
    )


def margin_calls(keys: IntArray) -> Notice | None:
    bars = np.unique(keys[keys[:, KEY_REASON] == BY_MARGIN, KEY_BAR])
    if not len(bars):
        return None
    return Notice(
        code="margin_call",
        message=f"{len(bars)} margin {'call' if len(bars) == 1 else 'calls'}: positions were reduced at the close",
        details={"bars": bars[:100].tolist()},
    )


def expired_entries(orders: IntArray, symbols: tuple[str, ...]) -> Notice | None:
    what = ("limit or stop entry was", "limit or stop entries were")
    return _counted("expired_entries", orders[EXPIRED], symbols, what, "not reached and expired")


def dropped_entries(orders: IntArray, symbols: tuple[str, ...]) -> Notice | None:
    what = ("entry was", "entries were")
    return _counted("dropped_entries", orders[DROPPED], symbols, what, "dropped for lack of buying power")


def _counted(
    code: str, counts: IntArray, symbols: tuple[str, ...], what: tuple[str, str], happened: str
) -> Notice | None:
    """How often something happened, by symbol; what: for one and for many."""
    found = {symbols[n]: int(counts[n]) for n in np.flatnonzero(counts)}
    if not found:
        return None
    total = sum(found.values())
    message = f"{total} {what[total > 1]} {happened}: {named(list(found))}"
    return Notice(code=code, message=message, details={"symbols": found})


def delisted(fill_keys: IntArray, symbols: tuple[str, ...]) -> Notice | None:
    rows = fill_keys[fill_keys[:, KEY_REASON] == BY_DELISTING]
    if not len(rows):
        return None
    names = [symbols[n] for n in rows[:, KEY_SYMBOL].tolist()]
    return Notice(
        code="delisted",
        message=f"{len(names)} {'position' if len(names) == 1 else 'positions'} closed at the last close, because the "
        f"data end before the run: {named(names)}",
        details={"symbols": names},
    )


def insolvent(date: str) -> Notice:
    return Notice(
        code="insolvent",
        message=f"insolvent: equity fell to zero or below on {date}; all was closed there, nothing traded after",
        details={"date": date},
    )


def few_trades(trades: int, baseline: bool) -> Notice | None:
    if trades >= FEW_TRADES or baseline:
        return None
    if trades == 0:
        return Notice(code="few_trades", message="few trades: not one was closed, trade statistics say nothing")
    return Notice(
        code="few_trades",
        message=f"few trades: {trades} closed, statistics on fewer than {FEW_TRADES} are mostly luck",
        details={"trades": trades},
    )


def sizing_ignored(config: BacktestConfig, by_weight: bool) -> Notice | None:
    sizing = config.execution.sizing
    if not by_weight or (sizing.type == "percent_equity" and sizing.value is None):
        return None
    return Notice(
        code="sizing_ignored", message="execution.sizing is for signal strategies: this one sets target weights"
    )
