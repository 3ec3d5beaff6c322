"""A manager's tasks: whom to contact today, what to say, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, segment
from services.console.formats import NOTHING, day, moment
from services.console.frame import heading
from services.console.pages.task_panel import draw_task
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import html, tag
from services.console.widgets.states import empty_state, error_state, skeleton
from shared.clock import today
from shared.contracts.base import Page
from shared.contracts.campaign import ScriptView, TaskDetail, TaskView
from shared.contracts.customer import CustomerView

_PAGE = 25
_OPEN = ("assigned", "accepted", "started", "call_back")
_FILTERS = ("open", "assigned", "started", "call_back", "done", "expired", "all")


@dataclass
class TaskList:
    """What is on the screen: tasks in the order of the service, names of their customers, the chosen one."""

    state: str = "open"
    items: list[TaskView] = field(default_factory=list)
    names: dict[UUID, str] = field(default_factory=dict)
    next_cursor: str | None = None
    chosen: UUID | None = None


@page("/tasks", title="tasks.title", nav="tasks")
async def tasks_page(view: View) -> None:
    t, shown = view.t, TaskList()
    with heading(t("tasks.title"), t("tasks.note")):
        pass
    with ui.element("div").classes("filters"):
        choice = (
            ui.select(
                {name: t(f"tasks.filter.{name}") for name in _FILTERS},
                value=shown.state,
                label=t("tasks.filter"),
            )
            .props("outlined dense options-dense")
            .style("min-width: 180px")
        )
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("div"):
            load = view.section(
                lambda: _fetch(view, shown), lambda _: _draw(view, shown, panel, reload), height=420
            )
        panel = ui.element("section").classes("panel").props('aria-live="polite"')
    with panel:
        empty_state(t("tasks.none_chosen"), t("tasks.none_chosen.do"))

    async def reload() -> None:
        shown.items.clear()
        shown.next_cursor = None
        await load()

    async def changed() -> None:
        shown.state = str(choice.value)
        await reload()

    choice.on_value_change(changed)


async def _fetch(view: View, shown: TaskList) -> None:
    """The next page of tasks, with the masked names of their customers."""
    found = await view.api.get(
        "campaign",
        "/v1/tasks",
        Page[TaskView],
        {
            "limit": _PAGE,
            "cursor": shown.next_cursor,
            "state": None if shown.state == "all" else shown.state,
        },
    )
    shown.items.extend(found.items)
    shown.next_cursor = found.next_cursor
    unknown = {task.customer_id for task in found.items} - shown.names.keys()
    customers = await asyncio.gather(*(_customer(view, one) for one in unknown))
    shown.names.update((customer.id, customer.name or NOTHING) for customer in customers if customer)


async def _customer(view: View, customer_id: UUID) -> CustomerView | None:
    return await view.optional(
        view.api.get("customer", f"/v1/customers/{segment(customer_id)}", CustomerView)
    )


def _draw(view: View, shown: TaskList, panel: ui.element, reload: Callable[[], Awaitable[None]]) -> None:
    t = view.t
    with ui.element("section").classes("stack").style("gap: 8px").props(f'aria-label="{t("tasks.title")}"'):
        if not shown.items:
            with ui.element("div").classes("panel"):
                empty_state(t("tasks.empty"), t("tasks.empty.do"))
            return
        for task in shown.items:
            _entry(view, shown, task, panel, reload)
        if shown.next_cursor:

            async def more() -> None:
                await view.attempt(_fetch(view, shown))
                box.clear()
                with box:
                    _draw(view, shown, panel, reload)

            button = ui.button(t("more"), on_click=more).props("flat no-caps")
            parent = button.parent_slot
            box = parent.parent if parent else panel


def _entry(
    view: View, shown: TaskList, task: TaskView, panel: ui.element, reload: Callable[[], Awaitable[None]]
) -> None:
    async def choose() -> None:
        shown.chosen = task.id
        await _open(view, task.id, panel, reload)

    button = ui.element("button").classes("pick").props('type="button"').on("click", choose)
    with button:
        name = shown.names.get(task.customer_id, NOTHING)
        html(Markup("<b>{}</b>&ensp;{}").format(name, _due(view, task)))
        html(state_tag(view.t, task.state)).style("grid-row: 1 / 3; grid-column: 2; align-self: center")
        due = moment(task.next_at) if task.next_at else day(task.due_on)
        html(Markup("{} · {}").format(view.t.local(task.campaign_name), due), tag="span")


def _due(view: View, task: TaskView) -> Markup:
    if task.closed_at is not None:
        return Markup()
    left = (task.due_on - today()).days
    if left < 0:
        return tag(view.t("tasks.overdue"), "bad")
    return tag(view.t("tasks.due_soon", n=left), "warn") if left <= 3 else Markup()


async def _open(view: View, task_id: UUID, panel: ui.element, reload: Callable[[], Awaitable[None]]) -> None:
    """Fill the side panel; a refusal is shown in it."""
    panel.clear()
    with panel:
        skeleton(320)

    async def again() -> None:
        await _open(view, task_id, panel, reload)

    async def recorded() -> None:
        await again()
        await reload()

    path = f"/v1/tasks/{segment(task_id)}"
    try:
        task = await view.api.get("campaign", path, TaskDetail)
        script, customer = await asyncio.gather(
            view.optional(view.api.get("campaign", f"{path}/script", ScriptView)),
            _customer(view, task.customer_id),
        )
    except ApiProblem as problem:
        panel.clear()
        with panel:
            error_state(view.t, problem, retry=again)
        return
    panel.clear()
    with panel:
        draw_task(view, task, script, customer, recorded)
