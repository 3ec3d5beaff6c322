"""Writing a material's next version, with how it reads, its length as a message, and what lists say."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.pages.task_script import show_body
from services.console.pages.wording_marks import marks
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Place,
    Remark,
    clear_problems,
    number_field,
    show_problems,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.campaign.materials import MaterialPreview, MaterialView

_KINDS = ("text", "html", "file")
_CHANNELS = ("manager_task", "sms", "email", "app", "print")
_PREVIEW_SECONDS = 0.6


async def write_material(view: View, before: MaterialView | None) -> MaterialView | None:
    """The version that was written, or nothing when the user turned back. `before`: what it starts from."""
    editor = _Editor(view, before)
    t = view.t
    return await form(
        t,
        title=t("wording.material.write"),
        note=t("wording.material.form.note"),
        draw=editor.draw,
        save=editor.save,
        wide=True,
    )


class _Editor:
    def __init__(self, view: View, before: MaterialView | None) -> None:
        self._view, self._before = view, before
        self._shown: dict[str, Any] = {}

    def draw(self) -> None:
        t, before = self._view.t, self._before
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._key = text_field(t("wording.key"), before.key if before else "")
            self._products = text_field(t("wording.products"), ", ".join(before.products) if before else "")
            self._name = LocalField(t, t("wording.name"), before.name if before else None)
            self._kind = ui.select(
                {kind: t(f"wording.kind.{kind}") for kind in _KINDS},
                value=before.kind if before else "text",
                label=t("wording.kind"),
            ).props("outlined dense options-dense")
            self._channel = ui.select(
                {channel: t.word("channel", channel) for channel in _CHANNELS},
                value=before.channel if before else "sms",
                label=t("wording.column.channel"),
            ).props("outlined dense options-dense")
        if before:
            self._key.disable()
        self._bodies = ui.element("div").classes("grid cols-2").style("gap: 8px")
        with self._bodies:
            self._texts = {
                language: ui.textarea(
                    t(f"wording.step.text.{language}"),
                    value=getattr(before.body, language) if before and before.body else "",
                ).props("outlined autogrow maxlength=10000")
                for language in ("zh", "en")
            }
        self._file = ui.element("div").classes("grid cols-2").style("gap: 8px")
        with self._file:
            file = before.file if before else None
            self._uri = text_field(t("wording.file.uri"), file.uri if file else "")
            self._media = text_field(
                t("wording.file.media_type"), file.media_type if file else "application/pdf"
            )
            self._sha256 = text_field(t("wording.file.sha256"), file.sha256 if file else "")
            self._size = number_field(t("wording.file.size"), file.size if file else None)
        self._remark = Remark()
        html(Markup("<h3>{}</h3>").format(t("wording.preview")))
        self._preview = ui.element("div").props('aria-live="polite"').classes("script-preview")
        self._kind.on_value_change(self._arrange)
        self._arrange()
        ui.timer(_PREVIEW_SECONDS, self._show)

    def _arrange(self) -> None:
        self._bodies.set_visibility(self._kind.value != "file")
        self._file.set_visibility(self._kind.value == "file")

    def _body(self) -> dict[str, Any]:
        products = [part.strip() for part in str(self._products.value or "").split(",")]
        body: dict[str, Any] = {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "kind": self._kind.value,
            "channel": self._channel.value,
            "products": [product for product in products if product],
        }
        if self._kind.value != "file":
            return {**body, "body": {lang: str(field.value or "") for lang, field in self._texts.items()}}
        fields = {"uri": self._uri, "sha256": self._sha256, "media_type": self._media}
        file: dict[str, Any] = {name: str(field.value or "").strip() for name, field in fields.items()}
        return {**body, "file": {**file, "size": self._size.value}}

    def _places(self) -> dict[str, Place]:
        return {
            "": self._remark,
            "/key": self._key,
            "/products": self._products,
            **self._name.places("/name"),
            **{f"/body/{language}": field for language, field in self._texts.items()},
            "/file/uri": self._uri,
            "/file/sha256": self._sha256,
            "/file/size": self._size,
            "/file/media_type": self._media,
        }

    async def _show(self) -> None:
        body = self._body()
        if body == self._shown or body["kind"] == "file":
            return
        self._shown = body
        named = {
            **body,
            "key": body["key"] or "preview",
            "name": {language: name or "…" for language, name in body["name"].items()},
        }
        try:
            found = await self._view.api.post("campaign", "/v1/materials:preview", MaterialPreview, named)
        except ApiProblem as problem:
            show_problems(self._view.t, self._places(), problem.errors)
            return
        clear_problems(self._places())
        t = self._view.t
        self._preview.clear()
        with self._preview:
            if found.body:
                show_body(t.local(found.body), page=body["kind"] == "html")
            if found.sms:
                zh, en = found.sms.zh, found.sms.en
                html(Markup("<p>{}</p>").format(t("wording.sms", zh=zh.segments, en=en.segments)))
            if found.hits:
                html(marks(t, found.hits))

    async def save(self) -> MaterialView | None:
        written = self._view.api.post("campaign", "/v1/materials", MaterialView, self._body())
        return await self._view.attempt(written, self._places())
