"""The lists that the web application asks for, on a history as real ones are: the same on SQLite and MongoDB."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backproof.bootstrap import DOCUMENTS
from backproof.domain.backtest import Backtest
from backproof.domain.documents import Order, Repository
from backproof.services.backtests import queries
from backproof.services.backtests.models import BacktestQuery, MetricRange
from backproof.storage.mongo import MongoRepository
from backproof.storage.sqlite import SqliteRepository
from mongo_servers import with_database

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from support.histories import backtests

RUNS = 200
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"strategies": ("macd", "rules"), "starred": False},
    {"symbols": ("AAPL",)},
    {"tags": ("trend",), "text": "추세"},
    {"metrics": (MetricRange("sharpe", -1.0, 1.0),)},
    {"deleted": True},
)


@pytest.fixture
async def stores(java_url: str, tmp_path: Path) -> AsyncIterator[tuple[Repository, Repository]]:
    opened = (
        await SqliteRepository.open(tmp_path / "store.sqlite3", DOCUMENTS),
        await MongoRepository.open(with_database(java_url, tmp_path.name[:60]), DOCUMENTS, timeout_seconds=20),
    )
    runs = list(backtests(RUNS))
    for store in opened:
        await store.add_all(runs)
    yield opened
    for store in opened:
        await store.close()


async def test_every_list_is_the_same(stores: tuple[Repository, Repository]) -> None:
    for n, sort in enumerate(queries.SORTS):
        for descending in (False, True):
            where = queries.conditions(BacktestQuery(sort=sort, **FILTERS[n % len(FILTERS)]), "local")
            order = Order(queries.SORTS[sort], descending)
            for condition in (where, queries.kept("local")):
                for offset in (0, RUNS // 2):
                    expected, found = [await one.find(Backtest, condition, order, 10, offset=offset) for one in stores]
                    assert found == expected, (sort, descending, offset)
                if expected:
                    last = expected[-1].id
                    expected, found = [await one.find(Backtest, condition, order, 10, last) for one in stores]
                    assert found == expected, (sort, descending)


async def test_every_count_is_the_same(stores: tuple[Repository, Repository]) -> None:
    for filters in FILTERS:
        where = queries.conditions(BacktestQuery(**filters), "local")
        expected, found = [await one.count(Backtest, where) for one in stores]
        assert found == expected, filters
        for field in queries.FACETS.values():
            expected_by, found_by = [await one.counts_by(Backtest, field, where) for one in stores]
            assert found_by == expected_by, (filters, field)
