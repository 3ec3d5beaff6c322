"""What a customer brings: contribution by month and product, what it costs, what peers bring more."""

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, percent
from services.console.view import View
from services.console.widgets.charts import chart
from services.console.widgets.customer_charts import value_by_month
from services.console.widgets.html import Cell, html, table
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.customer.value import CustomerValueView, Potential, ProductValue

_MONTHS = 12
# What a month's contribution is made of, and which way each part counts.
_PARTS = {"ftp_margin": 1, "fees": 1, "expected_loss": -1, "operating_cost": -1, "capital_charge": -1}
_FIGURES = (
    "average_balance",
    "ftp_margin",
    "fees",
    "expected_loss",
    "operating_cost",
    "capital_charge",
    "contribution",
)


async def fetch_value(view: View, customer_id: str) -> CustomerValueView:
    path = f"/v1/customers/{segment(customer_id)}/value"
    return await view.api.get("customer", path, CustomerValueView, {"months": _MONTHS})


def draw_value(view: View, found: CustomerValueView) -> None:
    t = view.t
    if not found.months:
        empty_state(t("value.empty"), t("value.empty.do"))
        return
    _tiles(view, found)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(t("value.months"), t("value.note")))
        months = [month.month for month in found.months]
        parts = {
            t(f"value.{figure}"): [sign * float(getattr(month, figure)) for month in found.months]
            for figure, sign in _PARTS.items()
        }
        totals = [float(month.contribution) for month in found.months]
        chart(
            value_by_month(months, parts, (t("value.contribution"), totals), found.currency),
            height=300,
            label=t("value.months"),
        )
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("value.products")))
        html(_products(view, found.products, found.currency))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("value.potential")))
        _potential(view, found.potential, found.currency)


def _tiles(view: View, found: CustomerValueView) -> None:
    t, total = view.t, found.total
    with ui.element("div").classes("grid cols-4"):
        kpi(
            t("value.contribution"),
            exact_money(total.contribution, found.currency),
            t("value.over", n=len(found.months)),
            accent=True,
        )
        kpi(
            "RAROC",
            percent(total.raroc),
            t("value.capital", amount=exact_money(total.capital, found.currency)),
        )
        place = found.rank
        kpi(
            t("value.rank"),
            f"{place.place:,} / {place.of:,}" if place else NOTHING,
            place.org if place else "",
        )
        sold = found.cross_sell
        kpi(
            t("value.cross_sell"),
            f"{sold.categories} / {sold.of_categories}" if sold else NOTHING,
            t("value.cross_sell.note", n=sold.products) if sold else "",
        )


def _products(view: View, products: Sequence[ProductValue], currency: str) -> Markup:
    rows: list[list[Cell]] = [
        [product.product, *(_amount(getattr(product, figure), currency) for figure in _FIGURES)]
        for product in products
    ]
    names = [view.t("column.product"), *(view.t(f"value.{figure}") for figure in _FIGURES)]
    return table(names, rows, right=range(1, len(names)))


def _amount(amount: Decimal, currency: str) -> Cell:
    """Losses stand out: they are what a price talk is about."""
    text = exact_money(amount, currency)
    return Markup('<span class="loss">{}</span>').format(text) if amount < 0 else text


def _potential(view: View, potential: Potential | None, currency: str) -> None:
    t = view.t
    if potential is None:
        html(Markup('<p class="muted">{}</p>').format(t("value.potential.empty")))
        return
    html(
        Markup('<p class="muted small">{}</p>').format(
            t("value.potential.note", peers=f"{potential.peers:,}", group=potential.peer_group)
        )
    )
    rows: list[list[Cell]] = [
        [
            t.word("category", entry.category),
            exact_money(entry.own, currency),
            exact_money(entry.benchmark, currency),
            exact_money(entry.potential, currency),
        ]
        for entry in potential.categories
    ]
    rows.append([t("value.total"), "", "", exact_money(potential.total, currency)])
    names = [t("column.category"), t("value.own"), t("value.benchmark"), t("value.potential")]
    html(table(names, rows, right=(1, 2, 3)))
