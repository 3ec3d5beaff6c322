"""Applying a scheme to everybody: the list is computed, approved by somebody else, then takes effect."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.tiers import Ladder, Moves, Standing, decide
from services.segmentation.models.tier import TierList, TierScheme
from services.segmentation.queries.erasures import erased_ordinals
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.profile import feature_matrix
from services.segmentation.queries.tier_columns import (
    ladder_of,
    moves_of,
    parts_of,
    pinned,
    standing_of,
)
from services.segmentation.store import families
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.scope import id_texts
from services.segmentation.store.store import Store
from services.segmentation.usecases.tier_moving import (
    day_of,
    lock_tiers,
    new_list,
    record,
    save_moves,
    save_standing,
)
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.tiers import ApplyRequest, TierCause, TierListState
from shared.errors import Conflict, Forbidden, ProblemError
from shared.jobs import JobRun, defer

PROPOSE = "propose-tiers"
SETTLE = "settle-tiers"
_TO_COMPUTE = frozenset({TierListState.computing, TierListState.failed})
"""Failed: an attempt before was interrupted, and the job begins again."""


@dataclass(frozen=True)
class Proposal:
    """What the thresholds ask for. `held`: by the minimum stay; `pinned`: by overrides."""

    moves: Moves
    customers: int
    held: int
    pinned: int


async def request_list(
    session: AsyncSession, principal: Principal, scheme: TierScheme, wanted: ApplyRequest
) -> TierList:
    """Queues the computation of a list."""
    entry = new_list(scheme, TierCause.applied, principal.id, wanted.note)
    session.add(entry)
    await session.flush()
    args = {"list_id": str(entry.id), "dry_run": wanted.dry_run}
    entry.job_id = (await defer(session, principal, PROPOSE, args)).id
    await session.flush()
    audit(session, principal, "apply", f"tier-scheme/{scheme.key}", {"list": str(entry.id)})
    return entry


async def propose(job: JobRun) -> dict[str, Any]:
    """The job: one pass over all customers; the moves are stored and wait for approval."""
    list_id, store = UUID(job.args["list_id"]), job.runtime.resource(Store)
    moment = Moment(clock.now(), clock.ZONE)
    async with job.runtime.db.transaction(actor=job.principal) as session:
        entry = await session.get_one(TierList, list_id, with_for_update=True)
        if entry.state not in _TO_COMPUTE:
            return {"list_id": str(list_id)}
        entry.state, entry.problem = TierListState.computing, None
        standing = await standing_of(session, entry.scheme_id)
        held_back = await pinned(session, entry.scheme_id)
        catalogue = await load_catalogue(session)
    try:
        await job.progress(0.1, "computing")
        found = await asyncio.to_thread(_pass, store, entry.rules, standing, held_back, moment, catalogue)
        await job.progress(0.8, "saving")
        async with job.runtime.db.transaction(actor=job.principal) as session:
            await _store_proposal(session, list_id, found, moment, dry_run=job.args["dry_run"])
    except BaseException as error:
        await _fail(job, list_id, error)
        raise
    return {"list_id": str(list_id), **found.moves.counts(), "held": found.held}


def _pass(
    store: Store,
    rules: Mapping[str, Any],
    standing: Standing,
    held_back: NDArray[np.uint32],
    moment: Moment,
    catalogue: Catalogue,
) -> Proposal:
    with store.read() as cursor:
        ordinals, matrix = feature_matrix(cursor, [rules["feature"]], moment, catalogue=catalogue)
    order = np.argsort(ordinals)
    return proposal(
        ladder_of(rules["tiers"], rules["minimum_stay_days"]),
        standing,
        ordinals[order],
        matrix[rules["feature"]][order],
        held_back,
        day_of(moment.at),
    )


def proposal(
    ladder: Ladder,
    standing: Standing,
    ordinals: NDArray[np.uint32],
    values: NDArray[np.float64],
    held_back: NDArray[np.uint32],
    today: int,
) -> Proposal:
    """Moves of the customers (N,) by ascending ordinal; `standing` is indexed by ordinal."""
    size = int(ordinals[-1]) + 1 if len(ordinals) else 0
    if size > len(standing.tier):
        longer = Standing.empty(size)
        for name in ("tier", "since", "direction"):
            getattr(longer, name)[: len(standing.tier)] = getattr(standing, name)
        standing = longer
    present = standing.at(ordinals)
    present.tier = np.maximum(present.tier, -1)
    wanted, held = decide(ladder, present, values, today)
    free = ~np.isin(ordinals, held_back)
    moving = free & (wanted != present.tier)
    moves = Moves(ordinals, present.tier, wanted, values).where(moving)
    return Proposal(moves, len(ordinals), int((held & free).sum()), int((~free).sum()))


async def _store_proposal(
    session: AsyncSession, list_id: UUID, found: Proposal, moment: Moment, *, dry_run: bool
) -> None:
    await lock_tiers(session)
    entry = await session.get_one(TierList, list_id, with_for_update=True)
    moves = found.moves.where(~np.isin(found.moves.ordinals, list(await erased_ordinals(session))))
    if not dry_run:
        taking_effect = select(TierList.id).where(
            TierList.scheme_id == entry.scheme_id, TierList.state == TierListState.approved
        )
        if await session.scalar(taking_effect):
            raise Conflict("Another list of this scheme is taking effect: apply it again afterwards.")
        await session.execute(
            update(TierList)
            .where(TierList.scheme_id == entry.scheme_id, TierList.state == TierListState.proposed)
            .values(state=TierListState.superseded)
        )
    await save_moves(session, list_id, moves)
    entry.evaluated_at = moment.at
    entry.counts = {
        "customers": found.customers,
        "held": found.held,
        "pinned": found.pinned,
        "moves": moves.counts(),
    }
    entry.state = TierListState.dry_run if dry_run else TierListState.proposed
    await session.flush()


async def _fail(job: JobRun, list_id: UUID, error: BaseException) -> None:
    problem = error.detail if isinstance(error, ProblemError) else "The list was not computed."
    async with job.runtime.db.transaction(actor=job.principal) as session:
        await session.execute(
            update(TierList)
            .where(TierList.id == list_id, TierList.state == TierListState.computing)
            .values(state=TierListState.failed, problem=problem)
        )


async def approve_list(session: AsyncSession, principal: Principal, entry: TierList, comment: str) -> None:
    """By somebody else than who asked for it. Takes effect by a job; approving again starts it again."""
    if entry.state not in {TierListState.proposed, TierListState.approved}:
        raise Conflict(f"The list is {entry.state}: only a proposed list can be approved.")
    require_other_eyes(principal, entry.made_by)
    entry.state, entry.comment = TierListState.approved, comment
    entry.decided_by, entry.decided_at = principal.id, clock.now()
    entry.job_id = (await defer(session, principal, SETTLE, {"list_id": str(entry.id)})).id
    await session.flush()
    audit(session, principal, "approve", f"tier-list/{entry.id}")


async def reject_list(session: AsyncSession, principal: Principal, entry: TierList, comment: str) -> None:
    if entry.state != TierListState.proposed:
        raise Conflict(f"The list is {entry.state}: only a proposed list can be rejected.")
    require_other_eyes(principal, entry.made_by)
    entry.state, entry.comment = TierListState.rejected, comment
    entry.decided_by, entry.decided_at = principal.id, clock.now()
    await session.flush()
    audit(session, principal, "reject", f"tier-list/{entry.id}")


def require_other_eyes(checker: Principal, maker: str) -> None:
    if checker.id == maker:
        raise Forbidden("Whoever proposed it cannot decide on it.", slug="maker-is-checker")


async def settle(job: JobRun) -> dict[str, Any]:
    """The job: an approved list takes effect, all of it or nothing. Who moved since, stays."""
    list_id, store = UUID(job.args["list_id"]), job.runtime.resource(Store)
    async with job.runtime.db.transaction(actor=job.principal) as session:
        listed = await moves_of(session, list_id)
    ids = await store.run(lambda cursor: id_texts(cursor, listed.ordinals))
    gone = await store.run(families.gone)
    await job.progress(0.3, "moving")
    async with job.runtime.db.transaction(actor=job.principal) as session:
        await lock_tiers(session)
        entry = await session.get_one(TierList, list_id, with_for_update=True)
        if entry.state != TierListState.approved:
            return {"list_id": str(list_id)}
        scheme = await session.get_one(TierScheme, entry.scheme_id)
        moves = await moves_of(session, list_id)  # again: somebody may have been erased meanwhile
        upto = int(moves.ordinals[-1]) if len(moves) else 0
        standing = await standing_of(session, scheme.id, upto=upto)
        unmoved = standing.tier[moves.ordinals] == moves.before
        known = np.isin(moves.ordinals, np.fromiter(ids, dtype=np.uint32, count=len(ids)))
        absent = np.concatenate([to_array(gone.merged | gone.erased), await pinned(session, scheme.id)])
        moves = moves.where(unmoved & known & ~np.isin(moves.ordinals, absent))
        at = clock.now()
        standing.put(moves.ordinals, moves.after, day_of(at))
        await save_standing(session, scheme.id, standing, parts_of(moves.ordinals))
        await record(session, scheme, entry, moves, ids, at)
    return {"list_id": str(list_id), **moves.counts()}
