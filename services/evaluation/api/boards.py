"""One call per page of the console."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import duckdb
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.api.access import CampaignId, CurrentStore, ReviewRead
from services.evaluation.api.visible import visible_advice, visible_result
from services.evaluation.domain.catalogue import CONVERSION
from services.evaluation.domain.exposure import Effort, FunnelCounts
from services.evaluation.queries import campaigns, recommendations, results
from services.evaluation.queries.boards import board_campaign, campaign_funnel, strategy_board
from services.evaluation.store import Store
from services.evaluation.store.contacts import efforts, funnel
from services.evaluation.store.outcomes import Question
from shared import clock
from shared.auth import Principal
from shared.contracts.evaluation import CampaignBoard, FeedReport, FeedStatus, StrategyBoard
from shared.web import CurrentRuntime, Router, Session, problem_responses

router = Router(tags=["boards"])


@router.get("/boards/strategy")
async def get_strategy_board(session: Session, principal: ReviewRead, store: CurrentStore) -> StrategyBoard:
    """Running and completed campaigns: objective, target, progress, effect, recommendation."""
    at = clock.now()
    effort = await store.read(lambda cursor: efforts(cursor, principal.scope, at))
    return await strategy_board(session, effort, at)


@router.get("/boards/campaigns/{campaign_id}", responses=problem_responses(404))
async def get_campaign_board(
    session: Session, principal: ReviewRead, store: CurrentStore, campaign_id: CampaignId
) -> CampaignBoard:
    """Everything the page of one campaign draws: funnel, effects, breakdown, advice. Its days are at
    `/campaigns/{id}/series`.
    """
    return await campaign_board(session, principal, store, campaign_id, clock.now())


async def campaign_board(
    session: AsyncSession, principal: Principal, store: Store, campaign_id: UUID, until: datetime
) -> CampaignBoard:
    """Of the reader's branches, with what was known until then."""
    registration = await campaigns.registration(session, campaign_id)
    course = await campaigns.course(session, campaign_id)
    result = await results.newest(session, campaign_id)
    advice = await recommendations.newest(session, campaign_id)
    question = Question(campaign_id, until, principal.scope)
    windows = campaigns.funnel_windows(registration)
    seen = await store.read(lambda cursor: _see(cursor, question, windows))
    effort = seen.effort.get(campaign_id, Effort())
    return CampaignBoard(
        campaign=board_campaign(registration, course, result, advice, effort),
        registration=campaigns.as_contract(registration),
        funnel=campaign_funnel(course, seen.stages, question.until, whole=principal.scope == "*"),
        result=visible_result(principal, result) if result else None,
        recommendation=visible_advice(principal, advice) if advice else None,
    )


@dataclass(frozen=True)
class _Seen:
    """One consistent reading of the store."""

    effort: dict[UUID, Effort]
    stages: FunnelCounts


def _see(cursor: duckdb.DuckDBPyConnection, question: Question, windows: Sequence[int]) -> _Seen:
    return _Seen(
        effort=efforts(cursor, question.scope, question.until),
        stages=funnel(cursor, question, CONVERSION, windows),
    )


@router.get("/feed")
async def get_feed(runtime: CurrentRuntime, principal: ReviewRead) -> FeedReport:
    """How far this process's store has followed the streams."""
    streams = []
    for feed in runtime.service.feeds:
        last = await runtime.bus.last_sequence(feed.stream)
        position = feed.target(runtime).watermark(feed.stream)
        lag = max(last - position, 0)
        streams.append(
            FeedStatus(feed=feed.name, stream=feed.stream, watermark=position, last_sequence=last, lag=lag)
        )
    return FeedReport(streams=streams)
