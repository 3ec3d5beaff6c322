"""From the campaign's own events: what was registered, and where the campaign stands."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.models import Course, CourseChange, Registration
from services.evaluation.queries.metrics import definitions
from shared import clock
from shared.contracts.events import CampaignCompleted, CampaignLaunched
from shared.errors import NotFound

RETRY = timedelta(hours=1)
"""When an evaluation that was queued is due again, should its job fail."""


async def register(session: AsyncSession, launched: CampaignLaunched) -> None:
    """Freeze the registration with the metric definitions of this moment; a second launch changes nothing."""
    plan = launched.registration
    known = await definitions(session, [plan.primary_metric, *plan.guardrails])
    if primary := known.get(plan.primary_metric):
        known |= await definitions(session, primary.cannibalises)
    content = launched.model_dump(mode="json") | {
        "definitions": {key: metric.model_dump(mode="json") for key, metric in known.items()}
    }
    fresh = await session.scalar(
        insert(Registration)
        .values(
            campaign_id=launched.campaign_id,
            key=launched.campaign_key,
            name=content["name"],
            launched_at=launched.launched_at,
            registered_at=clock.now(),
            starts_on=launched.starts_on,
            ends_on=launched.ends_on,
            orgs=launched.orgs,
            segments=launched.segments,
            plan=content["registration"],
            definitions=content["definitions"],
            content_hash=hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        )
        .on_conflict_do_nothing()
        .returning(Registration.campaign_id)
    )
    if fresh is not None:
        session.add(Course(campaign_id=launched.campaign_id, state="running"))
        await session.flush()


async def move(session: AsyncSession, campaign_id: UUID, state: str, at: datetime) -> None:
    """Running and paused follow one another; a completed campaign stays completed."""
    moved = await session.scalar(
        update(Course)
        .where(Course.campaign_id == campaign_id, Course.state != "completed")
        .values(state=state)
        .returning(Course.campaign_id)
    )
    if moved is not None:
        change = insert(CourseChange).values(campaign_id=campaign_id, at=at, state=state)
        await session.execute(change.on_conflict_do_nothing())


async def complete(session: AsyncSession, completed: CampaignCompleted) -> None:
    """Close the books. NotFound when the launch has not been seen yet: the event comes again."""
    course = await session.get(Course, completed.campaign_id, with_for_update=True)
    if course is None:
        raise NotFound(f"campaign {completed.campaign_id} was completed before its launch was registered")
    course.state = "completed"
    course.completed_at = completed.completed_at
    course.ledger = completed.ledger.model_dump(mode="json")
    course.due_at = clock.now() + RETRY
    await session.flush()


async def due(session: AsyncSession, at: datetime) -> list[UUID]:
    """Campaigns whose next evaluation is due, locked for this transaction."""
    statement = select(Course.campaign_id).where(Course.due_at <= at).with_for_update(skip_locked=True)
    return list(await session.scalars(statement))


async def set_due(session: AsyncSession, campaign_id: UUID, at: datetime | None) -> None:
    await session.execute(update(Course).where(Course.campaign_id == campaign_id).values(due_at=at))
