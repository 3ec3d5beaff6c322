"""Models of who responds to a campaign."""

from fastapi import Response

from services.evaluation.api.access import CampaignId, ReviewRead, ReviewWrite
from services.evaluation.queries import campaigns, response_models
from services.evaluation.usecases.response_models import request_fit
from shared.contracts.base import JobView
from shared.contracts.evaluation.uplift import ResponseModel
from shared.jobs import location_of
from shared.web import Router, Session, problem_responses

router = Router(tags=["campaigns"])


@router.post(
    "/campaigns/{campaign_id}:fit-response-model", status_code=202, responses=problem_responses(404, 409)
)
async def fit_response_model(
    session: Session, principal: ReviewWrite, campaign_id: CampaignId, response: Response
) -> JobView:
    """Learn from everybody whose outcome window has passed whom contacting changes, and judge what was
    learned on customers the model has not seen.
    """
    job = await request_fit(session, principal, campaign_id)
    response.headers["Location"] = location_of(job)
    return job


@router.get("/campaigns/{campaign_id}/response-model", responses=problem_responses(404))
async def get_response_model(
    session: Session, principal: ReviewRead, campaign_id: CampaignId
) -> ResponseModel:
    """The newest fit: Qini curve with its coefficient, tenths of customers, and what choosing by it adds."""
    await campaigns.registration(session, campaign_id)
    return await response_models.newest(session, campaign_id)
