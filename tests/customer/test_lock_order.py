"""Whoever changes a family locks it in the order of ids before anything else: nobody waits in a ring.

Each test holds the customer whom the change needs first. While it waits for that one it must hold nothing
that others lock later.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.usecases.consent_words import expire_consents
from services.customer.usecases.import_datasets import DATASETS
from shared import clock
from tests.customer.conftest import Bank, source_id
from tests.customer.merge_world import merged, view
from tests.customer.test_imports import CUSTOMER, as_csv, run
from tests.support import eventually

LOCK = "SELECT 1 FROM customer WHERE id = CAST(:id AS uuid) FOR NO KEY UPDATE"


async def _while_held(
    bank: Bank,
    held: str,
    change: Callable[[], Awaitable[object]],
    then: Callable[[AsyncSession], Awaitable[None]],
) -> None:
    """Do `change` while `held` is locked; once it waits, `then` in the transaction that holds the lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE :mine = ANY(pg_blocking_pids(pid))"
    async with bank.service.runtime.db.transaction() as session:
        mine = await session.scalar(text("SELECT pg_backend_pid()"))
        await session.execute(text(LOCK), {"id": held})
        doing = asyncio.ensure_future(change())

        async def waits() -> bool:
            return bool((await bank.sql(waiting, mine=mine))[0][0] > 0)

        await eventually(waits, what="the change waiting")
        await then(session)
    await doing


def _locks(customer_id: str) -> Callable[[AsyncSession], Awaitable[None]]:
    async def lock(session: AsyncSession) -> None:
        await session.execute(text(f"{LOCK} NOWAIT"), {"id": customer_id})

    return lock


async def _family(bank: Bank, *, survivor_first: bool) -> tuple[str, str, dict[str, str]]:
    """Survivor, merged, and their source ids; `survivor_first` in the order of ids or the other way round."""
    people = [await bank.customer(consents={}, id_number=None) for _ in range(2)]
    survivor, other = people if survivor_first else reversed(people)
    await merged(bank, survivor["id"], other["id"], overrides={})
    return survivor["id"], other["id"], {one["id"]: source_id(one) for one in people}


@pytest.mark.parametrize("dataset", ["customers", "consents"])
async def test_a_file_about_the_merged(bank: Bank, dataset: str) -> None:
    survivor, other, sources = await _family(bank, survivor_first=True)
    row = {"source": "core", "source_id": sources[other]}
    word = dict.fromkeys(DATASETS["consents"].columns, "") | {
        "channel": "sms",
        "granted": "true",
        "changed_at": "2026-10-01T09:00:00+08:00",
    }
    customer = {**CUSTOMER, "id_number": "", "consent_call": "", "consent_sms": "true"}
    await _while_held(
        bank,
        survivor,
        lambda: run(bank, dataset, as_csv([(customer if dataset == "customers" else word) | row])),
        _locks(other),
    )
    assert (await view(bank, survivor))["consents"] == {"sms": True}


async def test_a_file_about_the_survivor(bank: Bank) -> None:
    survivor, other, sources = await _family(bank, survivor_first=False)
    row = {**CUSTOMER, "id_number": "", "source_id": sources[survivor], "org": "hq.sh"}
    await _while_held(
        bank, other, lambda: run(bank, "customers", as_csv([row]), bank.admin), _locks(survivor)
    )
    assert [(await view(bank, one))["org"] for one in (survivor, other)] == ["hq.sh"] * 2


async def test_a_consent_that_ends(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await bank.customer(consents={})
    until = clock.today() + timedelta(days=3)
    path, body = (
        f"/v1/customers/{customer['id']}/consents/call",
        {"granted": True, "valid_until": until.isoformat()},
    )
    assert (await bank.admin.put(path, json={**body, "proof": {"kind": "branch"}})).status_code == 200
    later = clock.now() + timedelta(days=4)
    monkeypatch.setattr(clock, "now", lambda: later)

    async def expire() -> None:
        async with bank.service.runtime.db.transaction() as session:
            await expire_consents(session)

    async def say(session: AsyncSession) -> None:
        statement = "SELECT 1 FROM consent WHERE customer_id = CAST(:id AS uuid) FOR UPDATE NOWAIT"
        await session.execute(text(statement), {"id": customer["id"]})

    await _while_held(bank, customer["id"], expire, say)
    assert (await view(bank, customer["id"]))["consents"] == {"call": False}
