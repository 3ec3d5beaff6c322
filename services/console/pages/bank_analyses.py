"""Channels and products 渠道与产品: what the whole bank's customers use, hold and move, month by month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup
from nicegui import ui

from services.console.formats import exact_money, percent, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.figures import panel
from services.console.widgets.html import html, table
from services.console.widgets.states import empty_state
from shared import clock
from shared.charts.heat import HeatCell, HeatWords, heat
from shared.charts.palette import SCREEN
from shared.contracts.evaluation.analyses import (
    ChannelAnalysis,
    ChannelMigration,
    CrossSale,
    FundsAnalysis,
    FundsMonth,
    ProductAnalysis,
)

_PATH = "/v1/analyses"
_MONTHS_BACK = 24
_SPANS = (3, 6, 12, 24)
Asked = str | int | Sequence[str] | None
_CURRENCY = "CNY"
_MINIMUM, _MOST_MINIMUM = 30, 100_000
_LABELS, _COLUMN, _WIDE_COLUMN, _LEAST = 190, 62, 112, 620


@dataclass
class Chosen:
    """`until`: the last month; `span`: how many up to it; `minimum`: holders a cross-sell share needs."""

    until: str
    span: int = 12
    currency: str = _CURRENCY
    minimum: int = _MINIMUM

    @property
    def months(self) -> dict[str, Asked]:
        return {"from": _month(date.fromisoformat(f"{self.until}-01"), self.span - 1), "until": self.until}


def _month(day: date, back: int) -> str:
    years, months = divmod(day.year * 12 + day.month - 1 - back, 12)
    return f"{years}-{months + 1:02}"


@page("/channels-and-products", title="bank_analyses.title", nav="bank-analyses")
async def bank_analyses_page(view: View) -> None:
    t = view.t
    with heading(t("bank_analyses.title"), t("bank_analyses.note")):
        pass
    if not view.user.at_head_office:
        with ui.element("section").classes("panel"):
            empty_state(t("bank_analyses.head_office"), t("bank_analyses.head_office.do"))
        return
    _Analyses(view).draw()


class _Analyses:
    """The filters, and the parts that each of them loads again."""

    def __init__(self, view: View) -> None:
        self._view, t = view, view.t
        over = [_month(clock.today(), back) for back in range(1, _MONTHS_BACK + 1)]
        self._chosen = Chosen(over[0])
        spans = {count: t("bank_analyses.months", n=count) for count in _SPANS}
        with ui.element("div").classes("filters"):
            self._until = ui.select(over, value=over[0], label=t("bank_analyses.until"))
            self._span = ui.select(spans, value=self._chosen.span, label=t("bank_analyses.span"))
            self._currency = ui.select([_CURRENCY], value=_CURRENCY, label=t("bank_analyses.currency"))
            self._minimum = ui.number(
                t("bank_analyses.minimum"), value=_MINIMUM, min=1, max=_MOST_MINIMUM, precision=0
            )
            for field in (self._until, self._span, self._currency, self._minimum):
                field.props("outlined dense options-dense").style("min-width: 160px")
            self._minimum.props("debounce=600")

    def draw(self) -> None:
        view = self._view
        self._load_channels = view.section(self._channels, lambda found: _channels(view, found), height=320)
        self._load_products = view.section(self._products, lambda found: _products(view, found), height=320)
        self._load_funds = view.section(self._funds, lambda found: _funds(view, found), height=320)
        self._until.on_value_change(self._choose_months)
        self._span.on_value_change(self._choose_months)
        self._currency.on_value_change(self._choose_currency)
        self._minimum.on_value_change(self._choose_minimum)

    async def _channels(self) -> ChannelAnalysis:
        asked = self._chosen.months
        return await self._view.api.get("evaluation", f"{_PATH}/channels", ChannelAnalysis, asked)

    async def _products(self) -> ProductAnalysis:
        asked: dict[str, Asked] = {"month": self._chosen.until, "minimum": self._chosen.minimum}
        return await self._view.api.get("evaluation", f"{_PATH}/products", ProductAnalysis, asked)

    async def _funds(self) -> FundsAnalysis:
        asked = {**self._chosen.months, "currency": self._chosen.currency}
        found = await self._view.api.get("evaluation", f"{_PATH}/funds", FundsAnalysis, asked)
        self._currency.set_options(sorted({_CURRENCY, self._chosen.currency, *found.currencies}))
        return found

    async def _choose_months(self) -> None:
        self._chosen.until = str(self._until.value)
        self._chosen.span = int(self._span.value or self._chosen.span)
        for load in (self._load_channels, self._load_products, self._load_funds):
            await load()

    async def _choose_currency(self) -> None:
        if self._currency.value and self._currency.value != self._chosen.currency:
            self._chosen.currency = str(self._currency.value)
            await self._load_funds()

    async def _choose_minimum(self) -> None:
        asked = self._minimum.value
        # An empty field, or one out of bounds, is still being written.
        if asked and 1 <= asked <= _MOST_MINIMUM and int(asked) != self._chosen.minimum:
            self._chosen.minimum = int(asked)
            await self._load_products()


def _empty(view: View, title: str) -> None:
    with panel(title):
        empty_state(view.t("bank_analyses.empty"), view.t("bank_analyses.empty.do"))


def _heat(
    view: View,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    cells: dict[tuple[int, int], HeatCell],
    *,
    wide: int = _COLUMN,
) -> None:
    words = HeatWords(title=title, rows=title, none=view.t("bank_analyses.none"))
    width = max(_LABELS + wide * len(columns), _LEAST)
    picture = heat(rows, columns, cells, words, lambda share: percent(share, 0), SCREEN, width=width)
    html(Markup('<div class="scroll">{}</div>').format(picture))


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────


def _channel(view: View, channel: str | None) -> str:
    if channel is None:
        return view.t("bank_analyses.inactive")
    return view.t.word("used_channel", channel) if channel else view.t("bank_analyses.unsaid")


def _channels(view: View, found: ChannelAnalysis) -> None:
    t = view.t
    if not any(month.transactions for month in found.months):
        _empty(view, t("bank_analyses.channels"))
        return
    names = sorted({use.channel for month in found.months for use in month.channels})
    cells = {
        (names.index(use.channel), at): HeatCell(use.transaction_share, whole(use.customers))
        for at, month in enumerate(found.months)
        for use in month.channels
    }
    with panel(t("bank_analyses.channels"), t("bank_analyses.channels.note")):
        months = [month.month for month in found.months]
        _heat(view, t("bank_analyses.channels"), [_channel(view, name) for name in names], months, cells)
    if found.migration and found.migration.rows:
        _migration(view, found, found.migration)


def _migration(view: View, found: ChannelAnalysis, migration: ChannelMigration) -> None:
    t = view.t
    cells = {
        (at, over): HeatCell(move.share, whole(move.customers), sure=move.channel == row.channel)
        for at, row in enumerate(migration.rows)
        for over, move in enumerate(row.moved_to)
        if row.channel is not None or move.channel is not None
    }
    title = t("bank_analyses.migration", first=found.first, last=found.last)
    with panel(title, t("bank_analyses.migration.note", n=whole(migration.customers))):
        columns = [_channel(view, move.channel) for move in migration.rows[0].moved_to]
        _heat(view, title, [_channel(view, row.channel) for row in migration.rows], columns, cells)


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────


def _category(view: View, category: str | None) -> str:
    return view.t("bank_analyses.unknown") if category is None else view.t.word("category", category)


def _products(view: View, found: ProductAnalysis) -> None:
    t = view.t
    if not found.customers:
        _empty(view, t("bank_analyses.products"))
        return
    with panel(t("bank_analyses.products"), t("bank_analyses.products.note", n=whole(found.customers))):
        columns = ("category", "holders", "penetration", "opened", "closed")
        rows = [
            [
                _category(view, each.category),
                whole(each.holders),
                percent(each.penetration),
                whole(each.opened),
                whole(each.closed),
            ]
            for each in found.categories
        ]
        html(table([t(f"bank_analyses.{name}") for name in columns], rows, right=range(1, 5)))
        mean = "" if found.mean_products is None else f"{found.mean_products:.2f}"
        html(Markup("<p>{}</p>").format(t("bank_analyses.held", mean=mean)))
        counted = [[whole(h.products), whole(h.customers), percent(h.share)] for h in found.products_held]
        held = ("held_products", "customers", "share")
        html(table([t(f"bank_analyses.{name}") for name in held], counted, right=range(3)))
    _trend(view, found)
    if found.cross_sales:
        _cross_sales(view, found)


def _trend(view: View, found: ProductAnalysis) -> None:
    t = view.t
    names = sorted({name for month in found.trend for name in month.penetration})
    cells = {
        (names.index(name), at): HeatCell(share, whole(month.customers))
        for at, month in enumerate(found.trend)
        for name, share in month.penetration.items()
    }
    with panel(t("bank_analyses.trend"), t("bank_analyses.trend.note")):
        months = [month.month for month in found.trend]
        _heat(view, t("bank_analyses.trend"), [_category(view, name) for name in names], months, cells)


def _cross_sales(view: View, found: ProductAnalysis) -> None:
    t = view.t
    names = sorted({each.held for each in found.cross_sales})
    cells = {
        (names.index(each.held), names.index(each.also)): HeatCell(
            each.share, _lift(each), why=_why(view, each, found.minimum)
        )
        for each in found.cross_sales
    }
    note = t("bank_analyses.cross.note", minimum=whole(found.minimum), withheld=whole(found.withheld))
    with panel(t("bank_analyses.cross"), note):
        labels = [_category(view, name) for name in names]
        _heat(view, t("bank_analyses.cross"), labels, labels, cells, wide=_WIDE_COLUMN)


def _lift(each: CrossSale) -> str:
    return f"n {whole(each.n)}" if each.lift is None else f"×{each.lift:.2f} · n {whole(each.n)}"


def _why(view: View, each: CrossSale, minimum: int) -> str:
    return view.t("bank_analyses.withheld", minimum=whole(minimum)) if each.share is None else ""


# ── funds ─────────────────────────────────────────────────────────────────────────────────────────────────


def _funds(view: View, found: FundsAnalysis) -> None:
    t, currency = view.t, found.currency
    last = found.months[-1]
    if not any(month.transactions or month.categories for month in found.months):
        with panel(t("bank_analyses.funds")):
            empty_state(t("bank_analyses.no_currency", currency=currency), t("bank_analyses.no_currency.do"))
        return
    amounts = ("inflow", "outflow", "net", "undirected", "salaries", "card_spending")
    with panel(f"{t('bank_analyses.funds')} · {currency}", t("bank_analyses.funds.note")):
        rows = [
            [month.month, *(exact_money(getattr(month, name), currency) for name in amounts)]
            for month in reversed(found.months)
        ]
        names = [t("bank_analyses.month"), *(t(f"bank_analyses.{name}") for name in amounts)]
        html(table(names, rows, right=range(1, 7)))
    _by_channel(view, last, currency)
    _by_category(view, last, currency)


def _by_channel(view: View, month: FundsMonth, currency: str) -> None:
    t = view.t
    amounts = ("inflow", "outflow", "net", "undirected")
    with panel(t("bank_analyses.funds.channels", month=month.month)):
        rows = [
            [
                _channel(view, each.channel),
                whole(each.transactions),
                *(exact_money(getattr(each, name), currency) for name in amounts),
            ]
            for each in month.channels
        ]
        columns = ("channel", "transactions", *amounts)
        html(table([t(f"bank_analyses.{name}") for name in columns], rows, right=range(1, 6)))


def _by_category(view: View, month: FundsMonth, currency: str) -> None:
    t = view.t
    amounts = ("opening", "inflow", "outflow", "closing", "unexplained", "first_told")
    with panel(t("bank_analyses.balances", month=month.month), t("bank_analyses.balances.note")):
        rows = [
            [
                _category(view, each.category),
                *(exact_money(getattr(each, name), currency) for name in amounts),
            ]
            for each in month.categories
        ]
        columns = ("category", *amounts)
        html(table([t(f"bank_analyses.{name}") for name in columns], rows, right=range(1, 7)))
