"""Duplicates, imports, quality, handovers and the customer's tabs in a real browser."""

import csv
import io
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

TABS = ("价值", "关系网络", "归属与质量", "授权", "变更历史")


def made(bank: httpx.Client, number: str, org: str, **fields: Any) -> str:
    body = {
        "kind": "person",
        "org": org,
        "identities": [{"source": "desk-test", "source_id": number}],
        **fields,
    }
    answer = bank.post("/customers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_every_desk_and_tab_opens_without_an_error(watched: Watched, bank: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    for path in ("/duplicates", "/quality", "/handovers", "/imports"):
        watched.open(path)
        assert page.locator(".state[role=alert]").count() == 0, path
    company = next(
        one["id"]
        for one in bank.get("/customers", params={"limit": 500}).json()["items"]
        if one["kind"] == "company"
    )
    watched.open(f"/customers/{company}")
    insight = page.locator("section.panel", has=page.locator("h2", has_text="客户洞察"))
    expect(insight).to_contain_text("生命周期阶段")
    for tab in TABS:
        watched.turn_to(tab)
        assert page.locator(".state[role=alert]").count() == 0, tab
    assert watched.errors == []
    assert watched.outside == []


def test_a_pair_is_merged_and_taken_back_at_the_desk(watched: Watched, bank: httpx.Client) -> None:
    org = next(
        one["code"]
        for one in bank.get("/orgs", params={"limit": 500}).json()["items"]
        if one["level"] == "subbranch"
    )
    same = {"name": "欧阳测试", "id_number": "310101199001012345", "phone": "13900001111"}
    first, second = (made(bank, number, org, **same) for number in ("A1", "A2"))
    job = bank.post("/duplicates:find").json()
    path = f"/jobs/{job['id']}"
    wait_until(lambda: bank.get(path).json()["state"] not in {"queued", "running"}, what="the search")

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/duplicates")
    page.locator("button.pick", has_text="欧*").first.click()
    page.get_by_role("button", name="试合并").click()
    page.wait_for_selector("h3:has-text('合并后的样子')")
    page.get_by_role("button", name="合并", exact=True).click()
    page.locator(".dialog textarea").fill("证件号码一致")
    page.locator(".dialog").get_by_role("button", name="合并").click()
    page.wait_for_selector(".q-notification:has-text('已合并')")
    states = {bank.get(f"/customers/{one}").json()["status"] for one in (first, second)}
    assert states == {"active", "merged"}

    watched.turn_to("合并台账")
    page.get_by_role("button", name="撤销合并").first.click()
    page.locator(".dialog textarea").fill("核实后不是同一人")
    page.locator(".dialog").get_by_role("button", name="撤销合并").click()
    page.wait_for_selector(".q-notification:has-text('已恢复')")
    assert {bank.get(f"/customers/{one}").json()["status"] for one in (first, second)} == {"active"}
    assert watched.errors == []


def test_a_file_is_mapped_tried_and_imported_by_the_wizard(watched: Watched, bank: httpx.Client) -> None:
    org = next(
        one["code"]
        for one in bank.get("/orgs", params={"limit": 500}).json()["items"]
        if one["level"] == "subbranch"
    )
    text = io.StringIO()
    rows = csv.writer(text, delimiter=";")
    rows.writerow(["source", "source_id", "kind", "name", "org", "phone"])
    rows.writerows([["wizard", f"W{n}", "person", f"客户{n}", org, f"1370000{n:04d}"] for n in range(40)])
    rows.writerow(["wizard", "W99", "person", "无机构", "hq.nowhere", ""])

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/imports")
    page.locator("input[type=file]").set_input_files(
        {"name": "客户.csv", "mimeType": "text/csv", "buffer": text.getvalue().encode("gb18030")}
    )
    page.wait_for_selector("h2:has-text('列的对应关系')")
    for button, title in (("试运行（不写入）", "试运行"), ("开始导入", "导入进度")):
        page.get_by_role("button", name=button).click()
        page.wait_for_selector(f"h2:has-text('3 · {title}')")
        page.wait_for_selector(".tag:has-text('成功')", timeout=60_000)
        expect(page.locator(".books")).to_contain_text("41")
        page.locator("td", has_text="is not a unit you can see").wait_for()
    found = bank.get("/customers", params={"source": "wizard", "source_id": "W7"}).json()["items"]
    assert [one["org"] for one in found] == [org]
    assert watched.errors == []


def test_a_handover_is_tried_before_it_is_ordered(watched: Watched, bank: httpx.Client) -> None:
    manager = next(
        one["primary_manager"]
        for one in bank.get("/customers", params={"limit": 50}).json()["items"]
        if one["primary_manager"]
    )
    watched.sign_in("Admin")
    page = watched.page
    ordered = bank.get("/handovers").json()["items"]
    watched.open("/handovers")
    page.get_by_label("移交人编号").fill(manager)
    page.get_by_role("button", name="试算").click()
    page.wait_for_selector("text=连续性通过")
    page.locator("section.panel table.t tbody tr").first.wait_for()
    assert bank.get("/handovers").json()["items"] == ordered
    assert watched.errors == []
