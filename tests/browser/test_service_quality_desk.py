"""The service-quality page in a real browser: a model declared, faulty lines named, a month taken and another
taken away, a run, the index.
"""

import io

import httpx
import pyarrow.csv
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Watched
from tests.conftest import Demonstration
from tests.evaluation.test_service_quality import answers, declared

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]
PERIODS = ("2026-09", "2026-10")


def test_answers_are_uploaded_run_and_read(watched: Watched, demonstration: Demonstration) -> None:
    stack, model = demonstration.stack, declared(name={"zh": "网点服务", "en": "Branch service"})
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    root = f"{stack.base_url}/api/evaluation/v1/service-quality/models"
    assert httpx.post(root, json=model, headers=headers).status_code == 201
    for period in ("2026-08", PERIODS[0]):
        observed = f"{root}/{model['key']}/observations/{period}"
        assert httpx.put(observed, content=_csv(period, 0), headers=headers).status_code == 200
    watched.sign_in("Strategist")
    watched.open("/service-quality")
    page = watched.page
    _declare(page, f"{model['key']}-own")
    page.get_by_label("模型", exact=True).click()
    page.get_by_role("option", name=f"({model['key']}@1)").click()
    # The model just declared has not run either: what was observed tells them apart.
    page.locator("tr", has_text=PERIODS[0]).wait_for()
    page.get_by_text("模型还没有运行").wait_for()
    place = page.locator("input[type=file]")
    page.get_by_label("月份", exact=True).last.fill(PERIODS[1])
    place.set_input_files([_file(b"branch,business,date\nhq.a,vault,2026-10-01\n")])
    page.locator("tr", has_text="business").get_by_text("must be one of counter, advice").wait_for()
    place.set_input_files([_file(_csv(PERIODS[1], 1))])
    page.locator("tr", has_text=PERIODS[1]).get_by_text("144").first.wait_for()
    _take_away(page, "2026-08")
    page.get_by_role("button", name="运行模型").click()
    best = page.locator("tr", has_text="hq.bj.b05")
    best.get_by_text("高于全行").wait_for()
    best.get_by_text("1 / 12").wait_for()
    page.get_by_role("img", name="权重从何而来").get_by_text("× 0").wait_for()
    page.get_by_text("路径系数为负，权重记0").wait_for()
    watched.drawn(page.locator(".chart canvas").first)
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []


def _declare(page: Page, key: str) -> None:
    """What is missing stands at its field; the smallest model there can be is taken."""
    page.get_by_role("button", name="声明模型").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="保存").click()
    dialog.locator(".q-field__messages").first.wait_for()
    for label, value in (("编码", key), ("编码", "counter"), ("列名", "prompt")):
        field = dialog.get_by_label(label)
        (field.nth(1) if value == "counter" else field.first).fill(value)
    for field in dialog.get_by_label("中文").all() + dialog.get_by_label("英文").all():
        field.fill("网点")
    dialog.get_by_role("button", name="保存").click()
    page.wait_for_selector(f".q-notification:has-text('已声明 {key} 第 1 版')")
    dialog.wait_for(state="detached")


def _take_away(page: Page, month: str) -> None:
    page.get_by_label("要删除的月份").click()
    page.get_by_role("option", name=month).click()
    page.get_by_role("button", name="删除该月观测").click()
    page.get_by_role("dialog").get_by_role("button", name="删除该月观测").click()
    page.wait_for_selector(f".q-notification:has-text('{month} 的观测已删除')")
    page.locator("tr", has_text=month).wait_for(state="detached")


def _csv(period: str, seed: int) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(answers(period, seed=seed), sink)
    return sink.getvalue()


def _file(content: bytes) -> dict[str, object]:
    return {"name": "answers.csv", "mimeType": "text/csv", "buffer": content}
