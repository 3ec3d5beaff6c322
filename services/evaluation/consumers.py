"""Events that the database of this service acts on: campaigns, and erasures, which are carried out and
confirmed whatever becomes of the store. Contacts and outcomes go to the columnar store alone.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.usecases import erasures, registrations
from services.evaluation.usecases.evaluations import SYSTEM, TASK
from shared.contracts.events import (
    CampaignApproved,
    CampaignCompleted,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    CustomerErased,
    EventData,
)
from shared.jobs import defer
from shared.service import Handler, Runtime


async def approved(_session: AsyncSession, _event: CampaignApproved, _runtime: Runtime) -> None:
    """An approval exposes nobody: what is measured is registered at launch."""


async def launched(session: AsyncSession, event: CampaignLaunched, _runtime: Runtime) -> None:
    await registrations.register(session, event)


async def paused(session: AsyncSession, event: CampaignPaused, _runtime: Runtime) -> None:
    await registrations.move(session, event.campaign_id, "paused", event.at)


async def resumed(session: AsyncSession, event: CampaignResumed, _runtime: Runtime) -> None:
    await registrations.move(session, event.campaign_id, "running", event.at)


async def completed(session: AsyncSession, event: CampaignCompleted, _runtime: Runtime) -> None:
    """Close the books and evaluate; the job waits until the store has seen everything up to here."""
    await registrations.complete(session, event)
    await defer(session, SYSTEM, TASK, {"campaign_id": str(event.campaign_id)})


async def erased(session: AsyncSession, event: CustomerErased, _runtime: Runtime) -> None:
    await erasures.note_erasure(session, event)


HANDLERS: dict[str, dict[type[EventData], Handler]] = {
    "evaluation__campaigns": {
        CampaignApproved: approved,
        CampaignLaunched: launched,
        CampaignPaused: paused,
        CampaignResumed: resumed,
        CampaignCompleted: completed,
    },
    "evaluation__erasures": {CustomerErased: erased},
}
