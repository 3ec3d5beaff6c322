"""The review of a campaign in a real browser: what it says, draws and hands out, on a desk and on a phone."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pypdfium2
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watched
from tests.browser.review_states import States, review_states
from tests.browser.test_strategy_board import keep_picture
from tests.conftest import Demonstration

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
    "谁会因联系而改变",
    "护栏指标",
)
SPILLING = """() => [...document.querySelectorAll('.main *')].filter(each =>
  each.getBoundingClientRect().right > innerWidth + 1 &&
  !each.closest('.scroll, .figure-scroll, .unseen, .q-tabs')).map(each => each.className).slice(0, 5)"""


@pytest.fixture(scope="module")
def states(demonstration: Demonstration) -> Iterator[States]:
    """Campaigns in other states than the demonstration's own."""
    with review_states(demonstration.stack, UUID(demonstration.story["plan_campaign"]["id"])) as found:
        yield found


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


def test_a_review_says_why_it_says_nothing(watched: Watched, states: States) -> None:
    page = watched.page
    watched.sign_in("Strategist")
    verdict, main = page.locator("section.verdict"), page.locator(".main")
    for state, headline, reasons in (
        ("no_hold_out", "没有对照组，无法得出效果", ["对照组"]),
        ("not_evaluated", "尚未评估", ["观察期"]),
        ("withheld", "结论暂缓", ["对照组污染", "全局对照组污染"]),
    ):
        watched.open(f"/campaigns/{getattr(states, state)}/review")
        assert verdict.locator(".verdict-head b").inner_text() == headline
        assert verdict.locator(".verdict-reason b").all_inner_texts() == reasons
        assert page.locator(".verdict-figures, .state[role=alert]").count() == 0
        for name in ("分维度效果", "各方案效果", "谁会因联系而改变"):
            assert page.locator(f"section[aria-label='{name}']").count() == 0, (state, name)
        refused = "增量|提升|活动有效" if state == "no_hold_out" else "提升|活动有效"
        assert re.search(refused, main.inner_text()) is None, state
        keep_picture(page, f"review-{state.replace('_', '-')}")
    assert "存量唤醒：90 位" in verdict.inner_text()
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SPILLING) == []
    page.set_viewport_size({"width": 1440, "height": 940})
    page.get_by_text("English", exact=True).click()
    page.wait_for_selector(".verdict-head b:has-text('Verdict withheld')")
    assert re.search(r"[一-鿿]", verdict.inner_text()) is None
    assert watched.errors == []
    assert watched.outside == []


def test_a_review_tells_whom_contacting_changes_or_that_nobody_knows(
    watched: Watched, states: States
) -> None:
    page = watched.page
    watched.sign_in("Strategist")
    section = page.locator("section[aria-label='谁会因联系而改变']")
    for state, said in (("modelled", "客户之间有差异"), ("unsure", "没有证据")):
        watched.open(f"/campaigns/{getattr(states, state)}/review")
        section.locator(".tag", has_text=said).wait_for()
        assert section.locator("svg[role=img]").get_attribute("aria-label")
        assert section.locator("table.t").nth(1).locator("tbody tr").count() == 10
        for text in ("Qini 系数", "随机联系同样多相比", "与联系全部客户相比"):
            assert section.get_by_text(text).first.is_visible(), text
        section.scroll_into_view_if_needed()
        keep_picture(page, f"review-response-{state}")
    assert "不要据此挑选客户" in section.inner_text()


def test_a_model_that_cannot_be_fitted_says_so(watched: Watched) -> None:
    page = open_review(watched)
    section = page.locator("section[aria-label='谁会因联系而改变']")
    section.get_by_text("尚未拟合模型").wait_for()
    section.get_by_role("button", name="拟合模型").click()
    page.locator(".q-notification", has_text="模型未能拟合").wait_for()
    assert "held out" in page.locator(".q-notification", has_text="模型未能拟合").inner_text()
    assert watched.errors == []


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
