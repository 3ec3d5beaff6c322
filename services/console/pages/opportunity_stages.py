"""The bank's stages of opportunities: the list that holds, and the form that writes the next one."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment
from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Parts, Place, text_field
from services.console.widgets.html import html
from services.console.widgets.numbers import hundredth, per_cent
from shared.contracts.campaign.opportunities import Stage, StageList


async def write_stages(view: View, again: Callable[[], Awaitable[None]]) -> None:
    """Begins with the list that holds now."""
    t = view.t
    stages = await view.attempt(view.api.get("campaign", "/v1/opportunity-stages/current", StageList))
    if stages is None:
        return
    asked = _Form(view, stages)
    title, note = t("opportunities.stages"), t("opportunities.stages.note")
    written = await form(t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)
    if written is not None:
        view.done(t("opportunities.stages.done", n=written.version))
        await again()


class _Form:
    def __init__(self, view: View, stages: StageList) -> None:
        self._view, self._before = view, stages

    def draw(self) -> None:
        t, before = self._view.t, self._before
        said = t("opportunities.stages.built_in")
        if before.version:
            said = t(
                "opportunities.stages.by",
                n=before.version,
                by=(before.created_by or "").removeprefix("user:"),
                time=moment(before.created_at),
            )
        html(Markup("<p class='muted small'>{}</p>").format(said))
        self._stages = Parts(t, t("opportunities.stages.add"), lambda: _StageFields(t), ordered=True)
        for stage in before.stages:
            self._stages.put(partial(_StageFields, t, stage))

    async def save(self) -> StageList | None:
        places: dict[str, Place] = self._stages.places("/stages")
        body = {"stages": self._stages.body()}
        sent = self._view.api.post("campaign", "/v1/opportunity-stages", StageList, body)
        return await self._view.attempt(sent, places)


class _StageFields:
    """The likelihood is typed as per cent."""

    def __init__(self, t: Texts, stage: Stage | None = None) -> None:
        with ui.element("div").classes("grid cols-4").style("gap: 10px; width: 100%"):
            self._key = text_field(t("opportunities.stages.key"), stage.key if stage else "")
            self._name = LocalField(t, t("field.name"), stage.name if stage else None)
            likely = per_cent(stage.probability) if stage else ""
            self._probability = text_field(t("opportunities.stages.probability"), likely)

    def body(self) -> dict[str, Any]:
        return {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "probability": hundredth(self._probability.value),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._key,
            f"{at}/key": self._key,
            **self._name.places(f"{at}/name"),
            f"{at}/probability": self._probability,
        }
