"""Ordering a handover: planned as a whole, refused unless every customer stays in good hands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.handover import (
    Choice,
    Filter,
    Held,
    Person,
    Planned,
    Strategy,
    Taker,
    plan,
)
from services.customer.models import Handover, Staff
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.customer.handover import (
    HandoverFilter,
    HandoverOutlook,
    HandoverPlan,
    HandoverRequest,
    HandoverViolation,
    ReceiverLoad,
)
from shared.db import fetch
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id
from shared.jobs import defer

TASK = "handover"
_SHOWN = 100
_MAX_AHEAD = timedelta(days=366)

# Balances over the family: what was merged in counts.
_PORTFOLIO = """
SELECT c.id, c.org_path, c.primary_manager, c.backup_manager, c.kind, h.categories, h.assets
FROM customer c
CROSS JOIN LATERAL (
  SELECT coalesce(array_agg(DISTINCT p.category), '{}') AS categories,
    coalesce(sum(h.balance) FILTER (WHERE p.category NOT IN ('loan', 'card')), 0)::numeric(20, 2) AS assets
  FROM holding h JOIN product p ON p.code = h.product
  WHERE h.customer_id IN (SELECT c.id UNION ALL SELECT m.id FROM customer m WHERE m.merged_into = c.id)
    AND (h.closed_on IS NULL OR h.closed_on < h.as_of)
) h
WHERE (c.primary_manager = %(staff)s OR c.backup_manager = %(staff)s)
  AND c.merged_into IS NULL AND c.status <> 'erased'
"""

_STAFF = """
SELECT s.code, s.org_path, s.active, s.role = 'manager',
  (SELECT count(*) FROM customer c WHERE c.primary_manager = s.code AND c.merged_into IS NULL)
  + (SELECT count(*) FROM customer c WHERE c.backup_manager = s.code AND c.merged_into IS NULL)
FROM staff s WHERE s.code = ANY(%(named)b::text[])
  OR (s.active AND s.role = 'manager' AND s.org_path = ANY(%(orgs)b::text[]))
"""

_ALL = "SELECT portfolio_size(%(staff)s)"

_STORE_ITEMS = """
INSERT INTO handover_item (handover_id, customer_id, before_org, before_primary, before_backup,
  after_org, after_primary, after_backup, state)
SELECT %(handover)s, i.*, 'planned'
FROM unnest(%(id)b::uuid[], %(org)b::text[], %(primary)b::text[], %(backup)b::text[], %(new_org)b::text[],
            %(new_primary)b::text[], %(new_backup)b::text[]) AS i
"""

_CLEAR_ITEMS = "DELETE FROM handover_item WHERE handover_id = %(handover)s"


@dataclass(frozen=True, slots=True)
class Outlook:
    """A plan and what it comes to."""

    planned: Planned
    summary: HandoverOutlook


async def order_handover(
    session: AsyncSession, principal: Principal, code: str, body: HandoverRequest
) -> tuple[HandoverOutlook, Handover | None]:
    """Plan and, unless it is a dry run, order. 409 when a customer would be left without two managers."""
    staff = await session.get(Staff, code, with_for_update={"key_share": True})
    if staff is None:
        raise NotFound("There is no such staff in your organisation")
    effective_on = body.effective_on or clock.today()
    if not clock.today() <= effective_on <= clock.today() + _MAX_AHEAD:
        raise Unprocessable(
            "The day is not possible",
            errors=[FieldError("/effective_on", "must be today or within a year")],
        )
    outlook = await look_ahead(session, code, body.plan, keep_in_branch=body.keep_in_branch)
    if body.dry_run:
        return outlook.summary, None
    refuse_unclean(outlook)
    handover = Handover(
        id=new_id(),
        staff=code,
        org_path=staff.org_path,
        scope=principal.org,
        reason=body.reason,
        effective_on=effective_on,
        keep_in_branch=body.keep_in_branch,
        plan=body.plan.model_dump(mode="json"),
        state="planned",
        customers=len(outlook.planned.moves),
        created_by=principal.id,
        created_at=clock.now(),
    )
    session.add(handover)
    await session.flush()
    await _store_items(session, handover.id, outlook.planned)
    if effective_on == clock.today():
        await start(session, principal, handover)
    await session.refresh(handover)
    detail = {
        "reason": body.reason,
        "effective_on": effective_on.isoformat(),
        "customers": handover.customers,
    }
    audit(session, principal, "order_handover", f"staff/{code}", detail, org_path=staff.org_path)
    return outlook.summary, handover


async def look_ahead(
    session: AsyncSession, code: str, wanted: HandoverPlan, *, keep_in_branch: bool
) -> Outlook:
    """The plan as of now. 409 when some of the customers are beyond the caller's organisation."""
    portfolio = [
        Held(row[0], row[1], row[2], row[3], row[4], frozenset(row[5]), row[6])
        for row in await fetch(session, _PORTFOLIO, {"staff": code})
    ]
    total = (await fetch(session, _ALL, {"staff": code}))[0][0]
    if total > len(portfolio):
        raise Conflict(
            f"{total - len(portfolio)} customers belong to branches you do not see: order it from above them",
            slug="beyond-organisation",
        )
    staff = await _staff(session, code, portfolio, wanted)
    _refuse_unknown(code, portfolio, staff, wanted)
    planned = plan(code, portfolio, staff, _strategy(wanted, keep_in_branch=keep_in_branch))
    return Outlook(planned, _summary(code, planned, staff))


async def replan(session: AsyncSession, handover: Handover) -> Outlook:
    """On the day: the customers may have changed since it was ordered."""
    wanted = HandoverPlan.model_validate(handover.plan)
    outlook = await look_ahead(session, handover.staff, wanted, keep_in_branch=handover.keep_in_branch)
    refuse_unclean(outlook)
    await fetch(session, _CLEAR_ITEMS, {"handover": handover.id})
    await _store_items(session, handover.id, outlook.planned)
    handover.customers = len(outlook.planned.moves)
    return outlook


