"""What separates the life-cycle stages: shown, and changed by who may."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, exact_money, moment, percent
from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Place, Remark, number_field, rounded
from services.console.widgets.html import facts, html
from shared.auth import Role
from shared.contracts.segmentation.life_cycle import LifeCycleSchemeView, Thresholds

_PATH = "/v1/life-cycle/scheme"
_SHARES = frozenset({"growth", "decline", "decline_activity"})
_WHOLE = frozenset({"onboarding_months", "dormant_days", "lost_days"})


def show_thresholds(view: View, scheme: LifeCycleSchemeView, reload: Callable[[], Awaitable[None]]) -> None:
    t = view.t

    async def change() -> None:
        asked = _Form(view, scheme)
        title, note = t("stages.change"), t("stages.change.note")
        if await form(t, title=title, note=note, draw=asked.draw, save=asked.save):
            view.done(t("stages.changed"))
            await reload()

    with ui.element("section").classes("panel"):
        with ui.element("div").classes("actions").style("justify-content: space-between"):
            html(Markup("<h2>{}</h2>").format(t("stages.thresholds")))
            if view.user.has(Role.strategist):
                view.bank_wide(ui.button(t("stages.change"), on_click=change)).props("outline no-caps")
        html(facts((t(f"stages.{name}"), _words(t, scheme, name)) for name in Thresholds.model_fields))
        by = t("stages.delivered")
        if scheme.version:
            by = t(
                "stages.by", n=scheme.version, who=scheme.changed_by or NOTHING, at=moment(scheme.changed_at)
            )
        html(Markup("<p class='muted small'>{}</p>").format(by))


def _words(t: Texts, scheme: LifeCycleSchemeView, name: str) -> str:
    value = getattr(scheme.thresholds, name)
    if name in _SHARES:
        return percent(value)
    if name in _WHOLE:
        return t(f"stages.{name.rpartition('_')[2]}", n=value)
    return exact_money(value, "CNY")


class _Form:
    def __init__(self, view: View, scheme: LifeCycleSchemeView) -> None:
        self._view, self._scheme = view, scheme
        self._fields: dict[str, ui.number] = {}

    def draw(self) -> None:
        t = self._view.t
        self._remark = Remark()
        for name in Thresholds.model_fields:
            value = float(getattr(self._scheme.thresholds, name))
            shown = round(value * 100, 4) if name in _SHARES else value
            suffix = "%" if name in _SHARES else None
            self._fields[name] = number_field(t(f"stages.{name}"), shown, suffix=suffix)

        def delivered() -> None:
            for name, field in self._fields.items():
                value = float(getattr(Thresholds(), name))
                field.set_value(value * 100 if name in _SHARES else value)

        ui.button(t("stages.delivered"), on_click=delivered).props("flat no-caps dense")

    def _value(self, name: str) -> float | None:
        field = self._fields[name]
        if name in _WHOLE:
            return rounded(field)
        value: float | None = field.value
        return value if value is None or name not in _SHARES else round(value / 100, 6)

    async def save(self) -> LifeCycleSchemeView | None:
        body = {name: self._value(name) for name in self._fields}
        places: dict[str, Place] = {"": self._remark}
        places |= {f"/{name}": field for name, field in self._fields.items()}
        sent = self._view.api.put(
            "segmentation", _PATH, LifeCycleSchemeView, body, if_match=self._scheme.version
        )
        return await self._view.attempt(sent, places)
