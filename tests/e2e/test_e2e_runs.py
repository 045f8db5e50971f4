"""The list of runs: finding, changing and deleting them, by mouse, keyboard and touch."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect
from stacks import LocalStack, started
from watching import Watch

from conftest import DEMO, run_to_its_end, settled

HISTORY: tuple[dict[str, Any], ...] = (
    {"name": "Golden cross on Apple", "parameters": {"fast": 50, "slow": 200}, "tags": ["trend", "review"]},
    {"name": "Channel breakout on Apple", "strategy_type": "donchian_breakout", "parameters": {}, "tags": ["trend"]},
    {"name": "Dip buyer on Apple", "strategy_type": "rsi_mean_reversion", "parameters": {}, "tags": []},
    {"name": "Hold Microsoft", "strategy_type": "buy_and_hold", "parameters": {}, "symbols": ["MSFT"]},
    {"name": "구글 추세", "strategy_type": "macd", "parameters": {}, "symbols": ["GOOG"], "tags": ["추세"]},
)
NEWEST_FIRST = [str(one["name"]) for one in reversed(HISTORY)]
HOSTILE = '<img src=x onerror="alert(1)"> \u202egnp.exe'

Made = Callable[..., list[str]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A server with a short history."""
    with started(tmp_path_factory.mktemp("runs") / "data") as stack:
        for one in HISTORY:
            run_to_its_end(stack.base_url, **{**DEMO, "tags": ["trend"], **one})
        yield stack


@pytest.fixture
def runs_page(page: Page, kept: LocalStack) -> Page:
    page.goto(f"{kept.base_url}/runs")
    expect(rows(page).first).to_be_visible()
    return page


@pytest.fixture
def made(kept: LocalStack) -> Made:
    """Makes runs that a test may do anything to; they are found by the word that they have in common."""

    def make(word: str, *names: str) -> list[str]:
        return [run_to_its_end(kept.base_url, **{**DEMO, "name": f"{word} {name}", "tags": []}) for name in names]

    return make


def rows(page: Page) -> Locator:
    """The names of the rows that are shown, from the top."""
    return page.get_by_role("table").get_by_role("link")


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def tick(page: Page, *names: str) -> None:
    for name in names:
        row(page, name).get_by_role("checkbox").check()


def chip(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="Filters").get_by_role("button", name=re.compile(f"^{name}"))


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def test_a_run_is_found_by_its_words(runs_page: Page) -> None:
    page = runs_page
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("breakout app")
    expect(rows(page)).to_have_text(["Channel breakout on Apple"])
    expect(page).to_have_url(re.compile(r"\?q=breakout"))
    page.get_by_role("searchbox").fill("no such run")
    expect(page.get_by_text("No run matches these filters")).to_be_visible()
    page.get_by_role("button", name="Clear filters").last.click()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(rows(page).first).to_be_visible()


def test_filters_add_up_and_a_link_to_them_opens_the_same_view(runs_page: Page, browser: Browser, watch: Watch) -> None:
    page = runs_page
    chip(page, "Symbol").click()
    page.get_by_role("checkbox", name="AAPL").check()
    page.keyboard.press("Escape")
    chip(page, "Tag").click()
    page.get_by_role("checkbox", name="trend").check()
    page.keyboard.press("Escape")
    found = ["Channel breakout on Apple", "Golden cross on Apple"]
    expect(rows(page)).to_have_text(found)
    chip(page, "Metrics").click()
    page.get_by_role("textbox", name="Closed trades, At least").fill("20")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(rows(page)).to_have_text(found[:1])
    context = browser.new_context(locale="en-US")
    watch.over(context)
    other = context.new_page()
    other.goto(page.url)
    expect(rows(other)).to_have_text(found[:1])
    expect(chip(other, "Symbol AAPL")).to_be_visible()
    expect(chip(other, "Metrics Trades ≥ 20")).to_be_visible()
    context.close()
    page.get_by_role("button", name="Remove the filter Metrics").click()
    expect(rows(page)).to_have_text(found)


