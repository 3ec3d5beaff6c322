"""GE matrix and tiers in a real browser: weights with their consistency, scoring, approval, a tier by hand."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def named(key: str, zh: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "name": {"zh": zh, "en": key}, **more}


def test_key_accounts_are_weighed_and_scored(
    watched: Watched, segmentation: httpx.Client, bank: httpx.Client
) -> None:
    assets = {"feature": "aum", "cutoffs": [10_000, 100_000, 1_000_000, 10_000_000]}
    body = named(
        "desk",
        "重点客户",
        attractiveness=[named("size", "规模", bands=assets), named("growth", "成长"), named("risk", "风险")],
        competitiveness=[named("share", "份额"), named("relation", "关系")],
    )
    assert segmentation.post("/ge-matrices", json=body).status_code == 201
    customer = bank.get("/customers", params={"limit": 1}).json()["items"][0]["id"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/ge-matrices")
    page.get_by_role("link", name="重点客户").click()
    page.wait_for_selector("text=还没有客户评分")
    watched.turn_to("权重")
    for pair, answer in (("规模 比 成长", "9"), ("成长 比 风险", "9"), ("规模 比 风险", "1/9")):
        page.get_by_label(pair).click()
        page.get_by_role("option", name=answer, exact=True).last.click()  # the one before may still close
    page.wait_for_selector("text=最矛盾的三项")
    page.get_by_label("规模 比 风险").click()
    page.get_by_role("option", name="9", exact=True).last.click()
    page.get_by_label("成长 比 风险").click()
    page.get_by_role("option", name="1", exact=True).last.click()
    page.wait_for_selector(".tag.good:has-text('一致性比率')")
    page.get_by_role("button", name="保存权重").first.click()
    page.wait_for_selector(".q-notification:has-text('权重已保存')")
    view = segmentation.get("/ge-matrices/desk").json()
    assert [round(one["weight"], 3) for one in view["attractiveness"]] == [0.818, 0.091, 0.091]

    watched.turn_to("评分")
    page.get_by_label("客户编号").fill(customer)
    page.get_by_role("button", name="提交评分").click()
    page.wait_for_selector(".tag.good:has-text('类')")
    watched.turn_to("九宫格")
    expect(page.locator("section.panel h3")).to_have_count(9)
    expect(page.locator(f"section.panel a[href='/customers/{customer}']")).to_have_count(1)
    assert watched.errors == []
    assert watched.outside == []


def test_moves_are_approved_and_a_tier_is_held_by_hand(
    watched: Watched, segmentation: httpx.Client, bank: httpx.Client
) -> None:
    tiers = [
        {"code": "basic", "name": {"zh": "普通", "en": "Basic"}},
        {
            "code": "gold",
            "name": {"zh": "金卡", "en": "Gold"},
            "upgrade_at": 50_000,
            "downgrade_below": 40_000,
        },
    ]
    assert (
        segmentation.post("/tier-schemes", json=named("00-desk", "价值层级", tiers=tiers)).status_code == 201
    )
    asked = segmentation.post("/tier-schemes/00-desk:apply", json={}).json()
    path = f"/tier-lists/{asked['id']}"
    wait_until(lambda: segmentation.get(path).json()["state"] == "proposed", what="the list")
    customer = bank.get("/customers", params={"limit": 1}).json()["items"][0]["id"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/tiers")
    page.get_by_role("button", name="批准").click()
    page.locator(".dialog").get_by_role("button", name="批准").click()
    page.wait_for_selector(".tag:has-text('已生效')")
    assert segmentation.get(path).json()["state"] == "effective"
    watched.turn_to("升降级明细")
    page.wait_for_selector("td:has-text('≥ 5 万')")

    until = {
        "scheme": "00-desk",
        "tier": "gold",
        "reason": "董事长家属",
        "until": "2027-12-31T00:00:00+08:00",
    }
    proposed = segmentation.put(f"/customers/{customer}/tier-override", json=until)
    assert proposed.status_code == 200, proposed.text
    watched.turn_to("人工指定")
    page.get_by_role("button", name="批准").click()
    page.locator(".dialog").get_by_role("button", name="批准").click()
    page.wait_for_selector(".tag:has-text('生效中')")
    seen = bank.get(f"/customers/{customer}/360", params={"include": "tier"}).json()
    assert ("00-desk", "gold") in [(held["scheme_key"], held["tier"]) for held in seen["tiers"]]
    watched.open(f"/customers/{customer}")
    page.wait_for_selector(".tag:has-text('金卡')")
    assert watched.errors == []
    assert watched.outside == []
