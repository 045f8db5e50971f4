"""The web application in a real browser, before a real `backproof serve`.

Run it by itself: `pytest tests/e2e`. Every test fails when the page logs an error, throws, or asks any other origin for
anything. BACKPROOF_CHROMIUM names the browser; with BACKPROOF_REQUIRE_BROWSER=1 a missing one is a failure.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from held import Hold
from stacks import COMMAND, LocalStack, environment, started, until
from watching import Watch

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("BACKPROOF_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
WHY = "no Chromium was found: apt-get install chromium, or name one by BACKPROOF_CHROMIUM"
DEMO: dict[str, Any] = {
    "name": "SMA on Apple",
    "strategy_type": "sma_crossover",
    "parameters": {"fast": 20, "slow": 50},
    "symbols": ["AAPL"],
    "start_date": "2005-01-03",
    "end_date": "2012-12-31",
    "data_source": "demo",
    "benchmark": "SPX",
    "costs": {"commission_rate": 0.001},
    "tags": ["demo"],
}

expect.set_options(timeout=20_000)  # milliseconds; pages answer in a fraction of one second, busy machines later


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.browser)
        if CHROMIUM is None and not os.environ.get("BACKPROOF_REQUIRE_BROWSER"):
            item.add_marker(pytest.mark.skip(reason=WHY))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    assert CHROMIUM is not None, WHY
    flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": flags}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {
        **browser_context_args,
        "viewport": {"width": 1440, "height": 900},
        "locale": "en-US",
        "timezone_id": "UTC",
        "reduced_motion": "reduce",
    }


@pytest.fixture(scope="session")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Hold:
    """For tests that need a run in its middle."""
    return Hold(tmp_path_factory.mktemp("hold"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, hold: Hold) -> Iterator[LocalStack]:
    """The server that most tests share."""
    with started(tmp_path_factory.mktemp("stack") / "data", **hold.settings) as running:
        yield running


@pytest.fixture
def empty_stack(tmp_path: Path) -> Iterator[LocalStack]:
    """A server nobody has used."""
    with started(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session")
def base_url(stack: LocalStack) -> str:
    return stack.base_url


@pytest.fixture(autouse=True)
def watch(context: BrowserContext) -> Iterator[Watch]:
    """What no page may do; a test that breaks something says which complaints it expects."""
    watch = Watch()
    watch.over(context)
    yield watch
    watch.check()


@pytest.fixture(scope="session")
def finished(base_url: str) -> str:
    """Id of a completed run."""
    return run_to_its_end(base_url, **DEMO)


@pytest.fixture(scope="session")
def failed(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of a run that failed: the file with its prices was damaged."""
    file = tmp_path_factory.mktemp("damaged") / "damaged.csv"
    file.write_text("symbol,date,close\n" + "".join(f"DMG,2020-01-{day:02d},1\n" for day in range(2, 31)))
    import_prices(stack, file, "damaged")
    for bars in (stack.data_dir / "lake" / "bars" / "damaged").rglob("*.parquet"):
        bars.write_bytes(b"these are no prices")
    config = {"name": "On damaged prices", "strategy_type": "buy_and_hold", "symbols": ["DMG"]}
    return run_to_its_end(stack.base_url, **config, data_source="damaged", execution={"fill": "next_close"})


@pytest.fixture(scope="session")
def waiting(base_url: str) -> str:
    """Id of a run that waits for prices which never come."""
    config = {**DEMO, "name": "Waits for prices", "data_source": "none_yet"}
    return submit(base_url, wait_for_data=True, **config)


def import_prices(stack: LocalStack, file: Path, dataset: str, *options: str) -> None:
    command = (*COMMAND, "import", str(file), "--dataset", dataset, "--data-dir", str(stack.data_dir), *options)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 0, done.stderr


def submit(url: str, *, use_cache: bool = True, wait_for_data: bool = False, **backtest: Any) -> str:
    options = {"use_cache": use_cache, "wait_for_data": wait_for_data}
    address = f"{url}/api/v1/backtests"
    answer = httpx.post(address, params=options, json=backtest, trust_env=False, timeout=30.0)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["backtest_id"])


def run_to_its_end(url: str, **backtest: Any) -> str:
    with httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
        run = submit(url, **backtest)

        def done() -> bool:
            return client.get(f"/api/v1/backtests/{run}").json()["completed_at"] is not None

        until(done, 60.0, f"the end of {run}")
        return run


def settled(page: Page) -> None:
    """A page that shows its data: a heading, and nothing that still loads."""
    page.locator("h1").wait_for()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")  # charts


@pytest.fixture
def korean(browser: Any, browser_context_args: dict[str, Any], base_url: str, watch: Watch) -> Iterator[Page]:
    """A page of somebody whose browser speaks Korean and prefers dark."""
    context = browser.new_context(**{**browser_context_args, "locale": "ko-KR", "color_scheme": "dark"})
    watch.over(context)
    yield context.new_page()
    context.close()
