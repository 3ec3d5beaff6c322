"""The campaign studio in a real browser: step by step to a draft, what it says of gaps, faults and reviews."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from shared import clock
from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

_FIXES = ("objective", "scheme", "people", "schedule", "responsibility", "audience", "budget")


def _told(campaign: httpx.Client) -> dict[str, Any]:
    """The story's own campaign: what it names is known to every service."""
    listed = campaign.get("/campaigns", params={"limit": 1000}).json()["items"]
    found = next(each for each in listed if each["key"] == "wealth-50plus")
    told: dict[str, Any] = campaign.get(f"/campaigns/{found['id']}").json()
    return told


def _drafted(campaign: httpx.Client, key: str) -> str:
    """A complete draft like the story's campaign, from today on; its id."""
    told = _told(campaign)
    start = clock.today()
    body = {
        "key": key,
        "name": {"zh": f"活动 {key}", "en": f"Campaign {key}"},
        **{part: told[part] for part in _FIXES},
        "schedule": {"start": start.isoformat(), "end": (start + timedelta(days=90)).isoformat()},
    }
    made = campaign.post("/campaigns", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def _step(page: Page, name: str) -> Locator:
    return page.locator(f'button[data-step="{name}"]')


def _choose(page: Page, field: Locator, option: str) -> None:
    """By what the option says; the list closes when the field is left."""
    field.click()
    page.get_by_role("option").filter(has_text=option).first.click()
    page.keyboard.press("Escape")


def _name(page: Page, field: str, code: str) -> None:
    """Somebody of the staff, found by the code."""
    page.get_by_label(field, exact=True).fill(code)
    page.get_by_role("option").filter(has_text=code).first.click()


def _write_arm(page: Page, arm: dict[str, Any]) -> None:
    """One arm that lacks its script, beside the usual hold-out."""
    _step(page, "scheme").click()
    _choose(page, page.get_by_label("场景", exact=True), "生命周期")
    page.get_by_role("button", name="添加分组").click()
    page.get_by_label("分组编码").fill("call")
    page.get_by_label("占比", exact=True).fill("80")
    page.locator("[data-shares]").get_by_text("还差 10.00%").wait_for()
    page.get_by_label("占比", exact=True).fill("90")
    page.locator("[data-shares]").get_by_text("合计 100%").wait_for()
    _choose(page, page.get_by_label("权益", exact=True), arm["offer"])


def _agree_when_to_conclude(page: Page, margin: str) -> None:
    """Two planned looks, and a guardrail with a margin."""
    _choose(page, page.get_by_label("护栏"), "complaints_30d")
    page.get_by_label("最多可变差").fill(margin)
    _choose(page, page.get_by_label("何时可下结论"), "成组序贯")
    page.get_by_label("查看时点").fill("50, 100")


def _assign(page: Page, told: dict[str, Any]) -> None:
    """People, schedule and responsibility."""
    _step(page, "people").click()
    _name(page, "负责人", told["people"]["owner"])
    _choose(page, page.get_by_label("执行机构"), f"({told['people']['orgs'][0]})")
    _step(page, "schedule").click()
    page.get_by_label("开始", exact=True).fill(clock.today().isoformat())
    page.get_by_label("结束", exact=True).fill((clock.today() + timedelta(days=60)).isoformat())
    _step(page, "responsibility").click()
    _name(page, "责任人", told["people"]["owner"])


def test_a_draft_is_written_step_by_step(watched: Watched, campaign: httpx.Client) -> None:
    key, told = f"desk-{new_id().hex[:12]}", _told(campaign)
    arm, page = told["scheme"]["arms"][0], watched.page
    watched.sign_in("Strategist")
    watched.open("/campaigns")
    page.get_by_role("button", name="新建活动").click()
    page.get_by_label("编码（小写").fill(key)
    page.get_by_label("名称（中文）").fill(f"活动 {key}")
    page.get_by_label("名称（英文）").fill(f"Campaign {key}")
    for name in ("objective", "audience", "scheme", "people", "schedule", "responsibility"):
        expect(_step(page, name)).to_contain_text("待补")
    page.keyboard.press("Control+s")
    page.get_by_text("草稿已保存").wait_for()
    page.wait_for_url("**/campaign-studio?campaign=*")

    _step(page, "objective").click()
    _choose(page, page.get_by_label("指标", exact=True), told["objective"]["primary_metric"])
    page.get_by_label("目标", exact=True).fill("5,000,000")
    _agree_when_to_conclude(page, margin="0")
    page.get_by_role("button", name="下一步").locator("visible=true").click()
    _choose(page, page.get_by_label("纳入", exact=True), told["audience"]["include"][0])
    page.locator("[data-audience] [data-count]").wait_for()
    _write_arm(page, arm)
    # Half of a fix is not kept, and says so at its field; everything else is.
    page.keyboard.press("Control+s")
    page.get_by_text("以下部分有误，未保存：目标、方案").wait_for()
    expect(_step(page, "scheme")).to_contain_text("有误")
    page.locator(".q-field", has=page.get_by_label("话术（版本）")).get_by_text("请填写").wait_for()
    _choose(page, page.get_by_label("话术（版本）"), arm["script"])
    _step(page, "objective").click()
    margin = page.locator(".q-field", has=page.get_by_label("最多可变差"))
    margin.get_by_text("greater than 0").wait_for()
    margin.locator("input").fill("0.2")

    _assign(page, told)
    page.get_by_role("button", name="保存草稿").click()
    page.get_by_text("草稿已保存").last.wait_for()
    for name in ("objective", "audience", "scheme", "people", "schedule", "responsibility"):
        expect(_step(page, name)).to_contain_text("已齐")
    page.get_by_role("button", name="试算").click()
    page.locator(".beside .facts").get_by_text("按停止规则").wait_for()

    written = campaign.get(f"/campaigns/{page.url.partition('campaign=')[2]}").json()
    assert (written["key"], written["missing"], written["status"]) == (key, [], "draft")
    assert written["objective"]["target"] == "5000000"
    assert written["objective"]["margins"] == {"complaints_30d": "0.002"}
    looks = {"spending": "obrien_fleming", "looks": [0.5, 1.0], "customers": None}
    assert written["objective"]["stop"] == {"kind": "group_sequential", **looks}
    made = written["scheme"]["arms"][0]
    assert (made["key"], made["share"], made["offer"], made["script"]) == (
        "call",
        0.9,
        arm["offer"],
        arm["script"],
    )
    assert written["people"]["orgs"] == told["people"]["orgs"][:1]
    watched.open(f"/campaigns/{written['id']}")
    page.locator(".fix").get_by_text("计划查看（成组序贯）：50%、100%（O'Brien–Fleming）").wait_for()
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []


def test_an_edit_voids_the_approval_and_a_copy_is_a_draft_of_its_own(
    watched: Watched, campaign: httpx.Client, demonstration: Demonstration
) -> None:
    key, stack = f"desk-{new_id().hex[:12]}", demonstration.stack
    campaign_id = _drafted(campaign, key)
    path = f"/campaigns/{campaign_id}"
    submitted = campaign.post(f"{path}:submit")
    assert submitted.status_code == 200, submitted.text
    headers = {"Authorization": f"Bearer {stack.token('approver')}"}
    base = f"{stack.base_url}/api/campaign/v1"
    approved = httpx.post(f"{base}{path}:approve", json={}, headers=headers, timeout=60)
    assert approved.status_code == 200, approved.text

    page, dialog = watched.page, watched.page.locator(".dialog")
    watched.sign_in("Strategist")
    watched.open(path)
    expect(page.get_by_role("button", name="复制")).to_be_enabled()
    page.get_by_role("button", name="编辑").click()
    page.locator("[data-warning]").get_by_text("保存任何修改都会使审批作废").wait_for()
    page.get_by_label("预算金额").fill("250000")
    page.keyboard.press("Control+s")
    dialog.get_by_role("button", name="取消").click()
    assert campaign.get(path).json()["status"] == "approved"
    # Meanwhile somebody else saves: both are told apart, and nothing is lost.
    other = {"name": {"zh": f"别人 {key}", "en": f"Theirs {key}"}}
    stale = campaign.get(path)
    assert campaign.patch(path, json=other, headers={"If-Match": stale.headers["etag"]}).status_code == 200
    page.keyboard.press("Control+s")
    dialog.get_by_role("button", name="保存草稿").click()
    page.locator("[data-conflict]").get_by_text("修改了：名称").wait_for()
    page.get_by_role("button", name="保留我的修改").click()
    expect(page.get_by_label("名称（中文）")).to_have_value(f"别人 {key}")
    expect(page.get_by_label("预算金额")).to_have_value("250000")
    page.keyboard.press("Control+s")
    page.get_by_text("草稿已保存").wait_for()
    saved = campaign.get(path).json()
    assert (saved["status"], saved["budget"]["amount"]) == ("draft", "250000")
    assert saved["name"]["zh"] == f"别人 {key}"

    watched.open(f"/campaign-studio?copy={campaign_id}")
    expect(page.get_by_label("编码（小写")).to_have_value(f"{key}-copy")
    page.get_by_role("button", name="保存草稿").click()
    page.wait_for_url("**/campaign-studio?campaign=*")
    copy = campaign.get(f"/campaigns/{page.url.partition('campaign=')[2]}").json()
    assert (copy["key"], copy["missing"], copy["status"]) == (f"{key}-copy", [], "draft")
    assert copy["scheme"] == saved["scheme"]
    assert [each for each in watched.errors if "412" not in each] == []
    assert watched.outside == []


def test_leaving_what_is_not_saved_is_asked_about(watched: Watched, campaign: httpx.Client) -> None:
    key = f"desk-{new_id().hex[:12]}"
    campaign_id = _drafted(campaign, key)
    page, asked = watched.page, list[str]()

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    watched.sign_in("Strategist")
    watched.open(f"/campaign-studio?campaign={campaign_id}")
    page.get_by_label("预算金额").fill("250000")
    page.locator("[data-unsaved]").wait_for()
    page.locator(".main a", has_text=key).click()
    expect(page.get_by_label("预算金额")).to_have_value("250000")
    assert asked == ["beforeunload"]
    page.keyboard.press("Control+s")
    page.get_by_text("草稿已保存").wait_for()
    page.locator("[data-unsaved]").wait_for(state="detached")
    page.locator(".main a", has_text=key).click()
    page.wait_for_url(f"**/campaigns/{campaign_id}")
    assert asked == ["beforeunload"]
    assert campaign.get(f"/campaigns/{campaign_id}").json()["budget"]["amount"] == "250000"
    # What a copy begins with is no work of anybody's.
    watched.open(f"/campaign-studio?copy={campaign_id}")
    page.locator("[data-state]").get_by_text("草稿").wait_for()
    assert page.locator("[data-unsaved]").count() == 0
    page.get_by_label("预算金额").fill("9")
    page.locator("[data-unsaved]").wait_for()
    assert watched.errors == []


def test_an_approver_sees_what_has_changed(
    watched: Watched, campaign: httpx.Client, demonstration: Demonstration
) -> None:
    path = f"/campaigns/{_drafted(campaign, f'desk-{new_id().hex[:12]}')}"
    stack = demonstration.stack
    headers = {"Authorization": f"Bearer {stack.token('approver')}"}
    assert campaign.post(f"{path}:submit").status_code == 200
    address = f"{stack.base_url}/api/campaign/v1{path}:reject"
    rejected = httpx.post(address, json={"reason": "too many"}, headers=headers, timeout=60)
    assert rejected.status_code == 200, rejected.text
    stored = campaign.get(path)
    scheme = stored.json()["scheme"]
    arms = [{**each, "share": round(each["share"] / 2, 6)} for each in scheme["arms"]]
    hold_out = round(1 - sum(each["share"] for each in arms), 6)
    changed = campaign.patch(
        path,
        json={"scheme": {**scheme, "arms": arms, "hold_out": hold_out}},
        headers={"If-Match": stored.headers["etag"]},
    )
    assert changed.status_code == 200, changed.text
    assert campaign.post(f"{path}:submit").status_code == 200

    watched.sign_in("Approver")
    watched.open(path)
    panel = watched.page.get_by_label("上次审批以来的修改")
    row = panel.locator("tr", has_text="方案 · 对照组占比")
    expect(row.locator("td").nth(1)).to_have_text(f"{scheme['hold_out']:.2%}")
    expect(row.locator("td").nth(2)).to_have_text(f"{hold_out:.2%}")
    expect(panel.locator("tbody tr")).to_have_count(1 + len(arms))
    assert watched.errors == []
    assert watched.outside == []
