"""Merges as head of a branch, and facts of those who are merged."""

from typing import Any

import httpx
import orjson

from shared.contracts.events import EVENTS
from tests.customer.conftest import Bank, event


async def merge(bank: Bank, survivor: str, *merged: str, **more: Any) -> httpx.Response:
    """Whoever's identity number it is: the survivor's counts."""
    body = {"survivor": survivor, "merged": list(merged), "reason": "同一人", **more}
    body.setdefault("overrides", {"id_number": survivor})
    return await bank.head_sh.post("/v1/customers:merge", json=body)


async def merged(bank: Bank, survivor: str, *others: str, **more: Any) -> str:
    answer = await merge(bank, survivor, *others, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["merge_id"])


async def undo(bank: Bank, merge_id: str) -> httpx.Response:
    return await bank.head_sh.post(f"/v1/merges/{merge_id}:undo", json={"reason": "不是同一人"})


async def view(bank: Bank, customer_id: str, **params: Any) -> dict[str, Any]:
    answer = await bank.head_sh.get(f"/v1/customers/{customer_id}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def overview(bank: Bank, customer_id: str) -> dict[str, Any]:
    return (await bank.head_sh.get(f"/v1/customers/{customer_id}/360")).json()


def balance(subject: str, account: str, amount: str, day: str = "2026-11-01") -> dict[str, Any]:
    data = {"account": account, "product": "demand-deposit", "balance": amount, "as_of": day}
    return event(subject, "balance.snapshot", data=data)


def risk(subject: str, level: str, day: str) -> dict[str, Any]:
    data = {"level": level, "valid_until": "2027-12-31"}
    return event(subject, "risk.assessed", time=f"{day}T09:00:00+08:00", data=data)


def consent(subject: str, channel: str, granted: object, day: str) -> dict[str, Any]:
    data = {"channel": channel, "granted": granted}
    return event(subject, "consent.changed", time=f"{day}T09:00:00+08:00", data=data)


async def published(bank: Bank, kind: type, *ids: str) -> list[Any]:
    """Events of this kind that name one of `ids`, in order."""
    rows = await bank.sql(
        "SELECT payload FROM outbox WHERE EXISTS (SELECT FROM unnest(CAST(:ids AS text[])) AS one"
        " WHERE position(convert_to(one, 'UTF8') IN payload) > 0) ORDER BY seq",
        ids=list(ids),
    )
    envelopes = [orjson.loads(row[0]) for row in rows]
    return [
        EVENTS[one["type"]].model_validate(one["data"])
        for one in envelopes
        if one["type"] == kind.type_name()  # type: ignore[attr-defined]
    ]
