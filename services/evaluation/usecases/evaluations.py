"""Evaluating one campaign: gather from the store, assess, keep the result, say so."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from uuid import UUID

import duckdb
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.assess import Assessment, Design, Measured, against_hold_out, assess
from services.evaluation.domain.breakdown import HOLD_OUT, Cell
from services.evaluation.domain.cells import CellTable
from services.evaluation.domain.definitions import OF_BALANCES, kind_of_cells
from services.evaluation.domain.exposure import Effort, Exposures
from services.evaluation.domain.health import Limits
from services.evaluation.domain.policies import Candidate, Trial, candidates
from services.evaluation.domain.samples import Quantiles
from services.evaluation.domain.stopping import Moment
from services.evaluation.domain.worth import worth
from services.evaluation.models import Course, Registration
from services.evaluation.queries import documents, stopping
from services.evaluation.queries import results as queries
from services.evaluation.queries.campaigns import design_of, plan_of
from services.evaluation.queries.health import Terms, observed
from services.evaluation.queries.metrics import frozen
from services.evaluation.queries.scripts import arms_of, script_effects
from services.evaluation.store import Store
from services.evaluation.store.cells import tier_scheme
from services.evaluation.store.contacts import efforts, exposures
from services.evaluation.store.health import Around, around
from services.evaluation.store.outcomes import Question
from services.evaluation.store.policies import policy_statistics
from services.evaluation.store.quantities import Measure
from services.evaluation.usecases import results
from services.evaluation.usecases.gathering import Lived, Reading
from shared import clock
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.evaluation import CampaignResult, Method
from shared.contracts.evaluation.scripts import ScriptEffects
from shared.contracts.evaluation.windows import WindowEffect
from shared.contracts.events import Registration as Plan
from shared.contracts.metrics import Better, MetricCreate, MetricKind
from shared.errors import Conflict, FieldError, NotFound
from shared.ids import new_id
from shared.jobs import defer

SYSTEM = Principal(id="service:evaluation", roles=frozenset(), org="hq")
TASK = "evaluate"
_USUAL = Terms()


async def request_evaluation(
    session: AsyncSession, principal: Principal, campaign_id: UUID, primary_metric: str | None = None
) -> JobView:
    """Queue an evaluation. Conflict when it asks for another primary metric than the registered one."""
    registration = await session.get(Registration, campaign_id)
    if registration is None:
        raise NotFound("No campaign with this id has been launched in your organisation.")
    registered = plan_of(registration).primary_metric
    if primary_metric is not None and primary_metric != registered:
        raise Conflict(
            f"{registered!r} was registered as the primary metric before launch; it cannot be exchanged now.",
            slug="registered-otherwise",
            errors=[FieldError("/primary_metric", f"must be {registered!r} or absent")],
        )
    _primary_of(registration, frozen(registration))
    return await defer(session, principal, TASK, {"campaign_id": str(campaign_id)})


@dataclass(frozen=True)
class Gathered:
    """What the store knew at `data_until`."""

    data_until: datetime
    exposed: Exposures
    around: Around
    last: CampaignResult | None
    cells: Mapping[str, Sequence[Cell]]
    effort: Effort
    policies: Sequence[Candidate]
    """Looked at for the next round. Valued in the store's thread: with many branches it takes seconds."""
    finest: CellTable | None
    """Of the primary metric; none of a quantile."""
    samples: Mapping[str, Quantiles]
    """Of metrics that have no cells."""
    windows: Sequence[Lived]
    """Of the primary metric, when it declares more than one."""
    eaten: Mapping[str, Sequence[Cell]]
    """Of the metrics that the primary one may take from, over its window."""
    limits: Limits
    """Up to what a fault does not withhold the verdict."""


def looks_at_balances(registration: Registration) -> bool:
    """Whether any registered metric does."""
    known, plan = frozen(registration), plan_of(registration)
    asked = [known[key] for key in (plan.primary_metric, *plan.guardrails) if key in known]
    return any(metric.kind in OF_BALANCES for metric in asked)


