"""Journeys: customers go from step to step.

The worker takes those who are to be woken, a chunk in one transaction, and carries out step after step, each
for everybody at it in one statement. Steps lead to later ones only, so one pass over the steps leaves
everybody waiting, in contact or at an end; a worker that is killed leaves them where they were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, any_, case, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.types import Uuid

from services.campaign.domain.lifecycle import AT_WORK
from services.campaign.domain.plan import Plan, plan_of
from services.campaign.domain.split import salt_of
from services.campaign.models import Campaign, Contact, Customer, JourneyRun, JourneySegment, SegmentMember
from services.campaign.queries.audience import position
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.families import person
from services.campaign.queries.lines import further_decisions
from services.campaign.queries.policy import facts
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.absences import hold_absences
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.release import await_other_decisions, release_policy, write_lines
from shared import clock
from shared.contracts.campaign import Arm
from shared.contracts.campaign.journeys import (
    BranchCase,
    BranchStep,
    ContactStep,
    JourneyEnding,
    JourneyStep,
    SplitStep,
    UntilStep,
    WaitStep,
    leads,
)
from shared.db import Database

_run = aliased(JourneyRun)
_WAVE = 1


async def advance_journeys(database: Database, settings: CampaignSettings) -> None:
    """Everybody who is to be woken by now, of campaigns at work."""
    async with database.transaction() as session:
        due = await session.scalars(
            select(JourneyRun.campaign_id)
            .join(Campaign, Campaign.id == JourneyRun.campaign_id)
            .where(
                JourneyRun.wake_at <= clock.now(),
                Campaign.status.in_(AT_WORK),
                Campaign.ends_on >= clock.today(),
            )
            .distinct()
            .order_by(JourneyRun.campaign_id)
        )
        campaigns = list(due.all())
    for campaign_id in campaigns:
        more = True
        while more:
            async with database.transaction() as session:
                more = await _advance_some(session, settings, campaign_id)


async def _advance_some(session: AsyncSession, settings: CampaignSettings, campaign_id: UUID) -> bool:
    """One chunk; whether there may be more. The campaign's row is held, as by a release."""
    await hold_off_erasures(session)
    campaign = (
        await session.execute(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
    ).scalar_one()
    plan = plan_of(content_of(campaign))
    if campaign.status not in AT_WORK or plan.schedule.end < clock.today():
        return False
    # Before any run is held: whoever ends contacts under these locks wakes runs.
    await await_other_decisions(session)
    await hold_absences(session)
    now = clock.now()
    found = await session.scalars(
        select(JourneyRun.contact_id)
        .where(JourneyRun.campaign_id == campaign_id, JourneyRun.wake_at <= now)
        .order_by(JourneyRun.wake_at, JourneyRun.contact_id)
        .limit(settings.launch_chunk)
        .with_for_update(skip_locked=True)
    )
    ids = list(found.all())
    if not ids:
        return False
    segments = {
        row.key: row.segment_id
        for row in await session.scalars(
            select(JourneySegment).where(JourneySegment.campaign_id == campaign_id)
        )
    }
    chunk = _Chunk(session, settings, campaign_id, plan, ids, segments, now)
    await chunk.end_converted()
    for arm in plan.scheme.arms:
        await chunk.carry_out(arm)
    await chunk.rest()
    return len(ids) == settings.launch_chunk


@dataclass(frozen=True)
class _Chunk:
    """Customers who were woken, held until the transaction ends."""

    session: AsyncSession
    settings: CampaignSettings
    campaign_id: UUID
    plan: Plan
    ids: Sequence[UUID]
    segments: dict[str, UUID]
    now: datetime

    @property
    def _these(self) -> ColumnElement[bool]:
        return _run.contact_id == any_(literal(list(self.ids), ARRAY(Uuid)))

    async def end_converted(self) -> None:
        """Who took the offer, and who is where no contact is needed any more."""
        taken = exists().where(Contact.id == _run.current_id, Contact.disposition == "accepted")
        await self._end(and_(self._these, taken), "converted")
        exits = [self.segments[key] for key in self.plan.scheme.exit_segments]
        if exits:
            await self._end(and_(self._these, _is_in(*exits)), "exit")

    async def carry_out(self, arm: Arm) -> None:
        if arm.journey is None:
            return
        of_arm = and_(self._these, _run.arm == arm.key, _run.state != "ended")
        occupied = set(await self.session.scalars(select(_run.step).where(of_arm).distinct()))
        for step in arm.journey.steps:
            if step.key in occupied:
                await self._take(arm, step, and_(of_arm, _run.step == step.key))
                occupied |= {to for _, to in leads(step) if to is not None}

    async def _take(self, arm: Arm, step: JourneyStep, here: ColumnElement[bool]) -> None:
        due = and_(here, _run.state == "due")
        over = and_(here, _run.state == "waiting", _run.deadline <= self.now)
        match step:
            case ContactStep():
                await self._contact(arm, step, due)
                done = and_(here, _run.state == "contacting", _run.wake_at.is_not(None))
                await self._move(done, _case([(_made(), step.next)], step.otherwise))
            case WaitStep():
                await self._move(over, literal(step.next, Text))
                await self._wait(due, step.minutes)
            case UntilStep():
                holds = _is_in(self.segments[step.segment])
                holds = holds if step.member else ~holds
                await self._move(or_(over, and_(here, holds)), _case([(holds, step.next)], step.otherwise))
                await self._wait(due, step.minutes)
            case BranchStep():
                cases = [(self._holds(each), each.next) for each in step.cases]
                await self._move(due, _case(cases, step.otherwise))
            case SplitStep():
                salt = f"{salt_of('journey', self.campaign_id)}/{arm.key}/{step.key}"
                at = position(salt, _run.customer_id.expression)
                uppers = accumulate(path.share for path in step.paths[:-1])
                cases = [(at < upper, path.next) for upper, path in zip(uppers, step.paths, strict=False)]
                await self._move(due, _case(cases, step.paths[-1].next))

    def _holds(self, of: BranchCase) -> ColumnElement[bool]:
        conditions: list[ColumnElement[bool]] = []
        if of.outcomes:
            conditions.append(
                exists().where(Contact.id == _run.current_id, Contact.disposition.in_(of.outcomes))
            )
        if of.segment is not None:
            inside = _is_in(self.segments[of.segment])
            conditions.append(inside if of.member else ~inside)
        return and_(*conditions)

    async def _contact(self, arm: Arm, step: ContactStep, due: ColumnElement[bool]) -> None:
        """Decides on one more contact for each, as a release does; whoever may not be contacted has a line
        that says why.
        """
        plan = self.plan.at_step(arm.key, step.key)
        policy = await release_policy(self.session, self.settings, plan, self.now)
        members = (
            select(
                person().label("customer_id"),
                Contact.wave,
                Contact.segment,
                _run.contact_id.label("run_id"),
            )
            .join(Contact, Contact.id == _run.contact_id)
            .join(Customer, Customer.id == _run.customer_id)
            .where(due)
            .subquery("members")
        )
        decision = further_decisions(facts(members, self.campaign_id, policy), policy, arm.key, step.key)
        await write_lines(
            self.session, self.settings, decision, self.campaign_id, plan, policy, _WAVE, step.key
        )
        key = func.follow_up_key(JourneyRun.contact_id, step.key)
        await self.session.execute(
            update(JourneyRun)
            .where(JourneyRun.contact_id.in_(select(_run.contact_id).where(due)), Contact.id == key)
            .values(
                state="contacting",
                current_id=key,
                wake_at=case((Contact.state == "assigned", None), else_=self.now),
            )
            .execution_options(synchronize_session=False)
        )
        # Without a line of their own: another file of the person has it.
        await self._move(due, literal(step.otherwise, Text))

    async def _move(self, which: ColumnElement[bool], to: ColumnElement[str | None]) -> None:
        """Each to the step that `to` says, or to an end where it says none."""
        # A fence: without it where they go would be asked once for each column.
        moves = select(_run.contact_id, to.label("to")).where(which).offset(0).subquery("moves")
        ends = moves.c.to.is_(None)
        await self.session.execute(
            update(JourneyRun)
            .where(JourneyRun.contact_id == moves.c.contact_id)
            .values(
                step=func.coalesce(moves.c.to, JourneyRun.step),
                state=case((ends, "ended"), else_="due"),
                ending=case((ends, "finished")),
                wake_at=case((ends, None), else_=self.now),
                deadline=None,
                entered_at=case((ends, JourneyRun.entered_at), else_=self.now),
                path=case((ends, JourneyRun.path), else_=func.array_append(JourneyRun.path, moves.c.to)),
            )
            .execution_options(synchronize_session=False)
        )

    async def _wait(self, which: ColumnElement[bool], minutes: int) -> None:
        until = self.now + timedelta(minutes=minutes)
        await self._set(which, state="waiting", wake_at=until, deadline=until)

    async def _end(self, which: ColumnElement[bool], ending: JourneyEnding) -> None:
        await self._set(
            and_(which, _run.state != "ended"), state="ended", ending=ending, wake_at=None, deadline=None
        )

    async def rest(self) -> None:
        """Who was woken for nothing waits on."""
        await self._set(and_(self._these, _run.state == "waiting"), wake_at=JourneyRun.deadline)

    async def _set(self, which: ColumnElement[bool], **values: object) -> None:
        await self.session.execute(
            update(JourneyRun)
            .where(JourneyRun.contact_id.in_(select(_run.contact_id).where(which)))
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def _case(
    cases: Sequence[tuple[ColumnElement[bool], str | None]], otherwise: str | None
) -> ColumnElement[str | None]:
    return case(*((condition, literal(to, Text)) for condition, to in cases), else_=literal(otherwise, Text))


def _is_in(*segments: UUID) -> ColumnElement[bool]:
    return exists().where(
        SegmentMember.customer_id == _run.customer_id,
        SegmentMember.segment_id.in_(segments),
        SegmentMember.member,
    )


def _made() -> ColumnElement[bool]:
    """The contact was made, and arrived as far as anybody knows."""
    return exists().where(
        Contact.id == _run.current_id, Contact.state == "done", Contact.disposition != "undelivered"
    )
