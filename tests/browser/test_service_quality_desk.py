"""The service-quality page in a real browser: faulty lines named, a month taken, a run, the index."""

import io

import httpx
import pyarrow.csv
import pytest

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
    observed = f"{root}/{model['key']}/observations/{PERIODS[0]}"
    assert httpx.put(observed, content=_csv(PERIODS[0], 0), headers=headers).status_code == 200
    watched.sign_in("Strategist")
    watched.open("/service-quality")
    page = watched.page
    page.get_by_text("模型还没有运行").wait_for()
    place = page.locator("input[type=file]")
    page.get_by_label("月份").last.fill(PERIODS[1])
    place.set_input_files([_file(b"branch,business,date\nhq.a,vault,2026-10-01\n")])
    page.locator("tr", has_text="business").get_by_text("must be one of counter, advice").wait_for()
    place.set_input_files([_file(_csv(PERIODS[1], 1))])
    page.locator("tr", has_text=PERIODS[1]).get_by_text("144").first.wait_for()
    page.get_by_role("button", name="运行模型").click()
    best = page.locator("tr", has_text="hq.bj.b05")
    best.get_by_text("高于全行").wait_for()
    best.get_by_text("1 / 12").wait_for()
    page.get_by_role("img", name="权重从何而来").get_by_text("× 0").wait_for()
    page.get_by_text("路径系数为负，权重记0").wait_for()
    watched.drawn(page.locator(".chart canvas").first)
    assert [each for each in watched.errors if "422" not in each] == []
    assert watched.outside == []


def _csv(period: str, seed: int) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(answers(period, seed=seed), sink)
    return sink.getvalue()


def _file(content: bytes) -> dict[str, object]:
    return {"name": "answers.csv", "mimeType": "text/csv", "buffer": content}
