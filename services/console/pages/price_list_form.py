"""Proposing a price list's next version: terms, packages and authorities, and beside them what they mean."""

from functools import partial
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.pages.price_list_parts import AuthorityFields, BundleFields, TermsFields
from services.console.pages.price_list_review import draw_preview
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Parts,
    Place,
    Remark,
    clear_problems,
    number_field,
    rounded,
    show_problems,
    text_field,
)
from services.console.widgets.html import html
from services.console.widgets.numbers import hundredth, per_cent
from shared.contracts.campaign.price_lists import (
    DiscountAuthority,
    PriceKind,
    PriceListPreview,
    PriceListView,
    PriceRole,
)

_LOOK_SECONDS = 0.6
_QUOTE_DAYS = 30
_SHARES = ("capital_ratio", "hurdle", "subsidy_share")


async def write_price_list(view: View, before: PriceListView | None) -> PriceListView | None:
    """The version that was written, or nothing when the user turned back. `before`: what it starts from."""
    asked, t = _Form(view, before), view.t
    title, note = t("price_lists.change" if before else "price_lists.write"), t("price_lists.form.note")
    return await form(t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)


class _Form:
    def __init__(self, view: View, before: PriceListView | None) -> None:
        self._view, self._before = view, before
        self._looked: dict[str, Any] = {}

    def draw(self) -> None:
        t, before = self._view.t, self._before
        with ui.element("div").classes("grid cols-3").style("gap: 10px"):
            self._key = text_field(t("field.key"), before.key if before else "")
            self._name = LocalField(t, t("field.name"), before.name if before else None)
            self._currency = text_field(t("field.currency"), before.currency if before else "CNY")
            self._shares = {
                name: text_field(t(f"price_lists.{name}"), per_cent(getattr(before, name)) if before else "")
                for name in _SHARES
            }
            self._model = text_field(
                t("price_lists.value_model"), (before.value_model if before else "") or ""
            )
            self._days = number_field(
                t("price_lists.quote_days"), before.quote_days if before else _QUOTE_DAYS
            )
        if before:
            self._key.disable()
        self._remark = Remark()
        self._draw_parts()
        html(Markup("<h3>{}</h3>").format(t("price_lists.preview")))
        self._preview = ui.element("div").props('aria-live="polite"')
        ui.timer(_LOOK_SECONDS, self._look)

    def _draw_parts(self) -> None:
        t, before = self._view.t, self._before
        html(Markup("<h3>{}</h3>").format(t("price_lists.products")))
        self._terms = Parts(t, t("prices.another"), lambda: TermsFields(t, None))
        for terms in before.products if before else [None]:
            self._terms.put(partial(TermsFields, t, terms))
        html(Markup("<h3>{}</h3>").format(t("price_lists.bundles")))
        self._bundles = Parts(t, t("price_lists.bundle.add"), lambda: BundleFields(t, self._kind_of, None))
        for bundle in before.bundles if before else []:
            self._bundles.put(partial(BundleFields, t, self._kind_of, bundle))
        html(Markup("<h3>{}</h3>").format(t("price_lists.authority")))
        levels = {level.role: level for level in before.authority} if before else {}
        roles: tuple[PriceRole, ...] = get_args(PriceRole)
        with ui.element("div"):
            self._authority = [AuthorityFields(t, role, _level(levels, role)) for role in roles]

    def _kind_of(self, product: str) -> PriceKind | None:
        """As the form has it."""
        for terms in self._terms.body():
            if terms["product"] == product:
                kind: PriceKind = terms["kind"]
                return kind
        return None

    def _levels(self) -> list[AuthorityFields]:
        """Roles that may grant anything."""
        return [level for level in self._authority if level.grants]

    def _body(self) -> dict[str, Any]:
        shares = {name: hundredth(field.value) for name, field in self._shares.items()}
        return {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "currency": str(self._currency.value or "").strip(),
            **{name: share for name, share in shares.items() if share},
            "value_model": str(self._model.value or "").strip() or None,
            "quote_days": rounded(self._days),
            "products": self._terms.body(),
            "bundles": self._bundles.body(),
            "authority": [level.body() for level in self._levels()],
        }

    def _places(self) -> dict[str, Place]:
        places: dict[str, Place] = {
            "": self._remark,
            "/key": self._key,
            **self._name.places("/name"),
            "/currency": self._currency,
            **{f"/{name}": field for name, field in self._shares.items()},
            "/value_model": self._model,
            "/quote_days": self._days,
            **self._terms.places("/products"),
            **self._bundles.places("/bundles"),
        }
        for number, level in enumerate(self._levels()):
            places |= level.places(f"/authority/{number}")
        return places

    async def _look(self) -> None:
        """What it would mean, as soon as something was written; what is wrong stands at its field."""
        body = self._body()
        if body == self._looked or not (body["key"] and body["products"] and body["products"][0]["product"]):
            return
        self._looked = body
        try:
            found = await self._view.api.post("campaign", "/v1/price-lists:preview", PriceListPreview, body)
        except ApiProblem as problem:
            show_problems(self._view.t, self._places(), problem.errors)
            return
        clear_problems(self._places())
        self._preview.clear()
        with self._preview:
            draw_preview(self._view, found)

    async def save(self) -> PriceListView | None:
        sent = self._view.api.post("campaign", "/v1/price-lists", PriceListView, self._body())
        return await self._view.attempt(sent, self._places())


def _level(levels: dict[PriceRole, DiscountAuthority], role: PriceRole) -> DiscountAuthority | None:
    return levels.get(role)
