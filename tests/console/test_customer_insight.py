"""The insight into a customer while segmentation has nothing to say, or does not answer."""

import httpx
import pytest

from services.console.api import Api, ApiProblem, ServiceName
from services.console.i18n import Texts
from services.console.pages.customer_insight import _fetch, _pairs
from services.console.session import User
from services.console.view import View
from shared.contracts.segmentation.customer_insight import CustomerInsight

MODEL = {
    "model_id": "01900000-0000-7000-8000-000000000001",
    "run_id": "01900000-0000-7000-8000-000000000002",
    "name": {"zh": "模型", "en": "Model"},
    "finished_at": "2026-03-01T00:00:00Z",
    "cluster": None,
    "cluster_name": None,
}
FOUND = {
    "customer_id": "01900000-0000-7000-8000-000000000003",
    "evaluated_at": "2026-03-01T00:00:00Z",
    "stage": {"stage": "mature", "name": {"zh": "成熟期", "en": "Mature"}},
    "tiers": [],
    "positions": [],
    "warnings": [],
    "models": [
        {**MODEL, "model_key": "worth", "kind": "clv", "scores": {"clv": 1234.5}},
        {**MODEL, "model_key": "leaving", "kind": "churn", "scores": {"probability": 0.25}, "cluster": 1},
        {**MODEL, "model_key": "groups", "kind": "kmeans", "scores": {}, "cluster": 3},
    ],
}


def view_of(status: int) -> View:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"status": status, "title": "x"}))
    clients: dict[ServiceName, httpx.AsyncClient] = {
        "segmentation": httpx.AsyncClient(transport=transport, base_url="http://segmentation")
    }
    user = User(token="t", id="u", name="n", roles=frozenset(), org="hq", staff=None)
    return View(Texts("en"), user, Api(clients, "t"))


async def test_a_customer_not_heard_of_is_no_failure() -> None:
    assert await _fetch(view_of(404), "x") is None
    with pytest.raises(ApiProblem):
        await _fetch(view_of(503), "x")


def test_each_kind_of_model_shows_what_it_is_asked_for() -> None:
    pairs = _pairs(view_of(404), CustomerInsight.model_validate(FOUND))
    said = [str(value) for _, value in pairs]
    assert "Mature" in said[0]
    assert said[1:3] == ["¥1,234.50", "25.0%"]
    assert "group 3" in said[3]
