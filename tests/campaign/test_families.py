"""Statements that look for persons, as the service's own role under row-level security."""

from services.campaign.queries.families import PERSON
from services.campaign.usecases.triggered import _DUE
from shared import clock
from shared.db import fetch
from shared.ids import new_id
from tests.support import Running

_PERSONS = f"""
SELECT p.id FROM contact o JOIN known_customer c ON c.id = o.customer_id
JOIN known_customer p ON p.id = {PERSON.format("c")} WHERE o.id = %(contact)s
"""


async def test_persons_are_found_by_index(campaign: Running) -> None:
    """Where PostgreSQL cannot look one up, it goes through all customers of the bank."""
    asked = {"campaign": new_id(), "contact": new_id(), "now": clock.now(), "limit": 10}
    async with campaign.runtime.db.transaction() as session:
        await fetch(session, "SET LOCAL enable_seqscan = off")
        for statement in (_DUE, _PERSONS):
            plan = "\n".join(row[0] for row in await fetch(session, f"EXPLAIN {statement}", asked))
            assert "Index Cond: (id = CASE" in plan, plan
