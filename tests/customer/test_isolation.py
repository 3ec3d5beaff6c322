"""A manager of one branch sees nothing of another branch's customer, by any route."""

import re

from services.customer.app import app
from shared.auth import Role
from tests.customer.conftest import Bank, event, source_id

BODIES = {
    "": {"occupation": "x"},
    "/ownership": {"org": "hq.bj.haidian", "primary_manager": None, "backup_manager": None},
    "/consents/{channel}": {"granted": True},
    ":refuse-contact": {},
    ":erase": {"reason": "x", "legal_basis": "other"},
}


async def test_no_route_shows_another_branchs_customer(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    sent = event(subject)
    await bank.push(sent)
    tried = 0
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            if "{customer_id}" not in path:
                continue
            url = path.replace("{customer_id}", customer["id"]).replace("{channel}", "call")
            for client in (bank.manager_bj, bank.service.client(Role.branch_head, Role.manager, org="hq.bj")):
                answer = await client.request(
                    method,
                    url,
                    json=BODIES.get(path.partition("{customer_id}")[2]) if method != "get" else None,
                    params={"to": customer["id"]} if path.endswith("/paths") else None,
                    headers={"If-Match": '"v1"'},
                )
                assert answer.status_code in {403, 404}, (method, path, answer.status_code)
                assert customer["id"] not in re.sub(r'"instance":"[^"]*"', "", answer.text)
                tried += 1
    assert tried >= 10


async def test_no_list_shows_another_branchs_customer(bank: Bank) -> None:
    customer = await bank.customer()
    subject = source_id(customer)
    await bank.push(event(subject))
    identity = {"source": "core", "source_id": subject}
    answers = [
        await bank.manager_bj.get("/v1/customers", params={"limit": 1000}),
        await bank.manager_bj.get("/v1/customers", params=identity),
        await bank.manager_bj.get("/v1/customers", params={"org": "hq.sh"}),
        await bank.manager_bj.get("/v1/customers", params={"manager": "S1"}),
        await bank.manager_bj.get("/v1/events", params={"limit": 1000}),
        await bank.manager_bj.get("/v1/events", params={"customer_id": customer["id"]}),
        await bank.manager_bj.post("/v1/customers:resolve", json={"items": [identity]}),
        await bank.manager_bj.get("/v1/staff"),
        await bank.manager_bj.get("/v1/orgs"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert customer["id"] not in answer.text
        assert "hq.sh" not in answer.text
    for dataset in ("customers", "holdings", "events"):
        async with bank.service.client(Role.strategist, org="hq.bj") as client:
            export = await client.get(f"/v1/exports/{dataset}", headers={"accept": "application/x-ndjson"})
        assert export.status_code == 200
        assert customer["id"] not in export.text


async def test_a_branch_bound_key_cannot_write_elsewhere(bank: Bank) -> None:
    customer = await bank.customer()
    key = bank.service.servers.api_key("core", org="hq.bj")
    headers = {"content-type": "application/cloudevents-batch+json"}
    async with bank.service.client(key=key) as client:
        answer = await client.post("/v1/events", json=[event(source_id(customer))], headers=headers)
        assert answer.status_code == 207
        assert answer.json()["items"][0]["problem"]["type"] == "/problems/outside-organisation"
        holding = {
            "source": "core",
            "source_id": source_id(customer),
            "account": "A",
            "product": "demand-deposit",
            "balance": "1.00",
            "as_of": "2026-11-01",
        }
        refused = await client.post("/v1/holdings", json={"items": [holding]})
        assert refused.status_code == 207
        body = {
            "kind": "person",
            "name": "张",
            "org": "hq.sh.pudong",
            "identities": [{"source": "core", "source_id": "zz"}],
        }
        assert (await client.post("/v1/customers", json=body)).status_code == 422
        taken = {**body, "org": "hq.bj.haidian", "identities": customer["identities"]}
        assert (await client.post("/v1/customers", json=taken)).status_code == 409
