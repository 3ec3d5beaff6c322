"""Making the next step of a recommendation where it belongs: in the campaign service, by who accepts.

The caller's own credentials are passed on, so that the draft is his and what he may not do is refused.
"""

from collections.abc import Mapping
from http import HTTPMethod
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from services.evaluation.domain.next_round import next_round
from shared import clock
from shared.contracts.base import Page, Problem
from shared.contracts.campaign import CampaignSummary, CampaignView, CampaignWrite
from shared.contracts.evaluation import Recommendation
from shared.contracts.evaluation.recommendations import CreatedDraft
from shared.errors import (
    BadRequest,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    ProblemError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from shared.service import Runtime

Answer = TypeVar("Answer", bound=BaseModel)
Credentials = Mapping[str, str]
"""Headers by which the caller has proved who he is."""

_PATIENCE_SECONDS = 10.0
_REFUSALS: Mapping[int, type[ProblemError]] = {
    each.status: each
    for each in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, TooManyRequests)
}


async def draft(runtime: Runtime, credentials: Credentials, advice: Recommendation) -> CreatedDraft:
    """The draft campaign of `advice`; the one there is already, if an earlier attempt got so far.

    Unavailable while the campaign service does not answer; what it refuses is its own problem.
    """
    campaigns = _Campaigns(runtime.client("campaign"), credentials)
    made: CampaignSummary | CampaignView | None = await campaigns.following(advice.id)
    if made is None:
        original = await campaigns.read(advice.campaign_id)
        made = await campaigns.write(next_round(original, advice, clock.today()), advice.id)
    return CreatedDraft(campaign_id=made.id, campaign_key=made.key)


class _Campaigns:
    """What is asked of the campaign service in somebody's name."""

    def __init__(self, client: httpx.AsyncClient, credentials: Credentials) -> None:
        self._client = client
        self._credentials = credentials

    async def following(self, recommendation_id: UUID) -> CampaignSummary | None:
        path = f"/v1/campaigns?recommendation_id={recommendation_id}&limit=1"
        found = await self._ask(HTTPMethod.GET, path, Page[CampaignSummary])
        return next(iter(found.items), None)

    async def read(self, campaign_id: UUID) -> CampaignView:
        return await self._ask(HTTPMethod.GET, f"/v1/campaigns/{campaign_id}", CampaignView)

    async def write(self, campaign: CampaignWrite, recommendation_id: UUID) -> CampaignView:
        body = campaign.model_dump_json(exclude_none=True)
        key = f"recommendation-{recommendation_id}"
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return await self._ask(HTTPMethod.POST, "/v1/campaigns", CampaignView, body, headers)

    async def _ask(
        self,
        method: HTTPMethod,
        path: str,
        model: type[Answer],
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request = self._client.build_request(
            method, path, content=body, headers=headers, timeout=_PATIENCE_SECONDS
        )
        # The key of this service has no part in what a person asks for.
        request.headers.pop("X-API-Key", None)
        request.headers.update(self._credentials)
        try:
            answer = await self._client.send(request)
        except httpx.HTTPError as error:
            raise _away() from error
        if answer.is_error:
            raise _refusal(answer)
        return model.model_validate_json(answer.content)


def _away() -> Unavailable:
    return Unavailable("The campaign service does not answer: nothing was accepted. Try again later.")


def _refusal(answer: httpx.Response) -> ProblemError:
    """The campaign service's own problem, as this request's answer."""
    kind = _REFUSALS.get(answer.status_code)
    if kind is None:
        return _away()
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return kind(f"The campaign service refuses: {answer.reason_phrase}")
    return kind(
        f"The campaign service refuses: {problem.detail or problem.title}",
        slug=problem.type.removeprefix("/problems/"),
        errors=[FieldError(item.pointer, item.detail) for item in problem.errors or []],
    )
