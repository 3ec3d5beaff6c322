"""Merges, undoings and intake of the same customers at the same time, on real connections."""

import asyncio

from tests.customer.conftest import Bank, source_id
from tests.customer.merge_world import consent, merge, merged, risk, undo, view


async def test_overlapping_merges_at_once(bank: Bank) -> None:
    """Of merges that share a customer one wins, the others are refused; nothing is half done."""
    for _round in range(6):
        people = [await bank.customer() for _ in range(4)]
        a, b, c, d = (p["id"] for p in people)
        answers = await asyncio.gather(
            merge(bank, a, b),
            merge(bank, b, a),
            merge(bank, c, b),
            merge(bank, a, c, b),
            merge(bank, b, d, a),
        )
        statuses = sorted(answer.status_code for answer in answers)
        assert set(statuses) <= {200, 409}, [x.text for x in answers if x.status_code not in {200, 409}]
        assert statuses[0] == 200
        rows = await bank.sql(
            "SELECT id::text, merged_into::text, status FROM customer WHERE id = ANY(CAST(:ids AS uuid[]))",
            ids=[a, b, c, d],
        )
        pointer = {row[0]: row[1] for row in rows}
        assert all((row[1] is not None) == (row[2] == "merged") for row in rows)
        assert all(pointer[target] is None for target in pointer.values() if target)
        ledger = await bank.sql(
            "SELECT count(DISTINCT id) FROM merge WHERE survivor_id = ANY(CAST(:ids AS uuid[]))",
            ids=[a, b, c, d],
        )
        assert ledger == [(statuses.count(200),)]


async def test_undoing_twice_at_once(bank: Bank) -> None:
    a, b = await bank.customer(), await bank.customer()
    merge_id = await merged(bank, a["id"], b["id"])
    answers = await asyncio.gather(*(undo(bank, merge_id) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_merges_and_events_at_once(bank: Bank) -> None:
    """Intake of both files goes on while they are merged and separated: nothing fails, nothing is lost."""
    a, b = await bank.customer(consents={}), await bank.customer(consents={})

    async def push(subject: str) -> None:
        for day in range(1, 9):
            answer = await bank.push(
                risk(subject, "C2", f"2026-10-0{day}"), consent(subject, "sms", True, f"2026-10-0{day}")
            )
            assert answer.status_code == 200, answer.text

    async def join() -> None:
        for _ in range(3):
            assert (await undo(bank, await merged(bank, a["id"], b["id"]))).status_code == 200

    await asyncio.gather(push(source_id(a)), push(source_id(b)), join())
    for one in (a, b):
        shown = await view(bank, one["id"])
        assert (shown["risk_level"], shown["consents"], shown["status"]) == ("C2", {"sms": True}, "active")
