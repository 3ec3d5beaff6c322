"""The quota desk in a real browser: set, refused below what is sold, changed."""

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
