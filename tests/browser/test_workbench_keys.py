"""The manager's workbench in a real browser, with the keyboard alone once somebody has signed in."""

from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from shared import clock
from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

_FIXES = ("objective", "people", "responsibility", "scheme", "audience")
_OUTLINED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


def _launched(campaign: httpx.Client, demonstration: Demonstration) -> str:
    """The manager who got most of a new campaign for a few of the story's customers."""
    told = next(
        each
        for each in campaign.get("/campaigns", params={"limit": 100}).json()["items"]
        if each["key"] == "wealth-50plus"
    )
    fixes = campaign.get(f"/campaigns/{told['id']}").json()
    body = {name: fixes[name] for name in _FIXES}
    today = clock.today()
    body |= {
        "key": f"keys-{new_id().hex[:12]}",
        "name": {"zh": "键盘", "en": "Keyboard"},
        "schedule": {"start": today.isoformat(), "end": (today + timedelta(days=9)).isoformat()},
    }
    body["audience"]["limit"] = 40
    body["scheme"]["hold_out"] = 0
    body["scheme"]["arms"][0]["share"] = 1
    made = campaign.post("/campaigns", json=body)
    assert made.status_code == 201, made.text
    path = f"/campaigns/{made.json()['id']}"
    assert campaign.post(f"{path}:submit").status_code == 200
    stack = demonstration.stack
    checker = {"Authorization": f"Bearer {stack.token('approver')}"}
    base = str(campaign.base_url).rstrip("/")
    approved = httpx.post(f"{base}{path}:approve", json={}, headers=checker)
    assert approved.status_code == 200, approved.text
    assert campaign.post(f"{path}:launch").status_code == 202
    wait_until(lambda: campaign.get(path).json()["status"] == "running", what="the launch")
    tasks = campaign.get("/tasks", params={"campaign_id": made.json()["id"], "limit": 100}).json()["items"]
    managers = [each["manager"] for each in tasks]
    return max(managers, key=managers.count)


def _enter(watched: Watched, manager: str) -> None:
    page = watched.page
    page.goto(f"{watched.url}/sign-in")
    page.get_by_label("员工").fill(manager)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="进入", exact=True).click()
    page.wait_for_url("**/tasks")
    watched.open("/tasks")


def _focused(page: Page, what: str) -> None:
    """It has the focus, and that is to be seen."""
    page.wait_for_function("what => document.activeElement.matches(what)", arg=what)
    assert page.evaluate(_OUTLINED)


def test_tasks_are_worked_with_the_keyboard_alone(
    watched: Watched, campaign: httpx.Client, demonstration: Demonstration
) -> None:
    manager = _launched(campaign, demonstration)
    _enter(watched, manager)
    page, press, dialog = watched.page, watched.page.keyboard.press, watched.page.get_by_role("dialog")
    page.locator(".pick").nth(1).wait_for()
    press("j")
    _focused(page, ".pick[aria-current]")
    page.locator(".panel.beside h2").wait_for()
    press("s")
    page.locator(".pick[aria-current] .tag", has_text="进行中").wait_for()
    walk = page.locator(".script-walk > div > p")
    for key, said in (
        ("1", "近期资金"),
        ("1", "风险等级"),
        ("0", "近期资金"),
        ("1", "风险等级"),
        ("1", "已成交"),
    ):
        press(key)
        expect(walk).to_contain_text(said)
    press("r")
    expect(dialog.get_by_label("联系结果")).to_be_focused()
    while not page.evaluate("document.activeElement.getAttribute('aria-label') === '成交金额（元）'"):
        press("Tab")
    page.keyboard.type("60000")
    press("Control+Enter")
    dialog.wait_for(state="detached")
    page.locator(".panel.beside .tag", has_text="已完成").wait_for()
    _focused(page, ".panel.beside")

    press("j")
    _focused(page, ".pick[aria-current]")
    page.locator(".panel.beside").get_by_role("button", name="登记结果").wait_for()
    press("d")
    _focused(page, ".panel.beside")
    press("Tab")
    _focused(page, ".panel.beside a")
    press("Shift+Digit4")
    expect(dialog.get_by_label("联系结果")).to_be_focused()
    dialog.get_by_text("未接通").wait_for()
    press("Control+Enter")
    dialog.wait_for(state="detached")
    page.locator(".panel.beside .line", has_text="未接通").wait_for()
    mine = campaign.get("/tasks", params={"manager": manager, "limit": 1000}).json()["items"]
    told = [each["disposition"] for each in mine if each["campaign_name"]["en"] == "Keyboard"]
    assert {"accepted", "no_answer"} <= set(told)
    assert (watched.errors, watched.outside) == ([], [])
