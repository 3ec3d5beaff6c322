"""Reads of feedback, one by one and counted by what was judged."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Float, Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Campaign, Feedback, Task
from shared.auth import Principal, Role
from shared.contracts.base import Page
from shared.contracts.campaign.feedback import FeedbackCount, FeedbackView
from shared.contracts.events.feedback import FeedbackKind, FeedbackState
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

OVERSEERS = (Role.strategist, Role.approver, Role.branch_head, Role.auditor)
"""They see the feedback of their organisation; a manager sees what they gave."""


@dataclass(frozen=True)
class FeedbackFilter:
    campaign_id: UUID | None = None
    task_id: UUID | None = None
    kind: FeedbackKind | None = None
    state: FeedbackState | None = None
    script: str | None = None
    offer: str | None = None


def _select() -> Any:
    return (
        select(Feedback, Campaign.key.label("campaign_key"), Task.customer_id)
        .join(Campaign, Campaign.id == Feedback.campaign_id)
        .outerjoin(Task, Task.id == Feedback.task_id)
    )


def _wanted(principal: Principal, wanted: FeedbackFilter) -> list[ColumnElement[bool]]:
    columns = (
        (Feedback.campaign_id, wanted.campaign_id),
        (Feedback.task_id, wanted.task_id),
        (Feedback.kind, wanted.kind),
        (Feedback.state, wanted.state),
        (Feedback.script, wanted.script),
        (Feedback.offer, wanted.offer),
        (Feedback.given_by, None if principal.has(*OVERSEERS) else principal.id),
    )
    return [column == value for column, value in columns if value is not None]


async def list_feedback(
    session: AsyncSession, principal: Principal, page: PageRequest, wanted: FeedbackFilter
) -> Page[FeedbackView]:
    query = _select().where(*_wanted(principal, wanted))
    return await paginate(session, query, [Feedback.id.expression], page, _view, descending=True)


async def get_feedback(session: AsyncSession, principal: Principal, feedback_id: UUID) -> FeedbackView:
    query = _select().where(Feedback.id == feedback_id, *_wanted(principal, FeedbackFilter()))
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound(f"no feedback {feedback_id}")
    return _view(row)


def _view(row: Row[Any]) -> FeedbackView:
    feedback: Feedback = row[0]
    joined = {"campaign_key": row.campaign_key, "customer_id": row.customer_id, "org": feedback.org_path}
    names = FeedbackView.model_fields.keys() - joined.keys()
    return FeedbackView.model_validate({**{name: getattr(feedback, name) for name in names}, **joined})


async def count_feedback(
    session: AsyncSession, principal: Principal, page: PageRequest, wanted: FeedbackFilter
) -> Page[FeedbackCount]:
    """One row for each campaign's list, each script version and each offer that was judged."""
    judged = func.coalesce(Feedback.script, Feedback.offer, "")
    given = func.count()
    counted = (
        select(
            Campaign.key.label("campaign_key"),
            Feedback.campaign_id,
            Feedback.kind,
            judged.label("judged"),
            func.max(Feedback.script).label("script"),
            func.max(Feedback.offer).label("offer"),
            given.label("given"),
            given.filter(Feedback.state == "open").label("open"),
            func.avg(Feedback.rating).cast(Float).label("mean"),
            *(given.filter(Feedback.rating == rating).label(f"rated_{rating}") for rating in range(1, 6)),
        )
        .join(Campaign, Campaign.id == Feedback.campaign_id)
        .where(*_wanted(principal, wanted))
        .group_by(Campaign.key, Feedback.campaign_id, Feedback.kind, judged)
        .subquery("counted")
    )
    keys = [counted.c.campaign_key, counted.c.kind, counted.c.judged]
    return await paginate(session, select(*counted.c), keys, page, _count)


def _count(row: Row[Any]) -> FeedbackCount:
    names = FeedbackCount.model_fields.keys() - {"ratings"}
    ratings = [getattr(row, f"rated_{rating}") for rating in range(1, 6)]
    return FeedbackCount.model_validate({**{name: getattr(row, name) for name in names}, "ratings": ratings})
