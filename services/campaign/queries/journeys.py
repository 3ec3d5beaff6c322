"""Where customers stand in the journeys of a campaign."""

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Campaign, Contact, JourneyRun
from services.campaign.queries.campaigns import content_of
from shared.contracts.base import Page
from shared.contracts.campaign import SuppressionReason
from shared.contracts.campaign.journeys import (
    FIRST_STEP,
    CampaignJourneys,
    JourneyEnding,
    JourneyPosition,
    JourneyProgress,
    JourneyStepProgress,
)
from shared.contracts.events import ContactOutcome
from shared.pagination import PageRequest, paginate


async def journey_progress(session: AsyncSession, campaign: Campaign) -> CampaignJourneys:
    reached = await _reached(session, campaign.id)
    here, running, endings = await _standing(session, campaign.id)
    contacts, refused, outcomes = await _contacts(session, campaign.id)
    scheme = content_of(campaign).scheme
    arms = [
        JourneyProgress(
            arm=arm.key,
            running=running[arm.key],
            endings=dict(endings[arm.key]),
            steps=[
                JourneyStepProgress(
                    step=step.key,
                    kind=step.kind,
                    reached=reached[arm.key, step.key],
                    here=here[arm.key, step.key],
                    contacts=contacts[arm.key, step.key],
                    refused=dict(refused[arm.key, step.key]),
                    outcomes=dict(outcomes[arm.key, step.key]),
                )
                for step in arm.journey.steps
            ],
        )
        for arm in (scheme.arms if scheme else [])
        if arm.journey is not None
    ]
    return CampaignJourneys(arms=arms)


_At = tuple[str, str]


async def _reached(session: AsyncSession, campaign_id: UUID) -> Counter[_At]:
    passed = (
        select(JourneyRun.arm, func.unnest(JourneyRun.path).label("step"))
        .where(JourneyRun.campaign_id == campaign_id)
        .subquery("passed")
    )
    rows = await session.execute(
        select(passed.c.arm, passed.c.step, func.count()).group_by(passed.c.arm, passed.c.step)
    )
    return Counter({(arm, key): count for arm, key, count in rows})


async def _standing(
    session: AsyncSession, campaign_id: UUID
) -> tuple[Counter[_At], Counter[str], dict[str, Counter[JourneyEnding]]]:
    rows = await session.execute(
        select(JourneyRun.arm, JourneyRun.step, JourneyRun.ending, func.count())
        .where(JourneyRun.campaign_id == campaign_id)
        .group_by(JourneyRun.arm, JourneyRun.step, JourneyRun.ending)
    )
    here: Counter[_At] = Counter()
    running: Counter[str] = Counter()
    endings: dict[str, Counter[JourneyEnding]] = defaultdict(Counter)
    for arm, step, ending, count in rows:
        if ending is None:
            here[arm, step] += count
            running[arm] += count
        else:
            endings[arm][ending] += count
    return here, running, endings


async def _contacts(
    session: AsyncSession, campaign_id: UUID
) -> tuple[Counter[_At], dict[_At, Counter[SuppressionReason]], dict[_At, Counter[ContactOutcome]]]:
    """A refused line has no arm of its own: it has the journey's."""
    rows = await session.execute(
        select(JourneyRun.arm, Contact.step, Contact.state, Contact.reason, Contact.disposition, func.count())
        .join(JourneyRun, Contact.id == func.follow_up_key(JourneyRun.contact_id, Contact.step))
        .where(
            Contact.campaign_id == campaign_id,
            JourneyRun.campaign_id == campaign_id,
            JourneyRun.customer_id == Contact.customer_id,
            Contact.step != FIRST_STEP,
        )
        .group_by(JourneyRun.arm, Contact.step, Contact.state, Contact.reason, Contact.disposition)
    )
    made: Counter[_At] = Counter()
    refused: dict[_At, Counter[SuppressionReason]] = defaultdict(Counter)
    outcomes: dict[_At, Counter[ContactOutcome]] = defaultdict(Counter)
    for arm, step, state, reason, disposition, count in rows:
        if state != "suppressed":
            made[arm, step] += count
        if reason is not None:
            refused[arm, step][reason] += count
        if disposition is not None:
            outcomes[arm, step][disposition] += count
    return made, refused, outcomes


async def list_positions(
    session: AsyncSession, campaign_id: UUID, page: PageRequest, arm: str | None, step: str | None
) -> Page[JourneyPosition]:
    query: Any = (
        select(JourneyRun, Contact.org_path)
        .join(Contact, Contact.id == JourneyRun.contact_id)
        .where(JourneyRun.campaign_id == campaign_id)
    )
    if arm is not None:
        query = query.where(JourneyRun.arm == arm)
    if step is not None:
        query = query.where(JourneyRun.step == step)
    return await paginate(session, query, [JourneyRun.contact_id.expression], page, _position)


def _position(row: Row[Any]) -> JourneyPosition:
    run: JourneyRun = row[0]
    return JourneyPosition(
        contact_id=run.contact_id,
        customer_id=run.customer_id,
        branch=row.org_path,
        arm=run.arm,
        step=run.step,
        state=run.state,
        until=run.deadline,
        entered_at=run.entered_at,
        ending=run.ending,
        path=run.path,
    )
