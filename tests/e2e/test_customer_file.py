"""One person with two files, through all four services: merged, taken back, merged again and forgotten."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from services.campaign.models import Segment, SegmentMember
from services.evaluation.store import Store
from services.evaluation.store.contacts import exposures
from services.evaluation.store.outcomes import Question
from shared import clock
from shared.auth import Role
from tests.campaign.conftest import Bank as Campaigns
from tests.campaign.conftest import a_scheme, an_arm
from tests.customer.conftest import Bank, bank, event, source_id
from tests.segmentation.conftest import fill_from_here, members
from tests.support import Running, Servers, empty_database, eventually, run_service

__all__ = ["bank"]

SEGMENT = "two-files"


@dataclass(frozen=True)
class Services:
    segmentation: Running
    campaigns: Campaigns
    evaluation: Running


@pytest.fixture
async def services(migrated: Servers, customer: Running) -> AsyncIterator[Services]:
    """Stores that begin where the streams stand; nobody is held out of all campaigns."""
    store = "e2e.duckdb"
    await fill_from_here(migrated, store)
    await empty_database(migrated, "campaign")
    async with AsyncExitStack() as stack:
        segmentation, campaign, evaluation = [
            await stack.enter_async_context(run_service(migrated, name, **settings))
            for name, settings in (
                ("segmentation", {"HUANYING_STORE_FILE": store}),
                ("campaign", {"HUANYING_GLOBAL_HOLD_OUT": "0"}),
                ("evaluation", {"HUANYING_STORE_FILE": store}),
            )
        ]
        yield Services(segmentation, Campaigns(campaign, []), evaluation)


async def _segment(segmentation: Running) -> None:
    rule = {"sql": "occupation = 'stonemason' and login_count_30d >= 1"}
    async with segmentation.client(Role.strategist) as client:
        body = {"key": SEGMENT, "name": {"zh": "两档", "en": "Two files"}, "definition": rule}
        assert (await client.post("/v1/segments", json=body)).status_code == 201
        assert (await client.post(f"/v1/segments/{SEGMENT}:publish")).status_code == 200


async def _launched(services: Services, expected: int) -> str:
    campaigns = services.campaigns
    await campaigns.offer_and_script()

    async def known() -> bool:
        async with campaigns.campaign.runtime.db.transaction() as session:
            found = select(func.count()).where(SegmentMember.member, SegmentMember.segment_id == Segment.id)
            return await session.scalar(found.where(Segment.key == SEGMENT)) == expected

    await eventually(known, what="the segment's members in campaigns")
    scheme = a_scheme(an_arm("call", 1.0), hold_out=0)
    campaign_id = await campaigns.launched(scheme=scheme, audience={"include": [SEGMENT]})
    assert len(await campaigns.all_of(f"/v1/campaigns/{campaign_id}/audience")) == expected
    return campaign_id


async def test_a_person_with_two_files(bank: Bank, services: Services) -> None:
    person = {
        "occupation": "stonemason",
        "id_number": None,
        "risk_level": "C5",
        "risk_valid_until": "2099-01-01",
    }
    made = [await bank.customer(**person) for _ in range(2)]
    first, second = (UUID(each["id"]) for each in made)
    pushed = await bank.push(*(event(source_id(each), "login", data={"channel": "app"}) for each in made))
    assert pushed.json()["accepted"] == 2, pushed.text
    await _segment(services.segmentation)

    async def in_segment(*wanted: UUID) -> bool:
        return await members(services.segmentation, SEGMENT) == set(wanted)

    await eventually(lambda: in_segment(first, second), what="both files in the segment")
    campaign_id = await _launched(services, 2)

    async def states(*wanted: tuple[str, str | None]) -> bool:
        lines = await services.campaigns.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        found = {UUID(line["customer_id"]): (line["state"], line["reason"]) for line in lines}
        return [found.get(each) for each in (first, second)] == list(wanted)

    async def exposed(count: int) -> bool:
        question = Question(UUID(campaign_id), clock.now())
        store = services.evaluation.runtime.resource(Store)
        found = await store.read(lambda cursor: exposures(cursor, question, 30))
        return found.total == count

    async def together() -> str:
        body = {"survivor": str(first), "merged": [str(second)], "reason": "one person"}
        merged = await bank.admin.post("/v1/customers:merge", json=body)
        assert merged.status_code == 200, merged.text
        await eventually(lambda: in_segment(first), what="one member")
        await eventually(lambda: states(("assigned", None), ("expired", "merged")), what="one open contact")
        await eventually(lambda: exposed(1), what="one exposure")
        return str(merged.json()["merge_id"])

    await eventually(lambda: states(("assigned", None), ("assigned", None)), what="two contacts")
    await eventually(lambda: exposed(2), what="two exposures")
    merge_id = await together()
    undone = await bank.admin.post(f"/v1/merges/{merge_id}:undo", json={"reason": "two after all"})
    assert undone.status_code == 200, undone.text
    await eventually(lambda: in_segment(first, second), what="both members again")
    await eventually(lambda: states(("assigned", None), ("assigned", None)), what="both contacts again")
    await eventually(lambda: exposed(2), what="both exposures again")
    await together()
    await _forgotten(bank, first)
    assert await in_segment()
    # Whose they were is forgotten, and with it that they were one person's.
    assert await exposed(2)
    assert await states(("expired", "erased"), ("expired", "merged"))
    assert (await services.campaigns.get(f"/v1/campaigns/{campaign_id}/progress"))["balanced"]


async def _forgotten(bank: Bank, customer_id: UUID) -> None:
    """Erased by two people, and confirmed by all three services."""
    body = {"reason": "case 1", "legal_basis": "consent_withdrawn"}
    asked = await bank.head_sh.post(f"/v1/customers/{customer_id}:erase", json=body)
    assert asked.status_code == 201, asked.text
    path = f"/v1/erasures/{asked.json()['id']}"
    done = await bank.admin.post(f"{path}:confirm")
    assert done.status_code == 200, done.text
    found: list[dict[str, Any]] = []

    async def confirmed() -> bool:
        found[:] = (await bank.admin.get(path)).json()["services"]
        return {each["state"] for each in found} == {"confirmed"}

    await eventually(confirmed, what="the confirmations", seconds=40)
    assert len(found) == 3
    assert all(each["rows"] > 0 for each in found), found
