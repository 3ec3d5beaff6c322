"""Asking for an optimisation, and the job that makes it: read, compute in a thread, keep all or nothing.

A repetition after a killed worker begins again; a run that was kept before the worker died is left as it is.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import TASK_CHANNEL
from services.campaign.domain.optimisation import Competitor, Outcome, Pool, settle
from services.campaign.domain.plan import Plan, plan_of
from services.campaign.models import (
    Campaign,
    ErasedCustomer,
    Optimisation,
    OptimisedContact,
    OptimisedManager,
    OptimisedPart,
    Segment,
)
from services.campaign.queries.campaigns import content_of, select_visible
from services.campaign.queries.optimisation_input import Members, members_of, owners_of
from services.campaign.queries.optimisation_parts import parts_of
from services.campaign.queries.references import References, load_references, require_known, weighed_hash
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.release import release_policy
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.campaign import CampaignStatus
from shared.contracts.campaign.optimisations import CampaignTerms, OptimisationState, OptimisationWrite
from shared.errors import FieldError, Unprocessable
from shared.ids import new_id
from shared.jobs import CancelledJobError, JobRun, defer
from shared.pulse import Pulse, in_thread

OPTIMISE_TASK = "optimise-contacts"
_OPEN: tuple[CampaignStatus, ...] = ("draft", "in_review", "approved", "scheduled")
_READ_TIMEOUT_MS = 600_000
_READ, _COMPUTED = 0.4, 0.95
_ROWS = 20_000


async def request_optimisation(
    session: AsyncSession, principal: Principal, request: OptimisationWrite
) -> tuple[Optimisation, JobView]:
    """Queues the run. Unprocessable names what cannot compete: unknown, incomplete or launched campaigns."""
    await _check(session, principal, request)
    run_id = new_id()
    job = await defer(session, principal, OPTIMISE_TASK, {"optimisation_id": str(run_id)})
    run = Optimisation(
        id=run_id,
        name=request.name,
        org_path=principal.org,
        state="queued",
        request=request.model_dump(mode="json"),
        job_id=job.id,
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(run)
    await session.flush()
    audit(
        session,
        principal,
        "optimise_contacts",
        f"optimisation/{run_id}",
        {"campaigns": [str(terms.campaign_id) for terms in request.campaigns]},
    )
    return run, job


async def _check(session: AsyncSession, principal: Principal, request: OptimisationWrite) -> None:
    wanted = [terms.campaign_id for terms in request.campaigns]
    rows = await session.scalars(select_visible(principal).where(Campaign.id.in_(wanted)))
    campaigns = {campaign.id: campaign for campaign in rows}
    errors: list[FieldError] = []
    currencies: set[str] = set()
    for index, terms in enumerate(request.campaigns):
        pointer = f"/campaigns/{index}"
        campaign = campaigns.get(terms.campaign_id)
        if campaign is None or campaign.status not in _OPEN:
            said = "there is no such campaign" if campaign is None else f"is {campaign.status} already"
            errors.append(FieldError(f"{pointer}/campaign_id", said))
            continue
        if terms.maximum is not None and terms.maximum < terms.minimum:
            errors.append(FieldError(f"{pointer}/maximum", "is less than the minimum"))
        found = await _references(session, campaign, f"{pointer}/campaign_id", errors)
        currencies |= {offer.currency for offer in found.offers.values()} if found else set()
        known = await _segments(session, terms)
        errors += [
            FieldError(f"{pointer}/by_segment/{at}/segment", "no published segment of this key is known")
            for at, each in enumerate(terms.by_segment)
            if each.segment not in known
        ]
    for part, channels in (("minutes", request.minutes), ("channel_capacity", request.channel_capacity)):
        errors += [
            FieldError(f"/{part}/{name}", f"available: {TASK_CHANNEL}")
            for name in channels
            if name != TASK_CHANNEL
        ]
    if len(currencies) > 1:
        errors.append(FieldError("/campaigns", f"offers are worth {' and '.join(sorted(currencies))}"))
    if errors:
        raise Unprocessable("these campaigns cannot be weighed against each other", errors=errors)


async def _references(
    session: AsyncSession, campaign: Campaign, pointer: str, errors: list[FieldError]
) -> References | None:
    content = content_of(campaign)
    try:
        plan = plan_of(content)
        found = await load_references(session, content)
        require_known(content, found)
    except Unprocessable as problem:
        missing = ", ".join(error.pointer for error in problem.errors)
        errors.append(FieldError(pointer, f"{campaign.key}: {problem.detail}: {missing}"))
        return None
    if plan.audience.trigger is not None:
        errors.append(FieldError(pointer, f"{campaign.key} waits for a trigger: nobody is in it yet"))
    if len(plan.task_arms) < len(plan.scheme.arms):
        errors.append(FieldError(pointer, f"{campaign.key} sends messages: only managers' time is weighed"))
    return found


async def _segments(session: AsyncSession, terms: CampaignTerms) -> dict[str, UUID]:
    keys = [each.segment for each in terms.by_segment]
    rows = await session.execute(
        select(Segment.key, Segment.id)
        .where(Segment.key.in_(keys), ~Segment.archived)
        .order_by(Segment.version)
    )
    return {key: segment_id for key, segment_id in rows}  # noqa: C416 - rows are not pairs to mypy


async def run_optimisation(job: JobRun, settings: CampaignSettings) -> dict[str, Any]:
    run_id = UUID(job.args["optimisation_id"])
    database = job.runtime.db
    async with database.transaction() as session:
        run = await session.get_one(Optimisation, run_id, with_for_update=True)
        if run.state == "succeeded":
            return {"optimisation_id": str(run_id)}
        run.state, run.problem, run.finished_at = "running", None, None
    try:
        pool = await _read(job, settings, run_id)
        outcome = await in_thread(job, lambda pulse: _compute(pool, run_id, pulse), _READ, _COMPUTED)
        await job.progress(_COMPUTED, "saving")
    except CancelledJobError:
        await _end(job, run_id, "cancelled", None)
        raise
    except Unprocessable as problem:
        await _end(job, run_id, "failed", problem.detail)
        raise
    except BaseException:
        await _end(job, run_id, "failed", "The run did not finish: start it again.")
        raise
    async with database.transaction(statement_timeout_ms=_READ_TIMEOUT_MS) as session:
        await _keep(session, run_id, outcome)
    return {"optimisation_id": str(run_id), "contacts": outcome.result.contacts}


def _compute(pool: Pool, run_id: UUID, pulse: Pulse) -> "_Kept":
    outcome = settle(pool, run_id.int, lambda share: pulse.tell(0.9 * share, "optimising"))
    return _Kept(outcome, parts_of(outcome, pool))


@dataclass(frozen=True)
class _Kept:
    outcome: Outcome
    parts: list[tuple[int, bytes]]

    @property
    def result(self) -> Any:
        return self.outcome.result


async def _read(job: JobRun, settings: CampaignSettings, run_id: UUID) -> Pool:
    """Whoever asked sees only their customers; the rules see all contacts of these, wherever they were."""
    async with job.runtime.db.transaction(statement_timeout_ms=_READ_TIMEOUT_MS) as session:
        run = await session.get_one(Optimisation, run_id)
        request = OptimisationWrite.model_validate(run.request)
        competitors: list[Competitor] = []
        for index, terms in enumerate(request.campaigns):
            await job.progress(_READ * index / len(request.campaigns), "reading")
            competitors.append(await _competitor(session, settings, request, terms, run.org_path))
        wanted = await asyncio.to_thread(Pool.ordinals_of, competitors)
        owners = await owners_of(session, wanted, run.org_path)
    return Pool(
        request=request,
        competitors=competitors,
        ordinal=owners.ordinal,
        customer=owners.customer,
        manager=owners.manager,
        org=owners.org,
        cost_per_minute=float(settings.manager_cost_per_minute),
    )


async def _competitor(
    session: AsyncSession,
    settings: CampaignSettings,
    request: OptimisationWrite,
    terms: CampaignTerms,
    scope: str,
) -> Competitor:
    campaign = await session.scalar(select(Campaign).where(Campaign.id == terms.campaign_id))
    if campaign is None or campaign.status not in _OPEN:
        raise Unprocessable(f"campaign {terms.campaign_id} was launched meanwhile")
    content = content_of(campaign)
    plan = plan_of(content)
    found = await load_references(session, content)
    require_known(content, found)
    # What another run chose binds a launch, not this one.
    policy = await release_policy(session, settings, replace(plan, optimisation=None), clock.now())
    segments = await _segments(session, terms)
    rated = [segments[each.segment] for each in terms.by_segment if each.segment in segments]
    if len(rated) < len(terms.by_segment):
        raise Unprocessable(f"a segment with a rate of its own for {campaign.key} was archived meanwhile")
    members: Members = await members_of(session, campaign.id, plan, policy, found.segment_ids(), rated, scope)
    channel = plan.scheme.arms[0].channel
    return Competitor(
        terms=terms,
        key=campaign.key,
        content_hash=weighed_hash(campaign.key, content, found),
        channel=channel,
        minutes=request.minutes.get(channel, _longest(plan, found)),
        worth=sum(arm.share * float(found.offers[arm.offer].value) for arm in plan.scheme.arms),
        currency=found.offers[plan.scheme.arms[0].offer].currency,
        budget=None if content.budget is None else float(content.budget.amount),
        cap=policy.rules.cap,
        ordinal=members.ordinal,
        reason=members.reason,
        recent=members.recent,
        rate=members.rate,
    )


def _longest(plan: Plan, found: References) -> float:
    return max(found.scripts[arm.script].minutes for arm in plan.scheme.arms)


async def _keep(session: AsyncSession, run_id: UUID, kept: _Kept) -> None:
    """Everything in one transaction; a run that has ended meanwhile, in whatever way, stays as it is."""
    await hold_off_erasures(session)
    run = await session.get_one(Optimisation, run_id, with_for_update=True)
    if run.state != "running":
        return
    of_run = {"optimisation_id": run_id}
    run.state, run.finished_at = "succeeded", clock.now()
    run.result = kept.result.model_dump(mode="json")
    await session.flush()
    await _insert(session, OptimisedContact, [of_run | row for row in kept.outcome.contacts])
    # Whoever was erased while it was calculated.
    await session.execute(
        delete(OptimisedContact).where(
            OptimisedContact.optimisation_id == run_id,
            OptimisedContact.customer_id.in_(select(ErasedCustomer.id)),
        )
    )
    await _insert(session, OptimisedManager, [of_run | row for row in kept.outcome.managers])
    for part, payload in kept.parts:
        await _insert(session, OptimisedPart, [of_run | {"part": part, "payload": payload}])


async def _insert(session: AsyncSession, table: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    for first in range(0, len(rows), _ROWS):
        await session.execute(insert(table), rows[first : first + _ROWS])


async def _end(job: JobRun, run_id: UUID, state: OptimisationState, problem: str | None) -> None:
    async with job.runtime.db.transaction() as session:
        await session.execute(
            update(Optimisation)
            .where(Optimisation.id == run_id, Optimisation.state == "running")
            .values(state=state, problem=problem, finished_at=clock.now())
        )
