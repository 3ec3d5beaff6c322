"""A priced quote: what it brings, costs and leaves, who may grant it, and other ways to sell it."""

from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, exact_money, percent
from services.console.view import View
from services.console.widgets.charts import chart
from services.console.widgets.html import Cell, facts, html, table, tag, two_lines
from services.console.widgets.numbers import per_cent, plain
from services.console.widgets.price_charts import Way, break_even
from services.console.widgets.tiles import kpi
from shared.contracts.campaign.price_lists import PriceKind
from shared.contracts.campaign.quotes import PriceSimulation, QuoteAlternative, QuoteLine


def draw_figures(view: View, found: PriceSimulation) -> None:
    t, total, currency = view.t, found.total, found.currency
    with ui.element("div").classes("grid cols-3"):
        kpi(t("prices.revenue"), exact_money(total.revenue, currency), _discount(view, found))
        kpi(t("prices.cost"), exact_money(total.cost, currency), _floor(view, found))
        even = percent(total.break_even_share, 2)
        note = t("prices.raroc", raroc=percent(total.raroc, 2), even=even)
        kpi(t("prices.contribution"), exact_money(total.contribution, currency), note, accent=True)
    html(authority(view, found)).props('aria-live="polite"')
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("prices.lines")))
        html(_lines(view, found))
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("prices.alternatives"), t("prices.alternatives.note")
            )
        )
        html(_alternatives(view, found))
        options = break_even(t, _ways(view, found), currency)
        chart(options, height=260, label=t("prices.break_even"))
    html(facts(_costs(view, found))).classes("panel")


def authority(view: View, found: PriceSimulation) -> Markup:
    """Whether whoever priced it may grant it, and who else may."""
    t, decision = view.t, found.decision
    if not decision.needs_approval:
        return tag(t("prices.granted"), "good")
    concerns = " · ".join(t.word("price_concern", concern) for concern in decision.concerns)
    who = ", ".join(t.word("role", role) for role in decision.approvers)
    text = t("prices.approvers", who=who) if who else t("prices.nobody")
    return two_lines(tag(concerns, "warn" if who else "bad"), text)


def price_text(kind: PriceKind, price: Decimal) -> str:
    """Exact: a rate as per cent, the price of a unit as it is."""
    return f"{per_cent(price)}%" if kind != "fee" else plain(price)


def _discount(view: View, found: PriceSimulation) -> str:
    return view.t("prices.discount", amount=exact_money(found.total.discount, found.currency))


def _floor(view: View, found: PriceSimulation) -> str:
    return view.t("prices.floor", amount=exact_money(found.total.floor, found.currency))


def _lines(view: View, found: PriceSimulation) -> Markup:
    names = ("product", "volume", "price", "line_revenue", "line_cost", "left", "floor_price", "from_volume")
    rows = [_line(view, line, found.currency) for line in found.lines]
    if found.total.bundle_fee:
        fee = exact_money(found.total.bundle_fee, found.currency)
        rows.append([view.t("prices.bundle_fee"), "", "", fee, "", fee, "", ""])
    columns = [view.t(f"prices.column.{name}") for name in names]
    return table(columns, rows, right=range(1, len(names)))


def _line(view: View, line: QuoteLine, currency: str) -> list[Cell]:
    volume = line.break_even_volume
    return [
        two_lines(view.t.local(line.name), line.product),
        f"{line.volume:,.2f}",
        two_lines(
            price_text(line.kind, line.price),
            view.t("prices.tariff", price=price_text(line.kind, line.tariff)),
        ),
        exact_money(line.revenue, currency),
        exact_money(line.cost, currency),
        _amount(line.contribution, currency),
        price_text(line.kind, line.floor_price),
        NOTHING if volume is None else f"{volume:,.2f}",
    ]


def _alternatives(view: View, found: PriceSimulation) -> Markup:
    names = ("way", "line_revenue", "saved", "left", "raroc", "even")
    rows = [
        [
            _name(view, one),
            exact_money(one.revenue, found.currency),
            exact_money(one.discount, found.currency),
            _amount(one.contribution, found.currency),
            percent(one.raroc, 2),
            percent(one.break_even_share, 2),
        ]
        for one in found.alternatives
    ]
    columns = [view.t(f"prices.column.{name}") for name in names]
    return table(columns, rows, right=range(1, len(names)))


def _name(view: View, one: QuoteAlternative) -> str:
    return view.t.local(one.name) if one.name else view.t("prices.single")


def _ways(view: View, found: PriceSimulation) -> list[Way]:
    others = [Way(_name(view, one), one) for one in found.alternatives]
    return [Way(view.t("prices.this"), found.total), *others]


def _costs(view: View, found: PriceSimulation) -> list[tuple[str, Cell]]:
    """Where the cost comes from, and what the customer's own contribution allows."""
    t, total, currency = view.t, found.total, found.currency
    names = ("funding", "expected_loss", "operating_cost", "capital", "capital_charge")
    pairs: list[tuple[str, Cell]] = [
        (t(f"prices.{name}"), exact_money(getattr(total, name), currency)) for name in names
    ]
    if found.measured is not None:
        told = exact_money(found.measured.contribution, currency)
        pairs.append((t("prices.measured", months=found.measured.months), told))
        pairs.append((t("prices.committed"), exact_money(found.measured.committed, currency)))
    pairs.append((t("prices.subsidy"), exact_money(total.subsidy, currency)))
    pairs.append((t("prices.list"), f"{found.price_list} · {t('prices.months_of', n=found.months)}"))
    return pairs


def _amount(amount: Decimal, currency: str) -> Cell:
    text = exact_money(amount, currency)
    return Markup('<span class="bad">{}</span>').format(text) if amount < 0 else text
