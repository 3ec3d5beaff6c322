"""A running campaign and its customers on their way."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from services.campaign.models import JourneyRun
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.journeys import advance_journeys
from tests.campaign.conftest import a_scheme, an_arm
from tests.campaign.town import Town

BOUGHT = "bought"
CALL = {"kind": "contact", "channel": "manager_task", "script": "call@1"}


def journey(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"steps": list(steps)}


def after(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A campaign in which everybody is called, and these steps follow."""
    scheme = a_scheme(an_arm("call", 1.0, journey=journey(*steps)), hold_out=0)
    return {"scheme": {**scheme, **changes}}


@dataclass
class Road:
    """A running campaign and its customers on their way."""

    town: Town
    campaign_id: str
    settings: CampaignSettings = field(default_factory=CampaignSettings)

    async def go_on(self) -> None:
        await advance_journeys(self.town.bank.campaign.runtime.db, self.settings)

    async def worked(self, disposition: str, *people: int) -> None:
        """The managers of these people did what they had to do."""
        for number in people:
            await self.recorded(number, await self.started(number), disposition)

    async def started(self, number: int) -> str:
        """The person's task, begun by its manager."""
        person = self.town.people[number]
        async with self.town.bank.manager(person.primary_manager or "", person.org) as manager:
            items = (await manager.get("/v1/tasks?state=assigned")).json()["items"]
            (task,) = [each["id"] for each in items if each["customer_id"] == str(person.customer_id)]
            started = await manager.post(f"/v1/tasks/{task}:start")
            assert started.status_code == 200, started.text
        return str(task)

    async def recorded(self, number: int, task: str, disposition: str) -> None:
        person = self.town.people[number]
        async with self.town.bank.manager(person.primary_manager or "", person.org) as manager:
            body = {"disposition": disposition, "minutes": 3}
            done = await manager.post(f"/v1/tasks/{task}:record", json=body)
            assert done.status_code == 200, done.text

    async def time_passes(self, minutes: int) -> None:
        """For those who wait."""
        earlier = timedelta(minutes=minutes)
        async with self.town.bank.campaign.runtime.db.transaction() as session:
            await session.execute(
                update(JourneyRun)
                .where(JourneyRun.state == "waiting")
                .values(wake_at=JourneyRun.wake_at - earlier, deadline=JourneyRun.deadline - earlier)
            )

    async def where(self) -> dict[int, tuple[str, str]]:
        """Step and state or ending of each person."""
        items = await self.town.bank.all_of(f"/v1/campaigns/{self.campaign_id}/journey-positions")
        places = {each["customer_id"]: (each["step"], each["ending"] or each["state"]) for each in items}
        return {
            number: places[str(person.customer_id)]
            for number, person in enumerate(self.town.people)
            if str(person.customer_id) in places
        }

    async def lines(self) -> dict[str, Counter[str]]:
        """Of each step the states and reasons of its contacts."""
        found: dict[str, Counter[str]] = {}
        for line in await self.town.bank.all_of(f"/v1/campaigns/{self.campaign_id}/ledger"):
            found.setdefault(line["step"], Counter())[line["reason"] or line["state"]] += 1
        return found

    async def progress(self) -> dict[str, Any]:
        found = await self.town.bank.get(f"/v1/campaigns/{self.campaign_id}/journeys")
        (arm,) = found["arms"]
        return dict(arm)


async def set_out(town: Town, *steps: dict[str, Any], **changes: Any) -> Road:
    scheme = changes.pop("scheme_changes", {})
    campaign_id = await town.bank.launched(**after(*steps, **scheme), **changes)
    return Road(town, campaign_id)
