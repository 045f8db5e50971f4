"""BacktestQuery and search text in the repository's words."""

import re
from typing import get_args

from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Condition, Op, Order, eq, is_in
from backproof.errors import InvalidInput
from backproof.services.backtests.models import BacktestQuery, ListMetric

SORTS = {
    "created_at": "created_at",
    "completed_at": "completed_at",
    "name": "name",
    "status": "status",
    **{metric: f"metrics.{metric}" for metric in get_args(ListMetric)},
}
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_LONGEST_TOKEN = 32


def tokens(text: str) -> list[str]:
    return [word.casefold()[:_LONGEST_TOKEN] for word in _WORD.findall(text)]


def search_tokens(config: BacktestConfig, name: str, tags: tuple[str, ...], notes: str) -> tuple[str, ...]:
    """The words under which a run is found, each with its beginnings, so that a search for "mom" finds momentum."""
    words = tokens(" ".join((name, notes[:2000], config.strategy_type, *tags, *config.symbols[:50])))
    found: dict[str, None] = {}
    for word in dict.fromkeys(words):
        found.update(dict.fromkeys(word[:n] for n in range(1, len(word) + 1)))
    return tuple(found)[:300]


def conditions(query: BacktestQuery, owner: str) -> list[Condition]:
    where = [eq("owner_id", owner)]
    if query.status:
        where.append(is_in("status", tuple(str(status) for status in query.status)))
    if query.strategy_type is not None:
        where.append(eq("config.strategy_type", query.strategy_type))
    if query.symbol is not None:
        where.append(Condition("config.symbols", Op.CONTAINS, query.symbol))
    if query.tag is not None:
        where.append(Condition("tags", Op.CONTAINS, query.tag))
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
    where.extend(Condition("search", Op.CONTAINS, token) for token in tokens(query.text or "")[:20])
    return where


def order(query: BacktestQuery) -> Order:
    if query.sort not in SORTS:
        raise InvalidInput.at("/sort", "unknown_sort", f"cannot sort by {query.sort!r}; one of {', '.join(SORTS)}")
    return Order(SORTS[query.sort], query.descending)
