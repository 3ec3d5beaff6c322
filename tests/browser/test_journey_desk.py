"""Journeys in a real browser: written in the studio, drained from the campaign's page."""

import httpx
import pytest
from playwright.sync_api import expect

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.browser.test_campaign_studio import _choose, _drafted, _step

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_journey_is_written_step_by_step(watched: Watched, campaign: httpx.Client) -> None:
    draft = _drafted(campaign, f"desk-{new_id().hex[:12]}")
    before = campaign.get(f"/campaigns/{draft}").json()
    (arm, *_), page = before["scheme"]["arms"], watched.page
    watched.sign_in("Strategist")
    watched.open(f"/campaign-studio?campaign={draft}")
    _step(page, "journeys").click()
    add = page.get_by_role("button", name="添加步骤").locator("visible=true").first
    add.click()
    page.get_by_label("步骤编码").fill("rest")
    _choose(page, page.get_by_label("类型", exact=True).locator("visible=true").last, "等待")
    page.get_by_label("时长", exact=True).locator("visible=true").last.fill("2")
    page.get_by_label("下一步", exact=True).locator("visible=true").last.fill("again")
    expect(_step(page, "journeys")).to_contain_text("未保存")
    page.keyboard.press("Control+s")
    expect(_step(page, "journeys")).to_contain_text("已齐")
    add.click()
    expect(page.get_by_label("步骤编码")).to_have_count(2)
    page.get_by_label("步骤编码").last.fill("again")
    _choose(page, page.get_by_label("话术（版本）").locator("visible=true").last, arm["script"])
    expect(_step(page, "journeys")).to_contain_text("未保存")
    page.keyboard.press("Control+s")
    expect(_step(page, "journeys")).to_contain_text("已齐")
    after = campaign.get(f"/campaigns/{draft}").json()
    assert after["scheme"]["arms"][0]["journey"] == {
        "steps": [
            {"key": "rest", "kind": "wait", "minutes": 2 * 24 * 60, "next": "again"},
            {
                "key": "again",
                "kind": "contact",
                "channel": "manager_task",
                "script": arm["script"],
                "materials": [],
                "next": None,
                "otherwise": None,
            },
        ]
    }
    assert {**after["scheme"], "arms": None} == {**before["scheme"], "arms": None}
    submitted = campaign.post(f"/campaigns/{draft}:submit")
    assert submitted.status_code == 200, submitted.text
