"""Writing a draft: what can be kept is kept, whatever is wrong with the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.console.api import Api, ApiProblem, segment
from services.console.pages.campaign_studio.bodies import Body, part_of
from shared.contracts.base import ProblemItem
from shared.contracts.campaign import CampaignView

_PATH = "/v1/campaigns"


@dataclass(frozen=True)
class Written:
    campaign: CampaignView
    saved: Body
    """The parts that were written."""
    refused: list[ProblemItem]
    """What is wrong with the parts that were left out."""


async def write(api: Api, stored: CampaignView | None, key: str, parts: Mapping[str, Any]) -> Written:
    """Parts that the service refuses are left out, and the others written. ApiProblem, with all that is
    wrong, when then nothing is left to write.
    """
    left, refused = dict(parts), list[ProblemItem]()
    while True:
        try:
            campaign = await _send(api, stored, key, left)
        except ApiProblem as problem:
            wrong = {part_of(error.pointer) for error in problem.errors}
            told = [*refused, *problem.errors]
            needed = {"name"} if stored is None else set[str]()
            rest = left.keys() - wrong
            if not wrong or not wrong <= left.keys() - needed or not rest:
                raise ApiProblem(problem.service, problem.status, problem.detail, told) from problem
            refused, left = told, {part: value for part, value in left.items() if part in rest}
        else:
            return Written(campaign, left, refused)


async def take_back(api: Api, campaign: CampaignView) -> CampaignView:
    """A draft again: review and approval are void. An edit that changes nothing is enough."""
    return await api.patch("campaign", _of(campaign), CampaignView, {}, if_match=campaign.version)


async def newest(api: Api, campaign: CampaignView) -> CampaignView:
    return await api.get("campaign", _of(campaign), CampaignView)


async def submit(api: Api, campaign: CampaignView) -> CampaignView:
    return await api.post("campaign", f"{_of(campaign)}:submit", CampaignView)


async def _send(api: Api, stored: CampaignView | None, key: str, parts: Mapping[str, Any]) -> CampaignView:
    if stored is None:
        return await api.post("campaign", _PATH, CampaignView, {"key": key, **parts})
    return await api.patch("campaign", _of(stored), CampaignView, parts, if_match=stored.version)


def _of(campaign: CampaignView) -> str:
    return f"{_PATH}/{segment(campaign.id)}"
