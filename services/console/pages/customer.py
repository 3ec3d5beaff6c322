"""One customer: the first look, then value, network and steward behind tabs."""

import asyncio
from dataclasses import dataclass

from services.console.api import segment
from services.console.formats import NOTHING
from services.console.frame import heading
from services.console.pages.customer_account import build_account
from services.console.pages.customer_consents import build_consents
from services.console.pages.customer_history import build_history
from services.console.pages.customer_network import build_network
from services.console.pages.customer_overview import draw_overview
from services.console.pages.customer_ownership import build_ownership
from services.console.pages.customer_value import draw_value, fetch_value
from services.console.view import View, page
from services.console.widgets.html import html, link, tag
from services.console.widgets.tabs import lazy_tabs
from shared.auth import Role
from shared.contracts.campaign import ContactDecisions
from shared.contracts.customer import Customer360
from shared.contracts.segmentation import CustomerSegments


@dataclass(frozen=True)
class CustomerFacts:
    whole: Customer360
    segments: CustomerSegments | None
    decisions: ContactDecisions | None


@page("/customers/{customer_id}", title="customer.title", nav="customers")
async def customer_page(view: View, customer_id: str) -> None:
    view.section(lambda: _fetch(view, customer_id), lambda shown: _draw(view, shown), height=520)


async def _fetch(view: View, customer_id: str) -> CustomerFacts:
    part = segment(customer_id)
    whole, segments, decisions = await asyncio.gather(
        view.api.get("customer", f"/v1/customers/{part}/360", Customer360),
        view.optional(view.api.get("segmentation", f"/v1/customers/{part}/segments", CustomerSegments)),
        view.optional(view.api.get("campaign", f"/v1/customers/{part}/contact-decisions", ContactDecisions)),
    )
    return CustomerFacts(whole, segments, decisions)


def _draw(view: View, shown: CustomerFacts) -> None:
    t, customer = view.t, shown.whole.customer
    crumb = link(t("customers.title"), "/customers")
    with heading(customer.name or NOTHING, t.local(shown.whole.org_name), crumb=crumb):
        html(
            tag(t.word("customer_kind", customer.kind), "accent")
            + " "
            + tag(t.word("customer_state", customer.status), "good" if customer.status == "active" else "")
        )
        if customer.status == "active" and view.user.has(Role.manager, Role.branch_head):
            html(link(t("referrals.make"), f"/referrals?customer={customer.id}"))
    key = str(customer.id)
    lazy_tabs(
        {
            "overview": (
                t("customer.tab.overview"),
                lambda: draw_overview(view, shown.whole, shown.segments, shown.decisions),
            ),
            "value": (
                t("customer.tab.value"),
                lambda: view.section(lambda: fetch_value(view, key), lambda found: draw_value(view, found)),
            ),
            "network": (
                t("customer.tab.network"),
                lambda: build_network(view, key, company=customer.kind == "company"),
            ),
            "ownership": (t("customer.tab.ownership"), lambda: build_ownership(view, key)),
            "account": (t("customer.tab.account"), lambda: build_account(view, key)),
            "consents": (t("customer.tab.consents"), lambda: build_consents(view, key)),
            "history": (t("customer.tab.history"), lambda: build_history(view, key)),
        }
    )
