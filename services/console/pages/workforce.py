"""Who is away, who stands in, and how much everybody has to do."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.fields import Places, number_field, rounded, text_field
from services.console.widgets.html import html, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.clock import today
from shared.contracts.base import Page
from shared.contracts.campaign.absences import AbsenceView, ReassignedTasks
from shared.contracts.campaign.workload import CapacityView, Workload

Reload = Callable[[], Awaitable[None]]
_TONES = {"now": "warn", "coming": "accent"}


@page("/workforce", title="workforce.title", nav="workforce")
async def workforce_page(view: View) -> None:
    t = view.t

    async def again() -> None:
        await absences()
        await load()

    async def enter() -> None:
        if await _enter(view) is not None:
            await again()

    with heading(t("workforce.title"), t("workforce.note")):
        ui.button(t("absence.enter"), on_click=enter).props("unelevated no-caps")
    absences = view.section(
        lambda: view.api.get("campaign", "/v1/absences", Page[AbsenceView], {"limit": 200, "to_come": True}),
        lambda found: _draw_absences(view, found.items, again),
        height=160,
    )
    load = view.section(
        lambda: view.api.get("campaign", "/v1/workload", Page[Workload], {"limit": 1000}),
        lambda found: _draw_load(view, found.items, again),
        height=240,
    )


# ── absences ──────────────────────────────────────────────────────────────────────────────────────────────


async def _enter(view: View) -> AbsenceView | None:
    t, fields = view.t, dict[str, ui.input]()

    def draw() -> None:
        if view.user.has(Role.branch_head):
            fields["manager"] = text_field(t("absence.manager"), view.user.staff or "")
        for name in ("starts_on", "ends_on"):
            fields[name] = text_field(t(f"absence.{name}"), today().isoformat()).props("type=date")
        fields["substitute"] = text_field(t("absence.substitute"))

    async def save() -> AbsenceView | None:
        body = {name: str(field.value or "").strip() or None for name, field in fields.items()}
        places: Places = {f"/{name}": field for name, field in fields.items()}
        entered = await view.attempt(view.api.post("campaign", "/v1/absences", AbsenceView, body), places)
        if entered is not None:
            view.done(t("absence.entered"))
        return entered

    return await form(t, title=t("absence.enter"), note=t("absence.enter.note"), draw=draw, save=save)


def _draw_absences(view: View, absences: list[AbsenceView], again: Reload) -> None:
    t = view.t
    with ui.element("section").classes("panel").style("margin-bottom: 18px"):
        html(Markup("<h2>{}</h2>").format(t("absence.title")))
        if not absences:
            empty_state(t("absence.empty"), t("absence.empty.do"))
        for absence in absences:
            with (
                ui.element("div")
                .classes("actions absence")
                .style("justify-content: space-between; padding: 8px 0")
            ):
                state = tag(t.word("absence_state", absence.state), _TONES.get(absence.state, ""))
                stands_in = absence.substitute or t("absence.backup")
                books = t("absence.books", due=whole(absence.due), moved=whole(absence.moved))
                what = f"{day(absence.starts_on)} – {day(absence.ends_on)} · {stands_in} · {books}"
                html(two_lines(Markup("<b>{}</b> {}").format(absence.manager, state), what))
                _absence_verbs(view, absence, again)


def _absence_verbs(view: View, absence: AbsenceView, again: Reload) -> None:
    t = view.t
    path = f"/v1/absences/{segment(absence.id)}"

    async def move() -> None:
        counted = await view.attempt(
            view.api.post("campaign", f"{path}:reassign", ReassignedTasks, {"dry_run": True})
        )
        if counted is None:
            return
        receivers = "、".join(f"{each.manager} {whole(each.tasks)}" for each in counted.moved)
        text = t(
            "absence.move.confirm",
            tasks=whole(counted.tasks),
            receivers=receivers or t("absence.nobody"),
            returned=whole(counted.returned),
        )
        if await confirm(t, title=t("absence.move"), text=text) is None:
            return
        moved = await view.attempt(
            view.api.post("campaign", f"{path}:reassign", ReassignedTasks, {"dry_run": False})
        )
        if moved is not None:
            view.done(t("absence.moved", n=whole(moved.tasks)))
            await again()

    async def cancel() -> None:
        if await confirm(t, title=t("absence.cancel"), text=t("absence.cancel.confirm")) is None:
            return
        done = view.api.post("campaign", f"{path}:cancel", AbsenceView, if_match=absence.version)
        if await view.attempt(done) is not None:
            view.done(t("absence.cancelled"))
            await again()

    with ui.element("div").classes("actions"):
        if absence.due and view.user.has(Role.branch_head):
            ui.button(t("absence.move"), on_click=move).props("outline no-caps dense")
        if view.user.has(Role.branch_head) or absence.manager == view.user.staff:
            ui.button(t("absence.cancel"), on_click=cancel).props("flat no-caps dense")


# ── workload ──────────────────────────────────────────────────────────────────────────────────────────────


def _draw_load(view: View, load: list[Workload], again: Reload) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("workload.title")))
        if not load:
            empty_state(t("workload.empty"), t("workload.empty.do"))
        for one in load:
            with (
                ui.element("div")
                .classes("actions workload")
                .style("justify-content: space-between; padding: 8px 0")
            ):
                html(
                    two_lines(
                        Markup("<b>{}</b> {}").format(one.manager, _marks(view, one)), _books(view, one)
                    )
                )
                if view.user.has(Role.branch_head):
                    _capacity(view, one, again)


def _marks(view: View, one: Workload) -> Markup:
    t = view.t
    marks = [
        tag(t("workload.away"), "warn") if one.away else Markup(),
        tag(t("workload.overdue", n=whole(one.overdue)), "bad") if one.overdue else Markup(),
        tag(t("workload.escalated", n=whole(one.escalated)), "bad") if one.escalated else Markup(),
        tag(t("workload.beyond", n=whole(one.beyond_capacity)), "warn") if one.beyond_capacity else Markup(),
    ]
    return Markup(" ").join(mark for mark in marks if mark)


def _books(view: View, one: Workload) -> str:
    return view.t(
        "workload.books", open=whole(one.open), today=whole(one.due_today), minutes=whole(one.minutes_per_day)
    )


def _capacity(view: View, one: Workload, again: Reload) -> None:
    t = view.t
    path = f"/v1/managers/{segment(one.manager)}/capacity"

    async def change() -> None:
        now = await view.attempt(view.api.get("campaign", path, CapacityView))
        if now is None:
            return
        fields: dict[str, ui.number] = {}

        def draw() -> None:
            fields["minutes"] = number_field(t("workload.minutes"), now.minutes_per_day)

        async def save() -> CapacityView | None:
            body = {"minutes_per_day": rounded(fields["minutes"])}
            put = view.api.put("campaign", path, CapacityView, body, if_match=now.version)
            return await view.attempt(put, {"/minutes_per_day": fields["minutes"]})

        note = t("workload.capacity.note")
        if await form(t, title=t("workload.capacity"), note=note, draw=draw, save=save) is not None:
            view.done(t("workload.capacity.done"))
            await again()

    ui.button(t("workload.capacity"), on_click=change).props("outline no-caps dense")
