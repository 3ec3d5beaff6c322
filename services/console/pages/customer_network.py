"""Who a customer is connected with: the network, its group, and the leads that follow from it."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, percent
from services.console.view import View
from services.console.widgets.charts import chart
from services.console.widgets.customer_charts import Edge, Node, network
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.customer.relations import Group, Lead, Leads, Network, NodeView

_DEPTHS = (1, 2, 3)


@dataclass(frozen=True)
class Surroundings:
    network: Network
    leads: Leads | None
    group: Group | None


async def fetch_network(view: View, customer_id: str, depth: int, *, company: bool) -> Surroundings:
    path = f"/v1/customers/{segment(customer_id)}"
    around = view.api.get("customer", f"{path}/network", Network, {"depth": depth})
    if not company:
        return Surroundings(await around, None, None)
    found, leads, group = await asyncio.gather(
        around,
        view.optional(view.api.get("customer", f"{path}/leads", Leads)),
        view.optional(view.api.get("customer", f"{path}/group", Group)),
    )
    return Surroundings(found, leads, group)


def build_network(view: View, customer_id: str, *, company: bool) -> None:
    """The section with its choice of depth."""
    t = view.t
    depth = ui.select({n: t("network.depth", n=n) for n in _DEPTHS}, value=1)
    depth.props("outlined dense options-dense").props(f'aria-label="{t("network.depth.label")}"')
    depth.style("width: 180px")
    reload = view.section(
        lambda: fetch_network(view, customer_id, int(depth.value), company=company),
        lambda found: _draw(view, found),
        height=420,
    )
    depth.on_value_change(reload)


def _draw(view: View, found: Surroundings) -> None:
    t, around = view.t, found.network
    if not around.edges:
        empty_state(t("network.empty"), t("network.empty.do"))
        return
    with ui.element("section").classes("panel"):
        _picture(view, around)
        notes = [t("network.hidden", n=around.hidden)] if around.hidden else []
        notes += [t("network.truncated")] if around.truncated else []
        if notes:
            html(Markup('<p class="muted small">{}</p>').format(" ".join(notes)))
    if found.group is not None and len(found.group.members) > 1:
        _group(view, found.group)
    if found.leads is not None:
        _leads(view, found.leads)


def _picture(view: View, around: Network) -> None:
    t = view.t
    names = {node.customer_id: _name(view, node) for node in around.nodes}
    nodes = [
        Node(
            key=str(node.customer_id),
            label=names[node.customer_id],
            kind=node.kind or "hidden",
            ring=node.depth,
            tip=f"{names[node.customer_id]} · {node.org or NOTHING}",
        )
        for node in around.nodes
    ]
    edges = [
        Edge(
            str(edge.from_id),
            str(edge.to_id),
            t.word("relation", edge.kind),
            None if edge.share is None else float(edge.share),
        )
        for edge in around.edges
    ]
    kinds = {kind: t.word("customer_kind", kind) for kind in ("company", "person", "hidden")}
    chart(network(nodes, edges, kinds), height=460, label=t("network.title"))
    rows: list[list[Cell]] = [
        [
            link(names[edge.from_id], f"/customers/{edge.from_id}"),
            t.word("relation", edge.kind),
            link(names[edge.to_id], f"/customers/{edge.to_id}"),
            percent(edge.share) if edge.share is not None else NOTHING,
        ]
        for edge in around.edges
    ]
    columns = [t(f"network.{name}") for name in ("from", "relation", "to", "share")]
    html(table(columns, rows, right=(3,)))


def _name(view: View, node: NodeView) -> str:
    return view.t("network.other_branch") if node.hidden else node.name or NOTHING


def _group(view: View, group: Group) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        total = "; ".join(
            f"{exact_money(one.assets, one.currency)} / {exact_money(one.liabilities, one.currency)}"
            for one in group.totals
        )
        heading = Markup("<h2>{}</h2><p class='muted small'>{} {}</p>")
        html(heading.format(t("group.title"), t("group.totals"), total))
        rows: list[list[Cell]] = [
            [
                Markup("{}{}").format(
                    "　" * member.depth, link(_name(view, member), f"/customers/{member.customer_id}")
                ),
                percent(member.share) if member.share is not None else NOTHING,
                "; ".join(exact_money(one.assets, one.currency) for one in member.totals) or NOTHING,
                "; ".join(exact_money(one.liabilities, one.currency) for one in member.totals) or NOTHING,
                member.org or NOTHING,
            ]
            for member in group.members
        ]
        names = ("company", "share", "assets", "liabilities")
        html(table([*(t(f"group.{name}") for name in names), t("column.org")], rows, right=(1, 2, 3)))


def _leads(view: View, found: Leads) -> None:
    t, refers = view.t, view.user.has(Role.manager, Role.branch_head)
    with ui.element("section").classes("panel"):
        note = t("leads.note", existing=found.existing, new=found.not_yet_active, hidden=found.hidden)
        html(Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(t("leads.title"), note))
        if not found.leads:
            html(Markup('<p class="muted">{}</p>').format(t("leads.empty")))
            return
        rows: list[list[Cell]] = [
            [
                link(lead.name or NOTHING, f"/customers/{lead.customer_id}"),
                t.word("lead_role", lead.role),
                tag(t("leads.active"), "good") if lead.active else tag(t("leads.new"), "accent"),
                Markup(" ").join(tag(t.word("category", one.category)) for one in lead.openings),
                f"{lead.score:.2f}",
                lead.primary_manager or lead.org,
                *([link(t("leads.refer"), _referral(found, lead))] if refers else []),
            ]
            for lead in found.leads[:30]
        ]
        names = ("customer", "role", "state", "openings", "score", "manager")
        columns = [t(f"leads.{name}") for name in names]
        html(table([*columns, *([""] if refers else [])], rows, right=(4,)))


def _referral(found: Leads, lead: Lead) -> str:
    """The referral desk, about to hand this lead on for what is missing most, with the evidence for it."""
    need = {"customer": lead.customer_id, "core": found.customer_id, "role": lead.role}
    missing = {"category": lead.openings[0].category} if lead.openings else {}
    return f"/referrals?{urlencode({**need, **missing})}"
