"""GE matrix and tiers in a real browser: declared, weighed, scored; approval, a tier by hand."""

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Watched
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def name_all(dialog: Locator, what: str, *names: tuple[str, str]) -> None:
    """Fills the names of parts that repeat, in their order."""
    for number, (zh, en) in enumerate(names):
        dialog.get_by_label(f"{what}（中文）").nth(number).fill(zh)
        dialog.get_by_label(f"{what}（英文）").nth(number).fill(en)


def refused(dialog: Locator, why: str) -> None:
    """The form stays, and the field says why."""
    dialog.get_by_role("button", name="保存").click()
    dialog.locator(".q-field--error", has_text=why).first.wait_for()


def test_key_accounts_are_weighed_and_scored(
    watched: Watched, segmentation: httpx.Client, bank: httpx.Client
) -> None:
    customer = bank.get("/customers", params={"limit": 1}).json()["items"][0]["id"]

    watched.sign_in("Admin")
    page = watched.page
    watched.open("/ge-matrices")
    page.get_by_role("button", name="声明矩阵").first.click()
    dialog = page.locator(".dialog")
    dialog.get_by_role("button", name="增加因素").first.click()
    name_all(dialog, "矩阵", ("重点客户", "Key accounts"))
    factors = (
        ("规模", "size"),
        ("成长", "growth"),
        ("风险", "risk"),
        ("份额", "share"),
        ("关系", "relation"),
    )
    name_all(dialog, "因素", *factors)
    for number, key in enumerate(("Desk", *(en for _, en in factors))):
        dialog.get_by_label("编码").nth(number).fill(key)
    dialog.get_by_label("按特征分档评分").first.fill("(aum)")
    page.locator(".q-menu .q-item", has_text="(aum)").click()
    for score, start in enumerate((10_000, 100_000, 1_000_000, 100), 2):
        dialog.get_by_label(f"{score} 分起").first.fill(str(start))
    refused(dialog, "cut-offs must ascend")
    dialog.get_by_label("5 分起").first.fill("10000000")
    refused(dialog, "should match pattern")
    dialog.get_by_label("编码").first.fill("desk")
    dialog.get_by_role("button", name="保存").click()
    page.wait_for_url("**/ge-matrices/desk")
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
    page.get_by_role("button", name="修改").click()
    page.locator(".dialog").get_by_label("低于此值为“低”").fill("2")
    page.locator(".dialog").get_by_role("button", name="保存").click()
    page.wait_for_selector(".q-notification:has-text('矩阵已修改')")
    view = segmentation.get("/ge-matrices/desk").json()
    assert view["cutoffs"] == {"low": 2.0, "high": 3.67}
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
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/tiers")
    page.get_by_role("button", name="声明方案").first.click()
    dialog = page.locator(".dialog")
    dialog.get_by_role("button", name="移除").last.click()
    expect(dialog.get_by_label("层级编码")).to_have_count(2)
    dialog.get_by_label("编码（小写").fill("00-desk")
    refused(dialog, "请填写")
    name_all(dialog, "层级方案", ("价值层级", "Value tiers"))
    name_all(dialog, "名称", ("普通", "Basic"), ("金卡", "Gold"))
    for number, code in enumerate(("basic", "gold")):
        dialog.get_by_label("层级编码").nth(number).fill(code)
    dialog.get_by_label("达到此值升级").fill("50000")
    dialog.get_by_label("低于此值降级").fill("60000")
    refused(dialog, "must not be above")
    dialog.get_by_label("低于此值降级").fill("45000")
    dialog.get_by_role("button", name="保存").click()
    page.wait_for_selector(".q-notification:has-text('方案已声明')")
    page.wait_for_selector("text=还没有清单")
    page.get_by_role("button", name="修改方案").click()
    page.locator(".dialog").get_by_label("低于此值降级").fill("40000")
    page.locator(".dialog").get_by_role("button", name="保存").click()
    page.wait_for_selector(".q-notification:has-text('方案已修改')")
    gold = segmentation.get("/tier-schemes/00-desk").json()["tiers"][1]
    assert (gold["upgrade_at"], gold["downgrade_below"]) == (50_000, 40_000)

    asked = segmentation.post("/tier-schemes/00-desk:apply", json={}).json()
    path = f"/tier-lists/{asked['id']}"
    wait_until(lambda: segmentation.get(path).json()["state"] == "proposed", what="the list")
    customer = bank.get("/customers", params={"limit": 1}).json()["items"][0]["id"]

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
