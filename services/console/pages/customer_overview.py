"""The first look at a customer: profile, holdings, what happened, what comes next."""

from markupsafe import Markup
from nicegui import ui
from pydantic import JsonValue

from services.console.api import segment
from services.console.formats import NOTHING, day, exact_money, moment
from services.console.i18n import Texts
from services.console.pages.customer_insight import build_insight
from services.console.session import PERSONAL_READERS
from services.console.view import View
from services.console.widgets.html import Cell, facts, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.campaign import ContactDecisions
from shared.contracts.customer import Customer360, CustomerView, HoldingView, TimelineItem
from shared.contracts.segmentation import CustomerSegments

_TIMELINE = 40
_SHOWN = (
    "direction",
    "amount",
    "currency",
    "balance_after",
    "product",
    "channel",
    "level",
    "valid_until",
    "category",
    "severity",
    "branch",
    "days",
    "wait_minutes",
    "state",
    "disposition",
    "campaign_key",
)


def draw_overview(
    view: View, whole: Customer360, segments: CustomerSegments | None, decisions: ContactDecisions | None
) -> None:
    t = view.t
    _totals(view, whole)
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel"):
            _profile(view, whole)
        with ui.element("div").classes("stack"):
            _standing(view, whole)
            _segments(view, segments)
            build_insight(view, str(whole.customer.id))
            _next_dates(view, whole)
            _contact(view, decisions)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.holdings")))
        if whole.holdings:
            html(_holdings(view, whole.holdings))
        else:
            empty_state(t("customer.holdings.empty"), t("customer.holdings.empty.do"))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.timeline")))
        if whole.timeline:
            html(_timeline(view, whole.timeline))
        else:
            empty_state(t("customer.timeline.empty"), t("customer.timeline.empty.do"))


def _totals(view: View, whole: Customer360) -> None:
    t, customer = view.t, whole.customer
    with ui.element("div").classes("grid cols-4"):
        for total in whole.totals[:2] or []:
            kpi(
                t("customer.assets", currency=total.currency),
                exact_money(total.assets, total.currency),
                t("customer.liabilities", amount=exact_money(total.liabilities, total.currency)),
            )
        kpi(
            t("customer.manager"),
            whole.primary_manager_name or customer.primary_manager or NOTHING,
            t("customer.backup", name=whole.backup_manager_name or customer.backup_manager or NOTHING),
        )
        kpi(
            t("customer.risk"),
            customer.risk_level or NOTHING,
            t("customer.risk.until", date=day(customer.risk_valid_until)),
        )
        if len(whole.totals) < 2:
            kpi(t("customer.since"), day(customer.customer_since), t("customer.since.note"))


def _profile(view: View, whole: Customer360) -> None:
    t, customer = view.t, whole.customer
    with ui.element("div").classes("panel-head"):
        html(Markup("<h2>{}</h2>").format(t("customer.profile")))
        if customer.masked and view.user.has(*PERSONAL_READERS):
            button = ui.button(t("customer.reveal")).props("outline dense no-caps padding='2px 12px'")
    shown = html(_profile_facts(view, customer))

    async def reveal() -> None:
        path = f"/v1/customers/{segment(customer.id)}"
        clear = await view.attempt(view.api.get("customer", path, CustomerView, {"reveal": "pii"}))
        if clear is not None:
            shown.set_content(str(_profile_facts(view, clear)))
            button.delete()
            view.done(t("customer.revealed"))

    if customer.masked and view.user.has(*PERSONAL_READERS):
        button.on_click(reveal)


def _profile_facts(view: View, customer: CustomerView) -> Markup:
    t = view.t
    pairs: list[tuple[str, Cell]] = [
        (t("pii.name"), customer.name or NOTHING),
        (t("pii.id_number"), customer.id_number or NOTHING),
        (t("pii.phone"), customer.phone or NOTHING),
        (t("pii.email"), customer.email or NOTHING),
        (t("pii.address"), customer.address or NOTHING),
    ]
    if customer.kind == "person":
        gender = t.word("gender", customer.gender) if customer.gender else NOTHING
        pairs += [(t("customer.gender"), gender), (t("customer.birth"), day(customer.birth_date))]
        pairs.append((t("customer.occupation"), customer.occupation or NOTHING))
    else:
        pairs.append((t("customer.industry"), customer.industry or NOTHING))
    given = [t.word("consent", channel) for channel, agreed in customer.consents.items() if agreed]
    pairs.append((t("customer.consents"), t("comma").join(given) or t("customer.consents.none")))
    pairs.append((t("customer.org"), customer.org))
    return facts(pairs)


