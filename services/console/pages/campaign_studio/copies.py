"""What a new campaign begins with: nothing, or what another one says."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from services.console.session import User
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.campaign import CampaignContent, CampaignView
from shared.contracts.campaign.fixes import People, Responsibility, Schedule

_LONGEST_NAME = 180


def nothing() -> CampaignContent:
    return CampaignContent.model_construct(name=LocalText.model_construct(zh="", en=""))


def copy_of(campaign: CampaignView, user: User) -> CampaignContent:
    """The same once more, within the copier's organisations; a schedule that has begun is moved to today.
    Whom an optimisation chose, and the recommendation it follows, are of the original alone.
    """
    name = LocalText(
        zh=f"{campaign.name.zh[:_LONGEST_NAME]}（副本）", en=f"{campaign.name.en[:_LONGEST_NAME]} (copy)"
    )
    parts = {part: getattr(campaign, part) for part in CampaignContent.model_fields}
    return CampaignContent.model_construct(
        **{
            **parts,
            "name": name,
            "optimisation": None,
            "recommendation_id": None,
            "people": _people(campaign.people, user),
            "schedule": _schedule(campaign.schedule),
            "responsibility": _responsibility(campaign.responsibility, user),
        }
    )


def with_parts(content: CampaignContent, parts: Mapping[str, Any]) -> tuple[CampaignContent, set[str]]:
    """The content with other parts as somebody typed them, and the names of those that cannot be read."""
    typed, unread = dict[str, Any](), set[str]()
    stored = content.model_dump(mode="json", include=set(CampaignContent.model_fields))
    for part, value in parts.items():
        try:
            typed[part] = getattr(CampaignContent.model_validate({**stored, part: value}), part)
        except ValidationError:
            unread.add(part)
    return content.model_copy(update=typed), unread


def _people(people: People | None, user: User) -> People | None:
    if people is None:
        return None
    mine = [org for org in people.orgs if user.covers(org)]
    return people.model_copy(update={"orgs": mine or [user.org]})


def _schedule(schedule: Schedule | None) -> Schedule | None:
    if schedule is None or schedule.start >= clock.today():
        return schedule
    later: timedelta = clock.today() - schedule.start
    return schedule.model_copy(update={"start": schedule.start + later, "end": schedule.end + later})


def _responsibility(duty: Responsibility | None, user: User) -> Responsibility | None:
    if duty is None:
        return None
    return duty.model_copy(update={"measures": [each for each in duty.measures if user.covers(each.org)]})