def test_columns_sort_both_ways(runs_page: Page) -> None:
    page = runs_page
    page.goto(f"{page.url}?q=apple&symbol=AAPL")
    head = page.get_by_role("columnheader", name="Name")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    found = ["Channel breakout on Apple", "Dip buyer on Apple", "Golden cross on Apple"]
    expect(rows(page)).to_have_text(found)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(rows(page)).to_have_text(found[::-1])
    page.get_by_role("columnheader", name="Return").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=-total_return"))
    expect(rows(page).last).to_have_text("Dip buyer on Apple")
    page.reload()
    expect(rows(page).last).to_have_text("Dip buyer on Apple")


def test_stars_tags_and_notes_are_kept(page: Page, kept: LocalStack, made: Made) -> None:
    made("Marked", "one", "two")
    page.goto(f"{kept.base_url}/runs?q=marked")
    row(page, "Marked one").get_by_role("button", name="Star Marked one").click()
    tick(page, "Marked one", "Marked two")
    page.get_by_role("button", name="Tags").click()
    page.get_by_role("textbox", name="Find or add a tag").fill("for later")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Apply to 2 runs").click()
    expect(page.get_by_text("2 runs changed.")).to_be_visible()
    for name in ("Marked one", "Marked two"):
        expect(row(page, name)).to_contain_text("for later")
    page.get_by_role("button", name="Clear the selection").click()
    row(page, "Marked two").get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="Details").click()
    page.get_by_role("textbox", name="Notes").fill("Costs are too low.")
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(row(page, "Marked two").get_by_text("Has notes")).to_be_attached()
    page.goto(f"{kept.base_url}/runs?view=starred")
    expect(rows(page)).to_have_text(["Marked one"])
    page.goto(f"{kept.base_url}/runs?q=costs too low")
    expect(rows(page)).to_have_text(["Marked two"])


def test_what_is_deleted_comes_back_by_undo(page: Page, kept: LocalStack, made: Made) -> None:
    made("Doomed", "one", "two", "three")
    page.goto(f"{kept.base_url}/runs?q=doomed")
    tick(page, "Doomed one", "Doomed three")
    page.get_by_role("region", name="2 selected").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 runs are in the bin.")).to_be_visible()
    expect(rows(page)).to_have_text(["Doomed two"])
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 runs are back.")).to_be_visible()
    expect(rows(page)).to_have_text(["Doomed three", "Doomed two", "Doomed one"])


def test_a_run_is_restored_from_the_bin(page: Page, kept: LocalStack, made: Made) -> None:
    made("Binned", "one", "two")
    page.goto(f"{kept.base_url}/runs?q=binned")
    row(page, "Binned one").get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(rows(page)).to_have_text(["Binned two"])
    page.get_by_role("link", name="Bin", exact=True).click()
    deleted = page.get_by_role("row").filter(has_text="Binned one")
    expect(deleted).to_contain_text("deleted")
    deleted.get_by_role("button", name="Actions for").click()
    page.get_by_role("menuitem", name="Restore").click()
    expect(deleted).to_have_count(0)
    page.goto(f"{kept.base_url}/runs?q=binned")
    expect(rows(page)).to_have_text(["Binned two", "Binned one"])


def test_a_run_is_computed_again(page: Page, kept: LocalStack, made: Made) -> None:
    (first,) = made("Repeated", "one")
    page.goto(f"{kept.base_url}/runs?q=repeated")
    tick(page, "Repeated one")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("1 backtest waits to run again.")).to_be_visible()
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("row").filter(has_text="Completed")).to_have_count(2, timeout=60_000)
    page.get_by_role("button", name="Open").click()
    expect(page).to_have_url(re.compile(r"/runs/bt-[0-9a-z]{12}$"))
    assert not page.url.endswith(first)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Repeated one")


def test_everything_can_be_done_by_keys(runs_page: Page) -> None:
    page = runs_page
    page.goto(f"{page.url}?q=apple&sort=name")
    expect(rows(page)).to_have_count(3)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 selected")).to_be_visible()
    expect(row(page, "Dip buyer on Apple")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("2 selected")).to_have_count(0)
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard")
    expect(keys).to_contain_text("Next row")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    page.keyboard.press("e")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("Dip buyer on Apple")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Channel breakout on Apple")
    page.go_back()
    expect(rows(page)).to_have_count(3)


