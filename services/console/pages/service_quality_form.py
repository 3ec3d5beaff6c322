"""Declaring a model of service quality, or its next version: businesses, dimensions, indicators."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Part,
    Parts,
    Place,
    Places,
    Remark,
    number_field,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.evaluation.service_quality import (
    DimensionName,
    Indicator,
    QualityBusiness,
    QualityDimension,
    QualityModel,
)
from shared.contracts.metrics import Better

_MODES = ("reflective", "formative")
_SCHEMES = ("path", "centroid")
P = TypeVar("P", bound=Part)
V = TypeVar("V")

_LOW, _HIGH = 1, 5
"""The usual scale of answers."""


async def declare(view: View, model: QualityModel | None) -> QualityModel | None:
    """The version that was declared, or nothing when the user turned back. `model`: what it begins with."""
    asked = _Form(view, model)
    name = "change" if model else "declare"
    title, note = view.t(f"service_quality.{name}"), view.t(f"service_quality.{name}.note")
    return await form(view.t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)


class _Indicator:
    """One column of uploads."""

    def __init__(self, t: Texts, one: Indicator | None) -> None:
        with ui.element("div").classes("grid cols-3").style("width: 100%; gap: 8px"):
            self._key = text_field(t("service_quality.indicator.key"), one.key if one else "")
            self._name = LocalField(t, t("field.name"), one.name if one else None)
            self._low = number_field(t("service_quality.low"), one.low if one else _LOW)
            self._high = number_field(t("service_quality.high"), one.high if one else _HIGH)
            better = {str(each): t.word("service_quality.better", str(each)) for each in Better}
            self._better = _select(
                better, str(one.better if one else Better.HIGHER), t("service_quality.better")
            )
        self._remark = Remark()

    def body(self) -> dict[str, Any]:
        return {
            "key": _typed(self._key),
            "name": self._name.body(),
            "low": self._low.value,
            "high": self._high.value,
            "better": self._better.value,
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/key": self._key,
            **self._name.places(f"{at}/name"),
            f"{at}/low": self._low,
            f"{at}/high": self._high,
            f"{at}/better": self._better,
        }


class _Dimension:
    """One side of a business's service."""

    def __init__(self, t: Texts, one: QualityDimension | None) -> None:
        names = {name: t.word("quality_dimension", name) for name in get_args(DimensionName)}
        modes = {mode: t.word("service_quality.mode", mode) for mode in _MODES}
        with ui.element("div").classes("stack").style("width: 100%; gap: 8px"):
            with ui.element("div").classes("grid cols-3").style("gap: 8px"):
                first = one.dimension if one else next(iter(names))
                self._name = _select(names, first, t("service_quality.dimension"))
                self._mode = _select(modes, one.mode if one else _MODES[0], t("service_quality.mode"))
            self._indicators = _indicators(t, one.indicators if one else [None])
            self._remark = Remark()

    def body(self) -> dict[str, Any]:
        return {
            "dimension": self._name.value,
            "mode": self._mode.value,
            "indicators": self._indicators.body(),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/dimension": self._name,
            f"{at}/mode": self._mode,
            **self._indicators.places(f"{at}/indicators"),
        }


class _Business:
    """One business with its dimensions, and what judges it as a whole."""

    def __init__(self, t: Texts, one: QualityBusiness | None) -> None:
        with ui.element("div").classes("stack").style("width: 100%; gap: 8px"):
            with ui.element("div").classes("grid cols-3").style("gap: 8px"):
                self._key = text_field(t("field.key"), one.key if one else "")
                self._name = LocalField(t, t("service_quality.business"), one.name if one else None)
            self._dimensions = _parts(
                t,
                "service_quality.dimension.another",
                partial(_Dimension, t),
                one.dimensions if one else [None],
            )
            html(Markup("<p class='muted small'>{}</p>").format(t("service_quality.outcomes.note")))
            self._outcomes = _indicators(t, one.outcomes if one else [], "service_quality.outcome.another")
            self._remark = Remark()

    def body(self) -> dict[str, Any]:
        return {
            "key": _typed(self._key),
            "name": self._name.body(),
            "dimensions": self._dimensions.body(),
            "outcomes": self._outcomes.body(),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/key": self._key,
            **self._name.places(f"{at}/name"),
            **self._dimensions.places(f"{at}/dimensions"),
            **self._outcomes.places(f"{at}/outcomes"),
        }


class _Form:
    def __init__(self, view: View, model: QualityModel | None) -> None:
        self._view, self._model = view, model

    def draw(self) -> None:
        t, model = self._view.t, self._model
        with ui.element("div").classes("grid cols-4"):
            self._key = text_field(t("field.key"), model.key if model else "")
            self._name = LocalField(t, t("service_quality.model"), model.name if model else None)
            schemes = {scheme: t.word("service_quality.scheme", scheme) for scheme in _SCHEMES}
            first = model.scheme if model else _SCHEMES[0]
            self._scheme = _select(schemes, first, t("service_quality.scheme"))
        if model:
            self._key.disable()
        html(Markup("<h3>{}</h3>").format(t("service_quality.businesses")))
        self._businesses = _parts(
            t,
            "service_quality.business.another",
            partial(_Business, t),
            model.businesses if model else [None],
        )
        html(
            Markup("<h3>{}</h3><p class='muted small'>{}</p>").format(
                t("service_quality.overall"), t("service_quality.overall.note")
            )
        )
        self._overall = _indicators(t, model.overall if model else [])
        self._remark = Remark()

    async def save(self) -> QualityModel | None:
        body = {
            "key": _typed(self._key),
            "name": self._name.body(),
            "scheme": self._scheme.value,
            "businesses": self._businesses.body(),
            "overall": self._overall.body(),
        }
        places: Places = {
            "": self._remark,
            "/key": self._key,
            **self._name.places("/name"),
            "/scheme": self._scheme,
            **self._businesses.places("/businesses"),
            **self._overall.places("/overall"),
        }
        path = "/v1/service-quality/models"
        return await self._view.attempt(self._view.api.post("evaluation", path, QualityModel, body), places)


def _indicators(
    t: Texts, present: Sequence[Indicator | None], another: str = "service_quality.indicator.another"
) -> Parts[_Indicator]:
    return _parts(t, another, partial(_Indicator, t), present)


def _parts(t: Texts, another: str, build: Callable[[V | None], P], present: Sequence[V | None]) -> Parts[P]:
    parts: Parts[P] = Parts(t, t(another), partial(build, None))
    for one in present:
        parts.put(partial(build, one))
    return parts


def _select(options: dict[str, str], value: str, label: str) -> ui.select:
    select = ui.select(options, value=value, label=label)
    select.props("outlined dense options-dense")
    return select


def _typed(field: ui.input) -> str:
    return str(field.value or "").strip()
