"""The parts of a price list's form: terms of a product, a package, the authority of a role."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from nicegui import ui

from services.console.i18n import Texts
from services.console.widgets.fields import LocalField, Parts, Place, Remark, text_field
from services.console.widgets.numbers import hundredth, number, per_cent, plain
from shared.contracts.campaign.price_lists import (
    Bundle,
    BundlePrice,
    DiscountAuthority,
    PriceKind,
    PriceReach,
    PriceRole,
    PriceTerms,
)

_RATES = ("funding_rate", "pd", "lgd", "exposure", "risk_weight")
_AMOUNTS = ("account_cost", "unit_cost")
_OF_KIND: dict[PriceKind, frozenset[str]] = {
    "loan": frozenset({"funding_rate", "pd", "lgd", "exposure", "risk_weight", "account_cost"}),
    "deposit": frozenset({"funding_rate", "account_cost"}),
    "fee": frozenset({"unit_cost", "account_cost"}),
}
"""What a product of the kind costs; the rest is none of its terms."""


class TermsFields:
    """One product. Rates are typed as per cent; an empty field is what the service takes for it."""

    def __init__(self, t: Texts, terms: PriceTerms | None) -> None:
        self._t = t
        kinds = {kind: t.word("price_kind", kind) for kind in get_args(PriceKind)}
        with ui.element("div").classes("grid cols-4").style("width: 100%; gap: 8px"):
            self._product = text_field(t("price_lists.product"), terms.product if terms else "")
            self._name = LocalField(t, t("price_lists.product.name"), terms.name if terms else None)
            self._kind = ui.select(
                kinds, value=terms.kind if terms else "loan", label=t("price_lists.kind")
            ).props("outlined dense options-dense")
            self._price = text_field("", _typed(terms.kind, terms.list_price) if terms else "")
            self._costs = {name: text_field(t(f"price_lists.{name}")) for name in (*_RATES, *_AMOUNTS)}
        self._remark = Remark()
        for name, field in self._costs.items() if terms else ():
            value = getattr(terms, name)
            if value != PriceTerms.model_fields[name].default:
                field.set_value(per_cent(value) if name in _RATES else plain(value))
        self._kind.on_value_change(self._arrange)
        self._arrange()

    def _arrange(self) -> None:
        """What is asked for depends on the kind."""
        label = "price_lists.price.fee" if self._kind.value == "fee" else "price_lists.price.rate"
        self._price.props(f'label="{self._t(label)}"')
        for name, field in self._costs.items():
            field.set_visibility(name in _OF_KIND[self._kind.value])

    def body(self) -> dict[str, Any]:
        kind: PriceKind = self._kind.value
        costs = {
            name: hundredth(field.value) if name in _RATES else number(field.value)
            for name, field in self._costs.items()
            if name in _OF_KIND[kind]
        }
        return {
            "product": str(self._product.value or "").strip(),
            "name": self._name.body(),
            "kind": kind,
            "list_price": _sent(kind, self._price.value),
            **{name: cost for name, cost in costs.items() if cost},
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/product": self._product,
            **self._name.places(f"{at}/name"),
            f"{at}/kind": self._kind,
            f"{at}/list_price": self._price,
            **{f"{at}/{name}": field for name, field in self._costs.items()},
        }


KindOf = Callable[[str], PriceKind | None]


class _BundlePrice:
    def __init__(self, t: Texts, kind_of: KindOf, line: BundlePrice | None) -> None:
        self._kind_of = kind_of
        with ui.element("div").classes("actions"):
            self._product = text_field(t("price_lists.product"), line.product if line else "")
            self._price = text_field(t("price_lists.bundle.price"))
        if line:
            self._price.set_value(_typed(kind_of(line.product), line.price))

    def body(self) -> dict[str, Any]:
        product = str(self._product.value or "").strip()
        return {"product": product, "price": _sent(self._kind_of(product), self._price.value)}

    def places(self, at: str) -> dict[str, Place]:
        return {at: self._product, f"{at}/price": self._price}


class BundleFields:
    """Products sold together."""

    def __init__(self, t: Texts, kind_of: KindOf, bundle: Bundle | None) -> None:
        with ui.element("div").classes("stack").style("width: 100%; gap: 8px"):
            with ui.element("div").classes("grid cols-4").style("gap: 8px"):
                self._key = text_field(t("field.key"), bundle.key if bundle else "")
                self._name = LocalField(t, t("price_lists.bundle.name"), bundle.name if bundle else None)
                self._fee = text_field(
                    t("price_lists.bundle.fee"), plain(bundle.monthly_fee) if bundle else ""
                )
            self._prices = Parts(t, t("price_lists.bundle.product"), lambda: _BundlePrice(t, kind_of, None))
            for line in bundle.prices if bundle else [None]:
                self._prices.put(partial(_BundlePrice, t, kind_of, line))
            self._remark = Remark()

    def body(self) -> dict[str, Any]:
        fee = number(self._fee.value)
        return {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "prices": self._prices.body(),
            **({"monthly_fee": fee} if fee else {}),
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._remark,
            f"{at}/key": self._key,
            **self._name.places(f"{at}/name"),
            f"{at}/monthly_fee": self._fee,
            **self._prices.places(f"{at}/prices"),
        }


class AuthorityFields:
    """What one role may grant; nothing while its discount is empty."""

    def __init__(self, t: Texts, role: PriceRole, level: DiscountAuthority | None) -> None:
        self._role = role
        name = t.word("role", role)
        reaches = {reach: t.word("price_reach", reach) for reach in get_args(PriceReach)}
        with ui.element("div").classes("actions").style("margin-bottom: 8px"):
            self._discount = text_field(
                t("price_lists.discount", role=name), per_cent(level.discount) if level else ""
            )
            self._reach = ui.select(
                reaches, value=level.reach if level else "cost", label=t("price_lists.reach", role=name)
            )
            self._reach.props("outlined dense options-dense").style("min-width: 240px")

    @property
    def grants(self) -> bool:
        return bool(number(self._discount.value))

    def body(self) -> dict[str, Any]:
        return {
            "role": self._role,
            "discount": hundredth(self._discount.value),
            "reach": self._reach.value,
        }

    def places(self, at: str) -> dict[str, Place]:
        return {at: self._discount, f"{at}/reach": self._reach}


def _typed(kind: PriceKind | None, price: Any) -> str:
    return plain(price) if kind == "fee" else per_cent(price)


def _sent(kind: PriceKind | None, typed: object) -> str:
    return number(typed) if kind == "fee" else hundredth(typed)
