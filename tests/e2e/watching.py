"""Complaints of pages: errors in the console, exceptions, requests to other origins."""

from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError


class Watch:
    """Collects what every page of the watched contexts complains of. `expect` names what a test provokes."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._expected: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", self._exception)
        context.on("request", self._request)

    def expect(self, *parts: str) -> None:
        self._expected += parts

    def check(self) -> None:
        unexpected = [said for said in self.complaints if not any(part in said for part in self._expected)]
        assert not unexpected, "\n".join(unexpected)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _exception(self, error: WebError) -> None:
        self.complaints.append(f"exception: {error.error}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("http", "ws") or parts.hostname != "127.0.0.1":
            self.complaints.append(f"foreign request: {request.url[:200]}")
