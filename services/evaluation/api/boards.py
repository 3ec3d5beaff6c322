"""One call per page of the console."""

from services.evaluation.api.access import CampaignId, CurrentStore, ReviewRead
from services.evaluation.api.campaigns import visible
from services.evaluation.queries import campaigns, recommendations, results
from services.evaluation.queries.boards import board_campaign, campaign_funnel, daily_series, strategy_board
from services.evaluation.queries.metrics import frozen
from services.evaluation.store.contacts import Effort, efforts
from services.evaluation.store.outcomes import Question
from shared import clock
from shared.contracts.evaluation import CampaignBoard, FeedReport, FeedStatus, StrategyBoard
from shared.web import CurrentRuntime, Router, Session, problem_responses

router = Router(tags=["boards"])


@router.get("/boards/strategy")
async def get_strategy_board(session: Session, principal: ReviewRead, store: CurrentStore) -> StrategyBoard:
    """Running and completed campaigns: objective, target, progress, effect, recommendation."""
    return await strategy_board(session, store, principal.scope, clock.now())


@router.get("/boards/campaigns/{campaign_id}", responses=problem_responses(404))
async def get_campaign_board(
    session: Session, principal: ReviewRead, store: CurrentStore, campaign_id: CampaignId
) -> CampaignBoard:
    """Everything the page of one campaign draws: funnel, effects, daily series, breakdown, advice."""
    registration = await campaigns.registration(session, campaign_id)
    course = await campaigns.course(session, campaign_id)
    result = await results.newest(session, campaign_id)
    advice = await recommendations.newest(session, campaign_id)
    question = Question(campaign_id, clock.now(), principal.scope)
    effort = await store.read(lambda cursor: efforts(cursor, principal.scope, question.until))
    metric = frozen(registration).get(campaigns.plan_of(registration).primary_metric)
    return CampaignBoard(
        campaign=board_campaign(registration, course, result, advice, effort.get(campaign_id, Effort())),
        registration=campaigns.as_contract(registration),
        funnel=await campaign_funnel(store, course, question),
        series=await daily_series(store, question, metric) if metric else [],
        result=visible(principal, result) if result else None,
        recommendation=advice,
    )


@router.get("/feed")
async def get_feed(runtime: CurrentRuntime, principal: ReviewRead) -> FeedReport:
    """How far this process's store has followed the streams."""
    streams = []
    for feed in runtime.service.feeds:
        last = await runtime.bus.last_sequence(feed.stream)
        position = feed.target(runtime).watermark(feed.stream)
        lag = max(last - position, 0)
        streams.append(FeedStatus(stream=feed.stream, watermark=position, last_sequence=last, lag=lag))
    return FeedReport(streams=streams)
