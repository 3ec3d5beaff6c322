"""The referral desk in a real browser: a lead is handed on with its evidence, accepted by another, and won."""

import httpx
import pytest

from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_lead_is_handed_on_accepted_and_won(
    watched: Watched, demonstration: Demonstration, bank: httpx.Client
) -> None:
    stack = demonstration.stack
    customers = bank.get("/customers", params={"limit": 200, "status": "active"}).json()["items"]
    person = next(one for one in customers if one["kind"] == "person" and one["primary_manager"])
    core = next(one for one in customers if one["kind"] == "company")
    org, manager = person["org"], person["primary_manager"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open(f"/referrals?customer={person['id']}&category=payroll&core={core['id']}&role=employee")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("产品类别").wait_for()
    assert dialog.get_by_label("客户需求").input_value() == "联动营销线索：核心企业的员工。"
    dialog.get_by_label("接收机构").fill("hq.nowhere")
    dialog.get_by_role("button", name="保存").click()
    dialog.get_by_text("has no customers").wait_for()
    dialog.get_by_label("接收机构").fill(org)
    dialog.get_by_label("接收经理工号").fill(manager)
    dialog.get_by_label("转出方分成").fill("33.33")
    dialog.get_by_role("button", name="保存").click()
    panel = page.locator("[data-referral]", has_text=manager).first
    panel.get_by_text("33.33% / 66.67%").wait_for()
    assert panel.get_by_role("button", name="接收").count() == 0
    made = str(panel.get_attribute("data-referral"))

    page.goto(f"{watched.url}/sign-in")
    page.locator(".filters input").fill(manager)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="进入").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)
    watched.open("/referrals")
    panel = page.locator(f"[data-referral='{made}']")
    panel.get_by_role("button", name="接收").click()
    page.get_by_role("dialog").get_by_role("button", name="接收").click()
    panel.get_by_role("button", name="未成交").wait_for()
    panel.get_by_role("button", name="成交", exact=True).click()
    page.get_by_role("dialog").get_by_label("成交金额").fill("1,000.01")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    panel.get_by_text("¥1,000.01 · ¥333.30 · ¥666.71").wait_for()
    panel.get_by_role("button", name="二次营销建议").click()
    page.get_by_role("dialog").get_by_role("button", name="关闭").click()
    headers = {"Authorization": f"Bearer {stack.token('auditor')}"}
    found = httpx.get(f"{stack.base_url}/api/campaign/v1/referrals/{made}", headers=headers).json()
    assert (found["state"], found["receiver"], found["lead"]["role"]) == ("won", manager, "employee")
    assert watched.errors == []
    assert watched.outside == []
