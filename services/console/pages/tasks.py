"""A manager's tasks: whom to contact today, what to say, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, Params, segment
from services.console.formats import NOTHING, day, moment
from services.console.frame import heading
from services.console.pages.task_keys import Keys, draw_help, focus
from services.console.pages.task_panel import draw_task
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import html, tag
from services.console.widgets.states import empty_state, error_state, skeleton
from shared.clock import today
from shared.contracts.base import Page
from shared.contracts.campaign import TaskDetail, TaskView
from shared.contracts.campaign.scripts import TaskScript
from shared.contracts.customer import CustomerView

_PAGE = 25
_SOON_DAYS = 3
_OPEN = ("assigned", "accepted", "started", "call_back")
_LATE = {"overdue": "overdue", "escalated": "escalated", "beyond": "beyond_capacity"}
"""What is asked for instead of a state."""
_FILTERS = (
    "open",
    *_LATE,
    "assigned",
    "accepted",
    "started",
    "call_back",
    "returned",
    "done",
    "expired",
    "all",
)


@page("/tasks", title="tasks.title", nav="tasks")
async def tasks_page(view: View) -> None:
    t, desk = view.t, Desk(view)
    with heading(t("tasks.title"), t("tasks.note")):
        pass
    with ui.element("div").classes("filters"):
        ui.select(
            {name: t(f"tasks.filter.{name}") for name in _FILTERS},
            value=desk.state,
            label=t("tasks.filter"),
            on_change=lambda event: desk.show(str(event.value)),
        ).props("outlined dense options-dense").style("min-width: 180px")
        draw_help(t)
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("div"):
            desk.reload = view.section(desk.fetch, lambda _: desk.draw(), height=420)
        desk.panel = ui.element("section").classes("panel beside")
        desk.panel.props(f'aria-live="polite" tabindex=-1 aria-label="{t("tasks.panel")}"')
    with desk.panel:
        empty_state(t("tasks.none_chosen"), t("tasks.none_chosen.do"))


class Desk:
    """The list on the left, in the order of the service, and the chosen task beside it."""

    panel: ui.element
    reload: Callable[[], Awaitable[None]]

    def __init__(self, view: View) -> None:
        self.view = view
        self.state = "open"
        self._tasks: list[TaskView] = []
        self._names: dict[UUID, str] = {}
        self._next_cursor: str | None = None
        self._chosen: UUID | None = None
        self._place = 0
        """Of the chosen one in the list, or of the one that follows it since it has left the list."""
        self._buttons: dict[UUID, ui.element] = {}
        self._keys = Keys()
        self._keys.desk = {"j": self._next, "k": self._previous, "d": self._details}

    async def show(self, state: str) -> None:
        self.state = state
        await self.reload()

    async def fetch(self) -> None:
        found = await self._page(None)
        self._tasks, self._next_cursor = found.items, found.next_cursor

    async def _page(self, cursor: str | None) -> Page[TaskView]:
        """A page of tasks, with the masked names of their customers."""
        states = None if self.state in {"all", *_LATE} else _OPEN if self.state == "open" else (self.state,)
        wanted: Params = {"limit": _PAGE, "cursor": cursor, "state": states}
        if self.state in _LATE:
            wanted = {**wanted, _LATE[self.state]: True}
        found = await self.view.api.get("campaign", "/v1/tasks", Page[TaskView], wanted)
        unknown = {task.customer_id for task in found.items} - self._names.keys()
        customers = await asyncio.gather(*(_customer(self.view, one) for one in unknown))
        self._names.update((customer.id, customer.name or NOTHING) for customer in customers if customer)
        return found

    def draw(self) -> None:
        t = self.view.t
        self._buttons.clear()
        if not self._tasks:
            with ui.element("div").classes("panel"):
                empty_state(t("tasks.empty"), t("tasks.empty.do"))
            return
        with ui.element("div").classes("stack").style("gap: 8px") as listed:
            for task in self._tasks:
                self._entry(task)
        if self._next_cursor is None:
            return

        async def more() -> None:
            found = await self.view.attempt(self._page(self._next_cursor))
            if found is None:
                return
            self._tasks.extend(found.items)
            self._next_cursor = found.next_cursor
            button.set_visibility(found.next_cursor is not None)
            with listed:
                for task in found.items:
                    self._entry(task)

        button = ui.button(t("more"), on_click=more).props("flat no-caps")

    async def _next(self) -> None:
        await self._step(self._place + (self._chosen in self._buttons))

    async def _previous(self) -> None:
        await self._step(self._place - 1)

    async def _step(self, place: int) -> None:
        """To another task of the list, if there is one."""
        if 0 <= place < len(self._tasks):
            task_id = self._tasks[place].id
            focus(self._buttons[task_id])
            self._mark(task_id)
            await self._open(task_id)

    async def _details(self) -> None:
        """Tab goes on inside the panel."""
        focus(self.panel)

    def _entry(self, task: TaskView) -> None:
        async def choose() -> None:
            self._mark(task.id)
            await self._open(task.id)

        button = ui.element("button").classes("pick").props('type="button"').on("click", choose)
        self._buttons[task.id] = button
        with button:
            name = self._names.get(task.customer_id, NOTHING)
            html(Markup("<b>{}</b>&ensp;{}").format(name, _due(self.view, task)))
            html(state_tag(self.view.t, task.state)).classes("pick-state")
            due = moment(task.next_at) if task.next_at else day(task.due_on)
            html(Markup("{} · {}").format(self.view.t.local(task.campaign_name), due), tag="span")
        if task.id == self._chosen:
            self._mark(task.id)

    def _mark(self, task_id: UUID) -> None:
        before = self._buttons.get(self._chosen) if self._chosen else None
        if before:
            before.props(remove="aria-current")
        self._chosen = task_id
        self._place = next(place for place, task in enumerate(self._tasks) if task.id == task_id)
        self._buttons[task_id].props('aria-current="true"')

    async def _open(self, task_id: UUID) -> None:
        """Fill the panel; a refusal is shown in it."""
        self.panel.clear()
        with self.panel:
            skeleton(320)

        async def again() -> None:
            await self._open(task_id)

        async def changed() -> None:
            await again()
            await self.reload()
            # What had the focus was drawn anew.
            focus(self._buttons.get(task_id, self.panel))

        path = f"/v1/tasks/{segment(task_id)}"
        try:
            task = await self.view.api.get("campaign", path, TaskDetail)
            script, customer = await asyncio.gather(
                self._script(path),
                _customer(self.view, task.customer_id),
            )
        except ApiProblem as problem:
            self.panel.clear()
            with self.panel:
                error_state(self.view.t, problem, retry=again)
            return
        self.panel.clear()
        with self.panel:
            draw_task(self.view, task, script, customer, changed, self._keys)

    async def _script(self, path: str) -> TaskScript | ApiProblem:
        """A script that lacks a value says which; the task can be worked without it."""
        try:
            return await self.view.api.get("campaign", f"{path}/script", TaskScript)
        except ApiProblem as problem:
            if problem.status == 401:
                raise
            return problem


async def _customer(view: View, customer_id: UUID) -> CustomerView | None:
    path = f"/v1/customers/{segment(customer_id)}"
    return await view.optional(view.api.get("customer", path, CustomerView))


def _due(view: View, task: TaskView) -> Markup:
    if task.closed_at is not None:
        return Markup()
    left = (task.due_on - today()).days
    if left < 0:
        return tag(view.t("tasks.overdue"), "bad")
    return tag(view.t("tasks.due_soon", n=left), "warn") if left <= _SOON_DAYS else Markup()
