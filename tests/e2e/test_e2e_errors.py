"""A server that refuses, fails, is slow, or has little to show: every page stays readable and offers a way on."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, Route, expect
from stacks import LocalStack
from watching import Watch

from conftest import DEMO, import_prices, run_to_its_end, settled

PAGES = ("/", "/runs", "/runs/new", "/runs/{run}", "/system")
REFUSALS: dict[int, str] = {401: "not_authenticated", 429: "too_many_requests", 500: "internal_error"}
API = re.compile(r"/api/v1/|/health/")


def refuse(page: Page, status: int, code: str, address: Any = API, **headers: str) -> None:
    body = {
        "type": f"/docs#problem-{code}",
        "title": "As a test",
        "status": status,
        "detail": f"This is what {status} says.",
        "code": code,
        "request_id": "req-0123456789abcdef",
    }

    def answer(route: Route) -> None:
        route.fulfill(status=status, json=body, headers=headers, content_type="application/problem+json")

    page.route(address, answer)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_readable_on_every_page_and_goes_away_again(
    page: Page, finished: str, watch: Watch, status: int
) -> None:
    watch.expect(str(status), "WebSocket")
    for path in PAGES:
        refuse(page, status, REFUSALS[status])
        page.goto(path.format(run=finished))
        settled(page)
        expect(page.locator("main").get_by_text(re.compile(REFUSALS[status])).first).to_be_visible()
        page.unroute_all()
        page.get_by_role("main").get_by_role("button", name="Try again").first.click()
        expect(page.locator("main").get_by_text(re.compile(REFUSALS[status]))).to_have_count(0)
        settled(page)


@pytest.mark.parametrize("status", [409, 422, 502])
def test_a_run_that_cannot_be_had_says_why(page: Page, finished: str, watch: Watch, status: int) -> None:
    watch.expect(str(status))
    address = re.compile(f"/api/v1/backtests/{finished}$")
    if status == 502:  # of something in between, which knows no problems
        page.route(address, lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    else:
        refuse(page, status, "as_a_test", address)
    page.goto(f"/runs/{finished}")
    code = "http_502" if status == 502 else "as_a_test"
    expect(page.get_by_text(code)).to_be_visible()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("h1")).to_have_text(str(DEMO["name"]))


def test_an_action_that_is_refused_says_why_and_changes_nothing(page: Page, finished: str, watch: Watch) -> None:
    watch.expect("409")
    page.goto(f"/runs/{finished}")
    settled(page)
    refuse(page, 409, "wrong_state", re.compile("/rerun"))
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("alert").filter(has_text="This is what 409 says.")).to_be_visible()
    expect(page).to_have_url(re.compile(finished))
    expect(page.get_by_role("button", name="Run again")).to_be_enabled()


def test_too_many_runs_says_when_to_try_again_and_keeps_what_was_entered(
    page: Page, finished: str, watch: Watch
) -> None:
    watch.expect("429")
    page.goto("/runs/new")
    page.get_by_role("textbox", name="Name").fill("One too many")
    refuse(page, 429, "queue_full", re.compile(r"/api/v1/backtests(\?|$)"), **{"retry-after": "30"})
    page.get_by_role("button", name="Run backtest").click()
    expect(page.get_by_role("alert")).to_contain_text("A limit on waiting work is reached")
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Worth another try in \d+ s"))
    expect(page.get_by_role("textbox", name="Name")).to_have_value("One too many")


def test_a_slow_server_shows_the_place_of_what_comes(page: Page, finished: str) -> None:
    held: list[Route] = []
    page.route(re.compile(f"/api/v1/backtests/{finished}"), lambda route: held.append(route))  # noqa: PLW0108
    page.goto(f"/runs/{finished}")
    expect(page.locator("[aria-busy=true]").first).to_be_attached()
    expect(page.get_by_role("navigation", name="Menu").first).to_be_visible()
    for route in held:
        route.continue_()
    page.unroute_all()
    expect(page.locator("h1")).to_have_text(str(DEMO["name"]))


def test_a_run_that_ends_between_two_answers_is_on_the_dashboard_once(page: Page, finished: str) -> None:
    """What is active was answered before the run's end, the latest results after it."""
    row = page.request.get("/api/v1/backtests?status=completed&sort=-completed_at&limit=1").json()["items"][0]
    active = {"items": [{**row, "status": "running", "completed_at": None}], "total": 1, "next_cursor": None}
    page.route(re.compile(r"status=running.*sort=created_at"), lambda route: route.fulfill(json=active))
    page.goto("/")
    expect(page.locator("main").get_by_role("link", name=row["name"]).first).to_be_visible()
    settled(page)
    expect(page.locator(f"main a[href='/runs/{row['backtest_id']}']")).to_have_count(1)
    expect(page.get_by_text("Nothing is running")).to_be_visible()


BARE: dict[str, dict[str, Any]] = {
    "one bar": {"strategy_type": "buy_and_hold", "parameters": {}, "end_date": DEMO["start_date"], "benchmark": None},
    "no trade": {"strategy_type": "rules", "parameters": {"entry": "close > 100000", "exit": "close < 0"}},
}


@pytest.mark.parametrize("name", BARE)
def test_a_run_with_nothing_to_show_says_so_on_every_part(page: Page, base_url: str, name: str) -> None:
    run = run_to_its_end(base_url, **{**DEMO, "name": name, **BARE[name]})
    for tab in ("overview", "trades", "analysis", "costs", "log", "proof"):
        page.goto(f"/runs/{run}?tab={tab}")
        settled(page)
        text = page.locator("main").inner_text()
        assert not re.search(r"NaN|Infinity|undefined|null%|\[object", text), text
        for panel in page.locator("main section:has(h2)").all():
            assert len(panel.inner_text().strip().split("\n")) > 1, f"{tab}: {panel.inner_text()} is blank"


def test_a_curve_of_more_bars_than_are_drawn_says_so(page: Page, stack: LocalStack, tmp_path: Path) -> None:
    minutes = 40_000
    times = np.datetime64("2021-01-04T00:00", "us") + np.arange(minutes) * np.timedelta64(1, "m")
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(2).normal(0.0, 0.0004, minutes)))
    file = tmp_path / "minutes.parquet"
    pq.write_table(pa.table({"symbol": ["MIN"] * minutes, "date": times, "close": close}), file)
    import_prices(stack, file, "minutes", "--timeframe", "1m", "--calendar", "24/7")
    config = {"strategy_type": "sma_crossover", "symbols": ["MIN"], "data_source": "minutes", "timeframe": "1m"}
    run = run_to_its_end(stack.base_url, **config, name="Minutes", execution={"fill": "next_close"})
    page.goto(f"/runs/{run}")
    said = page.get_by_text(re.compile(r"[\d,]+ of 40,000 bars drawn"))
    expect(said).to_be_visible()
    drawn = int(said.inner_text().split(" ")[0].replace(",", ""))
    assert 1_000 < drawn < minutes
