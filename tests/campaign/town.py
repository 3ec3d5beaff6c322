"""A bank whose segments tell, as a running campaign hears them, of customers who move."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from services.campaign.settings import CampaignSettings
from services.campaign.usecases.readmodel import store_members
from services.campaign.usecases.triggered import decide_triggered
from shared import clock
from shared.contracts.events import ContactsAssigned, CustomerState, SegmentUpdated
from shared.db import Outbox
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_scheme, an_arm
from tests.campaign.desk import somebody

Cause = Literal["events", "expiry", "profile", "edit", "full", "merge"]
COMING = "coming"
"""The segment whose members move; all customers are in `SEGMENT`."""
EVERYBODY = a_scheme(an_arm("call", 1.0), hold_out=0)


def audience(on: str = "enter", **changes: Any) -> dict[str, Any]:
    trigger = {"segment": COMING, "on": on, **changes.pop("trigger", {})}
    return {"include": [SEGMENT], "trigger": trigger, **changes}


@dataclass
class Town:
    bank: Bank
    people: list[CustomerState]
    settings: CampaignSettings = field(default_factory=CampaignSettings)

    @property
    def ids(self) -> list[UUID]:
        return [state.customer_id for state in self.people]

    def change(
        self,
        joined: list[UUID],
        left: list[UUID] | None = None,
        *,
        key: str = COMING,
        cause: Cause = "events",
        at: datetime | None = None,
        version: int = 1,
    ) -> SegmentUpdated:
        return SegmentUpdated(
            segment_id=self.bank.segments[key],
            key=key,
            version=version,
            run_id=new_id(),
            cause=cause,
            evaluated_at=at or clock.now(),
            size=len(joined),
            joined=joined,
            left=left or [],
        )

    async def tell(self, *events: SegmentUpdated) -> None:
        """Each as its consumer's transaction would store it."""
        for event in events:
            async with self.bank.campaign.runtime.db.transaction() as session:
                await store_members(session, event)

    async def decided(self, **settings: Any) -> None:
        """Everything that is due now is decided, by the running worker or here."""
        await decide_triggered(self.bank.campaign.runtime.db, self.settings.model_copy(update=settings))

    async def opened(self, **changes: Any) -> str:
        return await self.bank.launched(**{"scheme": EVERYBODY, "audience": audience(), **changes})

    async def lines(self, campaign_id: str) -> dict[UUID, dict[str, Any]]:
        found = await self.bank.all_of(f"/v1/campaigns/{campaign_id}/ledger")
        return {UUID(line["customer_id"]): line for line in found}

    async def told(self) -> list[UUID]:
        """Contacts in all ContactsAssigned of the outbox."""
        async with self.bank.campaign.runtime.db.transaction() as session:
            payloads = await session.scalars(
                select(Outbox.payload).where(Outbox.subject.startswith(ContactsAssigned.SUBJECT))
            )
            events = [ContactsAssigned.model_validate(orjson.loads(each)["data"]) for each in payloads]
        return [contact.contact_id for event in events for contact in event.contacts]

    async def verb(self, campaign_id: str, verb: str, **body: Any) -> dict[str, Any]:
        async with self.bank.strategist() as author:
            answer = await author.post(f"/v1/campaigns/{campaign_id}:{verb}", json=body)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())


@pytest.fixture
async def town(empty_bank: Bank) -> Town:
    """Six customers whom the rules let pass; nobody has come yet."""
    people = [somebody(number) for number in range(6)]
    await empty_bank.add_customers(people)
    await empty_bank.add_segment(SEGMENT, [state.customer_id for state in people])
    await empty_bank.add_segment(COMING, [])
    return Town(empty_bank, people)
