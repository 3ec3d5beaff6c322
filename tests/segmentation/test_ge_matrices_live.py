"""GE matrices through the API: weigh, score many at once, nine cells, history, organisation scope."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.segmentation.store.scope import Known
from services.segmentation.usecases import ge_scores
from shared import clock
from shared.auth import Role
from shared.contracts.events import CustomerErased, CustomerRef, CustomersMerged
from shared.ids import new_id
from tests.segmentation.conftest import Bank
from tests.support import Running, eventually

ORG = "hq.ge.branch"


def factor(key: str, bands: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"key": key, "name": {"zh": key, "en": key}, "bands": bands}


def matrix(key: str) -> dict[str, Any]:
    assets = {"feature": "aum", "cutoffs": [1_000, 10_000, 100_000, 1_000_000]}
    return {
        "key": key,
        "name": {"zh": "重点客户", "en": "Key accounts"},
        "attractiveness": [factor("size", assets), factor("growth"), factor("risk")],
        "competitiveness": [factor("share"), factor("relation")],
    }


async def create(client: httpx.AsyncClient, key: str) -> dict[str, Any]:
    answer = await client.post("/v1/ge-matrices", json=matrix(key))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def item(customer_id: UUID, **scores: float) -> dict[str, Any]:
    return {"customer_id": str(customer_id), "scores": scores}


async def test_factors_features_and_keys_are_checked(segmentation: Running) -> None:
    async with segmentation.client(Role.strategist) as client:
        bad = matrix("bad")
        bad["competitiveness"].append(factor("size"))
        refused = await client.post("/v1/ge-matrices", json=bad)
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/competitiveness/2/key"]
        bad = matrix("bad") | {"value_feature": "gender"}
        bad["attractiveness"][0]["bands"]["feature"] = "nothing"
        refused = await client.post("/v1/ge-matrices", json=bad)
        pointers = [error["pointer"] for error in refused.json()["errors"]]
        assert pointers == ["/attractiveness/0/bands/feature", "/value_feature"]
        await create(client, "taken")
        assert (await client.post("/v1/ge-matrices", json=matrix("taken"))).status_code == 409
    async with segmentation.client(Role.manager) as client:
        assert (await client.post("/v1/ge-matrices", json=matrix("mine"))).status_code == 403


async def test_weights_by_comparison(segmentation: Running) -> None:
    async with segmentation.client(Role.strategist) as client:
        made = await create(client, "weighed")
        assert [each["weight"] for each in made["attractiveness"]] == pytest.approx([1 / 3] * 3)
        path = "/v1/ge-matrices/weighed:weigh"
        body: dict[str, Any] = {"group": "attractiveness", "method": "ahp"}
        good = [[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]]
        answer = await client.post(path, json={**body, "comparisons": good})
        assert answer.status_code == 200, answer.text
        assert answer.json()["weights"] == pytest.approx(
            {"size": 0.637, "growth": 0.258, "risk": 0.105}, abs=1e-3
        )
        assert answer.json()["consistency_ratio"] == pytest.approx(0.033, abs=1e-3)

        mad = [[1, 9, 1 / 9], [1 / 9, 1, 9], [9, 1 / 9, 1]]
        refused = await client.post(path, json={**body, "comparisons": mad})
        assert refused.status_code == 422
        assert "size" in refused.json()["detail"]
        assert "0.1" in refused.json()["detail"]
        shown = await client.post(path, json={**body, "comparisons": mad, "dry_run": True})
        assert shown.json()["consistency_ratio"] > 1
        assert set(shown.json()["worst"]["factors"]) == {"size", "growth", "risk"}

        refused = await client.post(path, json={**body, "comparisons": good[:2]})
        assert refused.json()["errors"][0]["pointer"] == "/comparisons"
        pair = [[1, 2, 1], [0, 1, 1], [0, 0, 1]]
        refused = await client.post(path, json={**body, "method": "paired", "comparisons": pair})
        assert refused.json()["errors"][0]["pointer"] == "/comparisons/0/1"
        direct = {**body, "method": "direct", "weights": {"size": 0.5, "growth": 0.4}}
        refused = await client.post(path, json=direct)
        assert refused.json()["errors"][0]["pointer"] == "/weights/risk"
        view = (await client.get("/v1/ge-matrices/weighed")).json()
        assert [each["weight"] for each in view["attractiveness"]] == pytest.approx(
            [0.637, 0.258, 0.105], abs=1e-3
        )


async def test_scores_cells_history_and_scope(segmentation: Running, bank: Bank) -> None:
    rich, poor, unknown = (bank.customer(org=ORG) for _ in range(3))
    elsewhere = bank.customer(org="hq.other")
    await bank.tell(
        customers=[rich, poor, unknown, elsewhere],
        holdings=[bank.holding(rich, "2000000"), bank.holding(poor, "5")],
    )
    async with segmentation.client(Role.strategist) as client:
        await create(client, "scored")
    path = "/v1/ge-matrices/scored"
    async with segmentation.client(Role.manager, org=ORG, staff="S1") as client:
        answer = await client.post(
            f"{path}:score",
            json={
                "items": [
                    item(rich.customer_id, growth=4, risk=4, share=4, relation=5),
                    item(poor.customer_id, growth=1, risk=2, share=1, relation=1),
                    item(elsewhere.customer_id, growth=1, risk=1, share=1, relation=1),
                    item(unknown.customer_id, growth=1, nonsense=2),
                    item(rich.customer_id, growth=1, risk=1, share=1, relation=1),
                ]
            },
        )
        assert answer.status_code == 207, answer.text
        results = answer.json()["items"]
        assert [one["problem"]["status"] if one["problem"] else None for one in results] == [
            None,
            None,
            404,
            422,
            422,
        ]
        pointers = [error["pointer"] for error in results[3]["problem"]["errors"]]
        assert pointers == [f"/items/3/scores/{key}" for key in ("nonsense", "risk", "share", "relation")]
        first = results[0]["position"]
        assert first["attractiveness_score"] == pytest.approx((5 + 4 + 4) / 3)
        assert first["competitiveness_score"] == 4.5
        assert (first["attractiveness"], first["competitiveness"], first["customer_class"]) == (
            "high",
            "high",
            "A",
        )
        assert results[1]["position"]["customer_class"] == "C"

        cells = (await client.get(f"{path}/cells")).json()
        assert cells["customers"] == 2
        assert cells["classes"] == {"A": 1, "B": 0, "C": 1}
        assert [cell["count"] for cell in cells["cells"]] == [1, 0, 0, 0, 0, 0, 0, 0, 1]
        top = cells["cells"][0]
        assert top["strategy"]["play"] == "invest"
        assert top["customers"][0]["value"] == 2_000_000
        assert cells["cells"][8]["strategy"]["play"] == "harvest"

    async with segmentation.client(Role.branch_head, org="hq.other") as client:
        assert (await client.get(f"{path}/cells")).json()["customers"] == 0
        assert (await client.get(f"/v1/customers/{rich.customer_id}/ge-scores")).status_code == 404

    async with segmentation.client(Role.strategist) as client:
        weights = {"size": 0, "growth": 1, "risk": 0}
        body = {"group": "attractiveness", "method": "direct", "weights": weights}
        assert (await client.post(f"{path}:weigh", json=body)).status_code == 200
        change = {
            "cutoffs": {"low": 2, "high": 4.2},
            "strategies": [
                {
                    "attractiveness": "medium",
                    "competitiveness": "high",
                    "play": "select",
                    "text": {"zh": "守住", "en": "Hold"},
                }
            ],
        }
        assert (await client.patch(path, json=change)).status_code == 428
        etag = (await client.get(path)).headers["ETag"]
        changed = await client.patch(path, json=change, headers={"If-Match": etag})
        assert changed.status_code == 200, changed.text
        assert (await client.patch(path, json=change, headers={"If-Match": etag})).status_code == 412
        crossed = {"cutoffs": {"low": 4, "high": 3}}
        assert (await client.patch(path, json=crossed, headers={"If-Match": etag})).status_code == 422

        history = (await client.get(f"/v1/customers/{rich.customer_id}/ge-scores")).json()["items"]
        assert [one["cause"] for one in history] == ["cutoffs", "weights", "scores"]
        assert [one["current"] for one in history] == [True, False, False]
        assert [one["position"]["attractiveness_score"] for one in history] == pytest.approx([4, 4, 13 / 3])
        assert [one["position"]["attractiveness"] for one in history] == ["medium", "high", "high"]
        medium = (await client.get(f"{path}/cells")).json()["cells"][3]
        assert (medium["count"], medium["strategy"]["play"], medium["strategy"]["text"]["en"]) == (
            1,
            "select",
            "Hold",
        )


async def test_the_merged_stand_in_no_cell_and_the_erased_are_forgotten(
    segmentation: Running, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, merged, erased = (bank.customer(org=ORG) for _ in range(3))
    await bank.tell(customers=[kept, merged, erased])
    people = (kept, merged, erased)
    refs = [CustomerRef(customer_id=each.customer_id, ordinal=each.ordinal) for each in people]
    async with segmentation.client(Role.strategist) as client:
        await create(client, "gone")
        items = [item(each.customer_id, size=3, growth=3, risk=3, share=3, relation=3) for each in people]
        assert (await client.post("/v1/ge-matrices/gone:score", json={"items": items})).json()["scored"] == 3
        await segmentation.publish(
            CustomersMerged(
                merge_id=new_id(),
                survivor=refs[0],
                merged=[refs[1]],
                merged_at=clock.now(),
                merged_by="tester",
            ),
            CustomerErased(receipt_id=new_id(), customers=[refs[2]], erased_at=clock.now()),
        )

        async def forgotten() -> bool:
            return bool((await client.get("/v1/ge-matrices/gone")).json()["scored"] == 2)

        await eventually(forgotten, what="the erasure")
        cells = (await client.get("/v1/ge-matrices/gone/cells")).json()
        assert cells["cells"][4]["count"] == 1
        assert cells["cells"][4]["customers"][0]["customer_id"] == str(kept.customer_id)
        refused = await client.post("/v1/ge-matrices/gone:score", json={"items": items[1:2]})
        assert refused.json()["items"][0]["problem"]["status"] == 409

        def behind(*_: object) -> ge_scores._Known:
            """As a replica answers that has not heard of the erasure."""
            known = Known(erased.ordinal, erased.customer_id, ORG, merged=False)
            return ge_scores._Known({erased.customer_id: known}, {erased.ordinal: {}})

        monkeypatch.setattr(ge_scores, "_look_up", behind)
        refused = await client.post("/v1/ge-matrices/gone:score", json={"items": items[2:]})
        assert refused.json()["items"][0]["problem"]["status"] == 404
        assert (await client.get("/v1/ge-matrices/gone")).json()["scored"] == 2


async def test_a_feature_in_use_is_not_archived(segmentation: Running) -> None:
    async with segmentation.client(Role.strategist) as client:
        mine = {"key": "my_assets", "name": {"zh": "资产", "en": "Assets"}, "expression": "aum + 1"}
        made = await client.post("/v1/features", json=mine)
        assert made.status_code == 201, made.text
        body = matrix("uses-mine")
        body["attractiveness"][0]["bands"]["feature"] = "my_assets"
        assert (await client.post("/v1/ge-matrices", json=body)).status_code == 201
        headers = {"If-Match": made.headers["ETag"]}
        refused = await client.delete("/v1/features/my_assets", headers=headers)
        assert refused.status_code == 409
        assert "ge-matrix:uses-mine" in refused.text
