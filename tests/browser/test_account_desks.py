"""The opportunity board, a plan with an action and a visit, and the activity tiles in a real browser."""

import httpx
import pytest
from playwright.sync_api import expect

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration
from tests.support import new_word

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_an_opportunity_is_opened_and_won_and_its_customer_planned_for(
    watched: Watched, demonstration: Demonstration, bank: httpx.Client
) -> None:
    stack, name = demonstration.stack, f"商机 {new_word()}"
    headers = {"Authorization": f"Bearer {stack.token('admin')}"}
    base = f"{stack.base_url}/api/campaign/v1"
    customer = bank.get("/customers", params={"limit": 1, "status": "active"}).json()["items"][0]["id"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open(f"/opportunities?customer={customer}")
    page.get_by_role("button", name="新建商机").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("商机名称").fill(name)
    dialog.get_by_label("金额").fill("1,000,000")
    dialog.get_by_role("button", name="保存").click()
    page.get_by_role("region", name="线索").get_by_text(name).wait_for()
    page.get_by_role("button", name=f"处理商机 {name}").click()
    page.locator(".q-item", has_text="移到方案").click()
    page.get_by_role("region", name="方案").get_by_text(name).wait_for()
    page.get_by_role("button", name=f"处理商机 {name}").click()
    page.locator(".q-item", has_text="赢单").click()
    dialog.get_by_role("button", name="保存").click()
    page.locator(".rule-leaf", has_text=name).wait_for(state="detached")
    found = httpx.get(f"{base}/opportunities", params={"customer_id": customer}, headers=headers).json()
    assert [each["status"] for each in found["items"] if each["name"] == name] == ["won"]

    watched.open(f"/customers/{customer}")
    watched.turn_to("客户经营")
    page.get_by_role("button", name="新建计划").click()
    dialog.get_by_label("成交目标金额").fill("2,000,000")
    dialog.get_by_label("策略").fill("成为主办行")
    dialog.get_by_role("button", name="保存").click()
    page.get_by_role("button", name="启用计划").click()
    page.get_by_role("button", name="结束计划").wait_for()
    expect(page.locator("section.panel", has_text="商机成交").first).to_contain_text("50.0%")
    page.get_by_role("button", name="添加行动").click()
    dialog.get_by_role("textbox", name="行动").fill("拜访董事会")
    dialog.get_by_role("button", name="保存").click()
    page.locator(".rule-leaf", has_text="拜访董事会").wait_for()
    page.get_by_role("button", name="安排拜访").click()
    dialog.get_by_role("textbox", name="目的").fill("了解需求")
    # Whom the contact policy protects in this bank just now is visited so only.
    dialog.get_by_text("服务拜访").click()
    dialog.get_by_role("button", name="保存").click()
    page.locator(".rule-leaf", has_text="了解需求").wait_for()
    for path in ("/account-plans", "/activity"):
        watched.open(path)
        assert page.locator(".state[role=alert]").count() == 0, path
    expect(page.locator(".kpi", has_text="新建商机")).to_be_visible()
    assert watched.errors == []
    assert watched.outside == []


def test_the_banks_stages_are_written_as_a_list(watched: Watched, campaign: httpx.Client) -> None:
    held = campaign.get("/opportunity-stages/current").json()["stages"]
    key, page = f"desk-{new_id().hex[:12]}", watched.page
    watched.sign_in("Strategist")
    watched.open("/opportunities")
    page.get_by_role("button", name="阶段设置").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="添加阶段").click()
    row = dialog.locator(".rule-leaf").nth(len(held))
    row.get_by_label("阶段编码").fill(key)
    row.get_by_label("名称（中文）").fill("收口")
    row.get_by_label("名称（英文）").fill("Closing")
    row.get_by_label("赢单概率 %").fill("0.01")
    dialog.get_by_role("button", name="保存").click()
    row.get_by_text("is lower than that of the stage before").wait_for()
    row.get_by_label("赢单概率 %").fill("99.5")
    dialog.get_by_role("button", name="保存").click()
    try:
        page.get_by_role("region", name="收口").or_(page.get_by_text("阶段已更新")).first.wait_for()
        written = campaign.get("/opportunity-stages/current").json()["stages"]
        assert [*held, written[-1]] == written
        assert (written[-1]["key"], written[-1]["probability"]) == (key, "0.995")
    finally:
        assert campaign.post("/opportunity-stages", json={"stages": held}).status_code == 201
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []
