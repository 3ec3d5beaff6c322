"""What managers do with their tasks."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain import tasks as rules
from services.campaign.domain.ledger import move
from services.campaign.domain.lifecycle import AT_WORK
from services.campaign.domain.notes import blot
from services.campaign.domain.script_graph import departures
from services.campaign.models import Attempt, Campaign, Contact, Task
from services.campaign.queries.absences import holds_customers
from services.campaign.queries.catalogue import get_script
from services.campaign.queries.tasks import select_tasks, view_of
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.referrals import is_referred_so, refer_from_task
from services.campaign.usecases.reservations import Resources, contact_cost, release, settle
from services.campaign.usecases.suppressions import suppress_from_task
from services.campaign.usecases.waking import wake_after
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign import CampaignStatus, LedgerState, TaskRecord, TaskView
from shared.contracts.campaign.scripts import PathStep
from shared.contracts.events import ContactRecorded
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.outbox import emit


@dataclass(frozen=True)
class Work:
    """A task with what belongs to it, held until the transaction ends."""

    task: Task
    contact: Contact
    campaign_status: CampaignStatus
    row: Row[*tuple[Any, ...]]
    """Of `select_tasks`."""

    @property
    def offer(self) -> str:
        return str(self.row.offer)


async def accept_task(session: AsyncSession, principal: Principal, task_id: UUID) -> None:
    """Doing again what was done changes nothing."""
    work = await lock_task(session, principal, task_id)
    if work.task.state == "accepted":
        return
    rules.require_legal(work.task.state, "accept")
    require_running(work)
    work.task.state = "accepted"
    work.task.version += 1
    await session.flush()


def require_running(work: Work) -> None:
    if work.campaign_status not in AT_WORK:
        raise Conflict(f"the campaign is {work.campaign_status}", slug="campaign-not-running")


async def return_task(session: AsyncSession, principal: Principal, task_id: UUID, reason: str) -> None:
    """Hands the task back to the branch head, who reassigns it."""
    work = await lock_task(session, principal, task_id)
    if work.task.state == "returned":
        return
    rules.require_legal(work.task.state, "return")
    work.task.state, work.task.next_at = "returned", None
    work.task.version += 1
    await release(session, [task_id])
    await session.flush()
    audit(session, principal, "return_task", f"task/{task_id}", {"reason": blot(reason)})


async def reassign_task(
    session: AsyncSession, principal: Principal, task_id: UUID, manager: str, reason: str | None
) -> None:
    work = await _find(session, task_id)
    rules.require_legal(work.task.state, "reassign")
    if work.task.manager == manager and work.task.state == "assigned":
        return
    await _require_manager_of(session, work.task.org_path, manager)
    await release(session, [task_id])
    work.task.manager = work.contact.manager = manager
    work.task.state = "assigned"
    work.task.version += 1
    work.contact.version += 1
    await session.flush()
    audit(
        session,
        principal,
        "reassign_task",
        f"task/{task_id}",
        {"manager": manager, "reason": blot(reason)},
        org_path=work.task.org_path,
    )


async def _require_manager_of(session: AsyncSession, org: str, manager: str) -> None:
    """Nobody else takes over its tasks."""
    if not await holds_customers(session, org, manager):
        raise Unprocessable(
            "the task stays in its branch",
            errors=[FieldError("/manager", f"holds no customers of {org}")],
        )


async def record_task(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    task_id: UUID,
    request: TaskRecord,
) -> TaskView:
    """One attempt: ledger line, task, history and event in one transaction; the same attempt again changes
    nothing.
    """
    if request.referral is not None:
        await hold_off_erasures(session)
    work = await lock_task(session, principal, task_id)
    if await _already_recorded(session, principal, work, request):
        return view_of(work.row, {})
    rules.require_legal(work.task.state, "record")
    now = clock.now()
    await _require_way(session, work, request)
    recorded = rules.record(request, now=now, ends_on=work.row.ends_on, zone=clock.ZONE, offer=work.offer)
    attempt = _Attempt(work, request, recorded, principal.id, contact_cost(settings, request.minutes), now)
    changed = await _write(session, attempt)
    spent = replace(await resources_of(session, settings, work), cost=attempt.cost)
    await settle(session, spent, sold=request.disposition == "accepted", at=now)
    await emit(session, _event(attempt))
    if recorded.closes:
        await wake_after(session, [task_id])
    if recorded.effect is not None:
        await suppress_from_task(
            session,
            principal,
            settings,
            contact_id=task_id,
            customer_id=work.task.customer_id,
            kind=recorded.effect,
        )
    if request.referral is not None:
        await refer_from_task(
            session, principal, settings, work.task.id, work.task.customer_id, request.referral
        )
    return view_of(work.row, changed)


async def _require_way(session: AsyncSession, work: Work, request: TaskRecord) -> None:
    if request.path is None:
        return
    errors = departures((await get_script(session, work.row.script)).steps, request.path)
    if errors:
        raise Unprocessable("the script has no such way", errors=errors)


@dataclass(frozen=True)
class _Attempt:
    work: Work
    request: TaskRecord
    recorded: rules.Recorded
    by: str
    cost: Decimal
    at: datetime

    @property
    def number(self) -> int:
        return self.work.contact.attempts + 1

    @property
    def amount(self) -> Decimal | None:
        return self.request.outcome.amount if self.request.outcome else None

    @property
    def path(self) -> list[dict[str, Any]] | None:
        return _dumped(self.request.path)

    @property
    def closed_at(self) -> datetime | None:
        return self.at if self.recorded.closes else None


async def lock_task(session: AsyncSession, principal: Principal, task_id: UUID) -> Work:
    """The manager's own task, held until the transaction ends."""
    work = await _find(session, task_id)
    if work.task.manager != principal.staff and Role.admin not in principal.roles:
        raise Forbidden("the task belongs to another manager")
    return work


