"""Registration, health, result and funnel of launched campaigns; asking for an evaluation."""

from typing import Annotated

from fastapi import Body, Response

from services.evaluation.api.access import CampaignId, CurrentLimits, CurrentStore, ReviewRead, ReviewWrite
from services.evaluation.api.visible import visible_health, visible_result
from services.evaluation.domain.catalogue import CONVERSION
from services.evaluation.domain.health import store_lag
from services.evaluation.queries import campaigns, documents, results
from services.evaluation.queries.boards import campaign_funnel
from services.evaluation.queries.health import checks, terms_of
from services.evaluation.queries.metrics import frozen
from services.evaluation.store.contacts import exposures, funnel
from services.evaluation.store.health import around
from services.evaluation.store.outcomes import Question
from services.evaluation.usecases.evaluations import request_evaluation
from shared import clock
from shared.contracts.base import JobView
from shared.contracts.evaluation import (
    CampaignRegistration,
    CampaignResult,
    EvaluateRequest,
    Funnel,
    Health,
)
from shared.contracts.evaluation.results import MoneyResult
from shared.errors import NotFound
from shared.jobs import location_of
from shared.web import CurrentRuntime, Router, Session, problem_responses

router = Router(tags=["campaigns"])


@router.get("/campaigns/{campaign_id}/registration", responses=problem_responses(404))
async def get_registration(
    session: Session, principal: ReviewRead, campaign_id: CampaignId
) -> CampaignRegistration:
    """What was fixed at launch: primary metric, arms, shares, hold-out, dimensions, α."""
    return campaigns.as_contract(await campaigns.registration(session, campaign_id))


@router.get("/campaigns/{campaign_id}/health", responses=problem_responses(404))
async def get_campaign_health(
    session: Session,
    runtime: CurrentRuntime,
    principal: ReviewRead,
    store: CurrentStore,
    limits: CurrentLimits,
    campaign_id: CampaignId,
) -> Health:
    """Whether the comparison may be read at all, as of now; also before any evaluation."""
    registration = await campaigns.registration(session, campaign_id)
    plan, last = campaigns.plan_of(registration), await results.newest(session, campaign_id)
    metric = frozen(registration).get(plan.primary_metric)
    window = metric.window_days if metric else plan.window_days
    question = Question(campaign_id, clock.now())
    read_until, terms = last.data_until if last else None, await terms_of(session, registration, limits)
    exposed, seen = await store.read(
        lambda cursor: (
            exposures(cursor, question, window),
            around(cursor, question, metric, plan.unit, read_until, terms.spared),
        )
    )
    lag = [
        await runtime.bus.last_sequence(feed.stream) - feed.target(runtime).watermark(feed.stream)
        for feed in runtime.service.feeds
    ]
    found = documents.health([*checks(plan, exposed, seen, last, limits), store_lag(max(0, *lag))])
    return visible_health(principal, found)


@router.post("/campaigns/{campaign_id}:evaluate", status_code=202, responses=problem_responses(404, 409))
async def evaluate_campaign(
    session: Session,
    principal: ReviewWrite,
    campaign_id: CampaignId,
    response: Response,
    body: Annotated[EvaluateRequest | None, Body()] = None,
) -> JobView:
    """Evaluate as registered, on everything published up to now. The job's result links to the result."""
    asked = body.primary_metric if body else None
    job = await request_evaluation(session, principal, campaign_id, asked)
    response.headers["Location"] = location_of(job)
    return job


@router.get("/campaigns/{campaign_id}/result", responses=problem_responses(404))
async def get_result(session: Session, principal: ReviewRead, campaign_id: CampaignId) -> CampaignResult:
    """The newest result: health, effects against the hold-out, money, cells, and what could not be computed.

    Below head office the breakdown holds the reader's own branches; ask `/breakdown` for their segments.
    """
    await campaigns.registration(session, campaign_id)
    return visible_result(principal, await results.required(session, campaign_id))


@router.get("/campaigns/{campaign_id}/funnel", responses=problem_responses(404))
async def get_funnel(
    session: Session, principal: ReviewRead, store: CurrentStore, campaign_id: CampaignId
) -> Funnel:
    """Assigned, contacted, reached, responded, converted and, once a registered window has passed for all,
    retained: treated beside hold-out, in the reader's branches.
    """
    windows = campaigns.funnel_windows(await campaigns.registration(session, campaign_id))
    course = await campaigns.course(session, campaign_id)
    question = Question(campaign_id, clock.now(), principal.scope)
    counts = await store.read(lambda cursor: funnel(cursor, question, CONVERSION, windows))
    return campaign_funnel(course, counts, question.until, whole=principal.scope == "*")


@router.get("/campaigns/{campaign_id}/money", responses=problem_responses(404))
async def get_money(session: Session, principal: ReviewRead, campaign_id: CampaignId) -> MoneyResult:
    """What the campaign changed in total and what that is worth, as of the newest result."""
    await campaigns.registration(session, campaign_id)
    result = await results.required(session, campaign_id)
    if result.money is None:
        raise NotFound(
            "There is no total: the verdict is withheld, or the metric has none. `/result` says why.",
            slug="no-money",
        )
    return result.money