def test_a_view_is_saved_under_a_name(runs_page: Page) -> None:
    page = runs_page
    page.goto(f"{page.url}?strategy=macd&strategy=donchian_breakout&sort=-sharpe")
    page.get_by_role("button", name="Save view").click()
    page.get_by_role("textbox", name="Name of the view").fill("Breakouts")
    page.keyboard.press("Enter")
    tab = page.get_by_role("navigation", name="Views").get_by_role("link", name="Breakouts")
    expect(tab).to_have_attribute("aria-current", "page")
    page.goto(page.url.split("?")[0])
    expect(tab).not_to_have_attribute("aria-current", "page")
    tab.click()
    expect(page.get_by_role("columnheader", name="Sharpe")).to_have_attribute("aria-sort", "descending")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("button", name="Remove the filter Strategy").click()
    expect(tab).to_contain_text("Changed since it was saved")
    page.get_by_role("button", name="Change the view Breakouts").click()
    page.get_by_role("menuitem", name="Remove view").click()
    expect(tab).to_have_count(0)


def test_a_name_is_shown_as_it_is(page: Page, kept: LocalStack) -> None:
    run_to_its_end(kept.base_url, **{**DEMO, "name": HOSTILE, "tags": ["<b>bold</b>", "t" * 50]})
    page.goto(f"{kept.base_url}/runs?q=onerror")
    expect(rows(page)).to_have_text([HOSTILE])
    expect(row(page, HOSTILE)).to_contain_text("<b>bold</b>")
    assert page.evaluate("document.documentElement.scrollWidth") == 1440


def test_the_list_breaks_no_rule_of_accessibility(page: Page, korean: Page, kept: LocalStack) -> None:
    for visitor, words in (
        (page, ("Strategy", "Actions for Hold Microsoft", "Details")),
        (korean, ("전략", "Hold Microsoft 작업", "상세")),
    ):
        strategy, actions, details = words
        visitor.goto(f"{kept.base_url}/runs")
        tick(visitor, "Hold Microsoft", "구글 추세")
        settled(visitor)
        assert violations(visitor) == []
        visitor.get_by_role("button", name=strategy, exact=True).click()
        visitor.get_by_role("checkbox", name="MACD").wait_for()
        assert violations(visitor) == []
        visitor.keyboard.press("Escape")
        visitor.get_by_role("button", name=actions, exact=True).click()
        visitor.get_by_role("menuitem", name=details).click()
        visitor.get_by_role("dialog").get_by_role("textbox").first.wait_for()
        settled(visitor)
        assert violations(visitor) == []


def test_the_list_speaks_korean(korean: Page, kept: LocalStack) -> None:
    korean.goto(f"{kept.base_url}/runs?q=추세")
    expect(korean.get_by_role("heading", level=1)).to_have_text("실행 기록")
    expect(rows(korean)).to_have_text(["구글 추세"])
    expect(row(korean, "구글 추세")).to_contain_text("완료")
    tick(korean, "구글 추세")
    korean.get_by_role("region", name="1건 선택").get_by_role("button", name="삭제").click()
    expect(korean.get_by_text("1건을 휴지통으로 옮겼습니다.")).to_be_visible()
    expect(korean.get_by_text("조건에 맞는 실행이 없습니다")).to_be_visible()
    korean.get_by_role("button", name="되돌리기").click()
    expect(rows(korean)).to_have_text(["구글 추세"])


def test_a_phone_shows_cards_and_selects_by_touch(browser: Browser, kept: LocalStack, watch: Watch) -> None:
    context = browser.new_context(
        base_url=kept.base_url, viewport={"width": 390, "height": 844}, locale="en-US", has_touch=True, is_mobile=True
    )
    watch.over(context)
    page = context.new_page()
    page.goto("/runs?q=apple&symbol=AAPL")
    card = row(page, "Golden cross on Apple")
    expect(card).to_contain_text("Sharpe")
    box = card.locator("label").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    card.locator("label").tap()
    expect(page.get_by_role("region", name="1 selected")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Sort").tap()
    page.get_by_role("menuitem", name="Name").tap()
    expect(rows(page).first).to_have_text("Channel breakout on Apple")
    context.close()