def _standing(view: View, whole: Customer360) -> None:
    """What the bank earns with the customer, how good the file is, what is open."""
    t, value = view.t, whole.value
    relations = t("comma").join(
        f"{t.word('relation', kind)} {count:,}" for kind, count in sorted(whole.relations.items())
    )
    pairs: list[tuple[str, Cell]] = [
        (
            t("standing.value", month=value.month if value else ""),
            exact_money(value.contribution, value.currency) if value else NOTHING,
        ),
        (t("quality.title"), NOTHING if whole.quality_score is None else f"{whole.quality_score:.1f}"),
        (t("standing.relations"), relations or NOTHING),
        (t("standing.open"), t("standing.open.n", tasks=whole.open_tasks, needs=whole.open_needs)),
        (t("standing.contact"), moment(whole.last_contact_at)),
    ]
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("standing.title")))
        html(facts(pairs))


def _segments(view: View, found: CustomerSegments | None) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.segments")))
        if found is None or not found.segments:
            html(Markup('<p class="muted">{}</p>').format(t("customer.segments.empty")))
            return
        html(
            Markup(" ").join(
                Markup('<a class="tag accent" href="/segments/{}" title="{}">{}</a>').format(
                    entry.segment_id, moment(entry.since), t.local(entry.name)
                )
                for entry in found.segments
            )
        )


def _next_dates(view: View, whole: Customer360) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.next")))
        if not whole.next_dates:
            html(Markup('<p class="muted">{}</p>').format(t("customer.next.empty")))
            return
        html(
            facts(
                (day(entry.date), f"{t.word('next', entry.kind)} {entry.subject}")
                for entry in whole.next_dates
            )
        )


def _contact(view: View, found: ContactDecisions | None) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.contact")))
        if found is None:
            html(Markup('<p class="muted">{}</p>').format(t("customer.contact.empty")))
            return
        verdict = tag(t("contact.may"), "good") if found.contactable else tag(t("contact.may_not"), "bad")
        blocked = [t.word("reason", check.rule) for check in found.checks if not check.holds]
        html(Markup("{} {}").format(verdict, t("comma").join(blocked)))
        if found.decisions:
            rows: list[list[Cell]] = [
                [
                    link(decision.campaign_key, f"/campaigns/{decision.campaign_id}"),
                    t.word("ledger", decision.state),
                    t.word("disposition", decision.disposition)
                    if decision.disposition
                    else t.word("reason", decision.reason or "") or NOTHING,
                    moment(decision.decided_at),
                ]
                for decision in found.decisions[:8]
            ]
            html(table([t(f"column.{n}") for n in ("campaign", "state", "result", "time")], rows))


def _holdings(view: View, holdings: list[HoldingView]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            two_lines(t.local(held.product_name) if held.product_name else held.product, held.account),
            t.word("category", held.category) if held.category else NOTHING,
            exact_money(held.balance, held.currency),
            day(held.opened_on),
            day(held.matures_on),
            day(held.as_of) if held.closed_on is None else t("customer.closed", date=day(held.closed_on)),
        ]
        for held in holdings
    ]
    names = ("product", "category", "balance", "opened", "matures", "as_of")
    return table([t(f"column.{name}") for name in names], rows, right=(2,))


def _timeline(view: View, items: list[TimelineItem]) -> Markup:
    entry = Markup(
        '<li class="{}"><span class="muted small num">{}</span>&ensp;<b>{}</b>'
        '<div class="small muted">{}</div></li>'
    )
    return Markup('<ol class="line">{}</ol>').format(
        Markup().join(
            entry.format(
                item.kind, moment(item.time), view.t.word("event", item.type), _details(view.t, item.data)
            )
            for item in items[:_TIMELINE]
        )
    )


def _details(t: Texts, data: dict[str, JsonValue]) -> str:
    """The few facts of an event worth a line: what, how much, where."""
    shown = ((name, data[name]) for name in _SHOWN if name in data)
    return " · ".join(f"{t.word('field', name)} {t.word('fact', str(value))}" for name, value in shown)
