"""Recommendations in a real browser: what is advised, on what evidence, and what came of earlier advice."""

import pytest

from tests.browser.conftest import Watched
from tests.browser.test_strategy_board import keep_picture

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_recommendations_come_as_cards_with_their_evidence(watched: Watched) -> None:
    watched.sign_in("Strategist")
    watched.open("/recommendations?state=all")
    page = watched.page
    assert page.locator(".main h1").inner_text() == "优化建议"
    card = page.locator("section.advice").first
    card.wait_for()
    assert card.locator("h2 a[href^='/campaigns/']").count() == 1
    assert "人数（触达/对照）" in card.inner_text()
    # Before anybody decides, the newest card says what accepting will do.
    assert "采纳后" in card.inner_text()
    assert page.locator("h2", has_text="建议兑现记录").is_visible()
    keep_picture(page, "recommendations")
    page.locator(".q-select").click()
    page.locator(".q-item", has_text="已驳回").click()
    page.wait_for_url("**/recommendations?state=rejected")
    page.locator(".state", has_text="还没有建议").wait_for()
    assert page.locator(".state[role=alert]").count() == 0
    assert watched.errors == []
    assert watched.outside == []
