"""Channels, products and funds of the whole bank in a real browser."""

import pytest

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_what_the_whole_bank_uses_holds_and_moves(watched: Watched) -> None:
    page = watched.page
    watched.sign_in("Strategist")
    watched.open("/channels-and-products")
    page.get_by_role("region", name="产品渗透").get_by_text("渗透率").wait_for()
    page.get_by_role("region", name="资金流动").wait_for()
    page.get_by_role("region", name="渠道迁移").locator("svg").wait_for()
    crossed = page.get_by_role("region", name="交叉持有")
    page.get_by_label("最少持有人数").fill("100000")
    crossed.get_by_text("少于 100,000 位").first.wait_for()
    page.get_by_label("币种").click()
    page.get_by_role("option", name="CNY", exact=True).click()
    page.get_by_label("月份数").click()
    page.get_by_role("option", name="3 个月", exact=True).click()
    page.wait_for_selector(".bone", state="detached")
    assert watched.errors == []
    assert watched.outside == []
