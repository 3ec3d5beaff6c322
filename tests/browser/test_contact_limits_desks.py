"""The desks of quotas and of contact policies in a real browser."""

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_quota_is_set_and_changed(watched: Watched, demonstration: Demonstration) -> None:
    stack, key = demonstration.stack, f"desk-{new_id().hex[:12]}"
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    offer = {
        "key": key,
        "name": {"zh": f"柜台 {key}", "en": f"Desk {key}"},
        "product": "W-01",
        "risk": "R2",
        "terms": {"text": {"zh": "年化 2.85%", "en": "2.85 % a year"}},
        "value": "860.00",
    }
    base = f"{stack.base_url}/api/campaign/v1"
    assert httpx.post(f"{base}/offers", json=offer, headers=headers).status_code == 201

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/quotas")
    page.locator(".filters .q-select").click()
    page.get_by_role("option", name=f"柜台 {key}").click()
    page.locator(".filters input[type=number]").fill("30")
    page.get_by_role("button", name="设定", exact=True).click()
    row = page.locator(".actions", has_text=f"柜台 {key}").first
    row.get_by_text("共 30").wait_for()
    row.locator("input[type=number]").fill("0")
    row.get_by_role("button", name="修改").click()
    row.get_by_text("售罄").wait_for()
    row.locator("input[type=number]").fill("12")
    row.get_by_role("button", name="修改").click()
    row.get_by_text("剩余 12").wait_for()
    shown = httpx.get(f"{base}/quotas/{key}", headers=headers).json()
    assert (shown["units"], shown["exhausted_at"]) == (12, None)
    assert watched.errors == []
    assert watched.outside == []


def test_a_contact_policy_is_written_and_changed(watched: Watched) -> None:
    key = f"desk-{new_id().hex[:12]}"
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/contact-policies")
    page.get_by_role("button", name="新建规则").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("编码").fill(key)
    dialog.get_by_label("名称（中文）").fill(f"柜台 {key}")
    dialog.get_by_label("名称（英文）").fill(f"Desk {key}")
    dialog.get_by_label("免打扰开始").fill("20:30")
    dialog.get_by_label("免打扰结束").fill("25:00")
    dialog.get_by_role("button", name="保存").click()
    dialog.get_by_text("hour").wait_for()
    dialog.get_by_label("免打扰结束").fill("09:00")
    dialog.get_by_role("button", name="保存").click()
    panel = page.locator(".panel", has_text=f"{key}@1")
    panel.get_by_text("20:30–09:00").wait_for()
    panel.get_by_role("button", name="修改").click()
    page.get_by_role("dialog").get_by_label("最多联系次数").fill("5")
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    page.locator(".panel", has_text=f"{key}@2").get_by_text("最多 5 次").wait_for()
    assert watched.errors == []
    assert watched.outside == []
