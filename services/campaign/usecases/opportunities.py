"""Opening opportunities, moving them on, and closing them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.notes import blot
from services.campaign.domain.opportunities import require_verb, stage_named
from services.campaign.models import (
    Customer,
    Opportunity,
    OpportunityMove,
)
from services.campaign.queries.opportunities import newest_stages
from services.campaign.queries.rad_states import rad_state
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.opportunity_origins import find_origin, manager_for, subject_of, wrong
from services.campaign.usecases.opportunity_stages import hold_stages
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign.opportunities import (
    LoseRequest,
    OpportunityPatch,
    OpportunityVerb,
    OpportunityWrite,
)
from shared.contracts.events import OpportunityMoved
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.web import check_version

_REQUIRED = {"name", "amount", "rad", "expected_close"}


async def open_opportunity(
    session: AsyncSession, principal: Principal, request: OpportunityWrite
) -> Opportunity:
    await hold_off_erasures(session)
    await hold_stages(session)
    origin = await find_origin(session, principal, request)
    manager = await manager_for(session, principal, origin.org, request.manager)
    stage = stage_named((await newest_stages(session)).stages, request.stage)
    amount = request.amount or origin.amount
    if not amount:
        raise Unprocessable(
            "the opportunity has no value",
            errors=[FieldError("/amount", "is required: nobody told one")],
        )
    offer, product = await subject_of(session, request.offer or origin.offer, request.product)
    rad = request.rad or (await rad_state(session, origin.customer_id)).rad
    now = clock.now()
    row = Opportunity(
        id=new_id(),
        customer_id=origin.customer_id,
        org_path=origin.org,
        manager=manager,
        status="open",
        stage=stage.key,
        stage_since=now,
        name=blot(request.name),
        offer=offer,
        product=product,
        amount=amount,
        currency=request.currency,
        rad=rad,
        source=origin.source,
        contact_id=origin.contact_id,
        referral_id=origin.referral_id,
        expected_close=request.expected_close,
        next_action=blot(request.next_action),
        next_action_on=request.next_action_on,
        moves=0,
        opened_at=now,
        opened_by=principal.id,
        version=1,
    )
    session.add(row)
    await session.flush()
    await _record_move(session, principal, row, None, stage.key, now)
    _audit(session, principal, "open_opportunity", row)
    return row


async def edit_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, patch: OpportunityPatch
) -> Opportunity:
    row = await _lock(session, principal, opportunity_id, version, "edit")
    changes: dict[str, Any] = patch.model_dump(exclude_unset=True)
    lost = [FieldError(f"/{name}", "is required") for name in _REQUIRED & changes.keys() if not changes[name]]
    if lost:
        raise Unprocessable("an opportunity keeps what it must have", errors=lost)
    if "offer" in changes:
        changes["offer"], changes["product"] = await subject_of(
            session, changes["offer"], changes.get("product")
        )
    for name, value in changes.items():
        setattr(row, name, blot(value) if name in {"name", "next_action"} else value)
    await _save(session, principal, row, "edit_opportunity", {"fields": sorted(changes)})
    return row


async def move_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, stage: str
) -> Opportunity:
    """To any other stage, forward or back."""
    row = await _lock(session, principal, opportunity_id, version, "move")
    to = stage_named((await newest_stages(session)).stages, stage)
    if to.key == row.stage:
        raise wrong("/stage", "is where it stands")
    await _step(session, principal, row, "move_opportunity", to.key)
    return row


async def win_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, amount: Decimal
) -> Opportunity:
    row = await _lock(session, principal, opportunity_id, version, "win")
    row.status, row.won_amount, row.closed_at = "won", amount, clock.now()
    await _step(session, principal, row, "win_opportunity", "won")
    return row


async def lose_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, request: LoseRequest
) -> Opportunity:
    row = await _lock(session, principal, opportunity_id, version, "lose")
    row.status, row.lost_reason, row.closed_at = "lost", request.reason, clock.now()
    row.lost_note = blot(request.note) or None
    await _step(session, principal, row, "lose_opportunity", "lost")
    return row


async def reopen_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, stage: str
) -> Opportunity:
    """In a stage of the list as it is now, with the customer as they are now."""
    row = await _lock(session, principal, opportunity_id, version, "reopen")
    await _require_of_the_bank(session, row)
    to = stage_named((await newest_stages(session)).stages, stage)
    outcome, row.status, row.closed_at = row.status, "open", None
    row.won_amount = row.lost_reason = row.lost_note = None
    await _step(session, principal, row, "reopen_opportunity", to.key, outcome)
    return row


async def _require_of_the_bank(session: AsyncSession, row: Opportunity) -> None:
    """Also as a merged file: its survivor is the customer then. It is of the customer's branch again."""
    found = (
        await session.execute(
            select(Customer.status, Customer.org_path).where(Customer.id == row.customer_id)
        )
    ).one_or_none()
    if found is None or found.status not in {"active", "merged"}:
        raise Conflict("the customer is not with you any more", slug="customer-gone")
    row.org_path = found.org_path


