"""A Chromium that looks at the console of a stack whose loop has been told."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.conftest import Demonstration

# Nothing of its own: Chromium's look-ups would be external requests.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: .ci/run installs it")
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    return path


@pytest.fixture(scope="session")
def console_url(request: pytest.FixtureRequest, chromium_path: str) -> str:
    """`HUANYING_BROWSER_URL` names a running installation to look at instead of the tests' own."""
    given = os.environ.get("HUANYING_BROWSER_URL")
    if given:
        return given.rstrip("/")
    demonstration: Demonstration = request.getfixturevalue("demonstration")
    return demonstration.stack.base_url


# Playwright keeps an event loop running in this thread: nothing asynchronous of ours may start meanwhile,
# so it comes after the stack and goes with the module.
@pytest.fixture(scope="module")
def chromium(chromium_path: str, console_url: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and everything that went wrong or outside while it was looked at."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(self.url).netloc:
            self.outside.append(request.url)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")

    def sign_in(self, role: str) -> None:
        self.page.goto(f"{self.url}/sign-in")
        self.page.locator("button.pick", has_text=role).click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def open(self, path: str) -> None:
        """The page at `path`, once nothing of it is loading any more."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector(".main h1")
        self.page.wait_for_selector(".bone", state="detached")


@pytest.fixture
def watched(chromium: Browser, console_url: str) -> Iterator[Watched]:
    context = chromium.new_context(viewport={"width": 1440, "height": 940}, locale="zh-CN")
    yield Watched(context.new_page(), console_url)
    context.close()
