"""What came of contacts at the desks: referrals, opportunities, feedback, and all of it for one campaign."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.api.access import CampaignId, CurrentStore, ReviewRead
from services.evaluation.queries import campaigns
from services.evaluation.queries.pace import campaign_pace
from services.evaluation.queries.review import (
    campaign_review,
    opportunity_history,
    read_review,
    referral_results,
)
from services.evaluation.queries.scripts import arms_of
from services.evaluation.store.desks import DeskQuestion, opportunities, referrals
from services.evaluation.store.outcomes import Question
from services.evaluation.store.pace import used
from shared import clock
from shared.contracts.base import Currency
from shared.contracts.evaluation.pace import Pace
from shared.contracts.evaluation.review import (
    CampaignReview,
    OpportunityBy,
    OpportunityHistory,
    ReferralResults,
)
from shared.errors import FieldError, Unprocessable
from shared.web import Router, Session, problem_responses

router = Router(tags=["review"])

OfCampaign = Annotated[UUID | None, Query(description="Only of contacts of this launched campaign")]
From = Annotated[date | None, Query(description="First day, where the bank is")]
Until = Annotated[date | None, Query(description="Last day, where the bank is")]
Limit = Annotated[int, Query(ge=1, le=500)]
InCurrency = Annotated[Currency, Query(description="One of its own: amounts are not converted")]


@router.get("/campaigns/{campaign_id}/review", responses=problem_responses(404, 422))
async def get_review(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    campaign_id: CampaignId,
    currency: InCurrency = "CNY",
) -> CampaignReview:
    """Beside the result, as of now and of the reader's branches: versions of scripts with their funnels and
    ratings, feedback, referrals made in the campaign's contacts, opportunities that came of them. Counts, not
    effects: only the result compares with the hold-out.
    """
    registration = await campaigns.registration(session, campaign_id)
    at = clock.now()
    question = Question(campaign_id, at, principal.scope)
    windows = campaigns.funnel_windows(registration)
    desk = DeskQuestion(principal.scope, campaign_id)
    seen = await store.read(lambda cursor: read_review(cursor, question, windows, desk, currency))
    arms = arms_of(campaigns.plan_of(registration))
    return campaign_review(campaign_id, arms, seen, desk, currency, at)


@router.get("/campaigns/{campaign_id}/pace", responses=problem_responses(404))
async def get_pace(
    session: Session, principal: ReviewRead, store: CurrentStore, campaign_id: CampaignId
) -> Pace:
    """Contacts, money and sales by day in the reader's branches, and what the last days took a day: what is
    left of a budget or a quota, the campaign service knows.
    """
    registration = await campaigns.registration(session, campaign_id)
    at = clock.now()
    question = Question(campaign_id, at, principal.scope)
    found = await store.read(lambda cursor: used(cursor, question))
    return campaign_pace(campaign_id, found, registration.starts_on, registration.ends_on, at)


@router.get("/referral-results", responses=problem_responses(404, 422))
async def get_referral_results(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    made_from: From = None,
    made_until: Until = None,
    campaign_id: OfCampaign = None,
    limit: Limit = 100,
) -> ReferralResults:
    """Referrals from or to the reader's branches by the day they were made: how they were answered, how soon,
    and what was won, credited by its shares; together and for each pair of branches.
    """
    await _require(session, campaign_id, made_from, made_until, "made_until")
    asked = DeskQuestion(principal.scope, campaign_id, made_from, made_until, limit)
    found = await store.read(lambda cursor: referrals(cursor, asked))
    return referral_results(found, asked, clock.now())


@router.get("/opportunity-history", responses=problem_responses(404, 422))
async def get_opportunity_history(
    session: Session,
    principal: ReviewRead,
    store: CurrentStore,
    by: Annotated[OpportunityBy, Query(description="One group, one an organisation, or one a month")] = "all",
    currency: InCurrency = "CNY",
    opened_from: From = None,
    opened_until: Until = None,
    campaign_id: OfCampaign = None,
    limit: Limit = 100,
) -> OpportunityHistory:
    """Opportunities of the reader's branches by the day they were opened: how many stood in each stage, how
    long, where they went and how many were won. What stands open now, the campaign service shows.
    """
    await _require(session, campaign_id, opened_from, opened_until, "opened_until")
    asked = DeskQuestion(principal.scope, campaign_id, opened_from, opened_until, limit)
    found = await store.read(lambda cursor: opportunities(cursor, asked, by, currency))
    return opportunity_history(found, asked, by, currency, clock.now())


async def _require(
    session: AsyncSession, campaign_id: UUID | None, since: date | None, until: date | None, name: str
) -> None:
    """A campaign the reader may see, and a period that does not end before it begins."""
    if campaign_id is not None:
        await campaigns.registration(session, campaign_id)
    if since is not None and until is not None and until < since:
        errors = [FieldError(f"/query/{name}", "is before the period begins")]
        raise Unprocessable("The period ends before it begins.", errors=errors)
