"""What a price list changes, and the proposals that wait for somebody else than their author."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.pages.price_figures import price_text
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, table, tag, two_lines
from services.console.widgets.numbers import per_cent
from shared.auth import Role
from shared.contracts.campaign.price_lists import (
    PreviewedTerms,
    PriceChange,
    PriceKind,
    PriceListPreview,
    PriceListView,
)

Reload = Callable[[], Awaitable[None]]
_SHARES = {
    *("capital_ratio", "hurdle", "subsidy_share", "funding_rate", "pd", "lgd", "exposure", "risk_weight"),
    "discount",
}


def draw_proposals(view: View, proposals: list[PriceListView], again: Reload) -> None:
    t = view.t
    if not proposals:
        return
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p>{}</p>").format(t("price_lists.proposals"), t("price_lists.proposals.note"))
        )
        for one in proposals:
            _proposal(view, one, again)


def _proposal(view: View, one: PriceListView, again: Reload) -> None:
    t, path = view.t, f"/v1/price-lists/{segment(one.ref)}"
    written = t("price_lists.written", time=moment(one.created_at), by=one.created_by)

    async def fetch() -> PriceListPreview:
        return await view.api.get("campaign", f"{path}/preview", PriceListPreview)

    with ui.element("div").classes("proposal"):
        with ui.element("div").classes("actions").style("justify-content: space-between; padding: 6px 0"):
            words = Markup('<b>{}</b> {}<br><span class="muted small">{}</span>')
            html(words.format(t.local(one.name), one.ref, written))
            if view.user.has(Role.approver) and view.user.id != one.created_by:
                with ui.element("div").classes("actions"):
                    for verb, look in (("reject", "outline"), ("approve", "unelevated")):
                        act = _deciding(view, one, f"{path}:{verb}", verb, again)
                        button = ui.button(t(f"price_lists.{verb}"), on_click=act)
                        view.bank_wide(button).props(f"{look} no-caps dense")
        view.section(fetch, lambda found: draw_preview(view, found), height=160)


def _deciding(view: View, one: PriceListView, path: str, verb: str, again: Reload) -> Reload:
    t = view.t

    async def decide() -> None:
        said = await confirm(
            t,
            title=t(f"price_lists.{verb}"),
            text=t(f"price_lists.{verb}.confirm", ref=one.ref),
            field=t("prices.comment") if verb == "approve" else t("action.reason"),
            required=verb == "reject",
        )
        if said is None:
            return
        body = {"comment": said or None} if verb == "approve" else {"reason": said}
        done = await view.attempt(view.api.post("campaign", path, PriceListView, body))
        if done is not None:
            view.done(t("action.done", state=t.word("state", done.state)))
            await again()

    return decide


def draw_preview(view: View, found: PriceListPreview) -> None:
    """What each product costs, and every term that is not as in the list in force."""
    t = view.t
    names = ("product", "list_price", "before", "cost_price", "volume")
    columns = [t(f"price_lists.column.{name}") for name in names]
    rows = [_row(one, t("price_lists.below_cost")) for one in found.products]
    against = t("price_lists.against", ref=found.base) if found.base else t("price_lists.first")
    html(Markup('<p><b>{}</b> <span class="muted">{}</span></p>').format(found.ref, against))
    html(table(columns, rows, right=(1, 2, 3, 4)))
    if found.dropped:
        text = t("price_lists.dropped", products=t("comma").join(found.dropped))
        html(Markup('<p class="bad">{}</p>').format(text))
    if not found.changes:
        html(Markup('<p class="muted">{}</p>').format(t("price_lists.unchanged")))
        return
    kinds = {one.product: one.kind for one in found.products}
    columns = [t(f"price_lists.change.{name}") for name in ("part", "term", "before", "after")]
    html(table(columns, [_change(view, one, kinds) for one in found.changes], right=(2, 3)))


def _change(view: View, one: PriceChange, kinds: Mapping[str, PriceKind]) -> list[Cell]:
    t = view.t
    key = t.word("role", one.key) if one.part == "authority" else one.key
    kind = kinds.get(one.key.rpartition("/")[2])
    return [
        two_lines(key, t.word("price_part", one.part)) if key else t.word("price_part", one.part),
        t.word("price_term", one.term),
        _value(one.term, one.before, kind),
        _value(one.term, one.after, kind),
    ]


def _value(term: str, value: str | None, kind: PriceKind | None) -> str:
    """As it is typed: rates and shares as per cent."""
    if value is None:
        return NOTHING
    if term in _SHARES:
        return f"{per_cent(Decimal(value))}%"
    if term in {"list_price", "price"} and kind is not None:
        return price_text(kind, Decimal(value))
    return value


def _row(one: PreviewedTerms, below: str) -> list[Cell]:
    loses = one.list_price > one.floor_price if one.kind == "deposit" else one.list_price < one.floor_price
    cost: Cell = price_text(one.kind, one.floor_price)
    return [
        one.product,
        price_text(one.kind, one.list_price),
        NOTHING if one.before is None else price_text(one.kind, one.before),
        two_lines(cost, tag(below, "bad")) if loses else cost,
        whole(one.volume),
    ]
