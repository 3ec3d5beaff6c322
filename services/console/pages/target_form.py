"""Declaring a target profile: its rule with the count it has now, and the shares it must keep."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.formats import percent, whole
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.html import html
from shared.clock import today
from shared.contracts.segmentation import PreviewView
from shared.contracts.segmentation.targets import DriftMeasure, TargetProfileView

_FIRST_RULE = "kind = 'person' and aum >= 50000"
_SHARE = 60


async def declare(view: View) -> TargetProfileView | None:
    """The profile that was declared, or nothing when the user turned back."""
    return await _Form(view, None).ask()


async def change(view: View, profile: TargetProfileView) -> TargetProfileView | None:
    return await _Form(view, profile).ask()


class _Form:
    def __init__(self, view: View, profile: TargetProfileView | None) -> None:
        self._view = view
        self._profile = profile

    async def ask(self) -> TargetProfileView | None:
        t = self._view.t
        title = t("targets.change") if self._profile else t("targets.declare")
        note = t("targets.form.note")
        return await form(t, title=title, note=note, draw=self._fields, save=self._save)

    def _fields(self) -> None:
        t, profile = self._view.t, self._profile
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._zh = _text(t("targets.name.zh"), profile.name.zh if profile else "")
            self._en = _text(t("targets.name.en"), profile.name.en if profile else "")
        self._org = _text(t("targets.column.org"), profile.org if profile else self._view.user.org)
        if profile:
            self._org.disable()
        rule = (profile.definition.sql if profile else None) or _FIRST_RULE
        self._rule = ui.textarea(t("targets.rule"), value=rule)
        self._rule.props("outlined autogrow spellcheck=false maxlength=8000 debounce=500").classes("code")
        self._rule.on_value_change(self._count)
        self._counted = ui.element("div").props('aria-live="polite"').classes("small")
        ui.timer(0.1, self._count, once=True)
        self._rationale = ui.textarea(t("targets.rationale"), value=profile.rationale if profile else "")
        self._rationale.props("outlined autogrow maxlength=4000")
        self._shares = {}
        with ui.element("div").classes("grid cols-3"):
            for measure in DriftMeasure:
                share = getattr(profile.tolerances, measure) if profile else _SHARE / 100
                self._shares[measure] = ui.number(
                    t(f"targets.measure.{measure}"),
                    value=None if share is None else round(share * 100, 2),
                    min=0,
                    max=100,
                    suffix="%",
                ).props("outlined dense clearable")
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            since = profile.valid_from if profile else today().replace(day=1)
            self._since = _text(t("targets.valid_from"), since.isoformat())
            until = profile.valid_until if profile else None
            self._until = _text(t("targets.valid_until"), until.isoformat() if until else "")

    async def _count(self) -> None:
        """How many customers the rule has now; what is wrong with it stands in the same place."""
        t, rule = self._view.t, str(self._rule.value or "")
        body = {"definition": {"sql": rule}, "sample": 0}
        try:
            found = await self._view.api.post("segmentation", "/v1/segments:preview", PreviewView, body)
        except ApiProblem as problem:
            said = Markup('<span class="bad">{}</span>').format(problem.detail)
        else:
            share = percent(found.count / found.of if found.of else None)
            said = Markup('<span class="muted">{}</span>').format(
                t("targets.live", n=whole(found.count), all=whole(found.of), share=share)
            )
        if rule != str(self._rule.value or ""):
            return  # The answer for what stands there now comes later, or has come before this one.
        self._counted.clear()
        with self._counted:
            html(said)

    async def _save(self) -> TargetProfileView | None:
        body: dict[str, Any] = {
            "name": {"zh": self._zh.value, "en": self._en.value},
            "rationale": self._rationale.value or "",
            "definition": {"sql": str(self._rule.value or "")},
            "tolerances": {
                str(measure): None if field.value is None else field.value / 100
                for measure, field in self._shares.items()
            },
            "valid_from": self._since.value,
            "valid_until": self._until.value or None,
        }
        api, profile = self._view.api, self._profile
        if profile is None:
            body["org"] = self._org.value
            path = "/v1/target-profiles"
            return await self._view.attempt(api.post("segmentation", path, TargetProfileView, body))
        path = f"/v1/target-profiles/{profile.id}"
        return await self._view.attempt(
            api.patch("segmentation", path, TargetProfileView, body, if_match=profile.revision)
        )


def _text(label: str, value: str) -> ui.input:
    field = ui.input(label, value=value)
    field.props("outlined dense")
    return field
