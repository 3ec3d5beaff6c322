"""Data sets out: what is in them, narrowed to a unit or to what is new, and where to follow on."""

import io
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pyarrow as pa
import pytest

from shared.auth import Role
from tests.customer.conftest import Bank, event, source_id
from tests.customer.merge_world import merged, undo
from tests.customer.test_relations import relate, relation
from tests.support import eventually

DATASETS = ("customers", "holdings", "events", "relations", "consents", "ownership", "shares", "interactions")


async def rows(client: httpx.AsyncClient, dataset: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/exports/{dataset}", params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    return found


async def _history(bank: Bank) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two customers, one in each city, with something in every data set."""
    first = await bank.customer()
    second = await bank.customer(org="hq.bj.haidian", primary_manager="S3", backup_manager=None)
    await relate(bank, {**relation(first, "household", second), "valid_from": "2026-01-01"})
    shares = {"hq.sh.pudong": ("lead", "0.7"), "hq.sh": ("co", "0.3")}
    body = {
        "org": "hq.sh.pudong",
        "primary_manager": "S2",
        "backup_manager": "S1",
        "branches": [{"org": org, "role": role, "share": share} for org, (role, share) in shares.items()],
    }
    etag = (await bank.admin.get(f"/v1/customers/{first['id']}")).headers["etag"]
    moved = await bank.admin.put(
        f"/v1/customers/{first['id']}/ownership", json=body, headers={"if-match": etag}
    )
    assert moved.status_code == 200, moved.text
    talk = {"kind": "call", "by": "S1", "minutes": 5, "disposition": "interested", "note": "about her mother"}
    snapshot = {"product": "demand-deposit", "balance": "7.10", "as_of": "2026-10-31"}
    pushed = await bank.push(
        event(source_id(first), "interaction.recorded", data=talk),
        event(source_id(first), "balance.snapshot", data=snapshot),
    )
    assert pushed.json()["accepted"] == 2, pushed.text
    return first, second


def _of(found: list[dict[str, Any]], customer: dict[str, Any]) -> list[dict[str, Any]]:
    ends = ("customer_id", "from_id", "to_id")
    return [row for row in found if customer["id"] in {row.get(end) for end in ends}]


async def test_every_data_set(bank: Bank) -> None:
    first, second = await _history(bank)
    found = {dataset: _of(await rows(bank.strategist, dataset), first) for dataset in DATASETS}
    assert {found["relations"][0][end] for end in ("from_id", "to_id")} == {first["id"], second["id"]}
    assert found["relations"][0]["valid_from"].isoformat() == "2026-01-01"
    words = {(row["channel"], row["granted"]) for row in found["consents"]}
    assert words == {("call", True), ("sms", False)}
    assert [(r["before_primary"], r["after_primary"], r["cause"]) for r in found["ownership"]][-1][:2] == (
        "S1",
        "S2",
    )
    assert [(r["kind"], r["minutes"], r["staff"]) for r in found["interactions"]] == [("call", 5, "S1")]
    assert [(r["org"], r["role"], str(r["share"]), r["valid_to"]) for r in found["shares"]] == [
        ("hq.sh", "co", "0.300000", None),
        ("hq.sh.pudong", "lead", "0.700000", None),
    ]
    assert len(found["customers"]) == len(found["holdings"]) == 1
    for dataset in DATASETS:
        for accept in ("text/csv", "application/x-ndjson"):
            answer = await bank.strategist.get(f"/v1/exports/{dataset}", headers={"accept": accept})
            assert answer.status_code == 200
            assert "mother" not in answer.text
            assert source_id(first) not in answer.text


async def test_only_a_unit_and_only_what_is_new(bank: Bank) -> None:
    before = datetime.now(UTC)
    first, second = await _history(bank)
    for dataset in DATASETS:
        here = await rows(bank.strategist, dataset, org="hq.sh")
        there = await rows(bank.strategist, dataset, org="hq.bj")
        assert _of([*here, *there] if dataset == "relations" else here, first), dataset
        assert dataset == "relations" or not _of(there, first), dataset
        assert dataset == "relations" or not _of(here, second), dataset
        new = await rows(bank.strategist, dataset, since=before.isoformat())
        assert _of(new, first), dataset
        assert len(new) <= len(here) + len(there)
        assert not await rows(bank.strategist, dataset, since="2099-01-01T00:00:00Z"), dataset
        far_east = before.astimezone(timezone(timedelta(hours=16, minutes=29)))
        assert await rows(bank.strategist, dataset, since=far_east.isoformat()) == new, dataset
    async with bank.service.client(Role.strategist, org="hq.bj") as beijing:
        assert not await rows(beijing, "customers", org="hq.sh")
    for bad in ({"org": "HQ;--"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}):
        answer = await bank.strategist.get("/v1/exports/customers", params=bad)
        assert answer.status_code == 422, bad


async def test_who_was_merged_and_who_was_erased(bank: Bank) -> None:
    before = datetime.now(UTC)
    survivor, lasting, undone, gone = [await bank.customer() for _ in range(4)]
    await merged(bank, survivor["id"], lasting["id"])
    again = await undo(bank, await merged(bank, survivor["id"], undone["id"]))
    assert again.status_code == 200, again.text
    request = {"reason": "case 4711", "legal_basis": "consent_withdrawn"}
    asked = await bank.head_sh.post(f"/v1/customers/{gone['id']}:erase", json=request)
    confirmed = await bank.admin.post(f"/v1/erasures/{asked.json()['id']}:confirm")
    assert confirmed.status_code == 200, confirmed.text
    found = {row["customer_id"]: row for row in await rows(bank.strategist, "merges")}
    assert survivor["id"] not in found
    assert found[lasting["id"]]["merged_into"] == survivor["id"]
    assert found[undone["id"]]["merged_into"] is None
    assert before < found[lasting["id"]]["changed_at"] < found[undone["id"]]["changed_at"]
    erased = await rows(bank.strategist, "erasures", since=before.isoformat())
    assert {"customer_id": gone["id"], "ordinal": gone["ordinal"]} in erased
    assert not {each["id"] for each in (survivor, lasting, undone)} & {row["customer_id"] for row in erased}


async def test_the_watermark_lies_before_the_snapshot(bank: Bank) -> None:
    customer = await bank.customer()

    async def published() -> bool:
        return await bank.sql("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]

    await eventually(published, what="the outbox")
    last = await bank.service.runtime.bus.last_sequence("CUSTOMER")
    answer = await bank.strategist.get("/v1/exports/customers")
    assert int(answer.headers["watermark"]) >= last
    table = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    assert customer["id"] in table["customer_id"].to_pylist()


async def test_without_the_broker_the_export_still_comes(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(_self: object, _stream: str) -> int:
        raise TimeoutError

    monkeypatch.setattr(type(bank.service.runtime.bus), "last_sequence", silent)
    answer = await bank.strategist.get("/v1/exports/customers")
    assert (answer.status_code, "watermark" in answer.headers) == (200, False)
