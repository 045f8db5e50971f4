"""Links into the application: to a part of a result, to a run that is gone, to runs whose names would do harm."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from watching import Watch

from conftest import DEMO, run_to_its_end, settled

HOSTILE = ("<script>alert(1)</script>", "\u202egnp.exe مرحبا بالعالم", "W" * 200)
SHOWN = {
    "trades": "Price of AAPL with entries and exits",
    "analysis": "Daily returns",
    "costs": "From gross to net",
    "log": "Log",
    "proof": "Environment",
}


@pytest.mark.parametrize("tab", SHOWN)
def test_a_link_to_a_part_of_a_result_opens_it(page: Page, finished: str, tab: str) -> None:
    page.goto(f"/runs/{finished}?tab={tab}")
    parts = page.get_by_role("navigation", name="Parts of the result")
    expect(parts.locator("[aria-current=page]")).to_have_text(re.compile(tab, re.IGNORECASE))
    expect(page.get_by_role("heading", level=2, name=SHOWN[tab]).first).to_be_visible()
    parts.get_by_role("link", name="Overview").click()
    expect(page).to_have_url(re.compile(f"/runs/{finished}$"))
    page.go_back()
    expect(page.get_by_role("heading", level=2, name=SHOWN[tab]).first).to_be_visible()


def test_what_was_chosen_in_a_chart_is_in_the_link(page: Page, finished: str) -> None:
    page.goto(f"/runs/{finished}?range=1y&unit=growth&tab=nonsense")
    settled(page)
    expect(page.get_by_role("radio", name="1Y")).to_be_checked()
    expect(page.get_by_role("radio", name="Growth")).to_be_checked()


@pytest.mark.parametrize("run", ["bt-000000000000", "nonsense", "%3Cscript%3E", "x" * 2000])
def test_a_run_that_never_was_is_said_and_the_navigation_stays(page: Page, watch: Watch, run: str) -> None:
    watch.expect("404")
    page.goto(f"/runs/{run}")
    expect(page.locator("h1")).to_have_text(re.compile("There is no run with the id"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="All runs").click()
    expect(page.locator("h1")).to_have_text("Runs")


def test_a_deleted_run_is_restored_from_its_link(page: Page, base_url: str, watch: Watch) -> None:
    watch.expect("404")
    run = run_to_its_end(base_url, **{**DEMO, "name": "Deleted too early"})
    httpx.delete(f"{base_url}/api/v1/backtests/{run}", trust_env=False).raise_for_status()
    page.goto(f"/runs/{run}")
    expect(page.locator("h1")).to_have_text("This run was deleted")
    expect(page.get_by_text("Deleted too early")).to_be_visible()
    page.get_by_role("button", name="Restore run").click()
    expect(page.locator("h1")).to_have_text("Deleted too early")
    expect(page.get_by_text("Sharpe ratio").first).to_be_visible()


def test_a_name_of_ten_thousand_letters_is_refused(base_url: str) -> None:
    body = {**DEMO, "name": "W" * 10_000}
    answer = httpx.post(f"{base_url}/api/v1/backtests", json=body, trust_env=False)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/name")


@pytest.mark.parametrize("name", HOSTILE, ids=["markup", "right to left", "longest"])
def test_a_name_is_only_ever_text(browser: Browser, base_url: str, watch: Watch, name: str) -> None:
    run = run_to_its_end(base_url, **{**DEMO, "name": name, "tags": [name[:50]]})
    dialogs: list[Dialog] = []
    for width in (1440, 390):
        context = browser.new_context(base_url=base_url, viewport={"width": width, "height": 900}, locale="en-US")
        watch.over(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: dialogs.append(dialog))  # noqa: PLW0108 - it takes no built-in
        for address in ("/runs", f"/runs/{run}"):
            page.goto(address)
            settled(page)
            expect(page.get_by_text(name).first).to_be_attached()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            assert page.locator("script", has_text="alert").count() == 0
        expect(page.locator("h1")).to_have_text(name)
        heading = page.locator("h1").bounding_box()
        assert heading is not None
        assert heading["height"] <= 90, "a name leaves room for its run"
        context.close()
    assert dialogs == []
