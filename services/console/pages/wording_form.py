"""What writing a script and writing a material share: names and products, and a preview that follows."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Place,
    Remark,
    clear_problems,
    listed,
    show_problems,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.campaign import ScriptView
from shared.contracts.campaign.materials import LocalBody, MaterialPreview, MaterialView
from shared.contracts.campaign.scripts import ScriptPreview
from shared.contracts.campaign.vocabulary import LocalLongText

_PREVIEW_SECONDS = 0.6
V = TypeVar("V", ScriptView, MaterialView)
P = TypeVar("P", ScriptPreview, MaterialPreview)


class WordingEditor(ABC, Generic[V, P]):
    """The dialog that writes the next version of one kind of text."""

    kind: str
    """`script` or `material`: names the route and the words of the form."""
    written: type[V]
    previewed: type[P]

    def __init__(self, view: View, before: V | None) -> None:
        """`before`: the version it starts from."""
        self.view = view
        self.before: V | None = before
        self._shown: dict[str, Any] = {}

    async def ask(self) -> V | None:
        """The version that was written, or nothing when the user turned back."""
        t, words = self.view.t, f"wording.{self.kind}"
        title, note = t(f"{words}.write"), t(f"{words}.form.note")
        return await form(t, title=title, note=note, draw=self._draw, save=self._save, wide=True)

    @abstractmethod
    def draw_terms(self) -> None:
        """Fields beside the key, the products and the name."""

    @abstractmethod
    def draw_text(self) -> None:
        """Fields of what is said."""

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """What the own fields say."""

    @abstractmethod
    def places(self) -> dict[str, Place]:
        """Where to say what is wrong with it."""

    @abstractmethod
    def show(self, found: P) -> None:
        """How it reads, and what lists say of it."""

    def can_preview(self) -> bool:
        return True

    def _draw(self) -> None:
        t, before = self.view.t, self.before
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._key = text_field(t("wording.key"), before.key if before else "")
            self._products = text_field(t("wording.products"), ", ".join(before.products) if before else "")
            self._name = LocalField(t, t("wording.name"), before.name if before else None)
            self.draw_terms()
        if before:
            self._key.disable()
        self.draw_text()
        self._remark = Remark()
        html(Markup("<h3>{}</h3>").format(t("wording.preview")))
        self._preview = ui.element("div").props('aria-live="polite"').classes("script-preview")
        ui.timer(_PREVIEW_SECONDS, self._look)

    def _body(self) -> dict[str, Any]:
        return {
            "key": str(self._key.value or "").strip(),
            "products": listed(self._products.value),
            "name": self._name.body(),
            **self.body(),
        }

    def _places(self) -> dict[str, Place]:
        return {
            "": self._remark,
            "/key": self._key,
            "/products": self._products,
            **self._name.places("/name"),
            **self.places(),
        }

    async def _look(self) -> None:
        """How it reads, as soon as something was written; what is wrong stands at its field."""
        body = self._body()
        if body == self._shown or not self.can_preview():
            return
        self._shown = body
        # What has no name yet is previewed all the same.
        names = {language: name or "…" for language, name in body["name"].items()}
        named = {**body, "key": body["key"] or "preview", "name": names}
        path = f"/v1/{self.kind}s:preview"
        try:
            found = await self.view.api.post("campaign", path, self.previewed, named)
        except ApiProblem as problem:
            show_problems(self.view.t, self._places(), problem.errors)
            return
        clear_problems(self._places())
        self._preview.clear()
        with self._preview:
            self.show(found)

    async def _save(self) -> V | None:
        sent = self.view.api.post("campaign", f"/v1/{self.kind}s", self.written, self._body())
        return await self.view.attempt(sent, self._places())


class LocalArea:
    """A long text in Chinese and English, one beside the other."""

    def __init__(self, t: Texts, value: LocalLongText | LocalBody | None, *, most: int) -> None:
        with ui.element("div").classes("grid cols-2").style("gap: 8px") as self._box:
            self._fields = {
                language: ui.textarea(
                    t(f"wording.step.text.{language}"), value=getattr(value, language, "")
                ).props(f"outlined autogrow maxlength={most}")
                for language in ("zh", "en")
            }

    def show(self, *, shown: bool) -> None:
        self._box.set_visibility(shown)

    def body(self) -> dict[str, str]:
        return {language: str(field.value or "") for language, field in self._fields.items()}

    def places(self, at: str) -> dict[str, Place]:
        return {f"{at}/{language}": field for language, field in self._fields.items()}
