"""A Chromium that looks at the console of a stack whose loop has been told."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

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

_INKED = """canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let ink = 0;
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 0) ink++;
  return ink > 500;
}"""


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
    expect.set_options(timeout=30_000)  # as patient as everything else that waits
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

    def turn_to(self, tab: str) -> None:
        """The tab's own content, once it is there: until then the panel of the tab before may still stand."""
        self.page.locator(".q-tab", has_text=tab).click()
        self.page.wait_for_selector(f".q-tab--active:has-text('{tab}')")
        self.page.wait_for_selector(".q-tab-panel .panel")
        self.page.wait_for_selector(".bone", state="detached")

    def drawn(self, canvas: Locator) -> None:
        """The chart has come in: there is something on it."""
        canvas.wait_for()
        self.page.wait_for_function(_INKED, arg=canvas.element_handle())


@pytest.fixture
def watched(chromium: Browser, console_url: str) -> Iterator[Watched]:
    context = chromium.new_context(viewport={"width": 1440, "height": 940}, locale="zh-CN")
    yield Watched(context.new_page(), console_url)
    context.close()


@pytest.fixture
def segmentation(demonstration: Demonstration) -> Iterator[httpx.Client]:
    """The segmentation API of the stack, as a strategist."""
    yield from _client(demonstration, "segmentation", "strategist")


@pytest.fixture
def campaign(demonstration: Demonstration) -> Iterator[httpx.Client]:
    """The campaign API of the stack, as a strategist."""
    yield from _client(demonstration, "campaign", "strategist")


@pytest.fixture
def bank(demonstration: Demonstration) -> Iterator[httpx.Client]:
    """The customer API of the stack, as its administrator."""
    yield from _client(demonstration, "customer", "admin")


def _client(demonstration: Demonstration, service: str, role: str) -> Iterator[httpx.Client]:
    stack = demonstration.stack
    base = f"{stack.base_url}/api/{service}/v1"
    headers = {"Authorization": f"Bearer {stack.token(role)}"}
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        yield client