async def gather(
    store: Store, registration: Registration, last: CampaignResult | None = None, terms: Terms = _USUAL
) -> Gathered:
    """One consistent reading of the store; `last` is the newest result so far."""
    known = frozen(registration)
    primary = _primary_of(registration, known)
    guardrails = [known[key] for key in plan_of(registration).guardrails if key in known]
    metrics = list({metric.key: metric for metric in (primary, *guardrails)}.values())
    plan = plan_of(registration)
    question = Question(registration.campaign_id, clock.now())
    # Where managers or branches were drawn, customers are not independent of each other.
    of_customers = plan.unit == "customer"

    def read(cursor: duckdb.DuckDBPyConnection) -> Gathered:
        reading = Reading(cursor, question, plan)
        tables = reading.tables([Measure(each, each.window_days) for each in metrics])
        eaten = reading.tables([Measure(known[key], primary.window_days) for key in primary.cannibalises])
        return Gathered(
            question.until,
            exposures(cursor, question, primary.window_days),
            around(cursor, question, primary, plan.unit, last.data_until if last else None, terms.spared),
            last,
            {metric.key: reading.cells(tables.get(metric.key)) for metric in metrics},
            efforts(cursor, "*", question.until).get(question.campaign_id, Effort()),
            _policies(cursor, question, plan, primary) if of_customers else [],
            tables.get(primary.key),
            {each.key: reading.sample(each) for each in metrics if each.kind is MetricKind.QUANTILE},
            reading.windows(primary),
            {key: reading.cells(table) for key, table in eaten.items()},
            terms.limits,
        )

    return await store.read(read)


async def keep(
    session: AsyncSession, result_id: UUID, campaign_id: UUID, seen: Gathered, late_data: timedelta
) -> CampaignResult:
    """Assess and store, with the events that tell of it, in one transaction.

    A second run of the same job (`result_id`) finds the result and changes nothing. Of two evaluations at
    once, one that read less gives way to a result that rests on more.
    """
    kept = await results.find(session, result_id)
    if kept is not None:
        return kept
    course = await session.get(Course, campaign_id, with_for_update=True)
    registration = await session.get(Registration, campaign_id)
    if course is None or registration is None:
        raise NotFound(f"campaign {campaign_id} is not registered")
    newest = await queries.newest(session, campaign_id)
    if newest is not None and newest.data_until > seen.data_until:
        return newest
    known = frozen(registration)
    metric = _primary_of(registration, known)
    over = course.state == "completed" or registration.ends_on < clock.today()
    closed = over and seen.exposed.matured == seen.exposed.total
    earlier = await stopping.looks(session, campaign_id)
    stands = stopping.moment(plan_of(registration), seen.exposed, earlier, over=over, closed=closed)
    assessment = _assess(registration, metric, known, seen, stands)
    result = _document(result_id, registration, metric, known, seen, assessment)
    await results.save(session, registration, metric, result, assessment, seen.exposed.by_arm, seen.finest)
    closes = seen.exposed.window_closes
    course.due_at = closes + late_data if over and not closed and closes else None
    await session.flush()
    return result


def _primary_of(registration: Registration, known: Mapping[str, MetricCreate]) -> MetricCreate:
    key = plan_of(registration).primary_metric
    if key not in known:
        raise Conflict(
            f"The primary metric {key!r} had no definition when the campaign was launched: "
            "nothing was registered that could be evaluated."
        )
    return known[key]


def _assess(
    registration: Registration,
    metric: MetricCreate,
    known: Mapping[str, MetricCreate],
    seen: Gathered,
    stands: Moment,
) -> Assessment:
    guardrails = [
        known[key] for key in plan_of(registration).guardrails if key in known and key != metric.key
    ]
    design: Design = design_of(registration)
    return assess(
        design,
        _measured(metric, seen),
        [_measured(guardrail, seen) for guardrail in guardrails],
        seen.exposed.by_arm,
        matured=seen.exposed.matured,
        closed=stands.final,
        cost=seen.effort.cost,
        policies=seen.policies,
        observed=observed(seen.exposed, seen.around, seen.last),
        moment=stands,
        eaten=[_eaten(known[key], cells) for key, cells in seen.eaten.items()],
        limits=seen.limits,
    )


def _policies(
    cursor: duckdb.DuckDBPyConnection, question: Question, plan: Plan, metric: MetricCreate
) -> list[Candidate]:
    judged_by = policy_statistics(cursor, question, metric)
    shares = {arm.key: arm.share for arm in plan.arms} | {HOLD_OUT: plan.hold_out}
    scheme = tier_scheme(cursor)
    return candidates(Trial(judged_by, arms_of(plan), shares, _better(metric), plan.alpha, scheme))