async def start(session: AsyncSession, principal: Principal, handover: Handover) -> None:
    """Let the worker execute it as soon as this transaction has committed."""
    job = await defer(session, principal, TASK, {"handover_id": str(handover.id)})
    handover.job_id, handover.state, handover.blocked = job.id, "running", None
    handover.started_at = clock.now()
    handover.version += 1
    await session.flush()


def refuse_unclean(outlook: Outlook) -> None:
    if not outlook.planned.moves:
        raise Conflict("There is no customer to hand over", slug="nothing-to-hand-over")
    violations = outlook.planned.violations
    if violations:
        raise Conflict(
            f"{outlook.summary.violations} things stand against the plan",
            errors=[FieldError("/plan", f"customer {customer} {why}") for customer, why in violations[:20]],
            slug="continuity-broken",
        )


async def _staff(
    session: AsyncSession, code: str, portfolio: Sequence[Held], wanted: HandoverPlan
) -> dict[str, Person]:
    """Everybody named, and the managers who cover one of the branches concerned."""
    named = {code, *(receiver.staff for receiver in wanted.receivers)}
    for held in portfolio:
        named |= {held.primary or code, held.backup or code}
    for choice in wanted.customers:
        named |= {choice.primary_manager or code, choice.backup_manager or code}
    orgs = {held.org for held in portfolio}
    first = await fetch(session, _STAFF, {"named": sorted(named), "orgs": sorted(_upwards(orgs))})
    staff = {row[0]: Person(*row) for row in first}
    new = {staff[receiver.staff].org for receiver in wanted.receivers if receiver.staff in staff} - orgs
    if new:
        more = await fetch(session, _STAFF, {"named": [], "orgs": sorted(_upwards(new))})
        staff |= {row[0]: Person(*row) for row in more}
    return staff


def _upwards(orgs: set[str]) -> set[str]:
    """The units and all above them."""
    found = set()
    for org in orgs:
        parts = org.split(".")
        found |= {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
    return found


def _refuse_unknown(
    code: str, portfolio: Sequence[Held], staff: Mapping[str, Person], wanted: HandoverPlan
) -> None:
    customers = {held.customer_id for held in portfolio}
    errors = [
        FieldError(f"/plan/receivers/{index}/staff", "is not active staff you can see, or hands over")
        for index, receiver in enumerate(wanted.receivers)
        if receiver.staff == code or receiver.staff not in staff or not staff[receiver.staff].active
    ]
    seen: set[UUID] = set()
    for index, choice in enumerate(wanted.customers):
        if choice.customer_id not in customers:
            detail = "is no customer of this staff"
        elif choice.customer_id in seen:
            detail = "appears twice"
        else:
            seen.add(choice.customer_id)
            continue
        errors.append(FieldError(f"/plan/customers/{index}/customer_id", detail))
    if errors:
        raise Unprocessable("The plan is not valid", errors=errors)


def _strategy(wanted: HandoverPlan, *, keep_in_branch: bool) -> Strategy:
    return Strategy(
        name=wanted.strategy,
        takers=tuple(Taker(one.staff, one.weight, _filter(one.filter)) for one in wanted.receivers),
        choices={
            one.customer_id: Choice(one.primary_manager, one.backup_manager) for one in wanted.customers
        },
        keep_in_branch=keep_in_branch,
    )


def _filter(wanted: HandoverFilter | None) -> Filter | None:
    if wanted is None:
        return None
    return Filter(
        kind=wanted.kind,
        categories=frozenset(wanted.categories),
        orgs=tuple(wanted.orgs),
        min_assets=wanted.min_assets,
        max_assets=wanted.max_assets,
    )


def _summary(code: str, planned: Planned, staff: Mapping[str, Person]) -> HandoverOutlook:
    as_primary: Counter[str] = Counter()
    as_backup: Counter[str] = Counter()
    after = Counter({person.code: person.load for person in staff.values()})
    for move in planned.moves:
        for counts, before, new in (
            (as_primary, move.held.primary, move.primary),
            (as_backup, move.held.backup, move.backup),
        ):
            if before == new:
                continue
            if new is not None:
                counts[new] += 1
                after[new] += 1
            if before is not None:
                after[before] -= 1
    return HandoverOutlook(
        staff=code,
        customers=len(planned.moves),
        as_primary=sum(move.held.primary == code for move in planned.moves),
        as_backup=sum(move.held.backup == code for move in planned.moves),
        changing_branch=sum(move.org != move.held.org for move in planned.moves),
        receivers=[
            ReceiverLoad(
                staff=one,
                as_primary=as_primary[one],
                as_backup=as_backup[one],
                load_before=staff[one].load if one in staff else 0,
                load_after=after[one],
            )
            for one in sorted(as_primary | as_backup)
        ],
        violations=len(planned.violations),
        first_violations=[
            HandoverViolation(customer_id=customer, detail=why)
            for customer, why in planned.violations[:_SHOWN]
        ],
    )


async def _store_items(session: AsyncSession, handover_id: UUID, planned: Planned) -> None:
    moves = planned.moves
    parameters = {
        "handover": handover_id,
        "id": [move.held.customer_id for move in moves],
        "org": [move.held.org for move in moves],
        "primary": [move.held.primary for move in moves],
        "backup": [move.held.backup for move in moves],
        "new_org": [move.org for move in moves],
        "new_primary": [move.primary for move in moves],
        "new_backup": [move.backup for move in moves],
    }
    await fetch(session, _STORE_ITEMS, parameters)
