"""The review of a campaign in a real browser: what it says, draws and hands out, on a desk and on a phone."""

import re
from pathlib import Path

import pypdfium2
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watched
from tests.browser.test_strategy_board import keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

SECTIONS = (
    "评估结论",
    "转化漏斗",
    "投入产出",
    "效果走势",
    "分维度效果",
    "话术 × 渠道",
    "各方案效果",
    "机构与客户经理",
    "护栏指标",
)
SPILLING = """() => [...document.querySelectorAll('.main *')].filter(each =>
  each.getBoundingClientRect().right > innerWidth + 1 &&
  !each.closest('.scroll, .figure-scroll, .unseen, .q-tabs')).map(each => each.className).slice(0, 5)"""


def open_review(watched: Watched) -> Page:
    """Of the campaign that the demonstration has launched, from the board."""
    watched.sign_in("Strategist")
    page = watched.page
    review = page.locator("table.t td a[href$='/review']").first
    review.wait_for()
    address = review.get_attribute("href")
    assert address is not None
    watched.open(address)
    return page


def test_a_review_answers_in_the_order_of_the_questions(watched: Watched) -> None:
    page = open_review(watched)
    names = [
        name
        for section in page.locator("section[aria-label]").all()
        if (name := section.get_attribute("aria-label")) in SECTIONS
    ]
    assert names == list(SECTIONS)
    verdict = page.locator("section.verdict")
    assert verdict.locator(".verdict-head b").inner_text() != ""
    assert "¥" in verdict.locator(".verdict-figures strong").first.inner_text()

    pictures = page.locator("figure.figure")
    assert pictures.count() >= 5
    for picture in pictures.all():
        assert picture.locator("svg[role=img]").get_attribute("aria-label")
        assert picture.locator(".unseen table tbody tr").count() >= 1
    assert page.locator(".state[role=alert]").count() == 0
    for name in ("转介结果", "商机进展", "客户经理反馈"):
        assert page.locator(f"section[aria-label='{name}']").is_visible(), name
    assert "未与对照组比较" in page.locator("section[aria-label='客户经理反馈']").inner_text()
    keep_picture(page, "campaign-review")

    breakdown = page.locator("section[aria-label='分维度效果']")
    breakdown.locator(".q-select").click()
    page.locator(".q-item", has_text="机构").click()
    page.keyboard.press("Escape")
    breakdown.locator(".unseen td", has_text=re.compile(" · ")).first.wait_for(state="attached")

    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SPILLING) == []
    assert watched.errors == []
    assert watched.outside == []


def test_a_review_is_handed_out_on_paper(watched: Watched, tmp_path: Path) -> None:
    page = open_review(watched)
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="下载报告").click()
    file = tmp_path / "report.pdf"
    downloaded.value.save_as(file)
    document = pypdfium2.PdfDocument(file)
    assert len(document) >= 2
    said = re.sub(r"\s", "", document[0].get_textpage().get_text_range())
    assert "活动评估报告" in said
    assert watched.errors == []
