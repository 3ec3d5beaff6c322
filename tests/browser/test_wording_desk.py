"""Scripts, materials and compliance lists in a real browser."""

import uuid

import httpx
import pytest

from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def _refuse(watched: Watched, mark: str, word: str) -> None:
    """A compliance list that refuses the word."""
    page = watched.page
    watched.sign_in("Admin")
    watched.open("/wording")
    watched.turn_to("合规词表")
    page.get_by_role("button", name="更新词表").click()
    form = page.locator(".dialog")
    form.get_by_label("键", exact=True).fill(f"list-{mark}")
    form.get_by_label("名称（中文）").fill("承诺")
    form.get_by_label("名称（英文）").fill("Promises")
    form.get_by_label("禁用词").fill(word)
    form.get_by_role("button", name="保存").click()
    page.locator(f"tr:has-text('list-{mark}@1') .tag.bad", has_text=word).wait_for()


def test_a_script_is_written_checked_approved_and_retired(watched: Watched, campaign: httpx.Client) -> None:
    mark = uuid.uuid4().hex[:6]
    word, key = f"稳赢{mark}", f"desk-{mark}"
    page, form = watched.page, watched.page.locator(".dialog")
    _refuse(watched, mark, word)
    watched.sign_in("Strategist")
    watched.open("/wording")
    page.get_by_role("button", name="撰写话术").click()
    form.get_by_label("键", exact=True).fill(key)
    form.get_by_label("名称（中文）").fill(f"话术{mark}")
    form.get_by_label("名称（英文）").fill(f"Script {mark}")
    form.get_by_label("步骤键").fill("hello")
    form.get_by_label("文本（英文）").fill("Hello {{ customer.salutation }}")
    form.get_by_label("文本（中文）").fill("您好{{ customer.salutatio }}")
    form.get_by_text("line 1, position 6: there is no value customer.salutatio").wait_for()
    form.get_by_label("文本（中文）").fill(f"您好{{{{ customer.salutation }}}}，{word[:2]} {word[2:]}")
    form.locator(".script-preview .hits mark", has_text=f"{word[:2]} {word[2:]}").wait_for()
    form.get_by_role("button", name="保存").click()
    form.get_by_text(f"is refused by list-{mark}@1").wait_for()
    form.get_by_label("文本（中文）").fill("您好{{ customer.salutation }}")
    form.get_by_role("button", name="增加回答").click()
    form.get_by_label("回答键").fill("no")
    form.get_by_label("去向").fill("!refused")
    form.get_by_label("回答（中文）").fill("不需要")
    form.get_by_label("回答（英文）").fill("No")
    form.locator(".script-preview .tag", has_text="不需要").wait_for()
    form.get_by_role("button", name="保存").click()
    page.wait_for_url(f"**/wording/scripts/{key}@1")
    page.locator(".script-step li:has-text('拒绝')").wait_for()
    assert page.get_by_role("button", name="批准", exact=True).count() == 0

    watched.sign_in("Approver")
    watched.open(f"/wording/scripts/{key}@1")
    page.get_by_role("button", name="批准", exact=True).click()
    page.locator(".dialog").get_by_role("button", name="批准", exact=True).click()
    page.locator(".facts .tag:has-text('已批准')").wait_for()
    assert campaign.get(f"/scripts/{key}@1").json()["decided_by"] == "user:approver"
    page.get_by_role("button", name="停用").click()
    page.locator(".dialog textarea").fill("到期")
    page.locator(".dialog").get_by_role("button", name="停用").click()
    page.locator(".facts .tag:has-text('已停用')").wait_for()
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []


def test_a_material_is_written_as_a_text_or_named_as_a_file(watched: Watched, campaign: httpx.Client) -> None:
    key, page, form = f"leaf-{uuid.uuid4().hex[:6]}", watched.page, watched.page.locator(".dialog")
    watched.sign_in("Strategist")
    watched.open("/wording")
    page.get_by_role("button", name="撰写物料").click()
    form.get_by_label("键", exact=True).fill(key)
    form.get_by_label("适用产品").fill("W-01，F-01, ")
    form.get_by_label("名称（中文）").fill("短信")
    form.get_by_label("名称（英文）").fill("Message")
    form.get_by_label("文本（中文）").fill("您" * 71)
    form.get_by_label("文本（英文）").fill("Dear customer")
    form.get_by_text("中文 2 条，英文 1 条").wait_for()
    form.get_by_label("类型", exact=True).click()
    page.get_by_role("option", name="文件").click()
    form.get_by_label("文本（中文）").wait_for(state="hidden")
    form.get_by_label("地址").fill("https://bank.example/leaflet.pdf")
    form.get_by_label("内容哈希").fill("a" * 64)
    form.get_by_label("字节").fill("1024")
    form.get_by_role("button", name="保存").click()
    page.wait_for_url(f"**/wording/materials/{key}@1")
    written = campaign.get(f"/materials/{key}@1").json()
    assert (written["kind"], written["products"], written["file"]["size"]) == ("file", ["W-01", "F-01"], 1024)
    assert (watched.errors, watched.outside) == ([], [])
