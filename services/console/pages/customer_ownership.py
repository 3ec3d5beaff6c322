"""Whose customer it is: managers A and B, the branches that share it, and what the file lacks."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, percent
from services.console.view import View
from services.console.widgets.html import Cell, bar, facts, html, table, tag
from services.console.widgets.tiles import kpi
from shared.contracts.customer.ownership import OwnershipView
from shared.contracts.customer.quality import CustomerQuality

_TONES = {"high": "bad", "medium": "warn", "low": ""}


@dataclass(frozen=True)
class Care:
    owners: OwnershipView
    quality: CustomerQuality | None


def build_ownership(view: View, customer_id: str) -> None:
    path = f"/v1/customers/{segment(customer_id)}"

    async def fetch() -> Care:
        owners, quality = await asyncio.gather(
            view.api.get("customer", f"{path}/ownership", OwnershipView),
            view.optional(view.api.get("customer", f"{path}/quality", CustomerQuality)),
        )
        return Care(owners, quality)

    view.section(fetch, lambda care: _draw(view, care), height=280)


def _draw(view: View, care: Care) -> None:
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel"):
            _owners(view, care.owners)
        with ui.element("section").classes("panel"):
            _quality(view, care.quality)


def _owners(view: View, owners: OwnershipView) -> None:
    t = view.t
    html(Markup("<h2>{}</h2>").format(t("ownership.title")))
    html(
        facts(
            [
                (t("ownership.primary"), owners.primary_manager or NOTHING),
                (t("ownership.backup"), owners.backup_manager or NOTHING),
            ]
        )
    )
    rows: list[list[Cell]] = [
        [
            branch.org,
            tag(t.word("branch_role", branch.role), "accent" if branch.role == "lead" else ""),
            Markup("{}{}").format(percent(branch.share, 2), bar(float(branch.share))),
        ]
        for branch in owners.branches
    ]
    names = [t("column.org"), t("ownership.role"), t("ownership.share")]
    html(table(names, rows, right=(2,))).style("margin-top: 12px")


def _quality(view: View, quality: CustomerQuality | None) -> None:
    t = view.t
    html(Markup("<h2>{}</h2>").format(t("quality.title")))
    if quality is None or quality.score is None:
        html(Markup('<p class="muted">{}</p>').format(t("quality.none")))
        return
    kpi(t("quality.score"), f"{quality.score:.1f}", t("quality.open", n=len(quality.failing)))
    for rule in quality.failing:
        html(
            Markup("<p>{} {}</p>").format(
                tag(t.local(rule.name), _TONES[rule.severity]), t.local(rule.advice)
            )
        )
