"""What a customer needs of whom: the fields of a referral, by itself or at the end of a contact."""

import asyncio
from dataclasses import dataclass
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Place, number_field, text_field
from services.console.widgets.html import html
from shared.contracts.base import Page
from shared.contracts.campaign import OfferView
from shared.contracts.campaign.referrals import BusinessLine, ReferralView
from shared.contracts.customer import OrgView
from shared.contracts.customer.vocabulary import ProductCategory


@dataclass(frozen=True)
class Choices:
    """What may be needed, and the branches that are known to who refers; others can be typed."""

    offers: dict[str, str]
    orgs: list[str]


async def fetch_choices(view: View) -> Choices:
    offers, orgs = await asyncio.gather(
        view.api.get("campaign", "/v1/offers", Page[OfferView], {"limit": 1000}),
        view.optional(view.api.get("customer", "/v1/orgs", Page[OrgView], {"limit": 1000})),
    )
    return Choices(
        {offer.key: view.t.local(offer.name) for offer in offers.items},
        [org.code for org in orgs.items] if orgs else [],
    )


@dataclass(frozen=True)
class Lead:
    """A customer of a core company's network, with what is missing there."""

    customer: str = ""
    category: str = ""
    core: str = ""
    role: str = ""


class NeedFields:
    """The parts of the request that say what is needed of whom, and how the credit is shared."""

    def __init__(self, view: View, choices: Choices, lead: Lead) -> None:
        t = view.t
        self._lead = {"core_customer_id": lead.core, "role": lead.role} if lead.core and lead.role else None
        lines = {line: t(f"referral_line.{line}") for line in get_args(BusinessLine)}
        categories = {one: t.word("category", one) for one in get_args(ProductCategory)}
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._from = ui.select(lines, value="corporate", label=t("referrals.from_line"))
            self._line = ui.select(lines, value="personal", label=t("referrals.to_line"))
            self._org = ui.input(t("referrals.to_org"), value=view.user.org, autocomplete=choices.orgs)
            self._manager = text_field(t("referrals.to_manager"))
            self._offer = ui.select(choices.offers, label=t("referrals.offer"), clearable=True)
            chosen = lead.category if lead.category in categories else None
            self._category = ui.select(
                categories, value=chosen, label=t("referrals.category"), clearable=True
            )
            self._share = number_field(t("referrals.share"), None, suffix="%")
        for field in (self._from, self._line, self._org, self._offer, self._category):
            field.props("outlined dense options-dense")
        evidence = t("referrals.evidence", role=t.word("lead_role", lead.role)) if self._lead else ""
        self._note = ui.textarea(t("referrals.need"), value=evidence)
        self._note.props("outlined dense autogrow maxlength=2000")
        html(Markup('<p class="muted small">{}</p>').format(t("referrals.no_contact")))

    def body(self) -> dict[str, Any]:
        share = self._share.value
        # In hundredths of a per cent, so that the two parts are one to the last digit.
        parts = None if share is None else round(share * 100)
        return {
            "from_line": self._from.value,
            "to": {
                "line": self._line.value,
                "org": str(self._org.value or "").strip(),
                "manager": str(self._manager.value or "").strip() or None,
            },
            "offer": self._offer.value,
            "category": self._category.value,
            "note": str(self._note.value or "").strip(),
            "lead": self._lead,
            "credit": None
            if parts is None
            else {"referrer": f"{parts / 10_000:.4f}", "receiver": f"{(10_000 - parts) / 10_000:.4f}"},
        }

    def places(self, at: str = "") -> dict[str, Place]:
        return {
            f"{at}/from_line": self._from,
            f"{at}/to": self._line,
            f"{at}/to/org": self._org,
            f"{at}/to/manager": self._manager,
            f"{at}/offer": self._offer,
            f"{at}/category": self._category,
            f"{at}/credit": self._share,
            f"{at}/note": self._note,
            f"{at}/lead": self._note,
        }


async def ask_referral(view: View, lead: Lead) -> ReferralView | None:
    """What was made, or None when the user turned back."""
    t = view.t
    choices = await view.attempt(fetch_choices(view))
    if choices is None:
        return None
    fields: list[tuple[ui.input, NeedFields]] = []

    def draw() -> None:
        customer = text_field(t("referrals.customer_id"), lead.customer)
        fields.append((customer, NeedFields(view, choices, lead)))

    async def save() -> ReferralView | None:
        customer, need = fields[0]
        body = {"customer_id": str(customer.value or "").strip(), **need.body()}
        places = {"/customer_id": customer, **need.places()}
        made = await view.attempt(view.api.post("campaign", "/v1/referrals", ReferralView, body), places)
        if made is not None:
            view.done(t("referrals.made"))
        return made

    return await form(
        t, title=t("referrals.make"), note=t("referrals.make.note"), draw=draw, save=save, wide=True
    )
