"""Taking a batch of business events: read, refuse by item, record, answer."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming, Reading, Refused, read, wanted_kinds
from services.customer.domain.quarantine import within_event
from services.customer.domain.vault import Vault
from services.customer.models import Product
from services.customer.usecases.effects import PRODUCT_EVENTS
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.quarantine import RefusedItem, supersede
from services.customer.usecases.recording import Outcome, record
from shared import clock
from shared.contracts.base import Problem, ProblemItem
from shared.contracts.customer import EventBatchResult, EventItemResult
from shared.errors import FieldError

INVALID = "/problems/event-invalid"
CONFLICT = "/problems/event-conflict"
OUTSIDE = "/problems/outside-organisation"
FORGOTTEN = "/problems/do-not-collect"

Status = Literal["accepted", "duplicate", "parked", "rejected"]


class Taken(NamedTuple):
    """The answer, and the refused events worth keeping: neither conflicts nor other branches' customers."""

    result: EventBatchResult
    refused: list[RefusedItem]


async def take(
    session: AsyncSession,
    vault: Vault,
    kinds: EventKinds,
    items: Sequence[Any],
    *,
    single: bool = False,
    verbose: bool = False,
) -> Taken:
    """Record what can be recorded of `items`; everything else is named with its reason."""
    known = await kinds.current(session, wanted_kinds(items))
    reading = read(items, known, clock.now(), single=single)
    outcome = await settle(session, vault, reading, single=single)
    refused = [
        RefusedItem(items[refused.index], within_event(refused, "" if single else f"/{refused.index}"))
        for refused in reading.refused
        if not refused.conflict
    ]
    return Taken(_answer(reading, outcome, single=single, verbose=verbose), refused)


async def settle(session: AsyncSession, vault: Vault, reading: Reading, *, single: bool) -> Outcome:
    """Record what is usable of `reading`; what its products or dates forbid moves to `reading.refused`."""
    await _refuse_unusable_products(session, reading, single=single)
    outcome = await record(session, vault, reading.usable)
    taken = [*(recorded.event for recorded in outcome.recorded), *outcome.parked]
    await supersede(session, [(event.source, event.event_id) for event in taken])
    return outcome


async def _refuse_unusable_products(session: AsyncSession, reading: Reading, *, single: bool) -> None:
    """Holdings need a catalogued product and a date that has come; checked before anything is stored."""
    holdings = [e for e in (*reading.usable, *reading.repeated) if e.type in PRODUCT_EVENTS]
    if not holdings:
        return
    codes = {event.data["product"] for event in holdings}
    known = set((await session.scalars(select(Product.code).where(Product.code.in_(codes)))).all())
    for event in holdings:
        pointer = "/data" if single else f"/{event.index}/data"
        errors = _holding_errors(event, known, pointer)
        if errors:
            reason = None if event.data["product"] in known else "product"
            reading.refused.append(Refused(event.index, event.event_id, tuple(errors), reason=reason))
    refused = {refused.index for refused in reading.refused}
    reading.usable[:] = [event for event in reading.usable if event.index not in refused]
    reading.repeated[:] = [event for event in reading.repeated if event.index not in refused]


def _holding_errors(event: Incoming, known: set[str], pointer: str) -> list[FieldError]:
    errors = []
    if event.data["product"] not in known:
        errors.append(FieldError(f"{pointer}/product", "is not in the product catalogue"))
    business_date = event.time.astimezone(clock.ZONE).date()
    if "as_of" in event.data and date.fromisoformat(event.data["as_of"]) > business_date + timedelta(days=1):
        errors.append(FieldError(f"{pointer}/as_of", "is after the event itself"))
    return errors


def _answer(reading: Reading, outcome: Outcome, *, single: bool, verbose: bool) -> EventBatchResult:
    duplicate, conflict = _with_repetitions(reading, outcome)
    found: list[EventItemResult] = [
        *(_plain(event, "duplicate") for event in duplicate),
        *(_plain(event, "parked") for event in outcome.parked),
        *(_rejected(event.index, event.event_id, _conflict_problem()) for event in conflict),
        *(
            _rejected(event.index, event.event_id, _outside_problem(event, single=single))
            for event in outcome.outside
        ),
        *(_rejected(event.index, event.event_id, _forgotten_problem()) for event in outcome.forgotten),
        *(rejected(r) for r in reading.refused),
    ]
    if verbose:
        found += [_plain(recorded.event, "accepted") for recorded in outcome.recorded]
    return EventBatchResult(
        accepted=len(outcome.recorded),
        duplicate=len(duplicate),
        parked=len(outcome.parked),
        rejected=len(conflict) + len(outcome.outside) + len(outcome.forgotten) + len(reading.refused),
        items=sorted(found, key=lambda item: item.index),
    )


def _with_repetitions(reading: Reading, outcome: Outcome) -> tuple[list[Incoming], list[Incoming]]:
    """Copies within the batch share the fate of the first: duplicate, or conflict with what was there."""
    gone = (*outcome.conflict, *outcome.outside, *outcome.forgotten)
    refused = {(event.source, event.event_id) for event in gone}
    duplicate, conflict = list(outcome.duplicate), list(outcome.conflict)
    for event in reading.repeated:
        (conflict if (event.source, event.event_id) in refused else duplicate).append(event)
    return duplicate, conflict


def _plain(event: Incoming, status: Status) -> EventItemResult:
    return EventItemResult(index=event.index, id=event.event_id, status=status)


def _rejected(index: int, event_id: str | None, problem: Problem) -> EventItemResult:
    return EventItemResult(index=index, id=event_id, status="rejected", problem=problem)


def rejected(refused: Refused) -> EventItemResult:
    return _rejected(refused.index, refused.event_id, _refusal(refused))


def _refusal(refused: Refused) -> Problem:
    if refused.conflict:
        return _conflict_problem()
    return Problem(
        type=INVALID,
        title="Event does not match its schema",
        status=422,
        errors=[ProblemItem(pointer=error.pointer, detail=error.detail) for error in refused.errors],
    )


def _conflict_problem() -> Problem:
    return Problem(
        type=CONFLICT,
        title="Another event has this id",
        status=409,
        detail="An event of this source with the same id and other content was recorded before",
    )


def _forgotten_problem() -> Problem:
    return Problem(
        type=FORGOTTEN,
        title="The person was erased",
        status=409,
        detail="The person asked not to be collected again; nothing of the event was kept",
    )


def _outside_problem(event: Incoming, *, single: bool) -> Problem:
    return Problem(
        type=OUTSIDE,
        title="The customer is outside your organisation",
        status=403,
        errors=[
            ProblemItem(
                pointer="/subject" if single else f"/{event.index}/subject",
                detail="belongs to a customer of another organisation",
            )
        ],
    )
