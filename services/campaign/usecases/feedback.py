"""Managers say what they think of list, script and offer; strategists answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.feedback import FeedbackVerb, JudgedArm, judged_arm, require_legal
from services.campaign.domain.notes import blot
from services.campaign.models import CampaignArm, Contact, Feedback, Task
from services.campaign.queries.campaigns import find_campaign
from services.campaign.queries.tasks import OVERSEERS
from services.campaign.usecases.forgetting import hold_off_erasures, require_remembered
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign.feedback import FeedbackWrite
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import FeedbackGiven
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.web import check_version


@dataclass(frozen=True)
class _Subject:
    """What the feedback is of."""

    campaign_id: UUID
    org: str
    arm: str | None
    step: str | None = None
    """Of the task's contact."""


async def give_feedback(session: AsyncSession, principal: Principal, request: FeedbackWrite) -> Feedback:
    await hold_off_erasures(session)
    subject = await _subject(session, principal, request)
    arms = [
        JudgedArm(key, script, offer)
        for key, script, offer in await session.execute(
            select(CampaignArm.key, CampaignArm.script, CampaignArm.offer)
            .where(*_may_be_meant(subject))
            .order_by(CampaignArm.key, CampaignArm.step)
        )
    ]
    if not arms:
        raise Conflict("the campaign was not launched yet", slug="campaign-not-launched")
    judged = judged_arm(request.kind, subject.arm, arms)
    feedback = Feedback(
        id=new_id(),
        campaign_id=subject.campaign_id,
        task_id=request.task_id,
        org_path=subject.org,
        kind=request.kind,
        arm=(judged.key or None) if judged else None,
        script=judged.script if judged and request.kind == "script" else None,
        offer=judged.offer if judged and request.kind == "offer" else None,
        rating=request.rating,
        text=blot(request.text),
        given_at=clock.now(),
        given_by=principal.id,
        state="open",
        version=1,
    )
    session.add(feedback)
    await session.flush()
    await emit(session, _given(feedback))
    _audit(session, principal, "give_feedback", feedback)
    return feedback


async def _subject(session: AsyncSession, principal: Principal, request: FeedbackWrite) -> _Subject:
    if request.task_id is None:
        if request.campaign_id is None:
            errors = [FieldError("/campaign_id", "is required without a task")]
            raise Unprocessable("feedback is of a task or a campaign", errors=errors)
        campaign = await find_campaign(session, principal, request.campaign_id)
        return _Subject(campaign.id, principal.org, request.arm)
    task = await session.get(Task, request.task_id)
    if task is None or not (principal.has(*OVERSEERS) or task.manager == principal.staff):
        raise NotFound(f"no task {request.task_id}")
    if request.campaign_id not in {None, task.campaign_id}:
        errors = [FieldError("/campaign_id", "is not the task's")]
        raise Unprocessable("the task is of another campaign", errors=errors)
    await require_remembered(session, task.customer_id)
    contact = await session.get_one(Contact, task.id)
    return _Subject(task.campaign_id, task.org_path, task.arm, contact.step)


def _may_be_meant(subject: _Subject) -> Iterator[ColumnElement[bool]]:
    yield CampaignArm.campaign_id == subject.campaign_id
    # Without a task the arm's own contact is meant, whatever its journey says later.
    yield CampaignArm.step == (subject.step or FIRST_STEP)


def _given(feedback: Feedback) -> FeedbackGiven:
    return FeedbackGiven(
        feedback_id=feedback.id,
        campaign_id=feedback.campaign_id,
        kind=feedback.kind,
        rating=feedback.rating,
        arm=feedback.arm,
        script=feedback.script,
        offer=feedback.offer,
        branch=feedback.org_path,
        given_at=feedback.given_at,
    )


async def answer_feedback(
    session: AsyncSession, principal: Principal, feedback_id: UUID, version: int, answer: str
) -> Feedback:
    """May be answered again until it is closed: the newest answer stands."""
    await hold_off_erasures(session)
    feedback = await _lock(session, feedback_id, version, "answer")
    await _require_remembered(session, feedback)
    feedback.state = "answered"
    feedback.answer, feedback.answered_at = blot(answer), clock.now()
    feedback.answered_by = principal.id
    await _save(session, principal, "answer_feedback", feedback)
    return feedback


async def _require_remembered(session: AsyncSession, feedback: Feedback) -> None:
    task = await session.get(Task, feedback.task_id) if feedback.task_id else None
    if task is not None:
        await require_remembered(session, task.customer_id)


async def close_feedback(
    session: AsyncSession, principal: Principal, feedback_id: UUID, version: int
) -> Feedback:
    """By a strategist, or by whoever gave it."""
    only = None if principal.has(Role.strategist) else principal.id
    feedback = await _lock(session, feedback_id, version, "close", given_by=only)
    feedback.state = "closed"
    feedback.closed_at, feedback.closed_by = clock.now(), principal.id
    await _save(session, principal, "close_feedback", feedback)
    return feedback


async def _lock(
    session: AsyncSession,
    feedback_id: UUID,
    version: int,
    verb: FeedbackVerb,
    *,
    given_by: str | None = None,
) -> Feedback:
    feedback = await session.scalar(select(Feedback).where(Feedback.id == feedback_id).with_for_update())
    if feedback is None or given_by not in {None, feedback.given_by}:
        raise NotFound(f"no feedback {feedback_id}")
    check_version(feedback.version, version)
    require_legal(feedback.state, verb)
    return feedback


async def _save(session: AsyncSession, principal: Principal, action: str, feedback: Feedback) -> None:
    feedback.version += 1
    await session.flush()
    _audit(session, principal, action, feedback)


def _audit(session: AsyncSession, principal: Principal, action: str, feedback: Feedback) -> None:
    detail = {"kind": feedback.kind, "rating": feedback.rating, "state": feedback.state}
    audit(session, principal, action, f"feedback/{feedback.id}", detail, org_path=feedback.org_path)
