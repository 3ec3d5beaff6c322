"""The five fixes: what is missing, and what cannot be carried out."""

import math
from collections.abc import Iterator
from datetime import date

from services.campaign.domain import journeys, triggers
from shared.contracts.base import OrgPath
from shared.contracts.campaign import CampaignContent
from shared.errors import FieldError

FIXES = ("objective", "scheme", "people", "schedule", "responsibility")
REQUIRED = (*FIXES, "audience")
TASK_CHANNEL = "manager_task"
"""Contacts by managers; every other channel of an arm is one that carries messages."""
TASK_CONSENT = "call"
_SHARE_TOLERANCE = 1e-9


def missing(content: CampaignContent) -> list[FieldError]:
    """One error for each fix that is not there yet."""
    return [
        FieldError(f"/{fix}", "is required before submission")
        for fix in REQUIRED
        if getattr(content, fix) is None
    ]


def contradictions(content: CampaignContent, today: date) -> list[FieldError]:
    """What would make a complete campaign fail or mean nothing."""
    return [
        *_in_objective(content),
        *_in_scheme(content),
        *_in_schedule(content, today),
        *_in_orgs(content),
        *_in_audience(content),
        *triggers.contradictions(content),
        *journeys.contradictions(content),
    ]


def _in_objective(content: CampaignContent) -> Iterator[FieldError]:
    if content.objective is None:
        return
    for key in content.objective.margins:
        if key not in content.objective.guardrails:
            yield FieldError(f"/objective/margins/{key}", "is not among the guardrails")


def _in_scheme(content: CampaignContent) -> Iterator[FieldError]:
    if content.scheme is None:
        return
    arms = content.scheme.arms
    total = math.fsum([content.scheme.hold_out, *(arm.share for arm in arms)])
    if abs(total - 1) > _SHARE_TOLERANCE:
        yield FieldError("/scheme/arms", f"shares and hold-out add up to {total:.6g}, not 1")
    if len({arm.key for arm in arms}) < len(arms):
        yield FieldError("/scheme/arms", "arm keys must differ")


def _in_schedule(content: CampaignContent, today: date) -> Iterator[FieldError]:
    if content.schedule is None:
        return
    if content.schedule.end < content.schedule.start:
        yield FieldError("/schedule/end", "is before the start")
    elif content.schedule.end < today:
        yield FieldError("/schedule/end", "has passed")


def _in_orgs(content: CampaignContent) -> Iterator[FieldError]:
    if content.people is None or content.responsibility is None:
        return
    for index, measure in enumerate(content.responsibility.measures):
        if not any(within(measure.org, org) for org in content.people.orgs):
            yield FieldError(
                f"/responsibility/measures/{index}/org", "is not among the campaign's organisations"
            )


def _in_audience(content: CampaignContent) -> Iterator[FieldError]:
    if content.audience is None:
        return
    both = set(content.audience.include) & set(content.audience.exclude)
    for index, key in enumerate(content.audience.exclude):
        if key in both:
            yield FieldError(f"/audience/exclude/{index}", f"{key} is also included")


def within(path: OrgPath, scope: OrgPath) -> bool:
    """Whether `path` is `scope` or lies below it."""
    return path == scope or path.startswith(f"{scope}.")
