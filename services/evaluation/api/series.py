"""A campaign's effect day by day."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import duckdb
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.api.access import CampaignId, CurrentLimits, CurrentStore, ReviewRead
from services.evaluation.domain.definitions import ADDED_DAILY, kind_of_cells
from services.evaluation.domain.health import Check, Limits, withheld
from services.evaluation.domain.series import effects_by_day
from services.evaluation.queries import campaigns, results, series
from services.evaluation.queries.health import Terms, checks, terms_of
from services.evaluation.queries.metrics import frozen
from services.evaluation.queries.stopping import tuned_for
from services.evaluation.store import Store
from services.evaluation.store.contacts import exposures
from services.evaluation.store.health import around
from services.evaluation.store.outcomes import Question
from services.evaluation.store.series import Course, course, waves
from shared import clock
from shared.auth import Principal
from shared.contracts.evaluation import CampaignResult
from shared.contracts.evaluation.series import CampaignSeries, SeriesDay
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import MetricCreate
from shared.errors import Conflict
from shared.web import Router, Session, problem_responses

router = Router(tags=["campaigns"])


@router.get("/campaigns/{campaign_id}/series", responses=problem_responses(404, 409))
async def get_series(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    limits: CurrentLimits,
    campaign_id: CampaignId,
) -> CampaignSeries:
    """The primary effect by days since assignment, in the reader's branches: of each day with everybody who
    has lived through it, the interval that holds on that day alone and the band that holds on all days. Marks
    tell of launch, waves, pauses and the end. Metrics that do not add up by day have marks and no days.
    """
    return await campaign_series(session, principal, store, limits, campaign_id, clock.now())


async def campaign_series(
    session: AsyncSession,
    principal: Principal,
    store: Store,
    limits: Limits,
    campaign_id: UUID,
    until: datetime,
) -> CampaignSeries:
    """Of the reader's branches, with what was known until then. Conflict without a defined primary metric."""
    registration = await campaigns.registration(session, campaign_id)
    plan = campaigns.plan_of(registration)
    metric = frozen(registration).get(plan.primary_metric)
    if metric is None:
        raise Conflict("The primary metric had no definition when the campaign was launched.")
    last = await results.newest(session, campaign_id)
    stands = await campaigns.course(session, campaign_id)
    question = Question(campaign_id, until, principal.scope)
    terms = await terms_of(session, registration, limits)
    seen = await store.read(lambda cursor: _see(cursor, question, plan, metric, last, terms))
    treated, held_out = seen.assigned
    tuned = tuned_for(plan, treated + held_out)
    told = not withheld(check for check in seen.checks if check.name != "outcomes")
    return CampaignSeries(
        campaign_id=campaign_id,
        metric=metric.key,
        currency=metric.currency,
        window_days=metric.window_days,
        alpha=plan.alpha,
        tuned_for=tuned,
        as_of=question.until,
        verdict="ok" if told else "withheld",
        assigned=treated,
        hold_out=held_out,
        days=await asyncio.to_thread(_days, seen, plan, metric, tuned, told=told) if tuned else [],
        markers=series.markers(
            registration, stands, await series.changes(session, campaign_id), seen.course.waves
        ),
    )


@dataclass(frozen=True)
class _Seen:
    """One consistent reading of the store; `assigned` treated and held out, in the reader's branches."""

    checks: list[Check]
    course: Course
    assigned: tuple[int, int]


def _see(
    cursor: duckdb.DuckDBPyConnection,
    question: Question,
    plan: Plan,
    metric: MetricCreate,
    last: CampaignResult | None,
    terms: Terms,
) -> _Seen:
    whole = Question(question.campaign_id, question.until)
    everybody = exposures(cursor, whole, metric.window_days)
    own = exposures(cursor, question, metric.window_days).by_arm
    held_out = own.get("", 0)
    read_until = last.data_until if last else None
    seen = around(cursor, whole, metric, plan.unit, read_until, terms.spared)
    return _Seen(
        checks(plan, everybody, seen, last, terms.limits),
        course(cursor, question, metric, plan.unit)
        if metric.kind in ADDED_DAILY
        else Course([], waves(cursor, question)),
        (sum(own.values()) - held_out, held_out),
    )


def _days(seen: _Seen, plan: Plan, metric: MetricCreate, tuned: int, *, told: bool) -> list[SeriesDay]:
    kind = kind_of_cells(metric)
    if kind is None or not seen.course.waves:
        return []
    found = effects_by_day(seen.course.days, kind, metric.window_days, plan.alpha, tuned)
    begins, assigned = seen.course.waves[0].at, sum(seen.assigned)
    return [series.day(each, metric, begins, assigned, told=told) for each in found]