async def assign_opportunity(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, manager: str
) -> Opportunity:
    row = await _lock(session, principal, opportunity_id, version, "assign")
    row.manager = await manager_for(session, principal, row.org_path, manager)
    row.taken_from = row.taken_because = None
    await _save(session, principal, row, "assign_opportunity", {"manager": row.manager})
    return row


async def _lock(
    session: AsyncSession, principal: Principal, opportunity_id: UUID, version: int, verb: OpportunityVerb
) -> Opportunity:
    """The opportunity at `version`, held until the transaction ends, in a state that allows `verb`."""
    await hold_off_erasures(session)
    await hold_stages(session)
    row = await session.scalar(select(Opportunity).where(Opportunity.id == opportunity_id).with_for_update())
    if row is None:
        raise NotFound(f"no opportunity {opportunity_id}")
    if row.manager != principal.staff and not principal.has(Role.branch_head):
        raise Forbidden("the opportunity belongs to another manager")
    check_version(row.version, version)
    require_verb(row.status, verb)
    return row


async def _step(
    session: AsyncSession,
    principal: Principal,
    row: Opportunity,
    action: str,
    to_stage: str,
    from_stage: str | None = None,
) -> None:
    """`from_stage`: an outcome that is taken back, else the stage where it stood."""
    now, before = clock.now(), from_stage or row.stage
    if row.status == "open":
        row.stage, row.stage_since = to_stage, now
    row.version += 1
    await _record_move(session, principal, row, before, to_stage, now)
    _audit(session, principal, action, row)


async def _save(
    session: AsyncSession, principal: Principal, row: Opportunity, action: str, detail: Mapping[str, object]
) -> None:
    row.version += 1
    await session.flush()
    audit(session, principal, action, f"opportunity/{row.id}", detail, org_path=row.org_path)


async def _record_move(
    session: AsyncSession,
    principal: Principal,
    row: Opportunity,
    from_stage: str | None,
    to_stage: str,
    at: datetime,
) -> None:
    """One line of its history, and the event that tells of it."""
    row.moves += 1
    await session.flush()
    await session.execute(
        insert(OpportunityMove).values(
            opportunity_id=row.id,
            number=row.moves,
            from_stage=from_stage,
            to_stage=to_stage,
            moved_at=at,
            moved_by=principal.id,
        )
    )
    await emit(session, moved(row, from_stage, to_stage, at, principal.id))


def moved(row: Opportunity, from_stage: str | None, to_stage: str, at: datetime, by: str) -> OpportunityMoved:
    told = (
        "customer_id",
        "version",
        "manager",
        "offer",
        "product",
        "rad",
        "source",
        "contact_id",
        "referral_id",
        "amount",
    )
    return OpportunityMoved(
        opportunity_id=row.id,
        org=row.org_path,
        from_stage=from_stage,
        to_stage=to_stage,
        moved_at=at,
        moved_by=by,
        currency=row.currency,
        won_amount=row.won_amount,
        lost_reason=row.lost_reason,
        **{name: getattr(row, name) for name in told},
    )


def _audit(session: AsyncSession, principal: Principal, action: str, row: Opportunity) -> None:
    detail = {"status": row.status, "stage": row.stage, "amount": str(row.won_amount or row.amount)}
    audit(session, principal, action, f"opportunity/{row.id}", detail, org_path=row.org_path)
