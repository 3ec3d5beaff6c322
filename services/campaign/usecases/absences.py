"""Absences of managers: entered, changed, and what becomes of the tasks that are due meanwhile.

A task goes to the substitute if its customer is of the substitute's branch, else to whoever else looks after
the customer, if they are there on the day it is due; without either it is returned, for the branch head to
give to somebody. Whatever nobody has touched goes back when the absence is over or taken back, and so does
what a release gave to whoever stood in.
"""

from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.absences import period_errors
from services.campaign.models import Absence
from services.campaign.queries.absences import branch_of, holds_customers, overlapping
from services.campaign.usecases.reservations import release
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign.absences import AbsencePatch, AbsenceWrite, ReassignedTasks, Receiver
from shared.db import fetch
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_BY = "system:absence"
_SYSTEM = Principal(id=_BY, roles=frozenset(), org="hq")
_BATCH = 100

_PLACED = """
WITH due AS (
  SELECT t.*, CASE WHEN t.next_at IS NULL THEN t.due_on
    ELSE (t.next_at AT TIME ZONE %(zone)s)::date END AS day
  FROM task t
  WHERE t.manager = %(manager)s AND t.state IN ('assigned', 'accepted', 'started', 'call_back')
), placed AS (
  SELECT d.id, d.state, coalesce(d.manager IN (c.primary_manager, c.backup_manager), false) AS owned, (
    SELECT who
    FROM unnest(ARRAY[CASE WHEN d.org_path = %(org)s THEN %(substitute)s::text END,
                      c.primary_manager, c.backup_manager]) WITH ORDINALITY AS w(who, place)
    WHERE who <> d.manager AND NOT EXISTS (
      SELECT FROM manager_absence a
      WHERE a.manager = who AND a.cancelled_at IS NULL
        AND greatest(d.day, %(today)s) BETWEEN a.starts_on AND a.ends_on)
    ORDER BY place LIMIT 1) AS goes_to
  FROM due d LEFT JOIN known_customer c ON c.id = d.customer_id
  WHERE d.day <= %(ends_on)s AND (%(starts_on)s <= %(today)s OR d.day >= %(starts_on)s)
)
"""

_COUNT = _PLACED + "SELECT goes_to, count(*)::int FROM placed GROUP BY goes_to ORDER BY goes_to"  # noqa: S608
_LOCK = """
SELECT id FROM task WHERE manager = %(manager)s AND state IN ('assigned', 'accepted', 'started', 'call_back')
ORDER BY id FOR UPDATE
"""
_WHICH = _PLACED + "SELECT id FROM placed"  # noqa: S608

# What was accepted or begun starts anew with somebody else, a call-back stays promised.
_MOVE = f"""
{_PLACED}, moved AS (
  UPDATE task t SET manager = coalesce(p.goes_to, t.manager), version = t.version + 1,
    state = CASE WHEN p.goes_to IS NULL THEN 'returned'
      WHEN t.state IN ('accepted', 'started') THEN 'assigned' ELSE t.state END
  FROM placed p WHERE t.id = p.id RETURNING t.id, t.version, p.goes_to, p.owned, p.state
), lines AS (
  UPDATE contact c SET manager = m.goes_to, version = c.version + 1
  FROM moved m WHERE c.id = m.id AND m.goes_to IS NOT NULL
), kept AS (
  INSERT INTO absence_move AS k
    (absence_id, task_id, moved_from, moved_to, owned, task_state, task_version, moved_at)
  SELECT %(absence)s, id, %(manager)s, goes_to, owned, state, version, %(at)s FROM moved
  ON CONFLICT (absence_id, task_id) DO UPDATE SET moved_to = EXCLUDED.moved_to, owned = EXCLUDED.owned,
    task_state = EXCLUDED.task_state, task_version = EXCLUDED.task_version, moved_at = EXCLUDED.moved_at
)
SELECT goes_to, count(*)::int FROM moved GROUP BY goes_to ORDER BY goes_to
"""  # noqa: S608 - constants

