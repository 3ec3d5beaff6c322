"""Value models and their runs: versions, rates, schedule, recalculation."""

from datetime import date
from typing import Any

import pytest

from services.customer.usecases.value_runs import start_due_runs
from shared.auth import Role
from tests.customer.conftest import Bank, event, source_id
from tests.customer.value_world import MODEL, D, code, hold, put_model, run, runs_of, value_of
from tests.support import eventually


async def test_a_month_calculated_again_leaves_its_trail(bank: Bank) -> None:
    customer, other = await bank.customer(), await bank.customer()
    await hold(bank, customer, ("D", "demand-deposit", "1000.00", "2026-09-30"))
    await hold(bank, other, ("D", "demand-deposit", "500.00", "2026-09-30"))
    name = code()
    await put_model(bank, name)
    first = await run(bank, name)
    before = await value_of(bank, customer, name)
    unexplained = await bank.strategist.post(f"/v1/value-models/{name}:run", json={"month": "2026-10"})
    assert unexplained.status_code == 422
    assert unexplained.json()["errors"][0]["pointer"] == "/reason"
    await hold(bank, customer, ("D", "demand-deposit", "9000.00", "2026-10-16"))
    second = await run(bank, name, reason="late balances")
    assert second["replaces"] == first["id"]
    assert (await bank.strategist.get(f"/v1/value-runs/{first['id']}")).json()["state"] == "superseded"
    kept = (await bank.strategist.get(f"/v1/value-runs/{first['id']}")).json()["totals"]
    assert kept == first["totals"]
    after = await value_of(bank, customer, name)
    changed = D(after["total"]["contribution"]) - D(before["total"]["contribution"])
    assert changed > 0
    diff = (await bank.strategist.get(f"/v1/value-runs/{second['id']}/difference")).json()
    assert diff["against"] == first["id"]
    by_org = {each["org"]: each for each in diff["orgs"]}
    assert D(by_org["hq.sh.pudong"]["difference"]["contribution"]) == changed
    assert D(diff["total"]["contribution"]) == changed
    old = (
        await bank.strategist.get(f"/v1/value-runs/{first['id']}/superseded", params={"limit": 1000})
    ).json()
    assert [(row["customer_id"], row["figures"]["contribution"]) for row in old["items"]] == [
        (customer["id"], before["total"]["contribution"])
    ]
    listed = (await bank.strategist.get(f"/v1/value-models/{name}/runs", params={"month": "2026-10"})).json()
    assert [row["id"] for row in listed["items"]] == [second["id"], first["id"]]
    trail = await bank.sql(
        "SELECT principal, detail ->> 'replaces' FROM audit_log WHERE action = 'calculate' AND object = :o",
        o=f"value_run/{second['id']}",
    )
    assert trail == [(second["requested_by"], first["id"])]


async def test_a_missing_rate_is_named(bank: Bank) -> None:
    customer = await bank.customer()
    await hold(bank, customer, ("U", "demand-deposit", "10.00", "2026-09-30"), currency="USD")
    name = code()
    await put_model(bank, name, rates=[])
    refused = await bank.strategist.post(f"/v1/value-models/{name}:run", json={"month": "2026-10"})
    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/rate-missing"
    assert "has none for USD in 2026-10" in [e["detail"] for e in refused.json()["errors"]]
    await bank.push(
        event(
            source_id(customer),
            "card.spent",
            data={"amount": "1.00", "currency": "XTS"},
            time="2026-07-15T00:00:00+08:00",
        )
    )
    rates = [{"month": "2026-07", "currency": "USD", "rate": "7"}]
    changed = await bank.strategist.put(
        f"/v1/value-models/{name}", json={**MODEL, "rates": rates}, headers={"If-Match": '"v1"'}
    )
    assert changed.status_code == 200
    done = await run(bank, name, month="2026-07")
    assert done["state"] == "failed"
    job = (await bank.strategist.get(f"/v1/jobs/{done['job_id']}")).json()
    assert [e["detail"] for e in job["problem"]["errors"]] == ["has none for XTS in 2026-07"]
    assert (await value_of(bank, customer, name))["months"] == []


async def test_models_are_versioned_and_head_offices(bank: Bank) -> None:
    name = code()
    await put_model(bank, name)
    path = f"/v1/value-models/{name}"
    assert (await bank.strategist.put(path, json=MODEL)).headers["ETag"] == '"v1"'
    changed = {**MODEL, "hurdle": "0.10"}
    assert (await bank.strategist.put(path, json=changed)).status_code == 428
    assert (await bank.strategist.put(path, json=changed, headers={"If-Match": '"v7"'})).status_code == 412
    assert (await bank.strategist.put(path, json=changed, headers={"If-Match": '"v1"'})).status_code == 200
    assert (await bank.strategist.get(path)).json()["hurdle"] == "0.10"
    assert (await bank.strategist.get(path, params={"version": 1})).json()["hurdle"] == "0.12"
    assert (await bank.strategist.get(path, params={"version": 9})).status_code == 404
    assert (await bank.manager_sh.get(path)).status_code == 403
    unknown = {**MODEL, "capital": [{"product": "nothing", "risk_weight": "1"}]}
    refused = await bank.strategist.put(f"/v1/value-models/{code()}", json=unknown)
    assert refused.json()["errors"] == [
        {"pointer": "/capital/0/product", "detail": "is not in the product catalogue"}
    ]
    async with bank.service.client(Role.strategist, org="hq.sh") as branch:
        assert (await branch.put(f"/v1/value-models/{code()}", json=MODEL)).status_code == 403
    future = await bank.strategist.post(f"{path}:run", json={"month": "2099-01"})
    assert future.json()["errors"][0]["pointer"] == "/month"
    assert (
        await bank.strategist.post("/v1/value-models/none:run", json={"month": "2026-10"})
    ).status_code == 404


async def test_scheduled_models_run_once_a_month(bank: Bank) -> None:
    name = code()
    await put_model(bank, name, schedule=True)
    month = date(2025, 3, 1)
    async with bank.service.runtime.db.transaction() as session:
        started = await start_due_runs(session, month)
    mine = [row["id"] for row in (await runs_of(bank, name)) if row["month"] == "2025-03"]
    assert len(mine) == 1
    assert mine[0] in [str(each) for each in started]
    async with bank.service.runtime.db.transaction() as session:
        assert await start_due_runs(session, month) == []

    async def done() -> bool:
        return (await runs_of(bank, name))[0]["state"] not in {"queued", "running"}

    await eventually(done, what="the scheduled run")
    changed = await bank.strategist.put(
        f"/v1/value-models/{name}", json={**MODEL, "schedule": False}, headers={"If-Match": '"v1"'}
    )
    assert changed.status_code == 200


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/v1/customers/01980000-0000-7000-8000-000000000000/value", {}, 404),
        ("/v1/orgs/hq/value", {"model": "no-such"}, 404),
        ("/v1/orgs/hq/value", {"months": 0}, 422),
        ("/v1/orgs/hq.none/value", {}, 404),
        ("/v1/staff/none/value", {}, 404),
        ("/v1/value-runs/01980000-0000-7000-8000-000000000000", {}, 404),
        ("/v1/value-runs/x", {}, 422),
        ("/v1/value-ranking", {"order": "sideways"}, 422),
        ("/v1/value-models/none/runs", {}, 404),
    ],
)
async def test_questions_without_an_answer(
    bank: Bank, path: str, params: dict[str, Any], status: int
) -> None:
    assert (await bank.admin.get(path, params=params)).status_code == status
