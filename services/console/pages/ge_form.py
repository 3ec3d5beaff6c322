"""Declaring a GE matrix with its factors; changing its name, cut-offs, and what is done in each cell."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.pages.words import numeric_features
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Parts,
    Place,
    Remark,
    number_field,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.segmentation.ge_matrix import CellStrategy, Cutoffs, FactorGroup, GeMatrixView, Play

_FIRST_VALUE = "aum"
_LEAST_FACTORS = 2
_BANDS = 4


async def declare(view: View) -> GeMatrixView | None:
    """The matrix that was declared, or nothing when the user turned back."""
    return await _ask(view, None)


async def change(view: View, matrix: GeMatrixView) -> GeMatrixView | None:
    return await _ask(view, matrix)


async def _ask(view: View, matrix: GeMatrixView | None) -> GeMatrixView | None:
    features = await view.attempt(numeric_features(view))
    if features is None:
        return None
    asked, name = _Form(view, features, matrix), "change" if matrix else "declare"
    title, note = view.t(f"ge.{name}"), view.t(f"ge.{name}.note")
    return await form(view.t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)


class _Factor:
    """One factor: scored by hand, or by the bands of a feature."""

    def __init__(self, view: View, features: dict[str, str]) -> None:
        t = view.t
        with ui.element("div").classes("grid cols-3"):
            self._key = text_field(t("field.key"))
            self._name = LocalField(t, t("ge.factor"))
        self._feature = ui.select(features, label=t("ge.factor.feature"), with_input=True, clearable=True)
        self._feature.props("outlined dense options-dense").style("margin-top: 8px")
        with ui.element("div").classes("grid cols-5").style("margin-top: 8px") as bands:
            self._cutoffs = [number_field(t("ge.factor.from", n=n + 2), None) for n in range(_BANDS)]
            self._reversed = ui.checkbox(t("ge.factor.reversed"))
        bands.bind_visibility_from(self._feature, "value", backward=bool)

    def body(self) -> dict[str, Any]:
        bands = {
            "feature": self._feature.value,
            "cutoffs": [field.value for field in self._cutoffs],
            "lower_is_better": bool(self._reversed.value),
        }
        return {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "bands": bands if self._feature.value else None,
        }

    def places(self, at: str) -> dict[str, Place]:
        cutoffs = {f"{at}/bands/cutoffs/{number}": field for number, field in enumerate(self._cutoffs)}
        return {
            at: self._key,
            f"{at}/bands": self._feature,
            f"{at}/bands/cutoffs": self._cutoffs[0],
            **self._name.places(f"{at}/name"),
            **cutoffs,
        }


class _Cell:
    """What the bank does with the customers of one cell."""

    def __init__(self, view: View, cell: CellStrategy) -> None:
        t = view.t
        self._cell = cell
        words = t("ge.cell", a=t.word("band", cell.attractiveness), s=t.word("band", cell.competitiveness))
        html(Markup("<h3>{}</h3>").format(words))
        with ui.element("div").classes("grid cols-3"):
            plays = {str(play): t.word("play", play) for play in Play}
            self._play = ui.select(plays, value=str(cell.play), label=t("ge.play"))
            self._play.props("outlined dense options-dense")
            self._text = LocalField(t, t("ge.play.text"), cell.text)

    def body(self) -> dict[str, Any]:
        return {
            "attractiveness": str(self._cell.attractiveness),
            "competitiveness": str(self._cell.competitiveness),
            "play": str(self._play.value),
            "text": self._text.body(),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {at: self._play, **self._text.places(f"{at}/text")}


class _Form:
    def __init__(self, view: View, features: dict[str, str], matrix: GeMatrixView | None) -> None:
        self._view, self._features, self._matrix = view, features, matrix
        self._factors: dict[FactorGroup, Parts[_Factor]] = {}
        self._cells: list[_Cell] = []

    def draw(self) -> None:
        t, matrix = self._view.t, self._matrix
        self._remark = Remark()
        with ui.element("div").classes("grid cols-3"):
            self._key = text_field(t("field.key"), matrix.key if matrix else "")
            self._name = LocalField(t, t("ge.matrix"), matrix.name if matrix else None)
        if matrix:
            self._key.disable()
        self._description = ui.textarea(t("field.description"), value=matrix.description if matrix else "")
        self._description.props("outlined autogrow maxlength=4000")
        cutoffs = matrix.cutoffs if matrix else Cutoffs()
        with ui.element("div").classes("grid cols-3"):
            self._low = number_field(t("ge.low"), cutoffs.low)
            self._high = number_field(t("ge.high"), cutoffs.high)
            present = matrix.value_feature if matrix else _FIRST_VALUE
            choices = {present: present, **self._features}
            self._value = ui.select(choices, value=present, label=t("ge.value_feature"), with_input=True)
            self._value.props("outlined dense options-dense")
        if matrix:
            self._cells = [_Cell(self._view, cell) for cell in matrix.strategies]
            return
        for group in FactorGroup:
            html(Markup("<h3>{}</h3>").format(t(f"ge.{group}")))
            factors = Parts(t, t("ge.factor.another"), lambda: _Factor(self._view, self._features))
            for _ in range(_LEAST_FACTORS):
                factors.add()
            self._factors[group] = factors

    def _body(self) -> dict[str, Any]:
        return {
            "name": self._name.body(),
            "description": str(self._description.value or ""),
            "cutoffs": {"low": self._low.value, "high": self._high.value},
            "value_feature": self._value.value,
        }

    def _places(self) -> dict[str, Place]:
        places: dict[str, Place] = {
            "": self._remark,
            "/key": self._key,
            **self._name.places("/name"),
            "/description": self._description,
            "/cutoffs": self._low,
            "/cutoffs/high": self._high,
            "/value_feature": self._value,
        }
        for group, factors in self._factors.items():
            places |= factors.places(f"/{group}")
        for number, cell in enumerate(self._cells):
            places |= cell.places(f"/strategies/{number}")
        return places

    async def save(self) -> GeMatrixView | None:
        api, body, places = self._view.api, self._body(), self._places()
        matrix = self._matrix
        if matrix is None:
            body["key"] = str(self._key.value or "").strip()
            body |= {str(group): factors.body() for group, factors in self._factors.items()}
            sent = api.post("segmentation", "/v1/ge-matrices", GeMatrixView, body)
            return await self._view.attempt(sent, places)
        body["strategies"] = [cell.body() for cell in self._cells]
        before = matrix.model_dump(mode="json")
        changed = {name: value for name, value in body.items() if value != before[name]}
        if not changed:
            return matrix
        path = f"/v1/ge-matrices/{segment(matrix.key)}"
        sent = api.patch("segmentation", path, GeMatrixView, changed, if_match=matrix.revision)
        return await self._view.attempt(sent, places)
