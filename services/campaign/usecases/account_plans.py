"""Key-account plans and their actions. Owner, team and branch head work on them."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.account_plans import check_objectives, require_verb
from services.campaign.domain.notes import blot
from services.campaign.models import AccountAction, AccountPlan
from services.campaign.queries.account_plans import objectives_of
from services.campaign.queries.families import of_family
from services.campaign.queries.rad_states import rad_state
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.opportunity_origins import manager_for, org_of_customer
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign.account_plans import (
    AccountPlanPatch,
    AccountPlanWrite,
    ActionPatch,
    ActionWrite,
    PlanVerb,
)
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_WORDS = {"situation", "strategy"}


async def create_plan(session: AsyncSession, principal: Principal, request: AccountPlanWrite) -> UUID:
    await hold_off_erasures(session)
    check_objectives(request.objectives)
    org = await org_of_customer(session, request.customer_id)
    owner = await manager_for(session, principal, org, request.owner, "/owner")
    # Of the person, by any file; of one file the database itself takes no two.
    taken = await session.scalar(
        select(AccountPlan.id)
        .where(
            of_family(AccountPlan.customer_id.expression, request.customer_id),
            AccountPlan.year == request.year,
        )
        .limit(1)
    )
    if taken is not None:
        raise Conflict(f"the customer has plan {taken} for {request.year}", slug="plan-exists")
    plan = AccountPlan(
        id=new_id(),
        customer_id=request.customer_id,
        year=request.year,
        org_path=org,
        status="draft",
        rad=request.rad or (await rad_state(session, request.customer_id)).rad,
        owner=owner,
        team=sorted(set(request.team) - {owner}),
        currency=request.currency,
        value_model=request.value_model,
        objectives=[each.model_dump(mode="json") for each in request.objectives],
        situation=blot(request.situation),
        strategy=blot(request.strategy),
        created_at=clock.now(),
        created_by=principal.id,
        edited_by=principal.id,
        version=1,
    )
    session.add(plan)
    await session.flush()
    _audit(session, principal, "create_account_plan", plan)
    return plan.id


async def edit_plan(
    session: AsyncSession, principal: Principal, plan_id: UUID, version: int, patch: AccountPlanPatch
) -> None:
    plan = await _lock(session, principal, plan_id, version, "edit")
    changes: dict[str, Any] = patch.model_dump(mode="json", exclude_unset=True)
    lost = [
        FieldError(f"/{name}", "is required")
        for name, value in changes.items()
        if value is None and name != "value_model"
    ]
    if lost:
        raise Unprocessable("a plan keeps what it must have", errors=lost)
    if patch.objectives is not None:
        check_objectives(patch.objectives)
    if "owner" in changes:
        plan.owner = await manager_for(session, principal, plan.org_path, changes.pop("owner"), "/owner")
        plan.taken_from = plan.taken_because = None
    for name, value in changes.items():
        setattr(plan, name, blot(value) if name in _WORDS else value)
    plan.team = sorted(set(plan.team) - {plan.owner})
    await _save(session, principal, plan, "edit_account_plan")


async def activate_plan(session: AsyncSession, principal: Principal, plan_id: UUID, version: int) -> None:
    """A plan that says neither what for nor how is none."""
    plan = await _lock(session, principal, plan_id, version, "activate")
    missing = [
        FieldError(f"/{name}", "is required")
        for name in ("objectives", "strategy")
        if not getattr(plan, name)
    ]
    if missing:
        raise Unprocessable("the plan is not complete", errors=missing)
    plan.status, plan.activated_at = "active", clock.now()
    await _save(session, principal, plan, "activate_account_plan")


async def close_plan(
    session: AsyncSession, principal: Principal, plan_id: UUID, version: int, conclusion: str
) -> None:
    """What is measured now is kept with it: figures of a year are not known for ever."""
    plan = await _lock(session, principal, plan_id, version, "close")
    plan.results = [each.model_dump(mode="json") for each in await objectives_of(session, plan)]
    plan.status, plan.closed_at, plan.conclusion = "closed", clock.now(), blot(conclusion)
    await _save(session, principal, plan, "close_account_plan")


async def add_action(
    session: AsyncSession, principal: Principal, plan_id: UUID, request: ActionWrite
) -> UUID:
    plan = await _lock(session, principal, plan_id, None, "edit")
    _require_member(plan, request.owner)
    action = AccountAction(
        id=new_id(),
        plan_id=plan_id,
        name=blot(request.name),
        owner=request.owner,
        due_on=request.due_on,
        created_at=clock.now(),
        created_by=principal.id,
        version=1,
    )
    session.add(action)
    await session.flush()
    _audit_action(session, principal, "add_account_action", plan, action)
    return action.id


async def edit_action(
    session: AsyncSession, principal: Principal, action_id: UUID, version: int, patch: ActionPatch
) -> None:
    action, plan = await _lock_action(session, principal, action_id, version)
    changes = patch.model_dump(exclude_unset=True)
    lost = [FieldError(f"/{name}", "is required") for name, value in changes.items() if value is None]
    if lost:
        raise Unprocessable("an action keeps what it must have", errors=lost)
    if patch.owner is not None:
        _require_member(plan, patch.owner)
    for name, value in changes.items():
        setattr(action, name, blot(value) if name == "name" else value)
    await _save_action(session, principal, "edit_account_action", plan, action)


async def finish_action(
    session: AsyncSession, principal: Principal, action_id: UUID, version: int, result: str
) -> None:
    action, plan = await _lock_action(session, principal, action_id, version)
    action.done_at, action.done_by, action.result = clock.now(), principal.id, blot(result)
    await _save_action(session, principal, "finish_account_action", plan, action)


def _require_member(plan: AccountPlan, staff: str) -> None:
    if staff not in {plan.owner, *plan.team}:
        raise Unprocessable(
            "actions are the team's", errors=[FieldError("/owner", "is neither owner nor in the team")]
        )


async def _lock_action(
    session: AsyncSession, principal: Principal, action_id: UUID, version: int
) -> tuple[AccountAction, AccountPlan]:
    """An action that is not done, with its plan, held until the transaction ends."""
    await hold_off_erasures(session)
    plan_id = await session.scalar(select(AccountAction.plan_id).where(AccountAction.id == action_id))
    if plan_id is None:
        raise NotFound(f"no action {action_id}")
    plan = await _lock(session, principal, plan_id, None, "edit")
    action = await session.get_one(AccountAction, action_id, populate_existing=True)
    check_version(action.version, version)
    if action.done_at is not None:
        raise Conflict("the action is done", slug="illegal-transition")
    return action, plan


async def _lock(
    session: AsyncSession, principal: Principal, plan_id: UUID, version: int | None, verb: PlanVerb
) -> AccountPlan:
    """The plan, held until the transaction ends, in a state that allows `verb`."""
    await hold_off_erasures(session)
    plan = await session.scalar(select(AccountPlan).where(AccountPlan.id == plan_id).with_for_update())
    if plan is None:
        raise NotFound(f"no account plan {plan_id}")
    if principal.staff not in {plan.owner, *plan.team} and not principal.has(Role.branch_head):
        raise Forbidden("owner, team and branch head work on the plan")
    if version is not None:
        check_version(plan.version, version)
    require_verb(plan.status, verb)
    return plan


async def _save(session: AsyncSession, principal: Principal, plan: AccountPlan, action: str) -> None:
    plan.version += 1
    plan.edited_by = principal.id
    await session.flush()
    _audit(session, principal, action, plan)


def _audit(session: AsyncSession, principal: Principal, action: str, plan: AccountPlan) -> None:
    detail = {"year": plan.year, "status": plan.status, "owner": plan.owner}
    audit(session, principal, action, f"account_plan/{plan.id}", detail, org_path=plan.org_path)


async def _save_action(
    session: AsyncSession, principal: Principal, verb: str, plan: AccountPlan, action: AccountAction
) -> None:
    action.version += 1
    await session.flush()
    _audit_action(session, principal, verb, plan, action)


def _audit_action(
    session: AsyncSession, principal: Principal, verb: str, plan: AccountPlan, action: AccountAction
) -> None:
    due: date = action.due_on
    detail = {"plan": str(plan.id), "owner": action.owner, "due_on": due.isoformat()}
    audit(session, principal, verb, f"account_action/{action.id}", detail, org_path=plan.org_path)
