"""Declaring a tier scheme; changing its names, thresholds and minimum stay."""

from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.i18n import Texts
from services.console.pages.words import numeric_features
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Parts,
    Place,
    Remark,
    number_field,
    rounded,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.base import LocalText
from shared.contracts.segmentation.tiers import MANAGEMENT_LEVELS, Tier, TierKind, TierSchemeView

_FIRST_FEATURE = "aum"
_FIRST_TIERS = 3


async def declare(view: View) -> TierSchemeView | None:
    """The scheme that was declared, or nothing when the user turned back."""
    return await _ask(view, None)


async def change(view: View, scheme: TierSchemeView) -> TierSchemeView | None:
    return await _ask(view, scheme)


async def _ask(view: View, scheme: TierSchemeView | None) -> TierSchemeView | None:
    features = await view.attempt(numeric_features(view))
    if features is None:
        return None
    asked, name = _Form(view, features, scheme), "change" if scheme else "declare"
    title, note = view.t(f"tiers.{name}"), view.t(f"tiers.{name}.note")
    return await form(view.t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)


class _Tier:
    """One tier; the lowest has no thresholds."""

    def __init__(self, t: Texts, tier: Tier | None, *, lowest: bool = False, known: bool = False) -> None:
        """`known`: customers may stand in it already, so its code stays."""
        self._up: ui.number | None = None
        self._down: ui.number | None = None
        with ui.element("div").classes("grid cols-3"):
            self._code = text_field(t("tiers.code"), tier.code if tier else "")
            self._name = LocalField(t, t("field.name"), tier.name if tier else None)
        if known:
            self._code.disable()
        if not lowest:
            with ui.element("div").classes("grid cols-3").style("margin-top: 8px"):
                self._up = number_field(t("tiers.upgrade_at"), tier.upgrade_at if tier else None)
                self._down = number_field(t("tiers.downgrade_below"), tier.downgrade_below if tier else None)

    def body(self) -> dict[str, Any]:
        return {
            "code": str(self._code.value or "").strip(),
            "name": self._name.body(),
            "upgrade_at": self._up.value if self._up else None,
            "downgrade_below": self._down.value if self._down else None,
        }

    def places(self, at: str) -> dict[str, Place]:
        places = {at: self._down or self._code, f"{at}/code": self._code, **self._name.places(f"{at}/name")}
        return places | ({f"{at}/upgrade_at": self._up} if self._up else {})


class _Form:
    def __init__(self, view: View, features: dict[str, str], scheme: TierSchemeView | None) -> None:
        self._view, self._features, self._scheme = view, features, scheme

    def draw(self) -> None:
        t, scheme = self._view.t, self._scheme
        self._remark = Remark()
        with ui.element("div").classes("grid cols-3"):
            self._key = text_field(t("field.key"), scheme.key if scheme else "")
            self._name = LocalField(t, t("tiers.scheme"), scheme.name if scheme else None)
        self._description = ui.textarea(t("field.description"), value=scheme.description if scheme else "")
        self._description.props("outlined autogrow maxlength=4000")
        with ui.element("div").classes("grid cols-3"):
            kinds = {str(kind): t.word("tier_kind", kind) for kind in TierKind}
            kind = scheme.kind if scheme else TierKind.value
            self._kind = ui.select(kinds, value=str(kind), label=t("tiers.kind"))
            present = scheme.feature if scheme else _FIRST_FEATURE
            choices = {present: present, **self._features}
            self._feature = ui.select(choices, value=present, label=t("tiers.feature"), with_input=True)
            for choice in (self._kind, self._feature):
                choice.props("outlined dense options-dense")
            stay = scheme.minimum_stay_days if scheme else 0
            self._stay = number_field(t("tiers.minimum_stay"), stay)
        html(Markup("<h3>{}</h3>").format(t("tiers.low_to_high")))
        self._tiers = Parts(t, t("tiers.another"), lambda: _Tier(t, None))
        if scheme is None:
            self._fresh()
            self._kind.on_value_change(self._fresh)
            return
        for fixed in (self._key, self._kind, self._feature):
            fixed.disable()
        for number, tier in enumerate(scheme.tiers):
            self._put(tier, lowest=number == 0, known=True)

    def _put(self, tier: Tier | None, *, lowest: bool, known: bool = False) -> None:
        t = self._view.t
        self._tiers.put(lambda: _Tier(t, tier, lowest=lowest, known=known), stays=lowest or known)

    def _fresh(self) -> None:
        """Tiers to begin with: of a management scheme those that the bank's levels look after."""
        self._tiers.clear()
        if self._kind.value == TierKind.management:
            for number, code in enumerate(MANAGEMENT_LEVELS):
                name = LocalText(zh=Texts("zh")(f"tiers.level.{code}"), en=Texts("en")(f"tiers.level.{code}"))
                self._put(Tier(code=code, name=name), lowest=number == 0)
        else:
            for number in range(_FIRST_TIERS):
                self._put(None, lowest=number == 0)

    def _body(self) -> dict[str, Any]:
        return {
            "name": self._name.body(),
            "description": str(self._description.value or ""),
            "tiers": self._tiers.body(),
            "minimum_stay_days": rounded(self._stay),
        }

    def _places(self) -> dict[str, Place]:
        return {
            "": self._remark,
            "/key": self._key,
            **self._name.places("/name"),
            "/description": self._description,
            "/kind": self._kind,
            "/feature": self._feature,
            "/minimum_stay_days": self._stay,
            **self._tiers.places("/tiers"),
        }

    async def save(self) -> TierSchemeView | None:
        api, body, scheme = self._view.api, self._body(), self._scheme
        if scheme is None:
            body["key"] = str(self._key.value or "").strip()
            body |= {"kind": self._kind.value, "feature": self._feature.value}
            sent = api.post("segmentation", "/v1/tier-schemes", TierSchemeView, body)
        else:
            path = f"/v1/tier-schemes/{segment(scheme.key)}"
            sent = api.patch("segmentation", path, TierSchemeView, body, if_match=scheme.revision)
        return await self._view.attempt(sent, self._places())
