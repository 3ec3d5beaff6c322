"""The contact optimiser in a real browser: asked for, applied to its campaign, taken back."""

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

_FIXES = ("objective", "scheme", "people", "schedule", "responsibility", "budget")


def _draft(campaign: httpx.Client, key: str) -> str:
    """The story's campaign once more, for some of its customers; its id."""
    told = next(
        each
        for each in campaign.get("/campaigns", params={"limit": 100}).json()["items"]
        if each["key"] == "wealth-50plus"
    )
    fixes = campaign.get(f"/campaigns/{told['id']}").json()
    body = {
        "key": key,
        "name": {"zh": f"优化 {key}", "en": f"Optimised {key}"},
        "audience": {"include": ["savers-60plus"]},
        **{name: fixes[name] for name in _FIXES},
    }
    made = campaign.post("/campaigns", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def test_a_run_is_asked_for_applied_and_taken_back(watched: Watched, campaign: httpx.Client) -> None:
    key = f"desk-{new_id().hex[:12]}"
    campaign_id = _draft(campaign, key)
    page, dialog = watched.page, watched.page.get_by_role("dialog")
    watched.sign_in("Strategist")
    watched.open("/optimisations")
    page.get_by_role("button", name="运行优化").click()
    page.locator(".q-field--error", has_text="名称").wait_for()
    page.locator(".q-field--error", has_text="参与活动").wait_for()
    page.get_by_label("名称").fill(f"柜台 {key}")
    page.get_by_label("参与活动").fill(key)
    page.get_by_role("option", name=key).click()
    page.get_by_label("参与活动").press("Escape")
    page.get_by_label("每位客户经理可用分钟").fill("16")
    page.get_by_role("button", name="运行优化").click()
    page.wait_for_url("**/optimisations/*-*")
    run_id = page.url.rpartition("/")[2]
    page.locator(".kpi", has_text="选中接触").wait_for()
    found = campaign.get(f"/optimisations/{run_id}").json()
    chosen = found["result"]["contacts"]
    assert 0 < chosen < found["result"]["options"]
    page.locator(".kpi", has_text="选中接触").get_by_text(f"{chosen:,}", exact=True).wait_for()
    page.locator("tr", has_text="客户经理时间").wait_for()
    line = page.locator("tr", has_text=key)

    page.get_by_role("button", name="应用到活动").click()
    dialog.get_by_role("button", name="应用到活动").click()
    line.get_by_text("已应用").wait_for()
    assert campaign.get(f"/campaigns/{campaign_id}").json()["optimisation"]["contacts"] == chosen
    watched.open(f"/campaigns/{campaign_id}")
    page.locator(".fix", has_text=f"{chosen:,} 位客户").get_by_role("link", name=f"柜台 {key}").click()
    page.wait_for_url(f"**/optimisations/{run_id}")
    page.get_by_role("button", name="撤销应用").click()
    dialog.get_by_role("button", name="撤销应用").click()
    page.get_by_role("button", name="应用到活动").wait_for()
    line.get_by_text("已应用").wait_for(state="detached")
    assert campaign.get(f"/campaigns/{campaign_id}").json()["optimisation"] is None
    assert (watched.errors, watched.outside) == ([], [])
