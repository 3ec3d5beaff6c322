"""What managers do with their tasks."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain import tasks as rules
from services.campaign.domain.ledger import move
from services.campaign.domain.notes import blot
from services.campaign.models import Attempt, Campaign, CampaignArm, Contact, Customer, Task
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.suppressions import suppress_from_task
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign import CampaignStatus, TaskRecord
from shared.contracts.events import ContactRecorded
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.outbox import emit


@dataclass(frozen=True)
class Work:
    """A task with what belongs to it, held until the transaction ends."""

    task: Task
    contact: Contact
    campaign_status: CampaignStatus
    offer: str


async def accept_task(session: AsyncSession, principal: Principal, task_id: UUID) -> None:
    await _advance(session, principal, task_id, "accept")


async def start_task(session: AsyncSession, principal: Principal, task_id: UUID) -> None:
    await _advance(session, principal, task_id, "start")


async def _advance(session: AsyncSession, principal: Principal, task_id: UUID, verb: rules.TaskVerb) -> None:
    """Doing again what was done changes nothing."""
    work = await _lock(session, principal, task_id)
    if work.task.state == rules.REACHED[verb]:
        return
    rules.require_legal(work.task.state, verb)
    if work.campaign_status != "running":
        raise Conflict(f"the campaign is {work.campaign_status}", slug="campaign-not-running")
    work.task.state = rules.REACHED[verb]
    work.task.version += 1
    await session.flush()


async def return_task(session: AsyncSession, principal: Principal, task_id: UUID, reason: str) -> None:
    """Hands the task back to the branch head, who reassigns it."""
    work = await _lock(session, principal, task_id)
    if work.task.state == "returned":
        return
    rules.require_legal(work.task.state, "return")
    work.task.state, work.task.next_at = "returned", None
    work.task.version += 1
    await session.flush()
    await audit(session, principal, "return_task", f"task/{task_id}", {"reason": blot(reason)})


async def reassign_task(
    session: AsyncSession, principal: Principal, task_id: UUID, manager: str, reason: str | None
) -> None:
    work = await _find(session, task_id)
    rules.require_legal(work.task.state, "reassign")
    if work.task.manager == manager and work.task.state == "assigned":
        return
    await _require_manager_of(session, work.task.org_path, manager)
    work.task.manager = work.contact.manager = manager
    work.task.state = "assigned"
    work.task.version += 1
    work.contact.version += 1
    await session.flush()
    await audit(
        session,
        principal,
        "reassign_task",
        f"task/{task_id}",
        {"manager": manager, "reason": blot(reason)},
        org_path=work.task.org_path,
    )


async def _require_manager_of(session: AsyncSession, org: str, manager: str) -> None:
    """Whoever holds customers of the branch is one of its managers; nobody else takes over its tasks."""
    holds = await session.scalar(
        select(Customer.id)
        .where(
            Customer.org_path == org,
            or_(Customer.primary_manager == manager, Customer.backup_manager == manager),
        )
        .limit(1)
    )
    if holds is None:
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
) -> None:
    """One attempt: ledger line, task, history and event in one transaction; the same attempt again changes
    nothing.
    """
    work = await _lock(session, principal, task_id)
    if await _already_recorded(session, principal, work, request):
        return
    rules.require_legal(work.task.state, "record")
    now = clock.now()
    recorded = rules.record(request, now=now, ends_on=work.task.due_on, zone=clock.ZONE, offer=work.offer)
    _write_attempt(session, principal, work, request, now)
    _apply(work, settings, request, recorded, now)
    await session.flush()
    await emit(session, _event(work, principal, request, recorded, settings, now))
    if recorded.effect is not None:
        await suppress_from_task(
            session,
            principal,
            settings,
            contact_id=task_id,
            customer_id=work.task.customer_id,
            kind=recorded.effect,
        )


async def _lock(session: AsyncSession, principal: Principal, task_id: UUID) -> Work:
    work = await _find(session, task_id)
    if work.task.manager != principal.staff and Role.admin not in principal.roles:
        raise Forbidden("the task belongs to another manager")
    return work


async def _find(session: AsyncSession, task_id: UUID) -> Work:
    row = (
        await session.execute(
            select(Task, Contact, Campaign.status, CampaignArm.offer)
            .join(Contact, Contact.id == Task.id)
            .join(Campaign, Campaign.id == Task.campaign_id)
            .join(CampaignArm, (CampaignArm.campaign_id == Task.campaign_id) & (CampaignArm.key == Task.arm))
            .where(Task.id == task_id)
            .with_for_update(of=(Task, Contact))
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"no task {task_id}")
    return Work(*row)


async def _already_recorded(
    session: AsyncSession, principal: Principal, work: Work, request: TaskRecord
) -> bool:
    if work.contact.attempts == 0 or work.contact.disposition != request.disposition:
        return False
    last = await session.get_one(Attempt, (work.task.id, work.contact.attempts))
    amount = request.outcome.amount if request.outcome else None
    return (last.minutes, last.note, last.next_at, last.outcome_amount, last.recorded_by) == (
        request.minutes,
        blot(request.note),
        request.next_at,
        amount,
        principal.id,
    )


def _write_attempt(
    session: AsyncSession, principal: Principal, work: Work, request: TaskRecord, now: datetime
) -> None:
    session.add(
        Attempt(
            contact_id=work.task.id,
            number=work.contact.attempts + 1,
            disposition=request.disposition,
            minutes=request.minutes,
            note=blot(request.note),
            next_at=request.next_at,
            outcome_amount=request.outcome.amount if request.outcome else None,
            recorded_at=now,
            recorded_by=principal.id,
        )
    )


def _apply(
    work: Work, settings: CampaignSettings, request: TaskRecord, recorded: rules.Recorded, now: datetime
) -> None:
    contact, task = work.contact, work.task
    contact.disposition = request.disposition
    contact.attempts += 1
    contact.version += 1
    contact.minutes += request.minutes
    contact.cost += _cost(settings, request.minutes)
    contact.outcome_amount = request.outcome.amount if request.outcome else None
    task.state, task.next_at = recorded.state, recorded.next_at
    task.version += 1
    if recorded.closes:
        contact.state = move(contact.state, "done")
        contact.closed_at = task.closed_at = now


def _cost(settings: CampaignSettings, minutes: Decimal) -> Decimal:
    return (minutes * settings.manager_cost_per_minute).quantize(Decimal("0.01"))


def _event(
    work: Work,
    principal: Principal,
    request: TaskRecord,
    recorded: rules.Recorded,
    settings: CampaignSettings,
    now: datetime,
) -> ContactRecorded:
    return ContactRecorded(
        campaign_id=work.task.campaign_id,
        contact_id=work.task.id,
        customer_id=work.task.customer_id,
        version=work.contact.version,
        state=recorded.contact_state,
        disposition=request.disposition,
        minutes=request.minutes,
        cost=_cost(settings, request.minutes),
        offer=work.offer,
        amount=request.outcome.amount if request.outcome else None,
        recorded_at=now,
        recorded_by=principal.id,
    )
