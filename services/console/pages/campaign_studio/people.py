"""Third fix: who owns it, who makes the contacts, in which organisations."""

from typing import Any

from nicegui import ui

from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.step import kept, many, person
from services.console.view import View
from services.console.widgets.fields import Place
from shared.contracts.campaign import CampaignContent


class PeopleStep:
    name = "people"
    parts = ("people",)

    def __init__(self, view: View, known: Choices) -> None:
        self._t, self._known = view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, people = self._t, content.people
        self._kept = kept(people)
        self._owner = person(t("fix.owner"), self._known.staff, people.owner if people else None)
        self._orgs = many(t("campaign_studio.orgs"), self._known.orgs, people.orgs if people else [])
        self._backup = ui.checkbox(
            t("campaign_studio.use_backup"), value=people.use_backup if people else True
        )

    def body(self) -> dict[str, Any]:
        if not (self._owner.value or self._orgs.value):
            return {"people": None}
        written = {
            "owner": self._owner.value or "",
            "orgs": list(self._orgs.value),
            "use_backup": bool(self._backup.value),
        }
        return {"people": {**self._kept, **written}}

    def places(self) -> dict[str, Place]:
        return {"/people": self._owner, "/people/owner": self._owner, "/people/orgs": self._orgs}
