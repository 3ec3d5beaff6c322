"""The strategy board in a real browser, over the real stack with a real bank in it."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FIRST_SCREEN_SECONDS = 3.0


def figure(text: str) -> float:
    found = re.search(r"[\d,]+(\.\d+)?", text)
    assert found, f"no figure in {text!r}"
    return float(found.group().replace(",", ""))


def seconds_to_first_screen(watched: Watched) -> float:
    """From asking for the board until its figures and the interval of a campaign are there."""
    began = time.perf_counter()
    watched.page.goto(watched.page.url)
    watched.page.wait_for_selector(".kpi-value")
    watched.page.wait_for_selector("svg.strip")
    return time.perf_counter() - began


def keep_picture(page: Page, name: str) -> None:
    """For the guides; `HUANYING_SCREENSHOTS=1` asks for it."""
    if os.environ.get("HUANYING_SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(800)  # the charts' entrance
        page.screenshot(path=IMAGES / f"{name}.png", full_page=True)


def test_board_shows_the_loop_in_numbers(
    watched: Watched, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    watched.sign_in("Strategist")
    page = watched.page
    seconds = seconds_to_first_screen(watched)
    record_property("first_screen_seconds", round(seconds, 2))
    with capsys.disabled():
        print(f"\nfirst screen of the strategy board: {seconds:.2f} s (target {FIRST_SCREEN_SECONDS} s)")

    page.wait_for_selector(".bone", state="detached")
    assert page.locator("h1").inner_text() == "策略管理看板"
    tiles = page.locator(".kpi-value").all_inner_texts()
    assert len(tiles) == 4
    customers, segments, _, effect = tiles
    assert figure(customers) >= 1_000
    assert figure(segments) >= 1
    assert "¥" in effect
    assert page.locator(".loop text").count() >= 12
    assert page.locator("table.t tbody tr").count() >= 1

    strip = page.locator("table.t svg.strip").first
    assert re.search(r"总增量 [+−]¥.+，区间 .+ ~ ", strip.get_attribute("aria-label") or "")
    page.get_by_label("搜索活动").fill("没有这样的活动")
    page.wait_for_selector(".state:has-text('没有符合条件的活动')")
    page.get_by_label("搜索活动").fill("")
    strip.wait_for()
    assert watched.errors == []
    assert watched.outside == []
    keep_picture(page, "strategy-board")


def test_board_speaks_english_too(watched: Watched) -> None:
    watched.sign_in("Strategist")
    page = watched.page
    page.get_by_text("English", exact=True).click()
    page.wait_for_selector("h1:has-text('Strategy board')")
    page.wait_for_selector(".bone", state="detached")
    assert page.evaluate("document.documentElement.lang") == "en-US"
    assert re.search(r"[一-鿿]", page.locator(".main").inner_text().replace("环营", "")) is None
    assert watched.errors == []


def test_keyboard_alone_reaches_a_campaign(watched: Watched) -> None:
    watched.sign_in("Strategist")
    page = watched.page
    page.wait_for_selector("table.t a")
    page.wait_for_selector(".bone", state="detached")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('table.t') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/campaigns/*")
    page.wait_for_selector("section[aria-label='五定']")
    assert watched.errors == []


def test_every_page_opens_without_an_error(watched: Watched) -> None:
    watched.sign_in("Strategist")
    page = watched.page
    for path in ("/campaigns", "/segments", "/customers"):
        watched.open(path)
        first = page.locator("table.t td a").first.get_attribute("href")
        assert first is not None
        watched.open(first)
        assert page.locator(".state[role=alert]").count() == 0, first
    assert watched.errors == []
    assert watched.outside == []
