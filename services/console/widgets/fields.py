"""Fields of forms: texts in two languages, parts that repeat, and what a service finds wrong with each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement

from services.console.i18n import Texts
from shared.contracts.base import LocalText, ProblemItem


class Remark:
    """What is wrong with a part of a form, or with the whole, where no single field is to blame."""

    def __init__(self) -> None:
        self._text = ui.label().classes("bad small").props('role="alert"')
        self.error = None

    @property
    def error(self) -> str | None:
        return self._text.text or None

    @error.setter
    def error(self, error: str | None) -> None:
        self._text.set_text(error or "")
        self._text.set_visibility(bool(error))


Place = ValidationElement[Any] | Remark
Places = Mapping[str, Place]
"""Pointer into the request (`/name/zh`, empty for all of it) → where to say what is wrong there."""


def show_problems(t: Texts, places: Places, problems: Sequence[ProblemItem]) -> list[ProblemItem]:
    """Each at the place its pointer names, or at what holds it. Those that have no place come back."""
    clear_problems(places)
    homeless = []
    for problem in problems:
        place = _place_of(places, problem.pointer)
        if place is None:
            homeless.append(problem)
        else:
            detail = t("field.required") if _is_empty(places.get(problem.pointer)) else problem.detail
            place.error = f"{place.error}; {detail}" if place.error else detail
    return homeless


def clear_problems(places: Places) -> None:
    for place in places.values():
        place.error = None


def _place_of(places: Places, pointer: str) -> Place | None:
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    return places.get(pointer)


def _is_empty(place: Place | None) -> bool:
    """Whatever a service says of it: there is nothing in it."""
    return isinstance(place, ValidationElement) and place.value in (None, "", [])


def text_field(label: str, value: str = "") -> ui.input:
    return ui.input(label, value=value).props("outlined dense maxlength=200 autocomplete=off")


def number_field(label: str, value: float | None, *, suffix: str | None = None) -> ui.number:
    return ui.number(label, value=value, suffix=suffix).props("outlined dense")


def listed(typed: object) -> list[str]:
    """What stands between commas, Chinese or Latin ones."""
    return [part.strip() for part in str(typed or "").replace("，", ",").split(",") if part.strip()]


def rounded(field: ui.number) -> int | None:
    """Of a field that asks for a whole number."""
    return None if field.value is None else round(field.value)


class LocalField:
    """A text for people, in Chinese and English."""

    def __init__(self, t: Texts, label: str, value: LocalText | None = None) -> None:
        self._fields = {
            language: text_field(t(f"field.{language}", name=label), getattr(value, language, ""))
            for language in ("zh", "en")
        }

    def body(self) -> dict[str, str]:
        return {language: str(field.value or "").strip() for language, field in self._fields.items()}

    def places(self, at: str) -> dict[str, Place]:
        return {f"{at}/{language}": field for language, field in self._fields.items()}


class Part(Protocol):
    """One of the parts that repeat."""

    def body(self) -> dict[str, Any]: ...

    def places(self, at: str) -> dict[str, Place]: ...


P = TypeVar("P", bound=Part)


class Parts(Generic[P]):
    """Parts that repeat, each with a button that takes it away, and a button for another one. `ordered`: and
    one that moves it before the one above, because their order says something.
    """

    def __init__(self, t: Texts, another: str, build: Callable[[], P], *, ordered: bool = False) -> None:
        self._t, self._build, self._ordered = t, build, ordered
        self._parts: list[P] = []
        self._box = ui.element("div")
        ui.button(another, on_click=self.add).props("outline no-caps dense padding='2px 12px'")
        self._remark = Remark()

    def add(self) -> None:
        self.put(self._build)

    def put(self, build: Callable[[], P], *, stays: bool = False) -> None:
        """`stays`: it cannot be taken away."""
        with self._box, ui.element("div").classes("rule-leaf") as row:
            part = build()
            self._parts.append(part)

            def remove() -> None:
                self._parts.remove(part)
                row.delete()

            if self._ordered:
                up = ui.button("↑", on_click=lambda: self.move_up(self._parts.index(part)))
                up.props("flat no-caps dense")
                up.props["aria-label"] = self._t("field.up")
            if not stays:
                ui.button(self._t("field.remove"), on_click=remove).props("flat no-caps dense")

    def move_up(self, at: int) -> None:
        if at:
            self._parts.insert(at - 1, self._parts.pop(at))
            self._box.default_slot.children[at].move(target_index=at - 1)

    def clear(self) -> None:
        self._parts.clear()
        self._box.clear()

    def body(self) -> list[dict[str, Any]]:
        return [part.body() for part in self._parts]

    def places(self, at: str) -> dict[str, Place]:
        places: dict[str, Place] = {at: self._remark}
        for number, part in enumerate(self._parts):
            places |= part.places(f"{at}/{number}")
        return places
