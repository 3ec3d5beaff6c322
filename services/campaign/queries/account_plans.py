"""Reads of key-account plans and their actions."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.account_plans import VERBS, Measured, measure
from services.campaign.models import AccountAction, AccountPlan, Customer
from services.campaign.queries.families import FAMILY, of_family
from services.campaign.queries.orgs import within
from shared import clock
from shared.contracts.base import Page
from shared.contracts.campaign.account_plans import (
    AccountPlanSummary,
    AccountPlanView,
    ActionView,
    Objective,
    ObjectiveView,
    PlanStatus,
)
from shared.db import fetch
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_MEASURED = f"""
WITH {FAMILY}
SELECT
  (SELECT sum(v.contribution) FROM family f JOIN known_contribution v ON v.customer_id = f.id
   WHERE v.model = %(model)s AND v.currency = %(currency)s
     AND v.month >= make_date(%(year)s, 1, 1) AND v.month < make_date(%(year)s + 1, 1, 1)),
  (SELECT count(DISTINCT v.month) FROM family f JOIN known_contribution v ON v.customer_id = f.id
   WHERE v.model = %(model)s AND v.currency = %(currency)s AND v.contribution IS NOT NULL
     AND v.month >= make_date(%(year)s, 1, 1) AND v.month < make_date(%(year)s + 1, 1, 1)),
  (SELECT coalesce(sum(o.won_amount), 0.00) FROM family f JOIN opportunity o ON o.customer_id = f.id
   WHERE o.status = 'won' AND o.currency = %(currency)s
     AND extract(year FROM o.closed_at AT TIME ZONE %(zone)s) = %(year)s)
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class PlanFilter:
    year: int | None = None
    status: PlanStatus | None = None
    customer_id: UUID | None = None
    member: str | None = None
    org: str | None = None


@dataclass(frozen=True)
class ActionFilter:
    owner: str | None = None
    done: bool | None = None
    overdue: bool = False
    due_before: date | None = None


def _overdue() -> ColumnElement[bool]:
    return (
        AccountAction.done_at.is_(None)
        & (AccountAction.due_on < clock.today())
        & (AccountPlan.status != "closed")
    )


def _select() -> Any:
    """Rows of plan, survivor, and how many actions there are, done and overdue."""
    counts = (
        select(
            func.count().label("actions"),
            func.count(AccountAction.done_at).label("done"),
            func.count().filter(_overdue()).label("overdue"),
        )
        .where(AccountAction.plan_id == AccountPlan.id)
        .correlate(AccountPlan)
        .lateral("counts")
    )
    return (
        select(AccountPlan, Customer.merged_into, counts.c.actions, counts.c.done, counts.c.overdue)
        .outerjoin(Customer, Customer.id == AccountPlan.customer_id)
        .join(counts, true())
    )


async def list_plans(
    session: AsyncSession, page: PageRequest, wanted: PlanFilter
) -> Page[AccountPlanSummary]:
    query = _select()
    if wanted.year is not None:
        query = query.where(AccountPlan.year == wanted.year)
    if wanted.status is not None:
        query = query.where(AccountPlan.status == wanted.status)
    if wanted.customer_id is not None:
        query = query.where(of_family(AccountPlan.customer_id.expression, wanted.customer_id))
    if wanted.member is not None:
        in_team = AccountPlan.team.expression.op("?")(wanted.member)
        query = query.where(or_(AccountPlan.owner == wanted.member, in_team))
    if wanted.org is not None:
        query = query.where(within(AccountPlan.org_path.expression, wanted.org))
    keys = (AccountPlan.year.expression, AccountPlan.id.expression)
    return await paginate(
        session, query, keys, page, lambda row: AccountPlanSummary(**_summary(row)), descending=True
    )


def _summary(row: Any) -> dict[str, Any]:
    plan: AccountPlan = row.AccountPlan
    named = ("id", "year", "status", "rad", "owner", "team", "version")
    return {
        **{name: getattr(plan, name) for name in named},
        **{name: getattr(row, name) for name in ("actions", "done", "overdue")},
        "customer_id": row.merged_into or plan.customer_id,
        "org": plan.org_path,
    }


async def get_plan(session: AsyncSession, plan_id: UUID) -> AccountPlanView:
    row = (await session.execute(_select().where(AccountPlan.id == plan_id))).one_or_none()
    if row is None:
        raise NotFound(f"no account plan {plan_id}")
    plan: AccountPlan = row.AccountPlan
    named = ("currency", "value_model", "situation", "strategy", "conclusion", "created_at", "created_by")
    closing = ("edited_by", "activated_at", "closed_at")
    actions = await session.execute(
        _actions().where(AccountAction.plan_id == plan_id).order_by(AccountAction.due_on, AccountAction.id)
    )
    return AccountPlanView.model_validate(
        {
            **_summary(row),
            **{name: getattr(plan, name) for name in (*named, *closing)},
            "verbs": list(VERBS[plan.status]),
            "objectives": await objectives_of(session, plan),
            "action_list": [action_view(each) for each in actions],
        }
    )


async def objectives_of(session: AsyncSession, plan: AccountPlan) -> list[ObjectiveView]:
    """As measured now, or as they stood when the plan was closed."""
    if plan.results is not None:
        return [ObjectiveView.model_validate(each) for each in plan.results]
    survivor = await session.scalar(select(Customer.merged_into).where(Customer.id == plan.customer_id))
    parameters = {
        "customer": survivor or plan.customer_id,
        "model": plan.value_model,
        "currency": plan.currency,
        "year": plan.year,
        "zone": clock.ZONE.key,
    }
    measured = Measured(*(await fetch(session, _MEASURED, parameters))[0])
    has_model = plan.value_model is not None
    return [
        measure(Objective.model_validate(each), measured, has_model=has_model) for each in plan.objectives
    ]


def _actions() -> Any:
    """Rows of action, its plan, and the survivor."""
    return (
        select(AccountAction, AccountPlan.customer_id, AccountPlan.status, Customer.merged_into)
        .join(AccountPlan, AccountPlan.id == AccountAction.plan_id)
        .outerjoin(Customer, Customer.id == AccountPlan.customer_id)
    )


async def list_actions(session: AsyncSession, page: PageRequest, wanted: ActionFilter) -> Page[ActionView]:
    query = _actions()
    if wanted.owner is not None:
        query = query.where(AccountAction.owner == wanted.owner)
    if wanted.done is not None:
        query = query.where(AccountAction.done_at.is_not(None) == wanted.done)
    if wanted.overdue:
        query = query.where(_overdue())
    if wanted.due_before is not None:
        query = query.where(AccountAction.due_on < wanted.due_before)
    keys = (AccountAction.due_on.expression, AccountAction.id.expression)
    return await paginate(session, query, keys, page, action_view)


async def get_action(session: AsyncSession, action_id: UUID) -> ActionView:
    row = (await session.execute(_actions().where(AccountAction.id == action_id))).one_or_none()
    if row is None:
        raise NotFound(f"no action {action_id}")
    return action_view(row)


def action_view(row: Any) -> ActionView:
    action: AccountAction = row.AccountAction
    derived = {"customer_id", "overdue"}
    stored = {name: getattr(action, name) for name in ActionView.model_fields if name not in derived}
    late = action.done_at is None and action.due_on < clock.today() and row.status != "closed"
    return ActionView.model_validate(
        {**stored, "customer_id": row.merged_into or row.customer_id, "overdue": late}
    )
