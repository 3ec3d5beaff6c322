"""Activity 活动量: what managers did by day, week or month, beside what they are to do."""

from collections.abc import Awaitable, Callable
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, percent, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Places, number_field, rounded, text_field
from services.console.widgets.html import Cell, bar, html, table, two_lines
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared import clock
from shared.auth import Role
from shared.contracts.campaign.activity_targets import (
    ActivityAttainment,
    ActivityTargetView,
    Attained,
    ManagerActivity,
)

_PERIODS = ("day", "week", "month")
_COUNTS = ("calls", "visits", "new_customers", "existing_customers", "opportunities")
Reload = Callable[[], Awaitable[None]]


@page("/activity", title="activity.title", nav="activity")
async def activity_page(view: View) -> None:
    t, wanted = view.t, {"period": "day"}

    async def again() -> None:
        await reload()

    async def choose(period: str) -> None:
        wanted["period"] = period
        await again()

    async def add() -> None:
        if await _set_target(view) is not None:
            await again()

    async def fetch() -> ActivityAttainment:
        return await view.api.get("campaign", "/v1/activity-attainment", ActivityAttainment, wanted)

    with heading(t("activity.title"), t("activity.note")):
        if view.user.has(Role.branch_head):
            ui.button(t("activity.set"), on_click=add).props("unelevated no-caps")
    with ui.element("div").classes("filters"):
        periods = {each: t.word("period", each) for each in _PERIODS}
        select = ui.select(periods, value="day", label=t("activity.period")).props("outlined dense")
        select.on_value_change(lambda event: choose(str(event.value))).style("min-width: 140px")
    reload = view.section(fetch, lambda found: _draw(view, found), height=320)


def _draw(view: View, found: ActivityAttainment) -> None:
    t = view.t
    if not found.items:
        with ui.element("section").classes("panel"):
            empty_state(t("activity.empty"), t("activity.empty.do"))
        return
    first, *rest = found.items
    days = day(found.first_day)
    if found.last_day != found.first_day:
        days = f"{days} – {day(found.last_day)}"
    html(Markup('<p class="muted">{} · {}</p>').format(days, first.manager or first.org))
    with ui.element("div").classes("grid cols-4"):
        for each in first.activities:
            note = NOTHING if each.target is None else _of_target(view, each)
            kpi(t.word("activity", each.activity), whole(each.done), note)
    if rest:
        columns = [t("activity.manager"), *(t.word("activity", name) for name in _COUNTS)]
        with ui.element("section").classes("panel").style("margin-top: 18px"):
            html(table(columns, [_row(view, each) for each in rest], right=range(1, 6)))
            if found.left_off:
                html(Markup("<p>{}</p>").format(t("activity.left_off", n=whole(found.left_off))))


def _of_target(view: View, each: Attained) -> str:
    return view.t("activity.of", target=whole(each.target), share=percent(each.attainment, 0))


def _row(view: View, item: ManagerActivity) -> list[Cell]:
    cells: list[Cell] = [two_lines(item.manager or item.org, item.org)]
    for each in item.activities:
        if each.target is None:
            cells.append(whole(each.done))
        else:
            cells.append(two_lines(whole(each.done), _of_target(view, each)) + bar(each.attainment))
    return cells


async def _set_target(view: View) -> ActivityTargetView | None:
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        fields["org"] = text_field(t("activity.org"), view.user.org)
        fields["manager"] = text_field(t("activity.manager.field"))
        periods = {each: t.word("period", each) for each in _PERIODS}
        period = ui.select(periods, value="day", label=t("activity.period"))
        fields["period"] = period.props("outlined dense")
        fields["valid_from"] = text_field(t("activity.from"), clock.today().isoformat())
        for name in _COUNTS:
            fields[name] = number_field(t.word("activity", name), None)

    async def save() -> ActivityTargetView | None:
        body: dict[str, object] = {
            "org": str(fields["org"].value or "").strip(),
            "manager": str(fields["manager"].value or "").strip() or None,
            "period": fields["period"].value,
            "valid_from": str(fields["valid_from"].value or "").strip(),
            **{name: rounded(fields[name]) for name in _COUNTS},
        }
        places: Places = {"": fields["calls"], **{f"/{name}": each for name, each in fields.items()}}
        sent = view.api.post("campaign", "/v1/activity-targets", ActivityTargetView, body)
        made = await view.attempt(sent, places)
        if made is not None:
            view.done(t("activity.done"))
        return made

    return await form(t, title=t("activity.set"), note=t("activity.set.note"), draw=draw, save=save)