# Not to somebody who is away again, nor to somebody who no longer looks after the customer. Begun work holds
# nothing any more: it is begun again.
_GIVE_BACK = """
WITH back AS (
  SELECT t.id, m.moved_from, m.task_state FROM absence_move m
  JOIN task t ON t.id = m.task_id AND t.version = m.task_version
  LEFT JOIN known_customer c ON c.id = t.customer_id
  WHERE m.absence_id = ANY(%(ids)b::uuid[]) AND t.state NOT IN ('done', 'expired')
    AND (NOT m.owned OR m.moved_from IN (c.primary_manager, c.backup_manager))
    AND NOT EXISTS (
      SELECT FROM manager_absence a
      WHERE a.manager = m.moved_from AND a.cancelled_at IS NULL AND NOT a.id = ANY(%(ids)b::uuid[])
        AND %(today)s BETWEEN a.starts_on AND a.ends_on)
  ORDER BY t.id FOR UPDATE OF t
), tasks AS (
  UPDATE task t SET manager = b.moved_from, version = t.version + 1,
    state = CASE b.task_state WHEN 'started' THEN 'accepted' ELSE b.task_state END
  FROM back b WHERE t.id = b.id RETURNING t.id
), lines AS (
  UPDATE contact c SET manager = b.moved_from, version = c.version + 1
  FROM back b WHERE c.id = b.id AND c.manager <> b.moved_from
)
SELECT count(*)::int FROM tasks
"""
_HOLD = "SELECT FROM manager_absence WHERE ended_at IS NULL ORDER BY id FOR SHARE"
_FORGET_MOVES = "DELETE FROM absence_move WHERE absence_id = ANY(%(ids)b::uuid[])"


async def create_absence(session: AsyncSession, principal: Principal, request: AbsenceWrite) -> Absence:
    manager, org = await _whose(session, principal, request.manager)
    await _take_turns(session, manager)
    absence = Absence(
        id=new_id(),
        manager=manager,
        org_path=org,
        starts_on=request.starts_on,
        ends_on=request.ends_on,
        substitute=request.substitute,
        version=1,
        created_at=clock.now(),
        created_by=principal.id,
    )
    await _require_sound(session, absence)
    session.add(absence)
    await session.flush()
    _audit(session, principal, "create_absence", absence)
    return absence


async def _whose(session: AsyncSession, principal: Principal, manager: str | None) -> tuple[str, str]:
    """The manager and their branch; somebody else's absence is entered by the head of that branch."""
    if manager is None or manager == principal.staff:
        if principal.staff is None:
            raise Forbidden("absences are of staff; this principal has no staff code")
        return principal.staff, await branch_of(session, principal.staff) or principal.org
    if not principal.has(Role.branch_head):
        raise Forbidden("a manager enters absences of their own")
    org = await branch_of(session, manager)
    if org is None:
        errors = [FieldError("/manager", f"holds no customers of {principal.org}")]
        raise Unprocessable("the manager is not of your organisation", errors=errors)
    return manager, org


