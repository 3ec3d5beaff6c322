"""The price calculator in a real browser: a floor that follows, a package beside it, a second pair of eyes."""

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.campaign.prices import PRICES
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_quote_is_worked_out_submitted_and_approved_by_another(
    watched: Watched, demonstration: Demonstration, bank: httpx.Client
) -> None:
    stack, key = demonstration.stack, f"desk-{new_id().hex[:12]}"
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    prices = {**PRICES, "key": key, "name": {"zh": f"价目 {key}", "en": f"Prices {key}"}, "value_model": None}
    base = f"{stack.base_url}/api/campaign/v1"
    assert httpx.post(f"{base}/price-lists", json=prices, headers=headers).status_code == 201
    customer = bank.get("/customers", params={"limit": 1, "status": "active"}).json()["items"][0]["id"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open(f"/prices?customer={customer}")
    page.get_by_label("价目").click()
    page.get_by_role("option", name=key).click()
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
