"""Writing a compliance list's next version: one word a line."""

from typing import Any

from nicegui import ui

from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Place, Remark, listed, text_field
from shared.clock import today
from shared.contracts.campaign.compliance import ComplianceListChange

_CHANNELS = ("manager_task", "sms", "email", "app", "print")


async def write_list(view: View) -> ComplianceListChange | None:
    """What was written, with the approved texts it concerns; nothing when the user turned back."""
    editor = _Editor(view)
    t = view.t
    return await form(
        t,
        title=t("wording.list.write"),
        note=t("wording.list.form.note"),
        draw=editor.draw,
        save=editor.save,
    )


class _Editor:
    def __init__(self, view: View) -> None:
        self._view = view

    def draw(self) -> None:
        t = self._view.t
        self._key = text_field(t("wording.key"))
        self._name = LocalField(t, t("wording.name"))
        self._refused, self._warned = (
            ui.textarea(t(f"wording.list.{severity}")).props("outlined autogrow")
            for severity in ("refuse", "warn")
        )
        self._channels = ui.select(
            {channel: t.word("channel", channel) for channel in _CHANNELS},
            multiple=True,
            value=[],
            label=t("wording.list.channels"),
        ).props("outlined dense options-dense use-chips")
        self._products = text_field(t("wording.products"))
        self._since = text_field(t("wording.column.valid_from"), today().isoformat())
        self._remark = Remark()

    async def save(self) -> ComplianceListChange | None:
        words = [
            {"pattern": line.strip(), "severity": severity}
            for field, severity in ((self._refused, "refuse"), (self._warned, "warn"))
            for line in str(field.value or "").splitlines()
            if line.strip()
        ]
        body: dict[str, Any] = {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "words": words,
            "channels": self._channels.value,
            "products": listed(self._products.value),
            "valid_from": str(self._since.value or "").strip(),
        }
        written = self._view.api.post("campaign", "/v1/compliance-lists", ComplianceListChange, body)
        return await self._view.attempt(written, self._places(words))

    def _places(self, words: list[dict[str, str]]) -> dict[str, Place]:
        return {
            "": self._remark,
            "/key": self._key,
            "/products": self._products,
            "/valid_from": self._since,
            **self._name.places("/name"),
            **{
                f"/words/{index}": self._refused if word["severity"] == "refuse" else self._warned
                for index, word in enumerate(words)
            },
        }
