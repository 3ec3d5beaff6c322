"""Registered campaigns as the domain and the contracts want them."""

from typing import get_args
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.assess import Design
from services.evaluation.domain.breakdown import HOLD_OUT
from services.evaluation.domain.catalogue import CONVERSION
from services.evaluation.domain.exposure import retention_windows
from services.evaluation.models import Course, Registration
from services.evaluation.queries.metrics import frozen
from shared.contracts.base import LocalText
from shared.contracts.evaluation import CampaignRegistration, Dimension
from shared.contracts.events import Registration as Plan
from shared.errors import NotFound

_DIMENSIONS = get_args(Dimension)


async def registration(session: AsyncSession, campaign_id: UUID) -> Registration:
    """NotFound also when the campaign concerns other organisations only."""
    found = await session.get(Registration, campaign_id)
    if found is None:
        raise NotFound("No campaign with this id has been launched in your organisation.")
    return found


def plan_of(found: Registration) -> Plan:
    return Plan.model_validate(found.plan)


def design_of(found: Registration) -> Design:
    plan = plan_of(found)
    shares = {arm.key: arm.share for arm in plan.arms}
    return Design(
        shares={**shares, HOLD_OUT: plan.hold_out},
        dimensions=[name for name in plan.dimensions if name in _DIMENSIONS],
        alpha=plan.alpha,
        target=float(plan.target) if plan.target is not None else None,
        stop=plan.stop,
        margins={key: float(margin) for key, margin in plan.margins.items()},
    )


def as_contract(found: Registration) -> CampaignRegistration:
    plan = plan_of(found)
    return CampaignRegistration.model_validate(
        {
            "campaign_id": found.campaign_id,
            "key": found.key,
            "name": LocalText.model_validate(found.name),
            "registered_at": found.registered_at,
            "launched_at": found.launched_at,
            "starts_on": found.starts_on,
            "ends_on": found.ends_on,
            "orgs": found.orgs,
            "segments": found.segments,
            "primary_metric": plan.primary_metric,
            "guardrails": plan.guardrails,
            "target": plan.target,
            "arms": plan.arms,
            "hold_out": plan.hold_out,
            "dimensions": [name for name in plan.dimensions if name in _DIMENSIONS],
            "alpha": plan.alpha,
            "window_days": plan.window_days,
            "stop": plan.stop,
            "margins": plan.margins,
            "unit": plan.unit,
            "content_hash": found.content_hash,
        }
    )


def funnel_windows(found: Registration) -> list[int]:
    """Days after assignment at which the funnel may look who still holds what they opened."""
    return retention_windows(frozen(found).values(), plan_of(found).window_days, CONVERSION)


async def course(session: AsyncSession, campaign_id: UUID) -> Course:
    found = await session.get(Course, campaign_id)
    if found is None:
        raise NotFound("No campaign with this id has been launched in your organisation.")
    return found
