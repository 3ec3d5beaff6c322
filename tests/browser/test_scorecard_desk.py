"""Scorecards in a real browser: a draft is computed, drawn, looked into, and not published too early."""

from datetime import datetime

import pytest

from shared.clock import ZONE
from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_draft_is_computed_and_looked_into(watched: Watched, demonstration: Demonstration) -> None:
    launched = datetime.fromisoformat(demonstration.story["launch_campaign"]["launched_at"]).astimezone(ZONE)
    watched.sign_in("Strategist")
    page = watched.page
    watched.open("/scorecards")
    page.get_by_role("button", name="计算得分卡").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("期间").fill(f"{launched:%Y-%m}")
    # The demonstration has two branches and many managers.
    dialog.get_by_label("层级").first.click()
    page.get_by_role("option", name="客户经理").click()
    dialog.get_by_label("最少客户数").fill("10")
    dialog.get_by_role("button", name="计算得分卡").click()
    page.wait_for_selector(".q-notification:has-text('草稿已算好')")
    page.wait_for_selector(".tag:has-text('草稿')")
    figure = page.locator("figure svg[aria-label='30天净流入']")
    subject = figure.locator("a").first
    address = str(subject.get_attribute("href"))
    assert address.startswith("/scorecards/")

    page.get_by_role("button", name="发布").click()
    page.get_by_role("dialog").get_by_role("button", name="发布").click()
    page.wait_for_selector(".q-notification:has-text('only a draft')")

    watched.open(address)
    page.wait_for_selector(".panel:has-text('获配客户')")
    page.get_by_role("columnheader", name="应有结果", exact=True).wait_for()
    assert watched.errors == []
    assert watched.outside == []
