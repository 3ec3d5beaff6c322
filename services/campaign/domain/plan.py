"""A complete campaign, ready to be simulated, submitted or launched."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from services.campaign.domain.fixes import TASK_CHANNEL, missing
from services.campaign.domain.journeys import contacts_of
from services.campaign.domain.split import GLOBAL_SALT, Slot, salt_of, slots
from shared.contracts.campaign import (
    Audience,
    CampaignContent,
    Objective,
    People,
    Responsibility,
    Schedule,
    Scheme,
)
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import GlobalHoldOut, RegisteredArm, Registration
from shared.errors import Unprocessable


@dataclass(frozen=True)
class Plan:
    """The content with every fix present."""

    objective: Objective
    scheme: Scheme
    people: People
    schedule: Schedule
    responsibility: Responsibility
    audience: Audience
    optimisation: UUID | None
    follows: UUID | None = None
    """The recommendation."""

    @cached_property
    def cut(self) -> list[Slot]:
        return slots(self.scheme.hold_out, self.scheme.arms)

    @cached_property
    def task_arms(self) -> list[str]:
        """Keys of the arms that managers carry out; the others' channels do."""
        return [arm.key for arm in self.scheme.arms if arm.channel == TASK_CHANNEL]

    def at_step(self, arm: str, step: str) -> "Plan":
        """The plan of a journey's further contact: its arm alone, as the step has it. The first contact is
        the plan itself, with all arms: what one of them needs, customers of every arm need.
        """
        if step == FIRST_STEP:
            return self
        treated = next(each for _, key, each in contacts_of(self.scheme) if (each.key, key) == (arm, step))
        return replace(self, scheme=self.scheme.model_copy(update={"arms": [treated]}), optimisation=None)

    def wave_due(self, wave: int, launched_at: datetime) -> datetime:
        return launched_at + timedelta(minutes=self.schedule.wave_gap_minutes * (wave - 1))

    def registration(self, campaign_id: UUID, held_out_globally: float | None = None) -> Registration:
        """What evaluation will measure; frozen before the first contact."""
        held = None if held_out_globally is None else GlobalHoldOut(share=held_out_globally, salt=GLOBAL_SALT)
        return Registration(
            primary_metric=self.objective.primary_metric,
            guardrails=self.objective.guardrails,
            target=self.objective.target,
            arms=[
                RegisteredArm(
                    key=arm.key, share=arm.share, offer=arm.offer, channel=arm.channel, script=arm.script
                )
                for arm in self.scheme.arms
            ],
            hold_out=self.scheme.hold_out,
            unit=self.scheme.unit,
            salt=salt_of("arm", campaign_id),
            recommendation_id=self.follows,
            window_days=self.objective.window_days,
            stop=self.objective.stop,
            margins=self.objective.margins,
            global_hold_out=held,
        )


def plan_of(content: CampaignContent) -> Plan:
    """Unprocessable names every fix that is missing."""
    if (
        content.objective is None
        or content.scheme is None
        or content.people is None
        or content.schedule is None
        or content.responsibility is None
        or content.audience is None
    ):
        raise Unprocessable("fixes are missing", errors=missing(content), slug="fixes-missing")
    return Plan(
        objective=content.objective,
        scheme=content.scheme,
        people=content.people,
        schedule=content.schedule,
        responsibility=content.responsibility,
        audience=content.audience,
        optimisation=content.optimisation.optimisation_id if content.optimisation else None,
        follows=content.recommendation_id,
    )
