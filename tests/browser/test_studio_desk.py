"""The segment studio and the feature catalogue in a real browser."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def counted(segmentation: httpx.Client, sql: str) -> int:
    body = {"definition": {"sql": sql}, "sample": 0}
    answer: dict[str, Any] = segmentation.post("/segments:preview", json=body).json()
    return int(answer["count"])


def shows(page: Page, count: int) -> None:
    page.wait_for_selector(f".kpi-value[data-count='{count}']")


def test_a_rule_is_built_seen_as_sql_and_saved(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/segment-studio")
    shows(page, counted(segmentation, "aum >= 500000"))

    # As boxes: another value, then another condition; the text follows.
    page.get_by_label("值", exact=True).first.fill("1000")
    shows(page, counted(segmentation, "aum >= 1000"))
    page.get_by_role("button", name="添加条件", exact=True).first.click()
    page.locator(".q-menu .q-item", has_text="先后发生").click()
    both = "aum >= 1000 and sequence('login', 'transaction.posted', 7)"
    shows(page, counted(segmentation, both))
    text = page.get_by_label("SQL 写法")
    expect(text).to_have_value(both)

    # As text: the boxes follow, and a mistake is shown at its place.
    text.fill("agee > 50")
    page.wait_for_selector("[role=alert]:has-text('did you mean')")
    expect(page.locator("pre")).to_contain_text("▲")
    changed = "age between 30 and 60 and (not never('login') or percentile(aum) >= 50)"
    text.fill(changed)
    shows(page, counted(segmentation, changed))
    expect(page.locator(".rule-leaf")).to_have_count(3)
    expect(page.locator("text=定时")).to_have_count(1)

    # An incomplete condition is marked where it stands.
    page.get_by_role("button", name="添加条件", exact=True).first.click()
    page.locator(".q-menu .q-item", has_text="属于客群").click()
    page.wait_for_selector(".rule-leaf .tag.bad")
    page.locator(".rule-leaf").last.get_by_role("button", name="删除").click()
    expect(page.locator(".rule-leaf")).to_have_count(3)
    shows(page, counted(segmentation, changed))

    page.get_by_label("键（小写字母、数字）").fill("from-studio")
    page.get_by_label("中文名").fill("工作室客群")
    page.get_by_role("button", name="保存并发布").click()
    page.wait_for_url("**/segments/*")
    saved = segmentation.get("/segments/from-studio").json()
    assert (saved["state"], saved["definition"]["sql"]) == ("live", changed)
    assert [error for error in watched.errors if "422" not in error] == []
    assert watched.outside == []


def test_a_feature_is_tried_and_defined(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/features")
    page.get_by_label("按名称、键或来源查找").fill("salary")
    page.wait_for_selector("td:has-text('days_to_salary_day')")
    page.get_by_text("自定义特征").first.click()
    expression = page.get_by_label("表达式")
    expression.fill("aum / 0")
    page.wait_for_selector("[role=alert]:has-text('division by zero')")
    expression.fill("round(loan_balance / nullif(aum, 0), 2)")
    page.wait_for_selector("dt:has-text('有值的客户')")
    page.get_by_label("键（小写字母、数字）").fill("debt_ratio")
    page.get_by_label("中文名").fill("负债比")
    page.get_by_role("button", name="保存特征").click()
    page.wait_for_selector(".q-notification:has-text('debt_ratio')")
    assert segmentation.get("/features/debt_ratio").json()["lineage"] == [
        "feature:loan_balance",
        "feature:aum",
    ]
    assert watched.errors == []
