"""Target customers and the insight board in a real browser."""

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_profile_is_declared_with_its_count_and_checked(
    watched: Watched, segmentation: httpx.Client
) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/targets")
    page.get_by_role("button", name="声明定位").click()
    page.get_by_label("名称（中文）").fill("年轻客群")
    page.get_by_label("名称（英文）").fill("The young")
    rule = page.locator(".dialog .code textarea").first
    rule.fill("age < 3O")
    page.wait_for_selector(".dialog .bad")
    rule.fill("age < 30")
    body = {"definition": {"sql": "age < 30"}, "sample": 0}
    young = segmentation.post("/segments:preview", json=body).json()
    page.wait_for_selector(f".dialog .muted:has-text('{young['of']:,} 位客户中的 {young['count']:,} 位')")
    page.get_by_role("button", name="保存").click()
    page.wait_for_selector("h1:has-text('年轻客群')")
    page.wait_for_selector(".bone", state="detached")
    page.wait_for_selector("section.panel .chart canvas")
    assert page.locator(".state[role=alert]").count() == 0
    page.get_by_role("button", name="立即检查").click()
    page.wait_for_selector(".q-notification:has-text('个占比')")
    page.wait_for_selector(".bone", state="detached")
    profiles = segmentation.get("/target-profiles").json()["items"]
    profile = next(each for each in profiles if each["name"]["zh"] == "年轻客群")
    assert profile["definition"]["sql"] == "age < 30"
    assert profile["checked_at"] is not None
    alerts = segmentation.get(f"/target-profiles/{profile['id']}/alerts").json()["items"]
    if alerts:
        page.locator("tr:has-text('低于下限')").nth(len(alerts) - 1).wait_for()
    assert watched.errors == []
    assert watched.outside == []


def test_an_insight_comes_from_a_thought_to_a_segment(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/insights")
    page.get_by_role("button", name="提出洞察").click()
    page.get_by_label("一句话概括").fill("年长客户资产更多")
    page.get_by_label("你的判断与理由").fill("年龄越大，积累越多。")
    page.locator(".dialog .code textarea").fill("age >= 50")
    page.locator(".dialog").get_by_role("button", name="提出洞察").click()
    page.locator("button.pick", has_text="年长客户资产更多").click()
    page.locator(".dialog").get_by_role("button", name="赞同").click()
    page.wait_for_selector(".dialog button:has-text('赞同 1')")
    page.get_by_label("你怎么看？").fill("同意，可以检验")
    page.get_by_role("button", name="发表").click()
    page.wait_for_selector(".line li:has-text('可以检验')")
    page.get_by_role("button", name="进入讨论").click()
    asked = page.locator(".dialog:has-text('说明理由')")
    asked.locator("textarea").fill("大家都看到了")
    asked.get_by_role("button", name="进入讨论").click()
    page.get_by_role("button", name="用数据检验").click()
    page.wait_for_selector(".dialog .panel dl.facts")
    insights = segmentation.get("/insights").json()["items"]
    insight = next(each for each in insights if each["title"] == "年长客户资产更多")
    assert (insight["state"], insight["tests"], insight["votes"]["up"]) == ("testing", 1, 1)
    (result,) = segmentation.get(f"/insights/{insight['id']}").json()["results"]
    shown = {"supported": "数据支持", "contradicted": "与数据相反", "inconclusive": "证据不足"}
    expect(page.locator(f".dialog .tag:has-text('{shown[result['verdict']]}')")).to_have_count(1)
    page.keyboard.press("Escape")
    page.wait_for_selector(".lane:has-text('检验中') button.pick:has-text('年长客户')")
    assert watched.errors == []
