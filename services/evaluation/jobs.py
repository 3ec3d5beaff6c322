"""Work behind the requests: evaluations, and noticing when one is due."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import structlog

from services.evaluation.models import Registration
from services.evaluation.queries import results
from services.evaluation.queries.health import terms_of
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store import DeskFeed, Store, TierFeed
from services.evaluation.store.backfill import HOLDINGS
from services.evaluation.usecases import (
    erasures,
    evaluations,
    registrations,
    response_models,
    scorecard_activity,
    scorecard_publication,
    scorecards,
    service_quality,
)
from services.evaluation.usecases.backfill import fill_holdings
from services.evaluation.usecases.evaluations import SYSTEM, TASK
from services.evaluation.usecases.refill import Refill
from services.evaluation.usecases.service_quality_runs import run_service_quality
from shared import clock
from shared.auth import Principal
from shared.contracts.evaluation.scorecards import ScorecardWanted
from shared.errors import NotFound, Unavailable
from shared.jobs import JobRun, defer
from shared.service import Runtime, Task

logger = structlog.get_logger()

POSITIONS = {
    "CUSTOMER": "CUSTOMER",
    "CAMPAIGN": "CAMPAIGN",
    TierFeed.position("SEGMENTATION"): "SEGMENTATION",
}
"""Watermarks of the store that an evaluation waits for, and their streams."""
_DESKS = {DeskFeed.position("CAMPAIGN"): "CAMPAIGN"}
_LOOK_SECONDS = 0.2


async def evaluate(job: JobRun) -> dict[str, Any]:
    """Evaluate one campaign as of now, on everything published before the job began."""
    campaign_id = UUID(job.args["campaign_id"])
    store, settings = job.runtime.resource(Store), settings_of(job.runtime)
    async with job.runtime.db.transaction() as session:
        registration = await session.get(Registration, campaign_id)
        last = await results.newest(session, campaign_id)
        if registration is None:
            raise NotFound(f"campaign {campaign_id} is not registered")
        terms = await terms_of(session, registration, settings.limits)
    await _caught_up(
        job, store, settings.catch_up_seconds, balances=evaluations.looks_at_balances(registration)
    )
    await job.progress(0.5, "reducing outcomes")
    seen = await evaluations.gather(store, registration, last, terms)
    await job.progress(0.9, "assessing", {"exposures": seen.exposed.total})
    late_data = timedelta(hours=settings.late_data_hours)
    async with job.runtime.db.transaction() as session:
        result = await evaluations.keep(session, job.id, campaign_id, seen, late_data)
    return {
        "result": f"/v1/campaigns/{campaign_id}/result",
        "result_id": str(result.id),
        "verdict": result.health.verdict,
        "recommendation_id": str(result.recommendation_id),
    }


async def fit_response_model(job: JobRun) -> dict[str, Any]:
    """Learn from one campaign whom contacting changes."""
    campaign_id = UUID(job.args["campaign_id"])
    store, settings = job.runtime.resource(Store), settings_of(job.runtime)
    async with job.runtime.db.transaction() as session:
        registration = await session.get(Registration, campaign_id)
    if registration is None:
        raise NotFound(f"campaign {campaign_id} is not registered")
    await _caught_up(job, store, settings.catch_up_seconds)
    await job.progress(0.2, "reading customers")
    learning = await response_models.gather(store, registration)
    await job.progress(0.4, "learning", {"customers": len(learning.trial.outcome)})
    found = await asyncio.to_thread(learning.fit)
    async with job.runtime.db.transaction(actor=job.principal) as session:
        model = await response_models.keep(session, job.id, learning, found)
    return {"response_model": f"/v1/campaigns/{campaign_id}/response-model", "verdict": model.verdict}


async def draw_scorecard(job: JobRun) -> dict[str, Any]:
    """Compute a scorecard, or take the draft that is named, and publish it if asked to."""
    publish, principal = bool(job.args["publish"]), Principal(job.principal, frozenset(), job.args["org"])
    scorecard_id = UUID(job.args["scorecard_id"]) if "scorecard_id" in job.args else job.id
    if scorecard_id == job.id:
        wanted = ScorecardWanted.model_validate(job.args["wanted"])
        store, settings = job.runtime.resource(Store), settings_of(job.runtime)
        shares = await scorecards.branch_shares(job.runtime.client("customer"), wanted)
        done = await scorecard_activity.activity_of(job.runtime.client("campaign"), wanted)
        await _caught_up(job, store, settings.catch_up_seconds, POSITIONS | _DESKS)
        await job.progress(0.4, "reducing outcomes")
        until = clock.now()
        seen = await scorecards.gather(store, wanted, shares, until)
        await job.progress(0.6, "comparing", {"customers": seen.matured, "subjects": len(seen.customers)})
        head, cards = await asyncio.to_thread(scorecards.compute, job.id, wanted, seen, until)
        cards = scorecard_activity.with_activity(cards, done)
        async with job.runtime.db.transaction(actor=job.principal) as session:
            await scorecards.keep(session, principal, head, cards)
    if publish:
        await job.progress(0.9, "publishing")
        async with job.runtime.db.transaction(actor=job.principal) as session:
            former = UUID(job.args["supersedes"]) if "supersedes" in job.args else None
            await scorecard_publication.publish(
                session, principal, scorecard_id, former, job.args.get("reason")
            )
    return {"bulletin": f"/v1/ranking-bulletins/{scorecard_id}", "scorecard_id": str(scorecard_id)}


async def _caught_up(
    job: JobRun,
    store: Store,
    patience: float,
    positions: Mapping[str, str] = POSITIONS,
    *,
    balances: bool = False,
) -> None:
    """Wait until the store holds what the streams held when the job began; and, where balances are looked at,
    those of before it followed them.
    """
    ends = {stream: await job.runtime.bus.last_sequence(stream) for stream in set(positions.values())}
    goals = {position: ends[stream] for position, stream in positions.items()}
    if balances:
        goals[HOLDINGS] = 1
    deadline = time.monotonic() + patience
    while True:
        behind = {position: goal - store.watermark(position) for position, goal in goals.items()}
        behind = {position: lag for position, lag in behind.items() if lag > 0}
        if not behind:
            return
        if time.monotonic() > deadline:
            lags = ", ".join(f"{lag} messages behind {position}" for position, lag in behind.items())
            raise Unavailable(f"After {patience:g} s the store is still {lags}. Evaluate again later.")
        await job.progress(0.1, "waiting for the store", behind)
        await asyncio.sleep(_LOOK_SECONDS)


async def evaluate_when_due(runtime: Runtime) -> None:
    """Endless: evaluate completed campaigns once more when their last outcome window has closed."""
    settings = settings_of(runtime)
    while True:
        await defer_due(runtime)
        await asyncio.sleep(settings.due_every_seconds)


async def defer_due(runtime: Runtime) -> list[UUID]:
    """Queue what is due by business time. A job that fails is tried again an hour later."""
    now = clock.now()
    async with runtime.db.transaction() as session:
        campaigns = await registrations.due(session, now)
        for campaign_id in campaigns:
            await defer(session, SYSTEM, TASK, {"campaign_id": str(campaign_id)})
            await registrations.set_due(session, campaign_id, now + registrations.RETRY)
    return campaigns


async def confirm_erasures(runtime: Runtime) -> None:
    """Endless: carry out erasures in this process's store, and confirm them."""
    settings = settings_of(runtime)
    while True:
        await erasures.confirm_open(runtime)
        await asyncio.sleep(settings.confirm_every_seconds)


async def know_balances(runtime: Runtime) -> None:
    """Endless: have the balances from before the store followed them, as soon as their owner answers."""
    settings = settings_of(runtime)
    await runtime.resource(Refill).wait()
    while True:
        try:
            await fill_holdings(runtime.resource(Store), runtime.client("customer"), settings.data_dir)
        except httpx.HTTPError as error:
            logger.warning("holdings_not_filled", error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(settings.fill_every_seconds)


def settings_of(runtime: Runtime) -> EvaluationSettings:
    if not isinstance(runtime.settings, EvaluationSettings):
        raise TypeError(f"settings are {type(runtime.settings)}")
    return runtime.settings


TASKS: dict[str, Task] = {
    TASK: evaluate,
    scorecards.TASK: draw_scorecard,
    service_quality.RUN: run_service_quality,
    response_models.TASK: fit_response_model,
}
