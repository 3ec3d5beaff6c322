"""The price calculator in a real browser: a floor that follows, a package beside it, a second pair of eyes."""

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.campaign.prices import PRICES
from tests.conftest import Demonstration
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_quote_is_worked_out_submitted_and_approved_by_another(
    watched: Watched, demonstration: Demonstration, bank: httpx.Client
) -> None:
    stack, key = demonstration.stack, f"zz-desk-{new_id().hex[:12]}"
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    prices = {**PRICES, "key": key, "name": {"zh": f"价目 {key}", "en": f"Prices {key}"}, "value_model": None}
    base = f"{stack.base_url}/api/campaign/v1"
    assert httpx.post(f"{base}/price-lists", json=prices, headers=headers).status_code == 201
    checker = {"Authorization": f"Bearer {stack.token('approver')}"}
    approved = httpx.post(f"{base}/price-lists/{key}@1:approve", json={}, headers=checker)
    assert approved.status_code == 200, approved.text
    customer = bank.get("/customers", params={"limit": 1, "status": "active"}).json()["items"][0]["id"]
    line = {"product": "LOAN-WC", "volume": "1.00"}
    asked = {"customer_id": customer, "price_list": key, "months": 12, "lines": [line]}

    def can_be_priced() -> bool:
        return httpx.post(f"{base}/price-quotes:simulate", json=asked, headers=headers).status_code == 200

    wait_until(can_be_priced, what="the customer in the campaign service")
    watched.sign_in("Admin")
    page = watched.page
    watched.open(f"/prices?customer={customer}")
    line_before = page.locator(".rule-leaf").first.element_handle()
    page.get_by_label("价目").click()
    page.get_by_role("option", name=key).click()
    # Another list has other products: what was typed before they came would go.
    line_before.wait_for_element_state("hidden")
    page.get_by_label("余额").fill("1,000,000")
    page.get_by_text("在权限内").wait_for()
    page.get_by_label("利率 %（空为定价）").fill("3.7")
    page.get_by_text("低于底价").wait_for()
    page.locator(".kpi", has_text="−¥650.00").wait_for()
    page.get_by_role("button", name="添加产品").click()
    page.locator(".rule-leaf").nth(1).get_by_label("产品").click()
    page.get_by_role("option", name="汇款").click()
    page.get_by_label("每月笔数").fill("120")
    # 7,200 of fees at 1,728 of cost make up for it.
    page.locator(".kpi", has_text="¥4,822.00").wait_for()
    page.locator("tr", has_text="结算套餐").get_by_text("¥49,500.00").wait_for()
    watched.drawn(page.locator(".chart canvas").first)
    page.get_by_role("button", name="移除").last.click()
    page.locator(".kpi", has_text="−¥650.00").wait_for()
    page.get_by_role("button", name="保存报价").click()
    page.get_by_role("button", name="提交报价").click()
    page.locator(".tag", has_text="待审批").wait_for()
    assert page.get_by_role("button", name="批准报价").count() == 0
    path = page.url.removeprefix(watched.url)

    watched.sign_in("Approver")
    watched.open(path)
    page.get_by_role("button", name="批准报价").click()
    page.get_by_role("dialog").get_by_role("button", name="批准报价").click()
    page.locator(".tag", has_text="已批准").wait_for()
    quote = httpx.get(f"{base}/price-quotes/{path.rpartition('/')[2]}", headers=headers).json()
    assert (quote["status"], quote["decided_by"]) == ("approved", "user:approver")
    assert [line["price"] for line in quote["lines"]] == ["0.037"]
    assert watched.errors == []
    assert watched.outside == []


def test_a_price_list_is_proposed_approved_by_another_and_changed(
    watched: Watched, demonstration: Demonstration
) -> None:
    key, stack = f"desk-{new_id().hex[:12]}", demonstration.stack
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    page, dialog = watched.page, watched.page.locator(".dialog")
    watched.sign_in("Strategist")
    watched.open("/prices")
    page.get_by_role("button", name="新建价目").click()
    dialog.get_by_label("编码").first.fill(key)
    dialog.get_by_label("名称（中文）").first.fill(f"价目 {key}")
    dialog.get_by_label("名称（英文）").first.fill(f"Prices {key}")
    dialog.get_by_label("产品编码").fill("TRANSFER")
    dialog.get_by_label("产品名称（中文）").fill("汇款")
    dialog.get_by_label("产品名称（英文）").fill("Transfer")
    dialog.get_by_label("定价利率 %").fill("435")
    dialog.get_by_text("list_price of a loan or deposit is a rate").wait_for()
    dialog.get_by_label("类型").click()
    page.get_by_role("option", name="服务收费").click()
    dialog.get_by_label("每笔定价").fill("1")
    dialog.get_by_label("每笔成本").fill("1.2")
    dialog.locator("tr", has_text="TRANSFER").get_by_text("定价亏本").wait_for()
    dialog.get_by_label("每笔定价").fill("5")
    dialog.get_by_text("定价亏本").wait_for(state="detached")
    dialog.get_by_label("客户经理最多优惠").fill("5")
    dialog.get_by_role("button", name="保存").click()
    proposed = page.locator(".proposal", has_text=f"{key}@1")
    proposed.locator("tr", has_text="客户经理").get_by_text("5%").wait_for()
    assert page.get_by_role("button", name="批准价目").count() == 0
    _decide(watched, f"{key}@1", "批准价目")
    line = page.locator(".actions", has_text=f"{key}@1")
    line.get_by_text("客户经理 5%").wait_for()

    watched.sign_in("Strategist")
    watched.open("/prices")
    line.get_by_role("button", name="修改价目").click()
    dialog.get_by_label("每笔定价").fill("6")
    dialog.locator("tr", has_text="TRANSFER").get_by_text("6", exact=True).first.wait_for()
    dialog.get_by_role("button", name="保存").click()
    second = page.locator(".proposal", has_text=f"{key}@2")
    row = second.locator("tr", has_text="定价").last
    row.get_by_text("5", exact=True).wait_for()
    row.get_by_text("6", exact=True).wait_for()
    _decide(watched, f"{key}@2", "驳回价目", "不降价")
    line.wait_for()
    base = f"{stack.base_url}/api/campaign/v1"
    written = httpx.get(f"{base}/price-lists/{key}@2", headers=headers).json()
    terms = written["products"][0]
    assert (terms["kind"], terms["list_price"], terms["unit_cost"]) == ("fee", "6", "1.2")
    assert (written["state"], written["comment"]) == ("rejected", "不降价")
    assert written["authority"] == [{"role": "manager", "discount": "0.05", "reach": "cost"}]
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []


def _decide(watched: Watched, ref: str, verb: str, reason: str = "") -> None:
    """As the approver."""
    watched.sign_in("Approver")
    watched.open("/prices")
    page = watched.page
    page.locator(".proposal", has_text=ref).get_by_role("button", name=verb).click()
    dialog = page.get_by_role("dialog")
    if reason:
        dialog.get_by_role("textbox").fill(reason)
    dialog.get_by_role("button", name=verb).click()
    page.locator(".proposal", has_text=ref).wait_for(state="detached")
