"""Strategies: written, activated, closed, and where they stand."""

from typing import Annotated

from fastapi import Query, Response

from services.campaign.api.access import Planner, Reader
from services.campaign.models import Strategy
from services.campaign.queries import strategies as queries
from services.campaign.queries.strategy_progress import strategy_campaigns, strategy_progress
from services.campaign.usecases import strategies as usecases
from shared.contracts.base import Key, Page
from shared.contracts.campaign import ReasonRequest
from shared.contracts.campaign.strategies import (
    StrategyCampaign,
    StrategyPatch,
    StrategyProgress,
    StrategyState,
    StrategySummary,
    StrategyVersionView,
    StrategyView,
    StrategyWrite,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["strategies"])


def _view(response: Response, strategy: Strategy) -> StrategyView:
    set_etag(response, strategy.revision)
    return queries.strategy_view(strategy)


@router.post("/strategies", status_code=201, summary="Draft a strategy", responses=problem_responses(409))
async def create_strategy(
    session: Session, principal: Planner, response: Response, body: StrategyWrite
) -> StrategyView:
    """A draft may lack parts; `missing` says which ones `:activate` will ask for."""
    strategy = await usecases.create_strategy(session, principal, body)
    response.headers["Location"] = f"/v1/strategies/{strategy.key}"
    return _view(response, strategy)


@router.get("/strategies", summary="List strategies", responses=problem_responses(400))
async def list_strategies(
    session: Session,
    principal: Reader,
    page: PageParams,
    state: Annotated[StrategyState | None, Query(description="Only strategies in this state")] = None,
) -> Page[StrategySummary]:
    """Newest first; those of your organisation, of those above it and of those below."""
    return await queries.list_strategies(session, principal, page, state)


@router.get("/strategies/{key}", summary="Read a strategy", responses=problem_responses(404))
async def get_strategy(session: Session, principal: Reader, response: Response, key: Key) -> StrategyView:
    """Its newest version, how complete it is, and the verbs open to it."""
    return _view(response, await queries.find_strategy(session, principal, key))


@router.patch("/strategies/{key}", summary="Edit a strategy", responses=problem_responses(404, 409, 412, 428))
async def edit_strategy(
    session: Session, principal: Planner, response: Response, key: Key, version: IfMatch, body: StrategyPatch
) -> StrategyView:
    """Replaces the parts that are named. Of an active strategy it makes the next version: campaigns keep the
    one they were submitted with, and those in review are submitted again.
    """
    return _view(response, await usecases.edit_strategy(session, principal, key, version, body))


@router.post("/strategies/{key}:activate", summary="Activate", responses=problem_responses(404, 409))
async def activate_strategy(
    session: Session, principal: Planner, response: Response, key: Key
) -> StrategyView:
    """From now on campaigns may carry it out. It contacts nobody: each of its campaigns still needs a second
    pair of eyes.
    """
    return _view(response, await usecases.activate_strategy(session, principal, key))


@router.post("/strategies/{key}:close", summary="Close", responses=problem_responses(404, 409))
async def close_strategy(
    session: Session, principal: Planner, response: Response, key: Key, body: ReasonRequest
) -> StrategyView:
    """For good, once none of its campaigns is under way."""
    return _view(response, await usecases.close_strategy(session, principal, key, body.reason))


@router.get(
    "/strategies/{key}/versions", summary="List a strategy's versions", responses=problem_responses(400, 404)
)
async def list_strategy_versions(
    session: Session, principal: Reader, page: PageParams, key: Key
) -> Page[StrategyVersionView]:
    """What it said and when, newest first; a draft has none yet."""
    strategy = await queries.find_strategy(session, principal, key)
    return await queries.list_versions(session, strategy.key, page)


@router.get(
    "/strategies/{key}/campaigns",
    summary="List a strategy's campaigns",
    responses=problem_responses(400, 404),
)
async def list_strategy_campaigns(
    session: Session, principal: Reader, page: PageParams, key: Key
) -> Page[StrategyCampaign]:
    """Newest first, each with its budget, what it has spent and its contacts in your organisation."""
    strategy = await queries.find_strategy(session, principal, key)
    return await strategy_campaigns(session, principal, strategy.key, page)


@router.get(
    "/strategies/{key}/progress", summary="Read where a strategy stands", responses=problem_responses(404)
)
async def get_strategy_progress(session: Session, principal: Reader, key: Key) -> StrategyProgress:
    """All of its campaigns together: money, contacts, outcome."""
    strategy = await queries.find_strategy(session, principal, key)
    return await strategy_progress(session, principal, strategy)
