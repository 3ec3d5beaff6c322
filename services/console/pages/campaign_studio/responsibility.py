"""Fifth fix: who answers for the result, each branch's share of it, and when to escalate."""

from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.pages.campaign_studio.choices import Choices, Options
from services.console.pages.campaign_studio.step import kept, one, person
from services.console.view import View
from services.console.widgets.fields import Parts, Place, number_field, rounded, text_field
from services.console.widgets.html import html
from services.console.widgets.numbers import number
from shared.contracts.campaign import CampaignContent
from shared.contracts.campaign.fixes import Measure


class ResponsibilityStep:
    name = "responsibility"
    parts = ("responsibility",)

    def __init__(self, view: View, known: Choices) -> None:
        self._t, self._known = view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, duty, orgs = self._t, content.responsibility, self._known.orgs
        # Left out when there is none, as the API leaves it out.
        self._kept = kept(duty, without=("escalate_after_days",))
        self._accountable = person(
            t("fix.accountable"), self._known.staff, duty.accountable if duty else None
        )
        self._escalate = number_field(
            t("campaign_studio.escalate"), duty.escalate_after_days if duty else None
        )
        html(Markup("<h3>{}</h3>").format(t("campaign_studio.measures")))
        with ui.element("div"):
            self._measures = Parts(t, t("campaign_studio.measure.add"), lambda: _MeasureFields(t, orgs))
        for measure in duty.measures if duty else []:
            self._measures.put(partial(_MeasureFields, t, orgs, measure))

    def body(self) -> dict[str, Any]:
        measures, days = self._measures.body(), rounded(self._escalate)
        if not (self._accountable.value or measures or days is not None):
            return {"responsibility": None}
        written = {"accountable": self._accountable.value or "", "measures": measures}
        escalated = {} if days is None else {"escalate_after_days": days}
        return {"responsibility": {**self._kept, **written, **escalated}}

    def places(self) -> dict[str, Place]:
        return {
            "/responsibility": self._accountable,
            "/responsibility/accountable": self._accountable,
            "/responsibility/escalate_after_days": self._escalate,
            **self._measures.places("/responsibility/measures"),
        }


class _MeasureFields:
    """One branch's share of the target."""

    def __init__(self, t: Texts, orgs: Options, measure: Measure | None = None) -> None:
        with ui.element("div").classes("actions"):
            self._org = one(t("fix.orgs"), orgs, measure.org if measure else None)
            self._org.style("min-width: 260px")
            self._target = text_field(t("fix.target"), str(measure.target) if measure else "")

    def body(self) -> dict[str, Any]:
        return {"org": self._org.value or "", "target": number(self._target.value)}

    def places(self, at: str) -> dict[str, Place]:
        return {f"{at}/org": self._org, f"{at}/target": self._target, at: self._org}
