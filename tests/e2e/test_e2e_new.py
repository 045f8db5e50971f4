"""A backtest made from nothing: what is wrong is said at its field, then it is corrected and run to its result."""

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect
from watching import Watch

from conftest import DEMO, run_to_its_end


def parameter(page: Page, name: str) -> Locator:
    return page.get_by_role("textbox", name=name)


@pytest.fixture
def form(page: Page, finished: str) -> Page:
    page.goto("/runs/new")
    expect(page.get_by_role("radiogroup", name="Strategy")).to_be_visible()
    return page


def test_a_wrong_value_is_said_at_its_field_then_corrected_and_run_to_its_result(form: Page) -> None:
    page = form
    page.get_by_role("radio", name="SMA crossover").click()
    parameter(page, "Fast average").fill("60")
    page.keyboard.press("Tab")
    blocked = page.get_by_role("button", name="1 field needs attention")
    expect(blocked).to_be_visible()
    page.get_by_role("button", name="Run backtest").click(force=True)  # said to be disabled, and says why
    expect(page).to_have_url(re.compile("/runs/new"))
    wrong = page.locator("[aria-invalid=true]")
    expect(wrong).to_have_count(1)
    expect(wrong).to_be_focused()
    assert wrong.evaluate("e => e.labels[0].textContent") in ("Fast average", "Slow average")
    expect(wrong).to_have_accessible_description(re.compile("fast|slow"))
    parameter(page, "Fast average").fill("13")
    expect(wrong).to_have_count(0)
    expect(blocked).to_have_count(0)
    page.get_by_role("textbox", name="Name").fill("Thirteen against fifty")
    page.get_by_role("button", name="Run backtest").click()
    expect(page).to_have_url(re.compile(r"/runs/bt-[0-9a-z]{12}$"))
    expect(page.locator("h1")).to_have_text("Thirteen against fifty")
    expect(page.get_by_text("Sharpe ratio").first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Fast average 13, Slow average 50")).to_be_visible()


def test_what_only_the_submission_finds_is_said_at_its_field_too(form: Page, watch: Watch) -> None:
    page = form
    watch.expect("500", "422")
    page.route("**/backtests/validate", lambda route: route.fulfill(status=500, json={"code": "internal_error"}))
    parameter(page, "Fast average").fill("60")
    expect(page.get_by_text("This draft could not be checked.")).to_be_visible()
    page.get_by_role("button", name="Run backtest").click()
    wrong = page.locator("[aria-invalid=true]")
    expect(wrong).to_be_focused()
    expect(page).to_have_url(re.compile("/runs/new"))


def test_changing_a_finished_run_starts_from_all_of_it(page: Page, base_url: str, finished: str) -> None:
    page.goto(f"/runs/{finished}")
    page.get_by_role("link", name="Change and run").click()
    expect(page.get_by_role("link", name=str(DEMO["name"]))).to_be_visible()
    expect(parameter(page, "Slow average")).to_have_value("50")
    page.get_by_role("button", name="Remove MSFT").wait_for(state="detached")
    field = page.get_by_role("textbox", name="Symbols")
    field.fill("MSFT")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove AAPL").click()
    page.get_by_role("textbox", name="Name").fill("The same on Microsoft")
    page.get_by_role("button", name="Run backtest").click()
    expect(page.locator("h1")).to_have_text("The same on Microsoft")
    expect(page.get_by_text("Sharpe ratio").first).to_be_visible(timeout=60_000)
    made = page.url.rsplit("/", 1)[-1]
    config = httpx.get(f"{base_url}/api/v1/backtests/{made}", trust_env=False).json()["config"]
    assert (config["symbols"], config["start_date"], config["costs"]["commission_rate"]) == (
        ["MSFT"],
        DEMO["start_date"],
        DEMO["costs"]["commission_rate"],
    )


def test_what_is_said_before_a_run_is_said_in_the_readers_language(page: Page, korean: Page, base_url: str) -> None:
    made = run_to_its_end(base_url, **{**DEMO, "name": "Five for five percent", "risk_free_rate": 5.0})
    for visitor, said in ((page, "A percent may be meant:"), (korean, "퍼센트를 적었을 수 있습니다:")):
        visitor.goto(f"{base_url}/runs/new?from={made}")
        expect(visitor.get_by_text(f"{said} risk_free_rate = 500%.")).to_be_visible()
