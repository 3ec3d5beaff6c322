"""Key-account plans and their actions."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import OpportunityWorker, TaskReader
from services.campaign.queries import account_plans as queries
from services.campaign.usecases import account_plans as usecases
from shared.contracts.base import Code, OrgPath, Page
from shared.contracts.campaign.account_plans import (
    AccountPlanPatch,
    AccountPlanSummary,
    AccountPlanView,
    AccountPlanWrite,
    ActionDone,
    ActionPatch,
    ActionView,
    ActionWrite,
    CloseRequest,
    PlanStatus,
    Year,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["account plans"])

_VERB = problem_responses(404, 409, 412, 428)


async def _plan(session: Session, response: Response, plan_id: UUID) -> AccountPlanView:
    view = await queries.get_plan(session, plan_id)
    set_etag(response, view.version)
    return view


async def _action(session: Session, response: Response, action_id: UUID) -> ActionView:
    view = await queries.get_action(session, action_id)
    set_etag(response, view.version)
    return view


@router.post(
    "/account-plans", status_code=201, summary="Draft an account plan", responses=problem_responses(409)
)
async def create_plan(
    session: Session, principal: OpportunityWorker, response: Response, body: AccountPlanWrite
) -> AccountPlanView:
    """One a customer and year; 409 `plan-exists` names it."""
    plan_id = await usecases.create_plan(session, principal, body)
    response.headers["Location"] = f"/v1/account-plans/{plan_id}"
    return await _plan(session, response, plan_id)


@router.get("/account-plans", summary="List account plans", responses=problem_responses(400))
async def list_plans(
    session: Session,
    _principal: TaskReader,
    page: PageParams,
    year: Year | None = None,
    status: PlanStatus | None = None,
    customer_id: Annotated[UUID | None, Query(description="With all files merged into it")] = None,
    member: Annotated[Code | None, Query(description="Owner or in the team")] = None,
    org: Annotated[OrgPath | None, Query(description="This organisation and all below it")] = None,
) -> Page[AccountPlanSummary]:
    """Of your organisation, the newest year first."""
    wanted = queries.PlanFilter(year, status, customer_id, member, org)
    return await queries.list_plans(session, page, wanted)


@router.get("/account-plans/{plan_id}", summary="Read an account plan", responses=problem_responses(404))
async def get_plan(
    session: Session, _principal: TaskReader, response: Response, plan_id: UUID
) -> AccountPlanView:
    """With its actions, and its objectives as far as they are measured."""
    return await _plan(session, response, plan_id)


@router.patch("/account-plans/{plan_id}", summary="Edit an account plan", responses=_VERB)
async def edit_plan(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    plan_id: UUID,
    expected: IfMatch,
    body: AccountPlanPatch,
) -> AccountPlanView:
    """By its owner, its team or the branch head, until it is closed."""
    await usecases.edit_plan(session, principal, plan_id, expected, body)
    return await _plan(session, response, plan_id)


@router.post("/account-plans/{plan_id}:activate", summary="Activate an account plan", responses=_VERB)
async def activate_plan(
    session: Session, principal: OpportunityWorker, response: Response, plan_id: UUID, expected: IfMatch
) -> AccountPlanView:
    """422 while it has no objective or no strategy."""
    await usecases.activate_plan(session, principal, plan_id, expected)
    return await _plan(session, response, plan_id)


@router.post("/account-plans/{plan_id}:close", summary="Close an account plan", responses=_VERB)
async def close_plan(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    plan_id: UUID,
    expected: IfMatch,
    body: CloseRequest,
) -> AccountPlanView:
    """What is measured now stays with it."""
    await usecases.close_plan(session, principal, plan_id, expected, body.conclusion)
    return await _plan(session, response, plan_id)


@router.post(
    "/account-plans/{plan_id}/actions",
    status_code=201,
    summary="Add an action",
    responses=problem_responses(404, 409),
)
async def add_action(
    session: Session, principal: OpportunityWorker, response: Response, plan_id: UUID, body: ActionWrite
) -> ActionView:
    """Of the plan's owner or somebody of its team."""
    action_id = await usecases.add_action(session, principal, plan_id, body)
    return await _action(session, response, action_id)


@router.get("/account-actions", summary="List actions", responses=problem_responses(400))
async def list_actions(
    session: Session,
    _principal: TaskReader,
    page: PageParams,
    owner: Code | None = None,
    *,
    done: bool | None = None,
    overdue: Annotated[bool, Query(description="Only those that should have been done")] = False,
    due_before: date | None = None,
) -> Page[ActionView]:
    """Of all plans of your organisation, the first due first."""
    wanted = queries.ActionFilter(owner, done, overdue, due_before)
    return await queries.list_actions(session, page, wanted)


@router.patch("/account-actions/{action_id}", summary="Edit an action", responses=_VERB)
async def edit_action(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    action_id: UUID,
    expected: IfMatch,
    body: ActionPatch,
) -> ActionView:
    """Until it is done."""
    await usecases.edit_action(session, principal, action_id, expected, body)
    return await _action(session, response, action_id)


@router.post("/account-actions/{action_id}:complete", summary="Complete an action", responses=_VERB)
async def finish_action(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    action_id: UUID,
    expected: IfMatch,
    body: ActionDone,
) -> ActionView:
    """With what came of it."""
    await usecases.finish_action(session, principal, action_id, expected, body.result)
    return await _action(session, response, action_id)
