"""The strategy studio and the campaign calendar in a real browser."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared import clock
from shared.ids import new_id
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def _means(campaign: httpx.Client, key: str) -> dict[str, Any]:
    """A segment, an offer and an approved script that the bank has; the rest of what activation asks for."""
    offer, script = (campaign.get(path).json()["items"][0] for path in ("/offers", "/scripts?state=approved"))
    segments = campaign.get("/campaigns", params={"limit": "50"}).json()["items"]
    named = campaign.get(f"/campaigns/{segments[-1]['id']}").json()["audience"]["include"]
    return {
        "key": key,
        "name": {"zh": f"策略 {key}", "en": f"Strategy {key}"},
        "org": "hq",
        "segments": named[:1],
        "channels": ["manager_task"],
        "offers": [offer["key"]],
        "scripts": [script["ref"]],
        "scenario": {"kind": "life_cycle", "stages": ["mature"]},
        "four_r": {"relevance": "Needs", "reaction": "Fast", "relationship": "Close", "reward": "Points"},
    }


def test_a_strategy_is_completed_and_a_campaign_drafted(watched: Watched, campaign: httpx.Client) -> None:
    key = f"desk-{new_id().hex[:12]}"
    written = campaign.post("/strategies", json=_means(campaign, key))
    assert written.status_code == 201, written.text
    start, end = clock.today(), clock.today() + timedelta(days=60)
    watched.sign_in("Admin")
    page = watched.page
    watched.open(f"/strategies/{key}")
    page.get_by_text("启用前还缺").wait_for()
    step = page.locator("section.fix", has_text="目标").first
    step.get_by_role("button", name="填写").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("目标说明").fill("留住存款")
    dialog.get_by_label("考核指标").click()
    page.get_by_role("option").first.click()
    dialog.get_by_label("目标值").fill("5000000")
    dialog.get_by_label("开始日期").fill(end.isoformat())
    dialog.get_by_label("结束日期").fill(start.isoformat())
    dialog.get_by_role("button", name="保存").click()
    dialog.get_by_text("is before the start").wait_for()
    dialog.get_by_label("开始日期").fill(start.isoformat())
    dialog.get_by_label("结束日期").fill(end.isoformat())
    dialog.get_by_role("button", name="保存").click()
    page.get_by_text("留住存款").wait_for()
    page.locator("section.fix", has_text="STP").first.get_by_role("button", name="填写").click()
    for label in ("市场细分", "目标市场", "市场定位"):
        page.get_by_role("dialog").get_by_label(label).fill(f"{label} {key}")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    page.get_by_text(f"市场定位 {key}").wait_for()
    page.locator(".page-head").get_by_role("button", name="启用").click()
    page.get_by_role("dialog").get_by_role("button", name="启用").click()
    page.get_by_text("已启用").wait_for()
    page.get_by_role("button", name="起草活动").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("编码").fill(f"{key}-one")
    dialog.get_by_role("button", name="保存").click()
    page.wait_for_url("**/campaigns/*")
    page.get_by_role("link", name=f"策略：{key}").wait_for()
    drafted = campaign.get(f"/strategies/{key}/campaigns").json()["items"]
    assert [each["key"] for each in drafted] == [f"{key}-one"]
    watched.open("/strategies")
    page.get_by_role("link", name=f"策略 {key}").wait_for()
    watched.open("/calendar")
    page.locator(".cal-name", has_text=f"策略 {key}").get_by_role("link").click()
    page.wait_for_url(f"**/campaigns/{drafted[0]['id']}")
    assert watched.errors == []
    assert watched.outside == []


def test_a_month_without_campaigns_says_so(watched: Watched) -> None:
    watched.sign_in("Admin")
    watched.open("/calendar")
    for _ in range(3):
        watched.page.get_by_role("button", name="上一月").click()
    shown = clock.today().replace(day=1)
    for _ in range(3):
        shown = (shown - timedelta(days=1)).replace(day=1)
    watched.page.get_by_text(f"{shown:%Y-%m}", exact=True).wait_for()
    watched.page.get_by_text("这个月没有活动").wait_for()
    assert watched.errors == []
