"""The churn desk in a real browser: a model is trained, its quality is shown, a warning is taken up."""

from typing import Any

import httpx
import pytest

from tests.browser.conftest import Watched
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

# The bank of the demonstration is young and loses hardly anybody: whose assets fell at all is enough here.
BODY: dict[str, Any] = {
    "key": "desk-churn",
    "name": {"zh": "流失预警", "en": "Churn"},
    "kind": "churn",
    "parameters": {
        "horizon_days": 60,
        "fall": 0.02,
        "most_activity": 10_000,
        "least_probability": 0.0,
        "features": ["aum", "deposit_balance", "product_count", "age", "txn_count_30d", "outflow_30d"],
    },
}


def counts(segmentation: httpx.Client) -> dict[str, int]:
    states = segmentation.get("/churn-warnings/summary").json()["states"]
    return {each["state"]: each["warnings"] for each in states}


def test_a_warning_is_raised_and_taken_up(watched: Watched, segmentation: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/churn")
    page.wait_for_selector("text=没有符合条件的预警")
    model = segmentation.post("/models", json=BODY)
    assert model.status_code == 201, model.text

    watched.turn_to("模型质量")
    page.get_by_role("button", name="重新训练").click()

    def warned() -> bool:
        run = segmentation.get(f"/models/{model.json()['id']}").json()["last_run_id"]
        state = segmentation.get(f"/model-runs/{run}").json() if run else {"state": "none"}
        assert state["state"] != "failed", state["problem"]
        return bool(segmentation.get("/churn-warnings/summary").json()["states"])

    wait_until(warned, what="the warnings")
    page.wait_for_selector("h2:has-text('校准')")
    page.wait_for_selector("[aria-label='捕获曲线'] canvas")

    watched.open("/churn")
    before = counts(segmentation)
    page.get_by_role("button", name="跟进").first.click()
    page.wait_for_selector(".q-notification:has-text('跟进中')")
    # The list is drawn anew: a menu opened before would go with the old one.
    page.wait_for_selector(".panel .tag:has-text('跟进中')")
    assert counts(segmentation) == before | {"open": before["open"] - 1, "acknowledged": 1}
    page.get_by_role("button", name="了结").first.click()
    page.get_by_text("误报", exact=True).click()
    page.wait_for_selector(".q-notification:has-text('已了结')")

    watched.turn_to("生命周期")
    page.wait_for_selector("h2:has-text('阶段迁移')")
    page.get_by_role("button", name="修改标准").click()
    dialog = page.locator(".dialog")
    dialog.get_by_label("休眠：").fill("400")
    dialog.get_by_role("button", name="保存").click()
    dialog.locator(".q-field--error:has-text('must not be less than dormant_days')").wait_for()
    dialog.get_by_label("休眠：").fill("190")
    dialog.get_by_role("button", name="保存").click()
    page.wait_for_selector("dd:has-text('190 天')")
    thresholds = segmentation.get("/life-cycle/scheme").json()["thresholds"]
    assert (thresholds["dormant_days"], thresholds["growth"]) == (190, 0.2)
    watched.turn_to("挽回名单")
    page.wait_for_selector(".panel:has-text('已流失')")
    assert watched.errors == []
    assert watched.outside == []
