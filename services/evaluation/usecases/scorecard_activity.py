"""What branches and managers did beside their targets: counted by the campaign service, kept here."""

from collections.abc import Mapping, Sequence
from typing import get_args

import httpx

from services.evaluation.domain.indicators import months_of
from shared.contracts.campaign.activity_targets import Activity as Kind
from shared.contracts.campaign.activity_targets import ActivityAttainment, Attained
from shared.contracts.evaluation.scorecards import ScorecardWanted, SubjectActivity, SubjectCard
from shared.errors import Unavailable

Activity = Sequence[ActivityAttainment]
"""By month of the period."""
_KINDS: tuple[Kind, ...] = get_args(Kind)


async def activity_of(campaign: httpx.AsyncClient, wanted: ScorecardWanted) -> Activity:
    """Of everybody who is compared; Unavailable when the campaign service does not say."""
    found = []
    for month in months_of(wanted.period):
        params: dict[str, str | int] = {
            "period": "month",
            "on": month.isoformat(),
            "org": wanted.org,
            "depth": wanted.depth,
        }
        try:
            answer = await campaign.get(f"/v1/activity-attainment/{wanted.level}", params=params)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unavailable("The campaign service cannot say what branches and managers did.") from error
        found.append(ActivityAttainment.model_validate_json(answer.content))
    return found


def with_activity(cards: Sequence[SubjectCard], activity: Activity) -> list[SubjectCard]:
    """Each with its own. Who is not named did nothing and has no target, unless some were left off."""
    told = [(month, _by_subject(month)) for month in activity]
    return [
        card.model_copy(update={"activity": [each for month, by in told for each in _of(card, month, by)]})
        for card in cards
    ]


def _by_subject(month: ActivityAttainment) -> Mapping[str, list[SubjectActivity]]:
    found: dict[str, list[SubjectActivity]] = {}
    for item in month.items:
        found.setdefault(item.manager or item.org, []).append(_told(month, item.org, item.activities))
    return found


def _of(
    card: SubjectCard, month: ActivityAttainment, by: Mapping[str, list[SubjectActivity]]
) -> list[SubjectActivity]:
    if card.subject in by or month.left_off:
        return by.get(card.subject, [])
    nothing = [Attained(activity=kind, done=0, target=None, attainment=None) for kind in _KINDS]
    return [_told(month, card.org, nothing)]


def _told(month: ActivityAttainment, org: str, activities: list[Attained]) -> SubjectActivity:
    return SubjectActivity(month=f"{month.first_day:%Y-%m}", org=org, activities=activities)
