"""What is around every page: language, theme, palette, deep links, an unknown address, a server that goes away."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect
from stacks import started
from watching import Watch

from conftest import DEMO, run_to_its_end

HEADING = "h1"


def scheme(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.mantineColorScheme"))


def colour(page: Page, selector: str) -> tuple[int, ...]:
    found = page.locator(selector).first
    expect(found).to_be_visible()
    return tuple(map(int, re.findall(r"\d+", found.evaluate("e => getComputedStyle(e).color"))[:3]))


def test_the_language_follows_the_browser_and_can_be_switched(korean: Page, base_url: str, finished: str) -> None:
    korean.goto(base_url)
    expect(korean.locator(HEADING)).to_have_text("대시보드")
    assert korean.evaluate("document.documentElement.lang") == "ko"
    korean.get_by_role("button", name="설정").click()
    korean.get_by_text("English", exact=True).last.click()
    expect(korean.locator(HEADING)).to_have_text("Dashboard")
    korean.reload()
    expect(korean.locator(HEADING)).to_have_text("Dashboard")
    assert korean.evaluate("document.documentElement.lang") == "en"


def test_the_log_speaks_the_readers_language(korean: Page, page: Page, base_url: str, finished: str) -> None:
    korean.goto(f"{base_url}/runs/{finished}?tab=log")
    expect(korean.get_by_role("log")).to_contain_text(re.compile(r"종목 2개, 봉 [\d,]+개를 읽었습니다\."))
    korean.get_by_label("로그 검색").fill("저장했습니다")
    expect(korean.get_by_role("log")).to_contain_text(re.compile(r"체결 \d+건, 거래 \d+건\. 결과를 저장했습니다\."))
    expect(korean.get_by_role("log")).not_to_contain_text("읽었습니다")
    page.goto(f"/runs/{finished}?tab=log")
    expect(page.get_by_role("log")).to_contain_text(re.compile(r"[\d,]+ bars of 2 symbols loaded"))


def test_gains_are_red_for_korean_readers_and_green_for_others(
    korean: Page, page: Page, base_url: str, finished: str
) -> None:
    korean.goto(base_url)
    page.goto(base_url)
    red, green, _ = colour(korean, "td .gain")
    assert red > green
    red, green, _ = colour(page, "td .gain")
    assert green > red


def test_the_theme_follows_the_system_and_can_be_switched(page: Page, korean: Page, base_url: str) -> None:
    korean.goto(f"{base_url}/system")  # prefers dark
    page.goto("/system")
    expect(page.locator(HEADING)).to_be_visible()
    assert (scheme(page), scheme(korean)) == ("light", "dark")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload(wait_until="commit")
    page.wait_for_selector("html[data-mantine-color-scheme]")  # set before anything is painted
    assert scheme(page) == "dark"
    expect(page.locator(HEADING)).to_be_visible()


def test_language_and_theme_are_kept_for_the_next_visit(page: Page, finished: str) -> None:
    page.goto(f"/runs/{finished}")
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Dark", exact=True).click()
    page.get_by_text("한국어", exact=True).last.click()
    expect(page.get_by_role("link", name="바꿔서 실행")).to_be_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    expect(page.get_by_role("link", name="바꿔서 실행")).to_be_visible()
    later = page.context.new_page()
    later.goto("/system")
    expect(later.locator(HEADING)).to_have_text("시스템")
    for visit in (page, later):
        assert (scheme(visit), visit.evaluate("document.documentElement.lang")) == ("dark", "ko")
        assert visit.evaluate("getComputedStyle(document.body).backgroundColor") == dark


@pytest.mark.parametrize(
    ("path", "heading"),
    [("/", "Dashboard"), ("/runs", "Runs"), ("/runs/new", "New backtest"), ("/system", "System")],
)
def test_every_page_can_be_opened_by_its_address(page: Page, finished: str, path: str, heading: str) -> None:
    page.goto(path)
    expect(page.locator(HEADING)).to_have_text(heading)
    expect(page).to_have_title(re.compile(heading))


def test_a_link_to_a_run_opens_it(page: Page, finished: str) -> None:
    page.goto(f"/runs/{finished}")
    expect(page.locator(HEADING)).to_have_text(DEMO["name"])


def test_an_address_that_does_not_exist_says_so_and_keeps_the_navigation(page: Page, watch: Watch) -> None:
    watch.expect("404")  # how the browser logs that the page itself came with this status
    page.goto("/nowhere")
    expect(page.locator(HEADING)).to_have_text("There is no page at this address")
    page.get_by_role("navigation", name="Menu").first.get_by_role("link", name="System").click()
    expect(page.locator(HEADING)).to_have_text("System")


def test_a_run_is_found_by_the_palette(page: Page, finished: str) -> None:
    page.goto("/system")
    expect(page.locator(HEADING)).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("sma app")
    page.keyboard.press("Enter")  # before the answer to the last letter is there
    expect(page).to_have_url(re.compile(r"/runs/bt-"))
    expect(page.locator(HEADING)).to_have_text(DEMO["name"])


def test_single_keys_go_places_but_not_from_a_field(page: Page, finished: str) -> None:
    page.goto("/")
    expect(page.locator(HEADING)).to_have_text("Dashboard")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/runs/new$"))
    expect(page.locator(HEADING)).to_have_text("New backtest")
    page.get_by_role("textbox").first.focus()
    page.keyboard.type("d")
    expect(page).to_have_url(re.compile("/runs/new"))


def test_the_system_page_tells_workers_limits_and_versions(page: Page, finished: str) -> None:
    page.goto("/system")
    expect(page.get_by_text("backtest_execution")).to_be_visible()
    limit = page.get_by_text("MAX_CONCURRENT_BACKTESTS", exact=True).locator("xpath=../..")
    expect(limit).to_contain_text("5")
    expect(page.get_by_text("numpy")).to_be_visible()
    with page.expect_popup() as opened:
        page.get_by_role("link", name="All licences").click()
    expect(opened.value.locator("body")).to_contain_text("lightweight-charts")


def test_a_phone_has_its_own_navigation(browser: Browser, base_url: str, watch: Watch, finished: str) -> None:
    context = browser.new_context(base_url=base_url, viewport={"width": 390, "height": 844}, locale="en-US")
    watch.over(context)
    page = context.new_page()
    page.goto("/")
    expect(page.locator(HEADING)).to_have_text("Dashboard")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="System").last.click()
    expect(page.locator(HEADING)).to_have_text("System")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()


def test_a_server_that_goes_away_is_said_and_what_was_known_stays(page: Page, tmp_path: Path, watch: Watch) -> None:
    watch.expect("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "Failed to load resource")
    watch.expect(
        "preload CSS", "dynamically imported module", "code of this page"
    )  # of a page that is opened meanwhile
    lost = page.get_by_text("Connection lost.")
    with started(tmp_path / "data") as stack:
        run_to_its_end(stack.base_url, **DEMO)
        port = urlsplit(stack.base_url).port
        page.goto(stack.base_url)
        expect(page.get_by_role("link", name=DEMO["name"])).to_be_visible()
        expect(lost).to_have_count(0)
    expect(lost).to_be_visible()
    expect(page.get_by_role("link", name=DEMO["name"])).to_be_visible()
    expect(page.get_by_text("Server away")).to_be_visible()
    page.get_by_role("navigation", name="Menu").first.get_by_role("link", name="Runs").click()
    expect(page.locator(HEADING)).to_have_text("The server does not answer")
    with started(tmp_path / "data", "--port", str(port)):
        expect(lost).to_have_count(0, timeout=60_000)
        expect(page.locator(HEADING)).to_have_text("Runs")
        expect(page.get_by_text("All services healthy")).to_be_visible(timeout=60_000)


def test_the_first_page_stays_within_its_budget(page: Page, finished: str) -> None:
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - it takes no built-in
    page.goto("/")
    expect(page.get_by_role("table").get_by_role("link").first).to_be_visible()
    sizes = {".js": 0, ".css": 0}
    for request in requests:
        if "CommandPalette" in request.url:  # fetched when nothing else is to do
            break
        suffix = Path(urlsplit(request.url).path).suffix
        if suffix in sizes:
            answer = request.response()
            assert answer is not None
            assert answer.headers["content-encoding"] == "gzip"
            sizes[suffix] += int(answer.headers["content-length"])
    assert 100_000 < sizes[".js"] <= 220_000
    assert 10_000 < sizes[".css"] <= 40_000
