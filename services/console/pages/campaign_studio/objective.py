"""First fix: what shall change, by how much, without harming what, and when that may be said."""

from typing import Any

from nicegui import ui

from services.console.pages.campaign_studio.choices import Choices, kpis
from services.console.pages.campaign_studio.step import kept, many, one
from services.console.pages.campaign_studio.stopping import MarginFields, StopFields
from services.console.view import View
from services.console.widgets.fields import Place, number_field, rounded, text_field
from services.console.widgets.numbers import number
from shared.contracts.campaign import CampaignContent
from shared.contracts.stopping import FixedStop

_USUAL_DAYS = 30


class ObjectiveStep:
    name = "objective"
    parts = ("objective",)

    def __init__(self, view: View, known: Choices) -> None:
        self._t, self._known, self._kpis = view.t, known, kpis(view, known)

    def draw(self, content: CampaignContent) -> None:
        t, objective = self._t, content.objective
        self._kept = kept(objective, without=("stop", "margins"))
        target = objective.target if objective else None
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._metric = one(t("fix.metric"), self._kpis, objective.primary_metric if objective else None)
            self._target = text_field(t("fix.target"), "" if target is None else str(target))
            self._guards = many(t("fix.guardrails"), self._kpis, objective.guardrails if objective else [])
            self._tiers = many(
                t("campaign_studio.key_tiers"), self._known.tiers, objective.key_tiers if objective else []
            )
            days = objective.window_days if objective else _USUAL_DAYS
            self._window = number_field(t("campaign_studio.window"), days)
        margins = objective.margins if objective else {}
        self._margins = MarginFields(t, self._known.metrics, self._guards, margins)
        self._stop = StopFields(t, objective.stop if objective else FixedStop())

    def body(self) -> dict[str, Any]:
        target = number(self._target.value) or None
        if not (self._metric.value or target or self._guards.value or self._tiers.value):
            return {"objective": None}
        written = {
            "primary_metric": self._metric.value or "",
            "target": target,
            "guardrails": list(self._guards.value),
            "key_tiers": list(self._tiers.value),
            "window_days": rounded(self._window),
        }
        return {"objective": {**self._kept, **written, **self._stop.body(), **self._margins.body()}}

    def places(self) -> dict[str, Place]:
        return {
            "/objective": self._metric,
            "/objective/primary_metric": self._metric,
            "/objective/target": self._target,
            "/objective/guardrails": self._guards,
            "/objective/key_tiers": self._tiers,
            "/objective/window_days": self._window,
            **self._margins.places(),
            **self._stop.places(),
        }
