"""Writing a script's next version: steps, answers, and beside them how it reads and what lists say."""

from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.pages.wording_marks import marks
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Parts,
    Place,
    Remark,
    clear_problems,
    number_field,
    show_problems,
    text_field,
)
from services.console.widgets.html import html, tag
from shared.contracts.campaign import ScriptStep, ScriptView
from shared.contracts.campaign.scripts import ScriptAnswer, ScriptPreview

_DISPOSITIONS = ("interested", "accepted", "refused", "call_back", "no_answer", "do_not_contact", "complaint")
_PREVIEW_SECONDS = 0.6


async def write_script(view: View, before: ScriptView | None) -> ScriptView | None:
    """The version that was written, or nothing when the user turned back. `before`: what it starts from."""
    editor = _Editor(view, before)
    t = view.t
    return await form(
        t,
        title=t("wording.script.write"),
        note=t("wording.script.form.note"),
        draw=editor.draw,
        save=editor.save,
        wide=True,
    )


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
            with ui.element("div").classes("grid cols-2").style("gap: 8px"):
                self._texts = {
                    language: _text(
                        t(f"wording.step.text.{language}"), getattr(step.text, language) if step else ""
                    )
                    for language in ("zh", "en")
                }
            self._answers = Parts(t, t("wording.answer.add"), lambda: _Answer(view, None))
            for answer in step.answers if step else []:
                self._answers.put(partial(_Answer, view, answer))
            self._remark = Remark()

    def body(self) -> dict[str, Any]:
        texts = {language: str(field.value or "") for language, field in self._texts.items()}
        return {"key": str(self._key.value or ""), "text": texts, "answers": self._answers.body()}

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/key": self._key,
            **{f"{at}/text/{language}": field for language, field in self._texts.items()},
            **self._answers.places(f"{at}/answers"),
        }


class _Editor:
    def __init__(self, view: View, before: ScriptView | None) -> None:
        self._view, self._before = view, before
        self._shown: dict[str, Any] = {}

    def draw(self) -> None:
        t, before = self._view.t, self._before
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._key = text_field(t("wording.key"), before.key if before else "")
            self._minutes = number_field(t("wording.minutes"), before.minutes if before else 6)
            self._name = LocalField(t, t("wording.name"), before.name if before else None)
            self._products = text_field(t("wording.products"), ", ".join(before.products) if before else "")
        if before:
            self._key.disable()
        self._steps = Parts(t, t("wording.step.add"), lambda: _Step(self._view, None))
        for step in before.steps if before else [None]:
            self._steps.put(partial(_Step, self._view, step))
        self._remark = Remark()
        html(Markup("<h3>{}</h3>").format(t("wording.preview")))
        self._preview = ui.element("div").props('aria-live="polite"').classes("script-preview")
        ui.timer(_PREVIEW_SECONDS, self._show)

    def _body(self) -> dict[str, Any]:
        products = [part.strip() for part in str(self._products.value or "").split(",")]
        return {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "steps": self._steps.body(),
            "minutes": self._minutes.value,
            "products": [product for product in products if product],
        }

    def _places(self) -> dict[str, Place]:
        return {
            "": self._remark,
            "/key": self._key,
            "/minutes": self._minutes,
            "/products": self._products,
            **self._name.places("/name"),
            **self._steps.places("/steps"),
        }

    async def _show(self) -> None:
        """How it reads, as soon as something was written; what is wrong stands at its field."""
        body = self._body()
        if body == self._shown:
            return
        self._shown = body
        # What has no name yet is previewed all the same.
        named = {
            **body,
            "key": body["key"] or "preview",
            "name": {language: name or "…" for language, name in body["name"].items()},
        }
        try:
            found = await self._view.api.post("campaign", "/v1/scripts:preview", ScriptPreview, named)
        except ApiProblem as problem:
            show_problems(self._view.t, self._places(), problem.errors)
            return
        clear_problems(self._places())
        self._preview.clear()
        with self._preview:
            for index, step in enumerate(found.steps):
                answers = Markup(" ").join(tag(self._view.t.local(answer.label)) for answer in step.answers)
                html(Markup("<p>{}<br>{}</p>").format(self._view.t.local(step.text), answers))
                here = [hit for hit in found.hits if hit.pointer.startswith(f"/steps/{index}/")]
                if here:
                    html(marks(self._view.t, here))

    async def save(self) -> ScriptView | None:
        written = self._view.api.post("campaign", "/v1/scripts", ScriptView, self._body())
        return await self._view.attempt(written, self._places())


def _text(label: str, value: str) -> ui.textarea:
    return ui.textarea(label, value=value).props("outlined autogrow maxlength=4000")
