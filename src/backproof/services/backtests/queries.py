"""BacktestQuery and search text in the repository's words."""

import re
from typing import get_args

from backproof.domain.backtest import ListMetric
from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Condition, Op, Order, eq, is_in
from backproof.errors import InvalidInput
from backproof.services.backtests.models import BacktestQuery, Facet

SORTS = {
    "created_at": "created_at",
    "completed_at": "completed_at",
    "name": "name",
    "status": "status",
    "execution_seconds": "execution_seconds",
    **{metric: f"metrics.{metric}" for metric in get_args(ListMetric)},
}
FACETS: dict[Facet, str] = {
    "status": "status",
    "strategy_type": "config.strategy_type",
    "tags": "tags",
    "symbols": "config.symbols",
}
_RUN_ID = re.compile(r"bt-[0-9a-z]{1,12}", re.ASCII)
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_LONGEST_TOKEN = 32


def tokens(text: str) -> list[str]:
    return [word.casefold()[:_LONGEST_TOKEN] for word in _WORD.findall(text)]


def search_tokens(config: BacktestConfig, name: str, tags: tuple[str, ...], notes: str) -> tuple[str, ...]:
    """The words under which a run is found; their beginnings suffice, so that a search for "mom" finds momentum."""
    words = tokens(" ".join((name, notes[:2000], config.strategy_type, *tags, *config.symbols[:50])))
    return tuple(dict.fromkeys(words))[:300]


def conditions(query: BacktestQuery, owner: str) -> list[Condition]:
    binned = Condition("deleted_at", Op.NE, None)
    where = [eq("owner_id", owner), binned] if query.deleted else [*kept(owner)]
    if query.status:
        where.append(is_in("status", tuple(str(status) for status in query.status)))
    if query.strategies:
        where.append(is_in("config.strategy_type", query.strategies))
    where.extend(Condition("config.symbols", Op.CONTAINS, symbol) for symbol in query.symbols)
    where.extend(Condition("tags", Op.CONTAINS, tag) for tag in query.tags)
    if query.starred is not None:
        where.append(eq("starred", query.starred))
    if query.created_from is not None:
        where.append(Condition("created_at", Op.GTE, query.created_from))
    if query.created_to is not None:
        where.append(Condition("created_at", Op.LTE, query.created_to))
    for bounds in query.metrics:
        path = f"metrics.{bounds.metric}"
        if bounds.minimum is not None:
            where.append(Condition(path, Op.GTE, bounds.minimum))
        if bounds.maximum is not None:
            where.append(Condition(path, Op.LTE, bounds.maximum))
    text = (query.text or "").strip()
    if _RUN_ID.fullmatch(text):
        where.append(Condition("id", Op.PREFIX, text))
    else:
        where.extend(Condition("search", Op.CONTAINS_PREFIX, token) for token in tokens(text)[:20])
    return where


def kept(owner: str) -> tuple[Condition, ...]:
    """The runs of an owner that are not in the bin."""
    return eq("owner_id", owner), eq("deleted_at", None)


def order(query: BacktestQuery) -> Order:
    if query.sort not in SORTS:
        raise InvalidInput.at("/sort", "unknown_sort", f"cannot sort by {query.sort!r}; one of {', '.join(SORTS)}")
    return Order(SORTS[query.sort], query.descending)
