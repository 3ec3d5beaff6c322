"""The steps of the studio, in their order."""

from collections.abc import Callable

from services.console.pages.campaign_studio.audience import AudienceStep
from services.console.pages.campaign_studio.basics import BasicsStep
from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.journeys import JourneysStep
from services.console.pages.campaign_studio.objective import ObjectiveStep
from services.console.pages.campaign_studio.people import PeopleStep
from services.console.pages.campaign_studio.responsibility import ResponsibilityStep
from services.console.pages.campaign_studio.schedule import ScheduleStep
from services.console.pages.campaign_studio.scheme import SchemeStep
from services.console.pages.campaign_studio.step import Step
from services.console.view import View

STEPS: tuple[Callable[[View, Choices], Step], ...] = (
    BasicsStep,
    ObjectiveStep,
    AudienceStep,
    SchemeStep,
    JourneysStep,
    PeopleStep,
    ScheduleStep,
    ResponsibilityStep,
)
REQUIRED = ("objective", "audience", "scheme", "people", "schedule", "responsibility")
"""Parts that a campaign has to have before it is submitted; a stored one says itself what it lacks."""
