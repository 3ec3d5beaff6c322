"""The calculator: lines of products with volumes and prices, priced as they are typed."""

from collections.abc import Callable
from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, segment
from services.console.pages.price_figures import draw_figures
from services.console.view import View, advice
from services.console.widgets.fields import Parts, Place, number_field, rounded, show_problems, text_field
from services.console.widgets.html import html
from services.console.widgets.numbers import hundredth, number, per_cent, plain
from services.console.widgets.states import empty_state
from shared.contracts.campaign.price_lists import PriceListView, PriceTerms
from shared.contracts.campaign.quotes import PriceSimulation, QuoteLine, QuoteView

_MONTHS = 12
_LOOK_SECONDS = 0.5
Saved = Callable[[QuoteView], None]


class Calculator:
    """`quote`: the saved one to change, else a new one is made."""

    def __init__(
        self, view: View, lists: list[PriceListView], quote: QuoteView | None, customer: str
    ) -> None:
        self._view, self._quote, self._customer = view, quote, customer
        self._lists = {one.key: one for one in lists}
        self._priced: dict[str, Any] | None = None

    def draw(self, saved: Saved | None) -> None:
        """`saved`: what to do with a saved quote; without, prices are only tried."""
        t = self._view.t
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("prices.form")))
            with ui.element("div").classes("stack").style("gap: 10px"):
                self._fields()
            if saved is not None:
                with ui.element("div").classes("actions").style("margin-top: 14px"):
                    save = ui.button(t("prices.save"), on_click=partial(self._save, saved))
                    save.props("unelevated no-caps")
        self._shown = ui.element("div").classes("stack")
        # Compared, not listened to: a line that was taken away says nothing.
        ui.timer(_LOOK_SECONDS, self._look)

    def _fields(self) -> None:
        t, quote = self._view.t, self._quote
        key = quote.price_list.partition("@")[0] if quote else next(iter(self._lists))
        customer = str(quote.customer_id) if quote else self._customer
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._customer_field = text_field(t("prices.customer"), customer)
            names = {one.key: f"{t.local(one.name)} ({one.ref})" for one in self._lists.values()}
            self._list = ui.select(names, value=key, label=t("prices.list"), on_change=self._relisted)
            self._list.props("outlined dense options-dense")
            self._months = number_field(t("prices.months"), quote.months if quote else _MONTHS)
            bundles = self._bundles()
            chosen = quote.bundle if quote and quote.bundle in bundles else None
            self._bundle = ui.select(bundles, value=chosen, label=t("prices.bundle"))
            self._bundle.props("outlined dense options-dense clearable")
        if quote:
            self._customer_field.disable()
            self._list.disable()
        self._lines: Parts[_Line] = Parts(t, t("prices.another"), lambda: _Line(self._view, self._terms))
        for line in quote.lines if quote else ():
            if line.product in self._terms:  # the newest version may sell it no more
                self._lines.put(partial(_Line, self._view, self._terms, line))
        if not quote:
            self._lines.add()
        self._note = ui.textarea(t("prices.note"), value=quote.note if quote else "")
        self._note.props("outlined dense autogrow maxlength=2000")

    @property
    def _terms(self) -> dict[str, PriceTerms]:
        return {terms.product: terms for terms in self._lists[str(self._list.value)].products}

    def _bundles(self) -> dict[str, str]:
        bundles = self._lists[str(self._list.value)].bundles
        return {one.key: self._view.t.local(one.name) for one in bundles}

    def _relisted(self) -> None:
        """Another list has other products and bundles."""
        self._bundle.set_options(self._bundles(), value=None)
        self._lines.clear()
        self._lines.add()

    def _body(self) -> dict[str, Any]:
        return {
            "customer_id": str(self._customer_field.value or "").strip(),
            "price_list": str(self._list.value),
            "months": rounded(self._months),
            "lines": self._lines.body(),
            "bundle": self._bundle.value,
            "note": str(self._note.value or ""),
        }

    def _places(self) -> dict[str, Place]:
        return {
            "/customer_id": self._customer_field,
            "/price_list": self._list,
            "/months": self._months,
            "/bundle": self._bundle,
            "/note": self._note,
            **self._lines.places("/lines"),
        }

    async def _look(self) -> None:
        """Price again what has changed since it was priced last."""
        body = self._body()
        if body == self._priced:
            return
        self._priced = body
        found: PriceSimulation | ApiProblem | None = None
        if body["customer_id"] and all(line["volume"] for line in body["lines"]):
            try:
                found = await self._view.api.post(
                    "campaign", "/v1/price-quotes:simulate", PriceSimulation, body
                )
            except ApiProblem as problem:
                found = problem
        if body == self._priced:
            self._show(found)

    def _show(self, found: PriceSimulation | ApiProblem | None) -> None:
        t = self._view.t
        homeless = show_problems(t, self._places(), found.errors if isinstance(found, ApiProblem) else [])
        self._shown.clear()
        with self._shown:
            if found is None:
                empty_state(t("prices.start"), t("prices.start.do"))
            elif isinstance(found, PriceSimulation):
                draw_figures(self._view, found)
            elif found.status == 401:
                self._view.to_sign_in()
            else:
                words = "; ".join(each.detail for each in homeless) or advice(t, found)
                html(Markup("<b>{}</b>{}").format(t("prices.refused"), words)).classes("state").props(
                    "role=alert"
                )

    async def _save(self, saved: Saved) -> None:
        api, quote, body = self._view.api, self._quote, self._body()
        if quote is None:
            action = api.post("campaign", "/v1/price-quotes", QuoteView, body)
        else:
            terms = {name: body[name] for name in ("months", "lines", "bundle", "note")}
            path = f"/v1/price-quotes/{segment(quote.id)}"
            action = api.patch("campaign", path, QuoteView, terms, if_match=quote.version)
        done = await self._view.attempt(action, self._places())
        if done is not None:
            saved(done)


class _Line:
    """One product; an empty price is the tariff. Rates are typed as per cent."""

    def __init__(self, view: View, terms: dict[str, PriceTerms], line: QuoteLine | None = None) -> None:
        t = view.t
        self._t, self._terms = t, terms
        names = {product: t.local(one.name) for product, one in terms.items()}
        first = line.product if line else next(iter(names))
        with ui.element("div").classes("actions"):
            self._product = ui.select(names, value=first, label=t("prices.column.product"))
            self._product.props("outlined dense options-dense").style("min-width: 220px")
            self._product.on_value_change(self._labels)
            self._volume = text_field("", plain(line.volume) if line else "").style("width: 180px")
            self._price = text_field("").style("width: 180px")
        if line and line.price != line.tariff:
            self._price.set_value(plain(line.price) if line.kind == "fee" else per_cent(line.price))
        self._labels()

    def _labels(self) -> None:
        """What is asked for depends on the product."""
        fee = self._is_fee
        self._volume.props(f'label="{self._t("prices.units" if fee else "prices.balance")}"')
        self._price.props(f'label="{self._t("prices.unit_price" if fee else "prices.rate")}"')

    @property
    def _is_fee(self) -> bool:
        return self._terms[str(self._product.value)].kind == "fee"

    def body(self) -> dict[str, Any]:
        price = number(self._price.value) if self._is_fee else hundredth(self._price.value)
        return {"product": self._product.value, "volume": number(self._volume.value), "price": price or None}

    def places(self, at: str) -> dict[str, Place]:
        return {
            f"{at}/product": self._product,
            f"{at}/volume": self._volume,
            f"{at}/price": self._price,
            at: self._product,
        }