async def _find(session: AsyncSession, task_id: UUID) -> Work:
    row = (
        await session.execute(
            select_tasks()
            .add_columns(Contact, Campaign.status)
            .where(Task.id == task_id)
            .with_for_update(of=(Task, Contact))
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"no task {task_id}")
    return Work(row[0], row.Contact, row.status, row)


async def _already_recorded(
    session: AsyncSession, principal: Principal, work: Work, request: TaskRecord
) -> bool:
    if work.contact.attempts == 0 or work.contact.disposition != request.disposition:
        return False
    last = await session.get_one(Attempt, (work.task.id, work.contact.attempts))
    amount = request.outcome.amount if request.outcome else None
    if request.referral is not None and not await is_referred_so(session, work.task.id, request.referral):
        return False
    return (last.minutes, last.note, last.next_at, last.outcome_amount, last.path, last.recorded_by) == (
        request.minutes,
        blot(request.note),
        request.next_at,
        amount,
        _dumped(request.path),
        principal.id,
    )


def _dumped(path: list[PathStep] | None) -> list[dict[str, Any]] | None:
    return None if path is None else [step.model_dump() for step in path]


async def _write(session: AsyncSession, attempt: _Attempt) -> dict[str, object]:
    """History, ledger line and task in one statement; returns what is new on the task's view."""
    contact, task, request = attempt.work.contact, attempt.work.task, attempt.request
    state: LedgerState = move(contact.state, "done") if attempt.recorded.closes else contact.state
    history = insert(Attempt).values(
        contact_id=task.id,
        number=attempt.number,
        disposition=request.disposition,
        minutes=request.minutes,
        note=blot(request.note),
        next_at=request.next_at,
        outcome_amount=attempt.amount,
        path=attempt.path,
        recorded_at=attempt.at,
        recorded_by=attempt.by,
        manager=task.manager,
    )
    line = (
        update(Contact)
        .where(Contact.id == task.id)
        .values(
            state=state,
            disposition=request.disposition,
            attempts=attempt.number,
            minutes=contact.minutes + request.minutes,
            cost=contact.cost + attempt.cost,
            outcome_amount=attempt.amount,
            version=contact.version + 1,
            closed_at=attempt.closed_at,
        )
    )
    changed: dict[str, object] = {
        "state": attempt.recorded.state,
        "next_at": attempt.recorded.next_at,
        "closed_at": attempt.closed_at,
        "version": task.version + 1,
    }
    await session.execute(
        update(Task)
        .where(Task.id == task.id)
        .values(**changed)
        .add_cte(history.cte("history"), line.cte("line"))
        .execution_options(synchronize_session=False)
    )
    return {**changed, "attempts": attempt.number, "disposition": request.disposition}


async def resources_of(session: AsyncSession, settings: CampaignSettings, work: Work) -> Resources:
    """What the contact draws on, at the length its script expects."""
    script = await get_script(session, work.row.script)
    cost = contact_cost(settings, script.minutes)
    return Resources(work.task.id, work.task.campaign_id, work.offer, cost)


def _event(attempt: _Attempt) -> ContactRecorded:
    task = attempt.work.task
    return ContactRecorded(
        campaign_id=task.campaign_id,
        contact_id=task.id,
        customer_id=task.customer_id,
        version=attempt.work.contact.version + 1,
        state=attempt.recorded.contact_state,
        disposition=attempt.request.disposition,
        minutes=attempt.request.minutes,
        cost=attempt.cost,
        offer=attempt.work.offer,
        amount=attempt.amount,
        recorded_at=attempt.at,
        recorded_by=attempt.by,
    )