def _measured(metric: MetricCreate, seen: Gathered) -> Measured:
    return Measured(
        metric.key,
        kind_of_cells(metric) or "quantile",
        _better(metric),
        seen.cells[metric.key],
        worth(metric),
        seen.samples.get(metric.key),
    )


def _eaten(metric: MetricCreate, cells: Sequence[Cell]) -> Measured:
    return Measured(metric.key, kind_of_cells(metric) or "quantile", _better(metric), cells, worth(metric))


def _better(metric: MetricCreate) -> int:
    return 1 if metric.better is Better.HIGHER else -1


def _document(
    result_id: UUID,
    registration: Registration,
    metric: MetricCreate,
    known: Mapping[str, MetricCreate],
    seen: Gathered,
    assessment: Assessment,
) -> CampaignResult:
    exposed, plan = seen.exposed, plan_of(registration)
    tuned = stopping.tuned_for(plan, exposed.total)
    always = documents.AlwaysValid(plan.alpha, tuned) if tuned else None
    return CampaignResult(
        id=result_id,
        campaign_id=registration.campaign_id,
        registered_at=registration.registered_at,
        evaluated_at=clock.now(),
        data_until=seen.data_until,
        matured=exposed.matured / exposed.total if exposed.total else 0.0,
        exposures=exposed.total,
        health=documents.health(assessment.checks),
        primary=documents.primary(assessment, metric, always),
        guardrails=[
            documents.guardrail(found, known[found.metric], always) for found in assessment.guardrails
        ],
        money=documents.money(assessment.money, metric, seen.effort) if assessment.money else None,
        stopping=stopping.as_contract(assessment.ruling, metric) if assessment.ruling else None,
        breakdown=[documents.breakdown_row(cell, metric) for cell in assessment.cells],
        scripts=_scripts(registration, metric, seen, assessment),
        windows=_windows(registration, metric, seen, assessment),
        errors=[*documents.errors(assessment), *results.undefined(plan, known)],
        method=Method(
            name="difference in means against the hold-out, by intention to treat",
            alpha=plan.alpha,
            population="customers assigned whose outcome window has passed",
            code_version=version("huanying"),
            input_hash=input_hash(registration, seen),
        ),
        recommendation_id=new_id(),
    )


def _scripts(
    registration: Registration, metric: MetricCreate, seen: Gathered, assessment: Assessment
) -> ScriptEffects | None:
    """Versions compare with each other also where nobody was held out, as long as the lot was drawn right."""
    if not assessment.comparable:
        return None
    return script_effects(plan_of(registration), metric, seen.cells[metric.key])


def _windows(
    registration: Registration, metric: MetricCreate, seen: Gathered, assessment: Assessment
) -> list[WindowEffect]:
    """The effect in each declared window; only the primary one is a test, the others show how it lasts."""
    alpha = plan_of(registration).alpha
    found = [
        (
            lived,
            against_hold_out(replace(_measured(metric, seen), cells=lived.cells, sample=lived.sample), alpha),
        )
        for lived in (seen.windows if assessment.sound else [])
    ]
    return [documents.window(lived.days, lived.matured, effect, metric) for lived, effect in found]


def input_hash(registration: Registration, seen: Gathered) -> str:
    """Changes when anything the result rests on does: registration, definitions, counts, moments."""
    content = {
        "registration": registration.content_hash,
        "assigned": seen.exposed.by_arm,
        "cost": str(seen.effort.cost),
        "cells": {key: [_cell(cell) for cell in cells] for key, cells in seen.cells.items()},
        "finest": seen.finest.digest() if seen.finest else None,
        "samples": {key: sample.digest() for key, sample in seen.samples.items()},
        "windows": [[lived.days, lived.matured, *map(_cell, lived.cells)] for lived in seen.windows],
        "eaten": {key: [_cell(cell) for cell in cells] for key, cells in seen.eaten.items()},
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _cell(cell: Cell) -> list[object]:
    return [cell.arm, cell.segment, cell.branch, cell.tier, cell.manager, asdict(cell.moments)]
