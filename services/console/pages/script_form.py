"""Writing a script's next version: steps, answers, and beside them how it reads and what lists say."""

from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.pages.wording_form import LocalArea, WordingEditor
from services.console.pages.wording_marks import marks
from services.console.view import View
from services.console.widgets.fields import LocalField, Parts, Place, Remark, number_field, text_field
from services.console.widgets.html import html, tag
from shared.contracts.campaign import ScriptStep, ScriptView
from shared.contracts.campaign.scripts import ScriptAnswer, ScriptPreview

_DISPOSITIONS = ("interested", "accepted", "refused", "call_back", "no_answer", "do_not_contact", "complaint")


async def write_script(view: View, before: ScriptView | None) -> ScriptView | None:
    """The version that was written, or nothing when the user turned back. `before`: what it starts from."""
    return await _Editor(view, before).ask()


class _Answer:
    def __init__(self, view: View, answer: ScriptAnswer | None) -> None:
        t = view.t
        with ui.element("div").classes("grid cols-2").style("gap: 8px"):
            self._key = text_field(t("wording.answer.key"), answer.key if answer else "")
            leads = (answer.next or f"!{answer.end}") if answer else ""
            self._leads = ui.input(t("wording.answer.leads"), value=leads).props("outlined dense")
            self._leads.tooltip(t("wording.answer.leads.note", ends=", ".join(_DISPOSITIONS)))
            self._label = LocalField(t, t("wording.answer.label"), answer.label if answer else None)

    def body(self) -> dict[str, Any]:
        leads = str(self._leads.value or "").strip()
        target = {"end": leads[1:]} if leads.startswith("!") else {"next": leads or None}
        return {"key": str(self._key.value or ""), "label": self._label.body(), **target}

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._leads,
            f"{at}/key": self._key,
            f"{at}/next": self._leads,
            f"{at}/end": self._leads,
            **self._label.places(f"{at}/label"),
        }


class _Step:
    def __init__(self, view: View, step: ScriptStep | None) -> None:
        t = view.t
        with ui.element("div").classes("stack").style("width: 100%; gap: 8px"):
            self._key = text_field(t("wording.step.key"), step.key if step else "")
            self._text = LocalArea(t, step.text if step else None, most=4_000)
            self._answers = Parts(t, t("wording.answer.add"), lambda: _Answer(view, None))
            for answer in step.answers if step else []:
                self._answers.put(partial(_Answer, view, answer))
            self._remark = Remark()

    def body(self) -> dict[str, Any]:
        return {
            "key": str(self._key.value or ""),
            "text": self._text.body(),
            "answers": self._answers.body(),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/key": self._key,
            **self._text.places(f"{at}/text"),
            **self._answers.places(f"{at}/answers"),
        }


class _Editor(WordingEditor[ScriptView, ScriptPreview]):
    kind = "script"
    written = ScriptView
    previewed = ScriptPreview

    def draw_terms(self) -> None:
        self._minutes = number_field(
            self.view.t("wording.minutes"), self.before.minutes if self.before else 6
        )

    def draw_text(self) -> None:
        self._steps = Parts(self.view.t, self.view.t("wording.step.add"), lambda: _Step(self.view, None))
        for step in self.before.steps if self.before else [None]:
            self._steps.put(partial(_Step, self.view, step))

    def body(self) -> dict[str, Any]:
        return {"steps": self._steps.body(), "minutes": self._minutes.value}

    def places(self) -> dict[str, Place]:
        return {"/minutes": self._minutes, **self._steps.places("/steps")}

    def show(self, found: ScriptPreview) -> None:
        t = self.view.t
        for index, step in enumerate(found.steps):
            answers = Markup(" ").join(tag(t.local(answer.label)) for answer in step.answers)
            html(Markup("<p>{}<br>{}</p>").format(t.local(step.text), answers))
            here = [hit for hit in found.hits if hit.pointer.startswith(f"/steps/{index}/")]
            if here:
                html(marks(t, here))
