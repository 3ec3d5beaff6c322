"""The manager's desk."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Response

from services.campaign.api.access import ServiceSettings, TaskDispatcher, TaskReader, TaskWorker
from services.campaign.queries import tasks as queries
from services.campaign.queries.task_scripts import task_script
from services.campaign.usecases import tasks as usecases
from services.campaign.usecases.beginning import start_task as start
from shared.contracts.base import Code, Page
from shared.contracts.campaign import (
    ReasonRequest,
    TaskDetail,
    TaskReassign,
    TaskRecord,
    TaskState,
    TaskView,
)
from shared.contracts.campaign.scripts import TaskScript
from shared.pagination import PageParams
from shared.web import CurrentRuntime, Router, Session, problem_responses, set_etag

router = Router(tags=["tasks"])

_VERB = problem_responses(404, 409)


async def _view(session: Session, response: Response, task_id: UUID) -> TaskView:
    view = await queries.task_view(session, task_id)
    set_etag(response, view.version)
    return view


@router.get("/tasks", summary="List tasks", responses=problem_responses(400))
async def list_tasks(
    session: Session,
    principal: TaskReader,
    page: PageParams,
    state: Annotated[list[TaskState] | None, Query(description="Any of these states")] = None,
    campaign_id: UUID | None = None,
    customer_id: UUID | None = None,
    manager: Annotated[Code | None, Query(description="For branch heads: one manager's tasks")] = None,
    due_before: date | None = None,
    *,
    overdue: Annotated[bool, Query(description="Only open ones that should be done by now")] = False,
    escalated: Annotated[bool, Query(description="Only open ones that were escalated")] = False,
    beyond_capacity: Annotated[bool, Query(description="Only open ones that no day had room for")] = False,
) -> Page[TaskView]:
    """A manager sees their own, a branch head the branch's; the most urgent first."""
    wanted = queries.TaskFilter(
        states=state or [],
        campaign_id=campaign_id,
        customer_id=customer_id,
        manager=manager,
        due_before=due_before,
        overdue=overdue,
        escalated=escalated,
        beyond_capacity=beyond_capacity,
    )
    return await queries.list_tasks(session, principal, page, wanted)


@router.get("/tasks/{task_id}", summary="Read a task", responses=problem_responses(404))
async def get_task(session: Session, principal: TaskReader, response: Response, task_id: UUID) -> TaskDetail:
    """With its offer and every attempt so far."""
    task = await queries.get_task(session, principal, task_id)
    set_etag(response, task.version)
    return task


@router.get("/tasks/{task_id}/script", summary="Read a task's script", responses=problem_responses(404))
async def get_task_script(
    session: Session,
    principal: TaskReader,
    runtime: CurrentRuntime,
    task_id: UUID,
    authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> TaskScript:
    """What to say and show to this customer, step by step, at the versions the campaign was approved with.

    422 `value-not-known` names the value that a text needs and nobody knows.
    """
    return await task_script(session, runtime, principal, task_id, authorization)


@router.post("/tasks/{task_id}:accept", summary="Accept a task", responses=_VERB)
async def accept_task(session: Session, principal: TaskWorker, response: Response, task_id: UUID) -> TaskView:
    """The manager takes it on."""
    await usecases.accept_task(session, principal, task_id)
    return await _view(session, response, task_id)


@router.post("/tasks/{task_id}:start", summary="Start a task", responses=_VERB)
async def start_task(
    session: Session, principal: TaskWorker, settings: ServiceSettings, response: Response, task_id: UUID
) -> TaskView:
    """The contact begins, if every rule lets it pass now; else the task is closed with the `reason`.

    409 `quota-exhausted` or `budget-exhausted` while nothing is left to reserve, `window-passed` after the
    campaign's last day: the task stays open.
    """
    await start(session, principal, settings, task_id)
    return await _view(session, response, task_id)


@router.post("/tasks/{task_id}:record", summary="Record an attempt", responses=_VERB)
async def record_task(
    session: Session,
    principal: TaskWorker,
    settings: ServiceSettings,
    response: Response,
    task_id: UUID,
    body: TaskRecord,
) -> TaskView:
    """The result of one attempt at a task that was started. The same record again changes nothing."""
    view = await usecases.record_task(session, principal, settings, task_id, body)
    set_etag(response, view.version)
    return view


@router.post("/tasks/{task_id}:return", summary="Hand a task back", responses=_VERB)
async def return_task(
    session: Session, principal: TaskWorker, response: Response, task_id: UUID, body: ReasonRequest
) -> TaskView:
    """To the branch head, who gives it to someone else."""
    await usecases.return_task(session, principal, task_id, body.reason)
    return await _view(session, response, task_id)


@router.post("/tasks/{task_id}:reassign", summary="Reassign a task", responses=_VERB)
async def reassign_task(
    session: Session, principal: TaskDispatcher, response: Response, task_id: UUID, body: TaskReassign
) -> TaskView:
    """To another manager who holds customers of the task's branch."""
    await usecases.reassign_task(session, principal, task_id, body.manager, body.reason)
    return await _view(session, response, task_id)
