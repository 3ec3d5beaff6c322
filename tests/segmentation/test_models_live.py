"""K-means through the API: run as a job, profile, members, clusters as segments; what is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest

from shared.auth import Role
from shared.contracts.events import CustomersChanged, HoldingsChanged
from tests.segmentation.conftest import Bank, members
from tests.support import Running, eventually


async def test_run_profile_and_publish(segmentation: Running, bank: Bank) -> None:
    groups = {"rich": (1_000_000, "1960-01-01"), "young": (1_000, "2004-01-01"), "new": (0, None)}
    planted = {}
    for name, (balance, born) in groups.items():
        planted[name] = [bank.customer(birth_date=born, org="hq.kmeans") for _ in range(60)]
        await segmentation.publish(
            CustomersChanged(customers=planted[name]),
            HoldingsChanged(
                holdings=[
                    bank.holding(customer, str(Decimal(balance + 10 * number)))
                    for number, customer in enumerate(planted[name])
                ]
            ),
        )
    await bank.tell(customers=[planted["rich"][0]])
    async with segmentation.client(Role.strategist) as client:
        body: dict[str, Any] = {
            "key": "planted",
            "name": {"zh": "两类", "en": "Two kinds"},
            "kind": "kmeans",
            "goal": "Who is who?",
            "parameters": {"features": ["aum", "age"], "k": "auto", "k_max": 4, "seed": 7},
        }
        bad = {**body, "parameters": {**body["parameters"], "features": ["aum", "gender", "nope", "aum"]}}
        refused = await client.post("/v1/models", json=bad)
        assert [error["pointer"] for error in refused.json()["errors"]] == [
            f"/parameters/features/{index}" for index in (1, 2, 3)
        ]
        model = (await client.post("/v1/models", json=body)).json()
        started = await client.post(f"/v1/models/{model['id']}/runs")
        listed = (await client.get("/v1/models")).json()["items"]
        assert [each["last_run_id"] for each in listed if each["key"] == "planted"] == [started.json()["id"]]
        assert started.status_code == 202, started.text
        run_path = f"/v1/model-runs/{started.json()['id']}"

        async def done() -> bool:
            return (await client.get(run_path)).json()["state"] in {"succeeded", "failed"}

        await eventually(done, seconds=60, what="the run")
        run = (await client.get(run_path)).json()
        assert run["state"] == "succeeded", run
        assert sum(cluster["size"] for cluster in run["clusters"]) == run["window"]["customers"]
        assert run["metrics"]["silhouette"] > 0.5
        assert run["parameters"]["seed"] == 7
        table = (await client.get(f"{run_path}/k-table")).json()
        assert [row["k"] for row in table["rows"]] == [2, 3, 4]
        assert {row["eigengap"] for row in table["rows"]} == {None}
        assert run["metrics"]["k"] == table["chosen"] == table["recommended"] == len(run["clusters"])
        assert run["metrics"]["k_from"] == "recommended"
        assert (await client.get(f"/v1/models/{model['id']}/runs")).json()["items"] == [run]

        listed = (await client.get(f"{run_path}/members", params={"limit": 1000})).json()["items"]
        cluster_of = {item["customer_id"]: item["cluster"] for item in listed}
        labels = {
            name: {cluster_of[str(customer.customer_id)] for customer in customers}
            for name, customers in planted.items()
        }
        assert all(len(found) == 1 for found in labels.values())
        assert labels["rich"] != labels["young"]

        profile = (await client.get(f"{run_path}/profile")).json()["clusters"]
        rich = profile[next(iter(labels["rich"])) - 1]
        assert {contrast["feature"] for contrast in rich["contrasts"]} == {"aum", "age"}
        assert "管理资产" in rich["description"]["zh"] or "年龄" in rich["description"]["zh"]

        published = await client.post(f"{run_path}:publish", json={"prefix": "kind"})
        assert published.status_code == 201, published.text
        again = await client.post(f"{run_path}:publish", json={"prefix": "kind"})
        assert again.status_code == 409
        number = next(iter(labels["rich"]))
        view = (await client.get(f"/v1/segments/kind-{number}")).json()
        assert view["definition"]["cluster"] == {"run_id": run["id"], "cluster": number}
        assert view["size"] == rich["size"]
    found = await members(segmentation, f"kind-{number}", org="hq.kmeans")
    assert found == {customer.customer_id for customer in planted["rich"]}


_NAME = {"zh": "模型", "en": "Model"}
_BASE: dict[str, Any] = {"key": "bad", "name": _NAME, "kind": "ensemble", "parameters": {"features": ["aum"]}}
_RFM: dict[str, Any] = {**_BASE, "kind": "rfm", "parameters": {"monetary": "aum"}}
_TACTICAL = {"strategic": ["a"], "splits": [{"name": "s", "features": ["aum"], "k": 12}] * 6}


@pytest.mark.parametrize(
    "body",
    [
        {**_BASE, "kind": "nothing"},
        {key: value for key, value in _BASE.items() if key != "kind"},
        {**_BASE, "name": {"zh": "a\x00b", "en": "b"}},
        {**_BASE, "goal": "\x00"},
        {**_BASE, "parameters": {"features": []}},
        {**_BASE, "parameters": {"features": ["a\x00"]}},
        {**_BASE, "parameters": {"features": ["aum"], "k": "many"}},
        {**_BASE, "parameters": {"features": ["aum"], "k": 1}},
        {**_BASE, "kind": "kmeans", "parameters": {"features": ["aum"]}},
        {**_BASE, "parameters": {"features": ["aum"], "k_range": {"low": 1}}},
        {**_BASE, "parameters": {"features": ["aum"], "k_range": {"high": 10**9}}},
        {**_BASE, "parameters": {"features": ["aum"], "k_range": [2, 20]}},
        {**_BASE, "parameters": {"features": ["aum"], "seed": 10**400}},
        {**_BASE, "parameters": {"features": ["aum"], "sample": 1e300}},
        {**_RFM, "parameters": {"monetary": "aum", "weights": {"recency": 0, "frequency": 0, "monetary": 0}}},
        {**_RFM, "parameters": {"monetary": "aum", "weights": {"recency": -1}}},
        {**_RFM, "parameters": {"monetary": "aum", "bands": 10}},
        {**_BASE, "kind": "tactical", "parameters": {**_TACTICAL, "strategic": [f"s{n}" for n in range(10)]}},
    ],
)
async def test_models_that_cannot_be_trained_are_refused(segmentation: Running, body: dict[str, Any]) -> None:
    async with segmentation.client(Role.strategist) as client:
        answer = await client.post("/v1/models", content=json.dumps(body))
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_ends_of_the_range_of_k_are_in_order(segmentation: Running) -> None:
    body = {**_BASE, "parameters": {"features": ["aum"], "k_range": {"low": 30}}}
    async with segmentation.client(Role.strategist) as client:
        refused = await client.post("/v1/models", json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"] == [
        {"pointer": "/parameters/k_range/high", "detail": "20 is below the lower end, 30"}
    ]
