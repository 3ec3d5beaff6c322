"""Writing a material's next version, with how it reads, its length as a message, and what lists say."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.pages.task_script import show_body
from services.console.pages.wording_form import LocalArea, WordingEditor
from services.console.pages.wording_marks import marks
from services.console.view import View
from services.console.widgets.fields import Place, number_field, text_field
from services.console.widgets.html import html
from shared.contracts.campaign.materials import MaterialPreview, MaterialView

_KINDS = ("text", "html", "file")
_CHANNELS = ("manager_task", "sms", "email", "app", "print")


async def write_material(view: View, before: MaterialView | None) -> MaterialView | None:
    """The version that was written, or nothing when the user turned back. `before`: what it starts from."""
    return await _Editor(view, before).ask()


class _Editor(WordingEditor[MaterialView, MaterialPreview]):
    kind = "material"
    written = MaterialView
    previewed = MaterialPreview

    def draw_terms(self) -> None:
        t, before = self.view.t, self.before
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

    def draw_text(self) -> None:
        t, before = self.view.t, self.before
        self._text = LocalArea(t, before.body if before else None, most=10_000)
        self._file = ui.element("div").classes("grid cols-2").style("gap: 8px")
        with self._file:
            file = before.file if before else None
            self._uri = text_field(t("wording.file.uri"), file.uri if file else "")
            self._media = text_field(
                t("wording.file.media_type"), file.media_type if file else "application/pdf"
            )
            self._sha256 = text_field(t("wording.file.sha256"), file.sha256 if file else "")
            self._size = number_field(t("wording.file.size"), file.size if file else None)
        self._kind.on_value_change(self._arrange)
        self._arrange()

    def _arrange(self) -> None:
        self._text.show(shown=self.can_preview())
        self._file.set_visibility(not self.can_preview())

    def can_preview(self) -> bool:
        """A file is what it is."""
        return bool(self._kind.value != "file")

    def body(self) -> dict[str, Any]:
        body = {"kind": self._kind.value, "channel": self._channel.value}
        if self.can_preview():
            return {**body, "body": self._text.body()}
        fields = {"uri": self._uri, "sha256": self._sha256, "media_type": self._media}
        file: dict[str, Any] = {name: str(field.value or "").strip() for name, field in fields.items()}
        return {**body, "file": {**file, "size": self._size.value}}

    def places(self) -> dict[str, Place]:
        return {
            **self._text.places("/body"),
            "/file/uri": self._uri,
            "/file/sha256": self._sha256,
            "/file/size": self._size,
            "/file/media_type": self._media,
        }

    def show(self, found: MaterialPreview) -> None:
        t = self.view.t
        if found.body:
            show_body(t.local(found.body), page=self._kind.value == "html")
        if found.sms:
            zh, en = found.sms.zh, found.sms.en
            html(Markup("<p>{}</p>").format(t("wording.sms", zh=zh.segments, en=en.segments)))
        if found.hits:
            html(marks(t, found.hits))
