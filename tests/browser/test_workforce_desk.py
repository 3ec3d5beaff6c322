"""Absences, feedback and coaching in a real browser: manager, branch head and strategist talk to each other."""

import contextlib

import httpx
import pytest
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.conftest import Watched
from tests.support import new_word, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def _sign_in(watched: Watched, code: str) -> None:
    page = watched.page
    page.goto(f"{watched.url}/sign-in")
    page.locator(".filters input").fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="进入").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def _open_done_task(watched: Watched, page: Page) -> None:
    """The first of them, as everybody of the branch has some that are done."""
    watched.open("/tasks")
    page.locator(".filters .q-select").click()
    page.get_by_role("option", name="已完成").click()
    page.locator("button.pick").first.click()
    page.get_by_role("button", name="提意见").wait_for()


def test_who_is_away_what_they_think_and_what_they_are_told(
    watched: Watched, campaign: httpx.Client, bank: httpx.Client
) -> None:
    task = campaign.get("/tasks", params={"state": "done", "limit": 1}).json()["items"][0]
    manager, org, mark = task["manager"], task["org"], new_word()
    staff = bank.get("/staff", params={"role": "branch_head", "org": org}).json()["items"]
    page = watched.page

    _sign_in(watched, manager)
    watched.open("/workforce")
    page.get_by_role("button", name="登记缺勤").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("接替人工号").fill(manager)
    dialog.get_by_role("button", name="保存").click()
    dialog.get_by_text("is the one who is away").wait_for()
    dialog.get_by_label("接替人工号").fill("")
    dialog.get_by_role("button", name="保存").click()
    row = page.locator(".absence", has_text=manager)
    row.get_by_text("客户的备岗").wait_for()
    row.get_by_role("button", name="撤销").click()
    page.get_by_role("dialog").get_by_role("button", name="撤销").click()
    page.get_by_text("没有缺勤").wait_for()

    _open_done_task(watched, page)
    page.get_by_role("button", name="提意见").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("说明").fill(f"太长 {mark}")
    dialog.get_by_role("button", name="保存").click()
    page.get_by_text("谢谢，已提交").wait_for()

    watched.sign_in("Strategist")
    said = page.locator(".feedback", has_text=mark)

    def listed() -> bool:
        # A page that says that a service did not answer in time is opened again, as people do.
        watched.open("/feedback")
        with contextlib.suppress(PlaywrightTimeoutError):
            said.wait_for(timeout=10_000)
        return said.count() > 0

    wait_until(listed, what="the feedback in the list")
    said.get_by_role("button", name="答复").click()
    page.locator(".dialog textarea").fill("已缩短")
    page.locator(".dialog").get_by_role("button", name="答复").click()
    said.wait_for(state="detached")
    given = campaign.get("/feedback", params={"state": "answered"}).json()["items"]
    assert [each["answer"] for each in given if mark in each["text"]] == ["已缩短"]

    _sign_in(watched, staff[0]["code"])
    watched.open("/workforce")
    page.get_by_text("任务量", exact=True).wait_for()
    _open_done_task(watched, page)
    page.get_by_role("button", name="写辅导意见").click()
    page.locator(".dialog textarea").fill(f"先问家人 {mark}")
    page.locator(".dialog").get_by_role("button", name="写辅导意见").click()
    page.locator(".coaching", has_text=mark).get_by_text("未阅").wait_for()
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []
