"""A run as it happens: a connection that is lost and comes back, a run that is stopped and goes on."""

import json
import os
import re
import signal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from held import Hold
from playwright.sync_api import Page, WebSocket, WebSocketRoute, expect
from stacks import LocalStack, until
from watching import Watch

from conftest import submit

DURABLE = ("status_change", "log", "notice", "checkpoint")
AWAY = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket connection")


def run_of(url: str, run: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/api/v1/backtests/{run}", trust_env=False, timeout=30.0)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


class Sockets:
    """What the page's WebSockets asked for and were told."""

    def __init__(self, page: Page) -> None:
        self.asked: list[int] = []
        self.frames: list[dict[str, Any]] = []
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        self.asked.append(int(parse_qs(urlsplit(socket.url).query)["after"][0]))
        socket.on("framereceived", lambda text: self.frames.append(json.loads(text)))

    def events(self) -> list[int]:
        return [frame["seq"] for frame in self.frames if frame["type"] in DURABLE]


def simulates(page: Page) -> None:
    """Its equity is drawn: the run is in the middle."""
    chart = page.get_by_role("figure", name=re.compile("Equity and drawdown so far")).first
    expect(chart).to_be_visible(timeout=60_000)


def ends_at_its_result(page: Page) -> None:
    expect(page.get_by_role("link", name="Overview")).to_be_visible(timeout=90_000)
    expect(page.get_by_role("figure", name=re.compile("deepest drawdown")).first).to_be_visible()


def test_a_connection_that_is_lost_comes_back_and_misses_no_event(
    page: Page, stack: LocalStack, hold: Hold, watch: Watch
) -> None:
    watch.expect(*AWAY, "Failed to load resource")
    with hold.on():
        run = submit(stack.base_url, use_cache=False, **{**hold.config, "name": "Watched through a break"})
        sockets = Sockets(page)
        page.goto(f"/runs/{run}")
        simulates(page)
        os.kill(stack.pid, signal.SIGSTOP)  # nobody starts the web process again before its absence is seen
        try:
            os.kill(stack.child("web"), signal.SIGKILL)
            expect(page.get_by_text("Connection lost.").first).to_be_visible(timeout=30_000)
            simulates(page)  # the last known state stays
        finally:
            os.kill(stack.pid, signal.SIGCONT)
        expect(page.get_by_text("Connection lost.")).to_have_count(0, timeout=60_000)
    ends_at_its_result(page)
    assert len(sockets.asked) >= 2
    assert sockets.asked[0] == 0
    assert sockets.asked[-1] > 0
    assert sockets.events() == list(range(1, len(sockets.events()) + 1))
    assert run_of(stack.base_url, run)["status"] == "completed"


def test_a_run_that_is_stopped_shows_what_it_has_and_goes_on_to_its_end(page: Page, base_url: str, hold: Hold) -> None:
    with hold.on():
        run = submit(base_url, use_cache=False, **{**hold.config, "name": "Stopped on the way"})
        page.goto(f"/runs/{run}")
        simulates(page)
        until(lambda: run_of(base_url, f"{run}/status")["checkpoint_bar"], 60.0, "a checkpoint")
        page.get_by_role("button", name="Stop run").click()
        page.get_by_role("dialog").get_by_role("button", name="Stop and keep").click()
        expect(page.get_by_text("A partial result.")).to_be_visible(timeout=60_000)
        ends_at_its_result(page)
        part = run_of(base_url, run)
        assert (part["status"], part["partial"]) == ("cancelled", True)
        page.get_by_role("button", name="Resume").click()
        simulates(page)
    ends_at_its_result(page)
    expect(page.get_by_text("A partial result.")).to_have_count(0)
    whole = run_of(base_url, run)
    assert (whole["status"], whole["partial"]) == ("completed", False)
    assert 0 < part["result"]["bars"] < whole["result"]["bars"]


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ((1001, 1012), "The server restarts."),
        ((1011, 1013), "The server is busy or does not reach its store."),
        ((4429,), "Too many windows watch this run"),
        ((1008, 4400), "The server refuses live updates to this page."),
    ],
)
def test_a_closed_connection_says_why(
    page: Page, waiting: str, watch: Watch, codes: tuple[int, ...], said: str
) -> None:
    watch.expect("WebSocket is closed before")  # the next page comes while the last one connects again
    routes: list[WebSocketRoute] = []
    closing: list[int] = []

    def through(route: WebSocketRoute) -> None:
        if closing:  # the page tries again, and must not get through before its words were seen
            route.close(code=closing[-1], reason="as a test")
            return
        routes.append(route)
        route.connect_to_server()

    page.route_web_socket(re.compile("/ws/backtest/"), through)
    for code in codes:
        page.goto(f"/runs/{waiting}")
        expect(page.get_by_text("Waiting for data").last).to_be_visible()
        closing.append(code)
        routes[-1].close(code=code, reason="as a test")
        expect(page.get_by_text(said)).to_be_visible()
        closing.clear()
        expect(page.get_by_text("Waiting for data").last).to_be_visible()
