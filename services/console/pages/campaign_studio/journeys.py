"""What follows the first contact: the journey of each arm, and the segments that end all of them."""

from functools import partial
from typing import Any

from markupsafe import Markup

from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.journey_steps import StepFields
from services.console.pages.campaign_studio.step import many
from services.console.view import View
from services.console.widgets.fields import Parts, Place
from services.console.widgets.html import html
from services.console.widgets.states import empty_state
from shared.contracts.campaign import CampaignContent


class JourneysStep:
    """Adds to the scheme's arms as they were saved last."""

    name = "journeys"
    parts = ("scheme",)

    def __init__(self, view: View, known: Choices) -> None:
        self._view, self._t, self._known = view, view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, scheme = self._t, content.scheme
        self._arms: dict[str, Parts[StepFields]] = {}
        self._exits = many(
            t("campaign_studio.journey.exits"), self._known.segments, scheme.exit_segments if scheme else []
        )
        if scheme is None:
            empty_state(t("campaign_studio.journey.empty"), t("campaign_studio.journey.empty.do"))
            return
        for arm in scheme.arms:
            html(Markup("<h3>{}</h3>").format(t("campaign_studio.journey.of", arm=arm.key)))
            steps = Parts(
                t,
                t("campaign_studio.journey.add"),
                partial(StepFields, self._view, self._known),
                ordered=True,
            )
            for step in arm.journey.steps if arm.journey else []:
                steps.put(partial(StepFields, self._view, self._known, step))
            self._arms[arm.key] = steps

    def body(self) -> dict[str, Any]:
        written = {key: steps.body() for key, steps in self._arms.items()}
        arms = [{"key": key, "journey": {"steps": steps}} for key, steps in written.items() if steps]
        exits = list(self._exits.value)
        if not self._arms:
            return {"scheme": None}
        # Left out when there are none, as the API leaves them out.
        return {"scheme": {**({"arms": arms} if arms else {}), **({"exit_segments": exits} if exits else {})}}

    def places(self) -> dict[str, Place]:
        places: dict[str, Place] = {"/scheme/exit_segments": self._exits}
        for number, steps in enumerate(self._arms.values()):
            at = f"/scheme/arms/{number}/journey"
            places |= steps.places(f"{at}/steps")
        return places
