"""Whom it reaches: segments in and out with their counts of now, a limit, and what triggers it."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.formats import whole
from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.step import kept, many, one
from services.console.view import View, advice
from services.console.widgets.fields import Place, number_field, rounded
from services.console.widgets.html import html
from shared.contracts.campaign import CampaignContent
from shared.contracts.campaign.triggers import Trigger
from shared.contracts.segmentation import PreviewView

_LOOK_SECONDS = 0.5
Chosen = tuple[list[str], list[str]]


class AudienceStep:
    name = "audience"
    parts = ("audience",)

    def __init__(self, view: View, known: Choices) -> None:
        self._view, self._t, self._known = view, view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, audience = self._t, content.audience
        self._kept = kept(audience, without=("trigger",))
        self._counted: Chosen = ([], [])
        segments = self._known.segments
        self._include = many(t("fix.include"), segments, audience.include if audience else [])
        self._exclude = many(t("fix.exclude"), segments, audience.exclude if audience else [])
        self._count = html(Markup()).props('aria-live="polite" data-audience')
        self._limit = number_field(t("campaign_studio.limit"), audience.limit if audience else None)
        self._draw_trigger(audience.trigger if audience else None)
        ui.timer(_LOOK_SECONDS, self._look)

    def _draw_trigger(self, trigger: Trigger | None) -> None:
        t = self._t
        self._kept_trigger = kept(trigger)
        self._triggered = ui.checkbox(t("campaign_studio.trigger"), value=trigger is not None)
        with ui.element("div").classes("grid cols-3").style("gap: 10px") as box:
            self._segment = one(
                t("campaign_studio.trigger.segment"),
                self._known.triggers,
                trigger.segment if trigger else None,
            )
            ways = {way: t(f"campaign_studio.trigger.{way}") for way in ("enter", "exit")}
            self._on = ui.select(
                ways, label=t("campaign_studio.trigger.on"), value=trigger.on if trigger else "enter"
            )
            pauses = {pause: t(f"trigger.pause.{pause}") for pause in ("hold", "drop")}
            self._pause = ui.select(
                pauses,
                label=t("campaign_studio.trigger.pause"),
                value=trigger.on_pause if trigger else "hold",
            )
            for choice in (self._on, self._pause):
                choice.props("outlined dense options-dense")
        box.bind_visibility_from(self._triggered, "value")

    async def _look(self) -> None:
        """Count again once other segments are chosen."""
        chosen: Chosen = (list(self._include.value), list(self._exclude.value))
        if chosen == self._counted:
            return
        self._counted = chosen
        include, exclude = chosen
        if not include:
            self._count.set_content("")
            return
        rule: dict[str, Any] = {"all": [_any(include), *([{"not": _any(exclude)}] if exclude else [])]}
        body = {"definition": rule, "sample": 0}
        said = Markup()
        try:
            found = await self._view.api.post("segmentation", "/v1/segments:preview", PreviewView, body)
            said = self._words(found)
        except ApiProblem as problem:
            words = "; ".join(each.detail for each in problem.errors) or advice(self._t, problem)
            said = Markup('<p class="warn small">{}</p>').format(words)
        if chosen == self._counted:
            self._count.set_content(str(said))

    def _words(self, found: PreviewView) -> Markup:
        t, leaves = self._t, [leaf.passing for leaf in found.leaves]
        named = [self._known.segment_names.get(key, key) for keys in self._counted for key in keys]
        said = Markup('<p><b data-count="{}">{}</b> {}</p>').format(
            found.count, whole(found.count), t("campaign_studio.audience.of", all=whole(found.of))
        )
        if len(leaves) == len(named):  # a rule that was simplified counts other conditions
            said += Markup().join(
                Markup('<p class="muted small">{}&ensp;{}</p>').format(name, whole(count))
                for name, count in zip(named, leaves, strict=True)
            )
        return said

    def body(self) -> dict[str, Any]:
        include, exclude, limit = self._include.value, self._exclude.value, rounded(self._limit)
        if not (include or exclude or limit or self._triggered.value):
            return {"audience": None}
        written = {"include": list(include), "exclude": list(exclude), "limit": limit}
        return {"audience": {**self._kept, **written, **self._trigger()}}

    def _trigger(self) -> dict[str, Any]:
        if not self._triggered.value:
            return {}
        written = {
            "segment": self._segment.value or "",
            "on": self._on.value,
            "on_pause": self._pause.value,
        }
        return {"trigger": {**self._kept_trigger, **written}}

    def places(self) -> dict[str, Place]:
        return {
            "/audience": self._include,
            "/audience/include": self._include,
            "/audience/exclude": self._exclude,
            "/audience/limit": self._limit,
            "/audience/trigger": self._segment,
            "/audience/trigger/on": self._on,
            "/audience/trigger/on_pause": self._pause,
        }


def _any(keys: list[str]) -> dict[str, Any]:
    return {"any": [{"segment": key} for key in keys]}