async def _take_turns(session: AsyncSession, manager: str) -> None:
    """Two absences of one manager at once would not see that they overlap."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:manager, 12))"), {"manager": manager}
    )


async def _require_sound(session: AsyncSession, absence: Absence) -> None:
    errors = period_errors(absence.starts_on, absence.ends_on, clock.today())
    substitute = absence.substitute
    if substitute == absence.manager:
        errors.append(FieldError("/substitute", "is the one who is away"))
    elif substitute and not await holds_customers(session, absence.org_path, substitute):
        errors.append(FieldError("/substitute", f"holds no customers of {absence.org_path}"))
    if errors:
        raise Unprocessable("the absence cannot be entered", errors=errors)
    if await overlapping(session, absence.manager, absence.starts_on, absence.ends_on, absence.id):
        raise Conflict(f"{absence.manager} is away on some of these days already", slug="absence-overlaps")


async def change_absence(
    session: AsyncSession, principal: Principal, absence_id: UUID, version: int, patch: AbsencePatch
) -> Absence:
    """What was moved stays where it is: move again, or wait for the end."""
    absence = await _lock(session, principal, absence_id)
    check_version(absence.version, version)
    await _take_turns(session, absence.manager)
    changes = patch.model_dump(exclude_unset=True)
    lost = [
        FieldError(f"/{name}", "is required") for name in ("starts_on", "ends_on") if _lost(changes, name)
    ]
    if lost:
        raise Unprocessable("an absence keeps its days", errors=lost)
    for name, value in changes.items():
        setattr(absence, name, value)
    await _require_sound(session, absence)
    absence.version += 1
    await session.flush()
    _audit(session, principal, "change_absence", absence)
    return absence


def _lost(changes: dict[str, object], name: str) -> bool:
    return name in changes and changes[name] is None


async def cancel_absence(
    session: AsyncSession, principal: Principal, absence_id: UUID, version: int
) -> Absence:
    """Also one that has begun: whoever is back sooner is there again. Tasks that the principal does not see
    go back a moment later, by `follow_absences`.
    """
    absence = await _lock(session, principal, absence_id)
    check_version(absence.version, version)
    absence.cancelled_at = clock.now()
    absence.version += 1
    await session.flush()
    back = await _give_back(session, [absence.id])
    _audit(session, principal, "cancel_absence", absence, tasks=back)
    return absence


async def reassign_tasks(
    session: AsyncSession, principal: Principal, absence_id: UUID, *, dry_run: bool
) -> ReassignedTasks:
    """All tasks that are due meanwhile, in one statement; with `dry_run` counted only."""
    absence = await _lock(session, principal, absence_id)
    parameters = {
        "absence": absence.id,
        "manager": absence.manager,
        "org": absence.org_path,
        "substitute": absence.substitute,
        "starts_on": absence.starts_on,
        "ends_on": absence.ends_on,
        "today": clock.today(),
        "zone": str(clock.ZONE),
        "at": clock.now(),
    }
    if dry_run:
        return _outcome(await fetch(session, _COUNT, parameters), dry_run=True)
    await fetch(session, _LOCK, parameters)
    await release(session, [row[0] for row in await fetch(session, _WHICH, parameters)])
    outcome = _outcome(await fetch(session, _MOVE, parameters), dry_run=False)
    if outcome.tasks:
        counts = {"tasks": outcome.tasks, "returned": outcome.returned}
        _audit(session, principal, "reassign_tasks", absence, **counts)
    return outcome


def _outcome(rows: list[tuple[str | None, int]], *, dry_run: bool) -> ReassignedTasks:
    return ReassignedTasks(
        dry_run=dry_run,
        tasks=sum(count for _, count in rows),
        moved=[Receiver(manager=manager, tasks=count) for manager, count in rows if manager],
        returned=sum(count for manager, count in rows if manager is None),
    )


async def hold_absences(session: AsyncSession) -> None:
    """Until the transaction ends no absence ends: what is given to stand-ins meanwhile would not go back."""
    await fetch(session, _HOLD)


async def follow_absences(session: AsyncSession) -> None:
    """Those that are over by now or were taken back: what nobody has touched goes back."""
    over = list(
        await session.scalars(
            select(Absence)
            .where(
                Absence.ended_at.is_(None),
                or_(Absence.ends_on < clock.today(), Absence.cancelled_at.is_not(None)),
            )
            .order_by(Absence.id)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
    )
    if not over:
        return
    now = clock.now()
    for absence in over:
        absence.ended_at = now
    await session.flush()
    back = await _give_back(session, [absence.id for absence in over])
    if back:
        audit(session, _SYSTEM, "return_tasks", "absences", {"absences": len(over), "tasks": back})


async def _give_back(session: AsyncSession, absences: list[UUID]) -> int:
    parameters = {"ids": absences, "today": clock.today()}
    back: int = (await fetch(session, _GIVE_BACK, parameters))[0][0]
    await fetch(session, _FORGET_MOVES, parameters)
    return back


async def _lock(session: AsyncSession, principal: Principal, absence_id: UUID) -> Absence:
    """One that is not over, held until the transaction ends."""
    absence = await session.scalar(select(Absence).where(Absence.id == absence_id).with_for_update())
    own = absence is not None and absence.manager == principal.staff
    if absence is None or not (own or principal.has(Role.branch_head)):
        raise NotFound(f"no absence {absence_id}")
    if absence.cancelled_at is not None or absence.ends_on < clock.today():
        raise Conflict("the absence is over", slug="absence-over")
    return absence


def _audit(session: AsyncSession, principal: Principal, action: str, absence: Absence, **counts: int) -> None:
    detail = {
        "manager": absence.manager,
        "starts_on": absence.starts_on.isoformat(),
        "ends_on": absence.ends_on.isoformat(),
        "substitute": absence.substitute,
        **counts,
    }
    audit(session, principal, action, f"absence/{absence.id}", detail, org_path=absence.org_path)
