"""A table of anybody's experiment in a real browser: uploaded, its columns chosen, its answer read."""

import pytest

from shared.contracts.evaluation.analyse import Analysis
from tests.browser.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

ROWS = [("对照", value) for value in range(40)] + [("实验", value + 50) for value in range(40)]
TABLE = ("组别,金额\n" + "".join(f"{arm},{value}\n" for arm, value in ROWS)).encode("gbk")


def test_a_table_is_uploaded_and_its_answer_read(watched: Watched) -> None:
    page = watched.page
    watched.sign_in("Strategist")
    watched.open("/analysis")
    page.get_by_text("尚未选择数据表").wait_for()
    page.locator("input[type=file]").set_input_files(
        {"name": "实验.csv", "mimeType": "text/csv", "buffer": TABLE}
    )
    page.get_by_role("button", name="分析", exact=True).click()
    page.locator(".q-field--error", has_text="指标").wait_for()

    def choose(label: str, value: str) -> None:
        page.get_by_label(label, exact=True).click()
        page.get_by_role("option", name=value, exact=True).click()

    choose("分组列", "组别")
    choose("对照组", "对照")
    choose("指标", "金额")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="分析", exact=True).click()
    page.locator("[data-srm=fine]").wait_for()
    page.get_by_text("已按 gb18030 读取").wait_for()
    row = page.locator("table.t tr", has_text="实验").first
    assert "50" in row.inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="下载 JSON").click()
    assert download.value.suggested_filename == "实验.json"
    answer = Analysis.model_validate_json(download.value.path().read_bytes())
    assert answer.metrics[0].difference == 50
    assert watched.errors == []
    assert watched.outside == []
