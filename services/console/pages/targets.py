"""Target profiles 目标客户定位: whom units say they serve."""

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, moment, percent, whole
from services.console.frame import heading
from services.console.pages.target_form import declare
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation.targets import DriftMeasure, TargetProfileView

ANALYSTS = (Role.strategist, Role.branch_head)


@page("/targets", title="targets.title", nav="targets")
async def targets_page(view: View) -> None:
    t = view.t

    async def fetch() -> Page[TargetProfileView]:
        return await view.api.get(
            "segmentation", "/v1/target-profiles", Page[TargetProfileView], {"limit": 200}
        )

    async def declared() -> None:
        made = await declare(view)
        if made is not None:
            ui.navigate.to(f"/targets/{made.id}")

    with heading(t("targets.title"), t("targets.note")):
        if view.user.has(*ANALYSTS):
            ui.button(t("targets.declare"), on_click=declared).props("unelevated no-caps")
    view.section(fetch, lambda found: _list(view, found.items), height=240)


def _list(view: View, profiles: list[TargetProfileView]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not profiles:
            empty_state(t("targets.empty"), t("targets.empty.do"))
            return
        names = ("profile", "org", "tolerances", "valid", "checked", "alerts", "rule")
        rows = [_row(view, profile) for profile in profiles]
        html(table([t(f"targets.column.{name}") for name in names], rows, right=(5,)))


def _row(view: View, profile: TargetProfileView) -> list[Cell]:
    t = view.t
    return [
        two_lines(link(t.local(profile.name), f"/targets/{profile.id}"), f"v{profile.version}"),
        profile.org,
        Markup("<br>").join(tolerance_words(view, profile)),
        f"{day(profile.valid_from)} ~ {day(profile.valid_until)}",
        moment(profile.checked_at),
        tag(whole(profile.alerts), "bad") if profile.alerts else NOTHING,
        Markup('<code class="small">{}</code>').format(profile.definition.sql or ""),
    ]


def tolerance_words(view: View, profile: TargetProfileView) -> list[str]:
    """What is watched, and the share it must keep."""
    return [
        f"{view.t(f'targets.measure.{measure}')} ≥ {percent(declared, 0)}"
        for measure in DriftMeasure
        if (declared := getattr(profile.tolerances, measure)) is not None
    ]
