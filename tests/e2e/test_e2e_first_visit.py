"""From an installation that nobody has used to a finished result, with one click."""

import re

from playwright.sync_api import Page, expect
from stacks import LocalStack


def test_the_first_visit_runs_the_demo_to_its_result(page: Page, empty_stack: LocalStack) -> None:
    page.goto(empty_stack.base_url)
    expect(page.get_by_role("heading", name=re.compile("Test an idea on real prices"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("Price of Apple")).first).to_be_visible()
    page.get_by_role("button", name="Run the demo backtest").click()
    expect(page).to_have_url(re.compile(r"/runs/bt-[0-9a-z]{12}"))
    expect(page.locator("h1")).to_have_text("SMA crossover on Apple")
    expect(page.get_by_text("Sharpe ratio").first).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Dashboard").first.click()
    expect(page.locator("main").get_by_role("link", name="SMA crossover on Apple", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Runs 1")).to_be_visible()
