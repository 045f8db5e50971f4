"""Every page, in both languages and themes, against axe's rules."""

import json
import re

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from held import Hold
from playwright.sync_api import Page, WebSocketRoute, expect
from stacks import LocalStack
from watching import Watch

from conftest import DEMO, run_to_its_end, settled, submit

PAGES = {
    "the dashboard": "/",
    "the runs": "/runs",
    "a new backtest": "/runs/new",
    "a result": "/runs/{finished}",
    "its trades": "/runs/{finished}?tab=trades",
    "its analysis": "/runs/{finished}?tab=analysis",
    "its costs": "/runs/{finished}?tab=costs",
    "its log": "/runs/{finished}?tab=log",
    "its proof": "/runs/{finished}?tab=proof",
    "a failed run": "/runs/{failed}",
    "a waiting run": "/runs/{waiting}",
    "the system": "/system",
}
MISSING = {
    "a deleted run": "/runs/{deleted}",
    "an unknown run": "/runs/bt-000000000000",
    "no page": "/nowhere",
}


@pytest.fixture(scope="module")
def ids(base_url: str, finished: str, failed: str, waiting: str) -> dict[str, str]:
    deleted = run_to_its_end(base_url, **{**DEMO, "name": "To be deleted"})
    httpx.delete(f"{base_url}/api/v1/backtests/{deleted}", trust_env=False).raise_for_status()
    return {"finished": finished, "failed": failed, "waiting": waiting, "deleted": deleted}


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def check(address: str, *visitors: Page) -> None:
    for visitor in visitors:
        visitor.goto(address)
        settled(visitor)
        assert violations(visitor) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_breaks_no_rule_of_accessibility(
    page: Page, korean: Page, base_url: str, ids: dict[str, str], name: str
) -> None:
    check(base_url + PAGES[name].format(**ids), page, korean)


@pytest.mark.parametrize("name", MISSING)
def test_a_page_of_something_missing_breaks_none_either(
    page: Page, korean: Page, base_url: str, ids: dict[str, str], watch: Watch, name: str
) -> None:
    watch.expect("404")
    check(base_url + MISSING[name].format(**ids), page, korean)


def test_the_first_visit_breaks_none(page: Page, korean: Page, empty_stack: LocalStack) -> None:
    check(empty_stack.base_url, page, korean)
    for visitor in (page, korean):
        visitor.close()  # before its server


def test_a_run_at_work_breaks_none(page: Page, korean: Page, base_url: str, hold: Hold) -> None:
    def until_the_curve(route: WebSocketRoute) -> None:
        """The page stays in the middle of its run."""
        seen: list[str] = []
        server = route.connect_to_server()
        server.on_close(lambda code, reason: None)

        def forward(message: str | bytes) -> None:
            if seen:
                return
            route.send(message)
            frame = json.loads(message)
            if frame["type"] == "equity" and len(frame["data"]["points"]) > 1:
                seen.append(frame["type"])

        server.on_message(forward)

    visitors = (page, korean)
    with hold.on():
        run = submit(base_url, use_cache=False, **{**hold.config, "name": "Watched by two"})
        for visitor in visitors:
            visitor.route_web_socket(re.compile("/ws/backtest/"), until_the_curve)
            visitor.goto(f"{base_url}/runs/{run}", wait_until="commit")
        for visitor, curve in zip(visitors, ("Equity and drawdown so far", "Watched by two"), strict=True):
            expect(visitor.get_by_role("figure", name=re.compile(curve)).first).to_be_visible(timeout=60_000)
            expect(visitor.get_by_role("progressbar").first).to_be_visible()
        for visitor in visitors:
            assert violations(visitor) == []


def test_the_palette_breaks_no_rule_of_accessibility(page: Page, finished: str) -> None:
    page.goto("/")
    settled(page)
    page.keyboard.press("Control+k")
    page.get_by_role("option").first.wait_for()
    assert violations(page) == []
