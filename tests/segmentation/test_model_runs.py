"""Runs of every kind through the API: groups, degrees, scores, drift, record, publication."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import func, select

from services.segmentation.models import ModelCluster, ModelInput, ModelScore
from shared.auth import Role
from shared.columnar import ARROW
from shared.contracts.events import CustomersChanged, CustomerState, HoldingsChanged
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually

ORG = "hq.runs"
NAME = {"zh": "模型", "en": "Model"}
FEATURES = ["aum", "age", "product_count"]


@dataclass
class World:
    running: Running
    bank: Bank
    people: dict[str, list[CustomerState]]

    async def run(self, client: httpx.AsyncClient, model: dict[str, Any]) -> dict[str, Any]:
        started = await client.post(f"/v1/models/{model['id']}/runs")
        assert started.status_code == 202, started.text
        path = f"/v1/model-runs/{started.json()['id']}"

        async def done() -> bool:
            return (await client.get(path)).json()["state"] in {"succeeded", "failed", "cancelled"}

        await eventually(done, seconds=60, what="the run")
        found: dict[str, Any] = (await client.get(path)).json()
        return found

    async def declare(
        self, client: httpx.AsyncClient, key: str, kind: str, parameters: dict[str, Any], **more: Any
    ) -> dict[str, Any]:
        body = {"key": key, "name": NAME, "kind": kind, "parameters": parameters, **more}
        answer = await client.post("/v1/models", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Grouped:
    model: dict[str, Any]
    run: dict[str, Any]
    path: str
    scores: list[dict[str, Any]]
    label: dict[str, int]


@pytest.fixture(scope="module")
async def world(segmentation: Running) -> World:
    """Three kinds of people who are easily told apart, and one between two of them."""
    bank = Bank(segmentation)
    rng = np.random.default_rng(5)
    planted = {"rich": (3_000_000, 1950), "middle": (60_000, 1975), "young": (500, 2003)}
    people = {}
    for name, (balance, born) in planted.items():
        people[name] = [
            bank.customer(birth_date=f"{born + int(rng.integers(-4, 5))}-03-01", org=ORG) for _ in range(60)
        ]
        holdings = [
            bank.holding(each, str(Decimal(int(balance * rng.uniform(0.8, 1.25))))) for each in people[name]
        ]
        await segmentation.publish(
            CustomersChanged(customers=people[name]), HoldingsChanged(holdings=holdings)
        )
    await bank.tell(customers=[people["rich"][0]])
    return World(segmentation, bank, people)


async def _labels(client: httpx.AsyncClient, path: str) -> dict[str, int]:
    items = (await client.get(f"{path}/members", params={"limit": 1000})).json()["items"]
    return {item["customer_id"]: item["cluster"] for item in items}


@pytest.fixture(scope="module")
async def grouped(world: World) -> Grouped:
    """A run of an ensemble that found the three kinds."""
    async with world.running.client(Role.strategist) as client:
        parameters = {"features": FEATURES, "partitions": 12, "k_max": 5, "k": 3, "seed": 4}
        model = await world.declare(client, "ensemble", "ensemble", parameters, goal="Who?")
        run = await world.run(client, model)
        assert run["state"] == "succeeded", run
        path = f"/v1/model-runs/{run['id']}"
        scores = (await client.get(f"{path}/scores", params={"limit": 1000})).json()["items"]
        return Grouped(model, run, path, scores, await _labels(client, path))


async def test_an_ensemble_finds_the_groups_and_how_they_were_chosen(world: World, grouped: Grouped) -> None:
    run = grouped.run
    assert run["progress"] == 1
    found = {
        name: {grouped.label[str(each.customer_id)] for each in people}
        for name, people in world.people.items()
    }
    assert all(len(each) == 1 for each in found.values()), found
    assert len(set.union(*found.values())) == 3
    async with world.running.client(Role.strategist) as client:
        table = (await client.get(f"{grouped.path}/k-table")).json()
        assert [row["k"] for row in table["rows"]] == [2, 3, 4, 5]
        assert table["chosen"] == 3
        assert (await client.get(f"{grouped.path}/drift")).status_code == 404
        profile = (await client.get(f"{grouped.path}/profile")).json()["clusters"]
        picture = (await client.get(f"{grouped.path}/projection")).json()
        doubtful = (await client.get(f"{grouped.path}/borderline")).json()["items"]
    assert sum(each["size"] for each in profile) == run["window"]["customers"]
    assert min(each["rule"]["precision"] for each in profile) > 0.9
    assert len(picture["points"]) == run["window"]["customers"]
    assert set(picture["loadings"]) == set(FEATURES)
    leads = [each["degree"] - each["second_degree"] for each in doubtful]
    assert leads == sorted(leads)


async def test_degrees_are_listed_exported_and_published(world: World, grouped: Grouped) -> None:
    scores = grouped.scores
    assert len(scores) == grouped.run["window"]["customers"]
    for row in scores:
        degrees = [value for name, value in row["scores"].items() if name.startswith("degree_")]
        assert sum(degrees) == pytest.approx(1, abs=1e-4)
        assert row["scores"][f"degree_{row['cluster']}"] == max(degrees)
    async with world.running.client(Role.strategist) as client:
        paged: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get(f"{grouped.path}/scores", params={"limit": 77, **cursor})).json()
            paged += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert paged == scores
        stream = await client.get(f"{grouped.path}/scores", headers={"accept": ARROW})
        exported = pa.ipc.open_stream(stream.content).read_all().to_pylist()
        assert [row["customer_id"] for row in exported] == [row["customer_id"] for row in scores]
        assert [row["group"] for row in exported] == [row["cluster"] for row in scores]
        firmly = {"prefix": "firmly", "min_degree": 0.5}
        published = await client.post(f"{grouped.path}:publish", json=firmly)
        assert published.status_code == 201, published.text
    for number in (1, 2, 3):
        sure = {
            UUID(row["customer_id"])
            for row in scores
            if row["cluster"] == number and row["scores"][f"degree_{number}"] >= 0.5
        }
        assert await members(world.running, f"firmly-{number}") == sure


async def test_a_run_on_the_same_facts_says_that_nothing_moved(world: World, grouped: Grouped) -> None:
    one = world.people["rich"][0].customer_id
    async with world.running.client(Role.strategist) as client:
        again = await world.run(client, grouped.model)
        assert await _labels(client, f"/v1/model-runs/{again['id']}") == grouped.label
        drift = (await client.get(f"/v1/model-runs/{again['id']}/drift")).json()
        assert drift["moved"] == 0
        assert {each["level"] for each in drift["features"]} == {"stable"}
        told = (await client.get(f"/v1/customers/{one}/scores")).json()["models"]
        own = next(each for each in told if each["model_key"] == "ensemble")
        assert (own["run_id"], own["cluster"]) == (again["id"], grouped.label[str(one)])


async def test_customers_of_others_are_not_shown(world: World, grouped: Grouped) -> None:
    one = world.people["rich"][0].customer_id
    async with world.running.client(Role.manager, org="hq.elsewhere") as other:
        for name in ("scores", "borderline", "members"):
            assert (await other.get(f"{grouped.path}/{name}")).json()["items"] == [], name
        assert (await other.get(f"{grouped.path}/projection")).json()["points"] == []
        assert (await other.get(f"/v1/customers/{one}/scores")).status_code == 404


async def test_automatic_k_shows_why_also_over_own_features(world: World) -> None:
    async with world.running.client(Role.strategist) as client:
        own = {"key": "own_wealth", "name": NAME, "expression": "aum / (product_count + 1)"}
        defined = await client.post("/v1/features", json=own)
        assert defined.status_code == 201, defined.text
        parameters = {"features": ["own_wealth", "age"], "partitions": 10, "k_max": 4, "seed": 1}
        parameters["k_range"] = {"low": 3, "high": 1000}
        model = await world.declare(client, "automatic", "ensemble", parameters)
        run = await world.run(client, model)
        table = (await client.get(f"/v1/model-runs/{run['id']}/k-table")).json()
        assert run["state"] == "succeeded", run
        profile = (await client.get(f"/v1/model-runs/{run['id']}/profile")).json()["clusters"]
        contrasts = {each["feature"]: each["name"] for each in profile[0]["contrasts"]}
        assert contrasts["own_wealth"] == NAME
        assert run["metrics"]["k"] == table["chosen"] == table["recommended"]
        assert run["metrics"]["k_from"] == "recommended"
        assert table["runner_up"] not in {None, table["chosen"]}


async def test_bands_and_their_exact_rules(world: World) -> None:
    async with world.running.client(Role.strategist) as client:
        cuts = {"recency": [30, 90], "frequency": [0, 1], "monetary": [1000, 100_000]}
        parameters = {
            "variant": "afr",
            "recency": "last_txn_days",
            "frequency": "product_count",
            "monetary": "aum",
            "cuts": {**cuts, "recency": [90, 30]},
        }
        bad = {**parameters, "cuts": cuts, "monetary": "gender"}
        body = {"key": "afr", "name": NAME, "kind": "rfm", "parameters": bad}
        refused = (await client.post("/v1/models", json=body)).json()
        assert [each["pointer"] for each in refused["errors"]] == [
            "/parameters/cuts/recency",
            "/parameters/monetary",
        ]
        model = await world.declare(client, "afr", "rfm", parameters)
        run = await world.run(client, model)
        assert run["state"] == "succeeded", run
        path = f"/v1/model-runs/{run['id']}"
        rows = (await client.get(f"{path}/scores", params={"limit": 1000})).json()["items"]
        bands = {row["customer_id"]: row["scores"]["monetary"] for row in rows}
        for name, band in (("rich", 3), ("middle", 2)):
            assert {bands[str(each.customer_id)] for each in world.people[name]} == {band}
        published = await client.post(f"{path}:publish", json={"prefix": "afr", "publish_as": "rule"})
        assert published.status_code == 201, published.text
        profile = (await client.get(f"{path}/profile")).json()["clusters"]
        assert sum(each["size"] for each in profile) == len(rows)
        label = await _labels(client, path)
        for group in (each for each in profile if each["size"]):
            key = f"afr-{group['cluster']}"

            async def evaluated(key: str = key) -> bool:
                view = (await client.get(f"/v1/segments/{key}")).json()
                return bool(view["evaluated_version"] == view["live_version"])

            await eventually(evaluated, what=key)
            own = {UUID(id_) for id_, number in label.items() if number == group["cluster"]}
            assert await members(world.running, key) == own
        assert (await client.get(f"{path}/k-table")).status_code == 404


async def test_strategic_segments_are_split_for_a_campaign(world: World, live: Live) -> None:
    await live("runs-old", f"org = '{ORG}' and age >= 40")
    async with world.running.client(Role.strategist) as client:
        parameters = {
            "strategic": ["runs-old"],
            "splits": [
                {"name": "wealth", "features": ["aum"], "k": 2},
                {"name": "years", "features": ["age"], "k": 2},
            ],
            "partitions": 8,
        }
        body = {"key": "tactical", "name": NAME, "kind": "tactical", "parameters": parameters}
        unknown = {**body, "parameters": {**parameters, "strategic": ["nobody"]}}
        refused = (await client.post("/v1/models", json=unknown)).json()
        assert [each["pointer"] for each in refused["errors"]] == ["/parameters/strategic/0"]
        model = await world.declare(client, "tactical", "tactical", parameters)
        run = await world.run(client, model)
        assert run["state"] == "succeeded", run
        assert [each["cluster"] for each in run["clusters"]] == [1, 2, 3, 4]
        path = f"/v1/model-runs/{run['id']}"
        items = (await client.get(f"{path}/members", params={"limit": 1000})).json()["items"]
        old = {str(each.customer_id) for name in ("rich", "middle") for each in world.people[name]}
        assert {item["customer_id"] for item in items} == old
        assert all(len(item["clusters"]) >= 2 for item in items)
        rich = {
            tuple(item["clusters"])
            for item in items
            if item["customer_id"] in {str(each.customer_id) for each in world.people["rich"]}
        }
        assert len({numbers[0] for numbers in rich}) == 1
        profile = (await client.get(f"{path}/profile")).json()["clusters"]
        assert all(each["rule"]["sql"].startswith("in_segment('runs-old') and") for each in profile)
        again = await world.run(client, model)
        assert again["clusters"] == run["clusters"]
        published = await client.post(f"{path}:publish", json={"prefix": "tact", "publish_as": "rule"})
        assert published.status_code == 201, published.text


async def test_a_newer_run_moves_the_members_of_its_segments(world: World) -> None:
    mover = world.people["young"][0]
    async with world.running.client(Role.strategist) as client:
        model = await world.declare(client, "moving", "kmeans", {"features": ["aum"], "k": 3, "seed": 2})
        first = await world.run(client, model)
        path = f"/v1/model-runs/{first['id']}"
        before = await _labels(client, path)
        published = await client.post(f"{path}:publish", json={"prefix": "moving"})
        assert published.status_code == 201, published.text
        assert (await client.post(f"{path}:publish", json={"prefix": "moving"})).status_code == 409
        await world.bank.tell(holdings=[world.bank.holding(mover, "2900000.00")])
        second = await world.run(client, model)
        after = await _labels(client, f"/v1/model-runs/{second['id']}")
        assert after[str(mover.customer_id)] != before[str(mover.customer_id)]
        moved = await client.post(f"/v1/model-runs/{second['id']}:publish", json={"prefix": "moving"})
        assert moved.status_code == 201, moved.text
        assert {each["version"] for each in moved.json()["segments"]} == {2}
        for number in (1, 2, 3):
            log = (await client.get(f"/v1/segments/moving-{number}/changes")).json()["items"]
            told = {(each["customer_id"], each["change"]) for each in log if each["version"] == 2}
            left = {id_ for id_, was in before.items() if was == number != after[id_]}
            joined = {id_ for id_, now in after.items() if now == number != before[id_]}
            assert told == {(id_, "left") for id_ in left} | {(id_, "joined") for id_ in joined}
        drift = (await client.get(f"/v1/model-runs/{second['id']}/drift")).json()
        assert drift["moved"] == pytest.approx(
            sum(before[each] != after[each] for each in after) / len(after)
        )
        wrong = {"prefix": "x", "publish_as": "rule", "min_degree": 0.5}
        refused = await client.post(f"{path}:publish", json=wrong)
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/min_degree"]
        refused = await client.post(f"{path}:publish", json={"prefix": "x", "min_degree": 0.5})
        assert [each["pointer"] for each in refused.json()["errors"]] == ["/min_degree"]


async def test_a_run_is_approved_by_another_and_comes_out_the_same(world: World) -> None:
    async with world.running.client(Role.strategist) as client:
        parameters = {"features": FEATURES, "k": 3, "partitions": 8, "k_max": 3, "seed": 9}
        model = await world.declare(
            client, "approved", "ensemble", parameters, needs_approval=True, success="Silhouette over .5"
        )
        run = await world.run(client, model)
        path = f"/v1/model-runs/{run['id']}"
        waits = await client.post(f"{path}:publish", json={"prefix": "approved"})
        assert waits.status_code == 409
        assert (await client.post(f"{path}:approve", json={})).status_code == 403
        # What the store says today does not matter: the run kept what it had read.
        await world.bank.tell(holdings=[world.bank.holding(world.people["rich"][1], "1.00")])
        started = await client.post(f"{path}:reproduce")
        assert started.status_code == 202, started.text

        async def reproduced() -> bool:
            return (await client.get(f"{path}/record")).json()["reproduction"] is not None

        await eventually(reproduced, seconds=60, what="the reproduction")
    async with world.running.client(Role.approver, staff="approver-of-runs") as approver:
        answer = await approver.post(f"{path}:approve", json={"note": "Looked at the table"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["approval"]["note"] == "Looked at the table"
        assert (await approver.post(f"{path}:approve", json={})).status_code == 409
    async with world.running.client(Role.strategist) as client:
        published = await client.post(f"{path}:publish", json={"prefix": "approved"})
        assert published.status_code == 201, published.text
        record = (await client.get(f"{path}/record")).json()
    assert record["reproduction"]["same"], record["reproduction"]
    assert record["reproduction"]["result_digest"] == record["result_digest"]
    assert record["success"] == "Silhouette over .5"
    assert record["understanding"]["features"]["rows"] == run["window"]["customers"]
    assert set(record["understanding"]["features"]["columns"]) == set(FEATURES)
    assert len(record["segments"]) == 3
    assert "numpy" in record["versions"]


async def test_nothing_is_kept_of_a_run_that_cannot_succeed(world: World) -> None:
    async with world.running.client(Role.strategist) as client:
        bad = await world.declare(
            client, "constant", "ensemble", {"features": ["complaint_count_180d"], "partitions": 5}
        )
        failed = await world.run(client, bad)
        assert failed["state"] == "failed"
        assert failed["problem"] == "no feature differs between customers"
        assert (await client.get(f"/v1/model-runs/{failed['id']}/profile")).status_code == 409
    async with world.running.runtime.db.transaction() as session:
        for table in (ModelCluster, ModelScore, ModelInput):
            kept = select(func.count()).select_from(table).where(table.run_id == UUID(failed["id"]))
            assert await session.scalar(kept) == 0


async def test_odd_questions_about_runs_are_refused(world: World, grouped: Grouped) -> None:
    async with world.running.client(Role.strategist) as client:
        for path in ("scores", "members", "borderline"):
            for cursor in ("x", "W1sicyIsImEiXV0", "W1siaSIsLTFdXQ", "W1siaSIsMV0sWyJpIiwxXV0"):
                answer = await client.get(f"{grouped.path}/{path}", params={"cursor": cursor})
                assert answer.status_code in {200, 400}, (path, cursor, answer.text)
        assert (await client.get("/v1/model-runs/nobody/scores")).status_code == 422
        assert (await client.get(f"/v1/model-runs/{UUID(int=7)}/scores")).status_code == 404
        assert (await client.get(f"/v1/models/{UUID(int=7)}/runs")).status_code == 404
        for body in ({"prefix": "A b"}, {"prefix": "a", "min_degree": 2}, {"prefix": "a", "names": []}):
            assert (await client.post(f"{grouped.path}:publish", json=body)).status_code == 422, body
        odd = await client.post(f"{grouped.path}:publish", content='{"prefix": "a", "min_degree": NaN}')
        assert 400 <= odd.status_code < 500
    async with world.running.client(Role.approver, staff="b") as client:
        assert (await client.post(f"{grouped.path}:approve", json={"note": "\x00"})).status_code < 500
    async with world.running.client(Role.manager) as client:
        assert (await client.post(f"{grouped.path}:publish", json={"prefix": "a"})).status_code == 403
        assert (await client.post(f"{grouped.path}:reproduce")).status_code == 403
