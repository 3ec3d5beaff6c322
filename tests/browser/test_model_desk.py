"""The cluster explorer in a real browser: declare, train, look at every tab, publish."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

TABS = ("K 值选择", "边界客户", "二维投影", "漂移", "模型档案", "分组画像")


def _pick(page: Page, label: str, text: str) -> None:
    """One option of a list that is searched by typing."""
    page.get_by_label(label, exact=True).fill(text)
    page.locator(".q-menu .q-item", has_text=text).first.click()
    page.keyboard.press("Escape")


def test_a_model_is_declared_trained_and_published(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/models")
    page.wait_for_selector("h2:has-text('声明新模型')")
    page.get_by_label("编码", exact=True).fill("desk-model")
    page.get_by_label("名称", exact=True).fill("桌面模型")
    for feature in ("aum", "age"):
        _pick(page, "特征", f"({feature})")
    page.get_by_label("基聚类的类数：最多").fill("12")
    page.get_by_role("button", name="声明模型").click()
    page.wait_for_url("**/model-runs/*")
    run = segmentation.get(f"/model-runs/{page.url.rpartition('/')[2]}").json()
    assert run["parameters"]["k_range"] == {"low": 2, "high": 12}
    page.wait_for_selector(".q-tab:has-text('分组画像')", timeout=60_000)
    for tab in TABS:
        watched.turn_to(tab)
        assert page.locator(".state[role=alert]").count() == 0, tab
    page.get_by_label("客群编码前缀").fill("desk")
    page.get_by_role("button", name="发布为客群").click()
    page.wait_for_selector(".q-notification:has-text('已发布')")
    page.locator("section.panel a", has_text="第1类客群").click()
    page.wait_for_selector("h1:has-text('第1类客群')")
    watched.open("/models")
    page.locator("a", has_text="桌面模型").click()
    page.wait_for_selector("h2:has-text('训练记录')")
    expect(page.locator("td", has_text="#1")).to_have_count(1)
    assert watched.errors == []
    assert watched.outside == []
