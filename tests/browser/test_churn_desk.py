"""The churn desk in a real browser: a model is trained, its quality is shown, a warning is taken up."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import httpx
import pytest
from playwright.sync_api import Page

from tests.conftest import Demonstration
from tests.support import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("demonstration")]

# The bank of the demonstration is young and loses hardly anybody: whose assets fell at all is enough here.
BODY: dict[str, Any] = {
    "key": "desk-churn",
    "name": {"zh": "流失预警", "en": "Churn"},
    "kind": "churn",
    "parameters": {
        "horizon_days": 60,
        "fall": 0.02,
        "most_activity": 10_000,
        "least_probability": 0.0,
        "features": ["aum", "deposit_balance", "product_count", "age", "txn_count_30d", "outflow_30d"],
    },
}


class Watched(Protocol):
    page: Page
    errors: list[str]
    outside: list[str]
    sign_in: Callable[[str], None]
    open: Callable[[str], None]


@pytest.fixture
def bank(demonstration: Demonstration) -> Iterator[httpx.Client]:
    """The segmentation API of the stack, as a strategist."""
    stack = demonstration.stack
    headers = {"Authorization": f"Bearer {stack.token('strategist')}"}
    base = f"{stack.base_url}/api/segmentation/v1"
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        yield client


def test_a_warning_is_raised_and_taken_up(watched: Watched, bank: httpx.Client) -> None:
    watched.sign_in("Admin")
    page = watched.page
    watched.open("/churn")
    page.wait_for_selector("text=没有符合条件的预警")
    model = bank.post("/models", json=BODY)
    assert model.status_code == 201, model.text

    page.locator(".q-tab", has_text="模型质量").click()
    page.get_by_role("button", name="重新训练").click()

    def warned() -> bool:
        run = bank.get(f"/models/{model.json()['id']}").json()["last_run_id"]
        state = bank.get(f"/model-runs/{run}").json() if run else {"state": "none"}
        assert state["state"] != "failed", state["problem"]
        return bool(bank.get("/churn-warnings/summary").json()["states"])

    wait_until(warned, what="the warnings")
    page.wait_for_selector("h2:has-text('校准')")
    page.wait_for_selector("[aria-label='捕获曲线'] canvas")

    watched.open("/churn")
    open_ = bank.get("/churn-warnings/summary").json()["states"][0]["warnings"]
    page.get_by_role("button", name="跟进").first.click()
    page.wait_for_selector(".q-notification:has-text('跟进中')")
    # The list is drawn anew: a menu opened before would go with the old one.
    page.wait_for_selector(".panel .tag:has-text('跟进中')")
    counts = {
        each["state"]: each["warnings"] for each in bank.get("/churn-warnings/summary").json()["states"]
    }
    assert counts == {"open": open_ - 1, "acknowledged": 1}
    page.get_by_role("button", name="了结").first.click()
    page.get_by_text("误报", exact=True).click()
    page.wait_for_selector(".q-notification:has-text('已了结')")

    page.locator(".q-tab", has_text="生命周期").click()
    page.wait_for_selector("h2:has-text('阶段迁移')")
    page.locator(".q-tab", has_text="挽回名单").click()
    page.wait_for_selector("text=已流失")
    assert watched.errors == []
    assert watched.outside == []
