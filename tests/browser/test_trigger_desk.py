"""A campaign with a trigger in a real browser: what opens it, what it would do, and who came."""

from datetime import datetime, timedelta

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

_FIXES = ("objective", "scheme", "people", "responsibility", "budget")


def _approved(campaign: httpx.Client, demonstration: Demonstration, key: str) -> str:
    """The story's campaign once more, for whoever joins its segment from now on; its id."""
    stack = demonstration.stack
    told = next(
        each
        for each in campaign.get("/campaigns", params={"limit": 100}).json()["items"]
        if each["key"] == "wealth-50plus"
    )
    fixes = campaign.get(f"/campaigns/{told['id']}").json()
    segment = fixes["audience"]["include"][0]
    body = {
        "key": key,
        "name": {"zh": f"触发 {key}", "en": f"Triggered {key}"},
        "audience": {"include": [segment], "trigger": {"segment": segment}},
        **{name: fixes[name] for name in _FIXES},
    }
    made = campaign.post("/campaigns", json=body)
    assert made.status_code == 201, made.text
    path = f"/campaigns/{made.json()['id']}"
    # The story has moved the clock: its own window may be over.
    today = datetime.fromisoformat(made.json()["created_at"]).date()
    schedule = {"start": today.isoformat(), "end": (today + timedelta(days=5)).isoformat()}
    dated = campaign.patch(path, json={"schedule": schedule}, headers={"If-Match": made.headers["etag"]})
    assert dated.status_code == 200, dated.text
    submitted = campaign.post(f"{path}:submit")
    assert submitted.status_code == 200, submitted.text
    headers = {"Authorization": f"Bearer {stack.token('approver')}"}
    approved = httpx.post(
        f"{stack.base_url}/api/campaign/v1{path}:approve", json={}, headers=headers, timeout=60
    )
    assert approved.status_code == 200, approved.text
    return str(made.json()["id"])


def test_a_campaign_waits_for_whoever_comes(
    watched: Watched, campaign: httpx.Client, demonstration: Demonstration
) -> None:
    campaign_id = _approved(campaign, demonstration, f"desk-{new_id().hex[:12]}")
    page = watched.page
    watched.sign_in("Strategist")
    watched.open(f"/campaigns/{campaign_id}")
    page.locator(".fix", has_text="进入客群").get_by_text("暂停期间的变动保留至恢复").wait_for()
    page.locator(".fix", has_text="随到随触达").wait_for()
    page.get_by_role("button", name="试算").click()
    page.locator(".facts", has_text="位客户如此变动").wait_for()
    page.get_by_role("button", name="启动").click()
    page.get_by_role("dialog").get_by_role("button", name="启动").click()
    panel = page.locator(".panel", has_text="触发的联系")
    panel.get_by_text("尚无客户被触发").wait_for()
    panel.get_by_role("button", name="刷新").click()
    panel.get_by_text("尚无客户被触发").wait_for()
    assert campaign.get(f"/campaigns/{campaign_id}").json()["status"] == "running"
    assert campaign.post(f"/campaigns/{campaign_id}:complete").status_code == 200
    assert (watched.errors, watched.outside) == ([], [])
