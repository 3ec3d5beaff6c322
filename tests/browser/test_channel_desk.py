"""The desk of channels in a real browser."""

import httpx
import pytest

from shared.ids import new_id
from tests.browser.conftest import Watched
from tests.conftest import Demonstration

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]


def test_a_channel_is_set_up_tried_and_enabled(watched: Watched, demonstration: Demonstration) -> None:
    stack, key = demonstration.stack, f"desk-{new_id().hex[-12:]}"
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/channels")
    page.get_by_role("button", name="新建渠道").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("编码").fill(key)
    dialog.get_by_label("名称（中文）").fill(f"渠道 {key}")
    dialog.get_by_label("名称（英文）").fill(f"Channel {key}")
    dialog.get_by_label("服务商地址").fill("https://10.0.0.1/messages")
    dialog.get_by_role("button", name="保存").click()
    dialog.get_by_text("inside the bank").wait_for()
    dialog.locator(".q-select", has_text="接入方式").click()
    page.get_by_role("option", name="沙箱").click()
    dialog.get_by_label("送达占比").fill("90")
    dialog.get_by_role("button", name="保存").click()
    panel = page.locator(".panel", has_text=key)
    panel.get_by_text("送达 90%").wait_for()
    panel.get_by_role("button", name="试发").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("测试地址").fill("13800000000")
    dialog.get_by_role("button", name="发送").click()
    panel.get_by_text("已受理").wait_for()
    panel.get_by_role("button", name="启用").click()
    panel.get_by_text("已启用").wait_for()
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    shown = httpx.get(f"{stack.base_url}/api/campaign/v1/channels/{key}", headers=headers).json()
    assert (shown["state"], shown["connector"]["delivered"]) == ("enabled", 0.9)
    assert watched.errors == []
    assert watched.outside == []
