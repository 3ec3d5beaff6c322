"""Fitting a model of who responds to a campaign."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.definitions import ADDS_UP
from services.evaluation.domain.effect import NoEffect
from services.evaluation.domain.uplift import Trial, Uplift, model
from services.evaluation.models import Registration, ResponseModelRow
from services.evaluation.queries import response_models, results
from services.evaluation.queries.campaigns import plan_of
from services.evaluation.queries.metrics import frozen
from services.evaluation.store import Store
from services.evaluation.store.outcomes import Question
from services.evaluation.store.uplift import trial
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.evaluation.uplift import ResponseModel
from shared.contracts.metrics import Better, MetricCreate
from shared.errors import Conflict, NotFound
from shared.jobs import defer

TASK = "fit_response_model"
SLUG = "no-response-model"


async def request_fit(session: AsyncSession, principal: Principal, campaign_id: UUID) -> JobView:
    """Queue a fit. Conflict where an effect on one customer cannot be told from this campaign."""
    registration = await session.get(Registration, campaign_id)
    if registration is None:
        raise NotFound("No campaign with this id has been launched in your organisation.")
    primary_of(registration)
    result = await results.newest(session, campaign_id)
    if result is None:
        raise Conflict(
            "Evaluate the campaign first: whether groups may be compared is told there.", slug=SLUG
        )
    if result.health.verdict != "ok":
        raise Conflict("The verdict is withheld: nothing may be learned from this comparison.", slug=SLUG)
    job = await defer(session, principal, TASK, {"campaign_id": str(campaign_id)})
    audit(session, principal, "response_model.fit", str(campaign_id))
    return job


def primary_of(registration: Registration) -> MetricCreate:
    """The primary metric, where customers were drawn one by one and its effects add up."""
    plan = plan_of(registration)
    metric = frozen(registration).get(plan.primary_metric)
    if metric is None or metric.kind not in ADDS_UP:
        raise Conflict("The primary metric has no effect on one customer that adds up.", slug=SLUG)
    if not plan.hold_out:
        raise Conflict("Nobody was held out: who would have come anyway cannot be told.", slug=SLUG)
    if plan.unit != "customer":
        raise Conflict(f"Drawn by lot were {plan.unit}s: customers of one share their lot.", slug=SLUG)
    return metric


@dataclass(frozen=True)
class Learning:
    """What a fit learns from, read at `data_until`."""

    campaign_id: UUID
    metric: MetricCreate
    alpha: float
    data_until: datetime
    trial: Trial
    seed: int

    def fit(self) -> Uplift | NoEffect:
        """For a thread of its own: minutes with a million customers."""
        better = 1 if self.metric.better is Better.HIGHER else -1
        return model(self.trial, better, self.alpha, self.seed)


async def gather(store: Store, registration: Registration) -> Learning:
    metric, plan = primary_of(registration), plan_of(registration)
    question = Question(registration.campaign_id, clock.now())
    seen = await store.read(lambda cursor: trial(cursor, question, metric, 1 - plan.hold_out))
    seed = registration.campaign_id.int % 2**32
    return Learning(registration.campaign_id, metric, plan.alpha, question.until, seen, seed)


async def keep(
    session: AsyncSession, job_id: UUID, learning: Learning, found: Uplift | NoEffect
) -> ResponseModel:
    """A second run of the same job finds the model and changes nothing."""
    if isinstance(found, NoEffect):
        raise Conflict(f"No model can be learned from this campaign: {found.detail}.", slug=SLUG)
    kept = await session.get(ResponseModelRow, job_id)
    if kept is not None:
        return ResponseModel.model_validate(kept.document)
    made = response_models.document(
        job_id, learning.campaign_id, learning.metric, found, learning.data_until, learning.seed
    )
    session.add(
        ResponseModelRow(
            id=made.id,
            campaign_id=made.campaign_id,
            fitted_at=made.fitted_at,
            document=made.model_dump(mode="json"),
        )
    )
    await session.flush()
    return made
