"""One optimisation: what it is worth, what each campaign gets, and what every limit costs."""

from collections.abc import Callable, Coroutine
from typing import Any

from markupsafe import Markup
from nicegui import background_tasks, ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, percent, whole
from services.console.frame import heading
from services.console.pages.optimisations import OPEN
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import html, link, table, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import JobView
from shared.contracts.base import Page as Listed
from shared.contracts.campaign.optimisations import ManagerShare, OptimisationResult, OptimisationView

_SECONDS = 0.7
_LIVE = frozenset({"queued", "running"})
_MANAGERS = 10
Reload = Callable[[], Coroutine[Any, Any, None]]


@page("/optimisations/{optimisation_id}", title="optimise.title", nav="optimisations")
async def optimisation_page(view: View, optimisation_id: str) -> None:
    path = f"/v1/optimisations/{segment(optimisation_id)}"

    async def fetch() -> OptimisationView:
        return await view.api.get("campaign", path, OptimisationView)

    async def again() -> None:
        await load()

    load = view.section(fetch, lambda found: _draw(view, found, again), height=480)


def _draw(view: View, found: OptimisationView, again: Reload) -> None:
    t = view.t
    crumb = link(t("optimise.title"), "/optimisations")
    with heading(found.name, moment(found.created_at), crumb=crumb):
        html(state_tag(t, found.state))
        if found.result is not None and view.user.has(Role.strategist):
            _verbs(view, found, again)
    if found.result is not None:
        _tiles(view, found.result)
        _campaigns(view, found, found.result)
        _prices(view, found.result)
        _managers(view, found)
        return
    with ui.element("section").classes("panel"):
        if found.state not in _LIVE:
            empty_state(t.word("state", found.state), found.problem or t("run.nothing_kept"))
            return
        _Progress(view, found, again).draw()


def _verbs(view: View, found: OptimisationView, again: Reload) -> None:
    """A run may be applied again: after other runs were, or when some of its campaigns were freed."""
    t = view.t

    async def apply() -> None:
        await ask("apply", t("optimise.apply"), t("optimise.apply.confirm"), t("optimise.applied"))

    async def unbind() -> None:
        await ask("unbind", t("optimise.unbind"), t("optimise.unbind.confirm"), t("optimise.unbound"))

    async def ask(verb: str, title: str, text: str, said: str) -> None:
        if await confirm(t, title=title, text=text) is None:
            return
        path = f"/v1/optimisations/{found.id}:{verb}"
        if await view.attempt(view.api.post("campaign", path, OptimisationView)) is not None:
            view.done(said)
            await again()

    bound = {each.campaign_id for each in found.bound}
    if any(terms.campaign_id not in bound for terms in found.request.campaigns):
        ui.button(t("optimise.apply"), on_click=apply).props("unelevated no-caps")
    if any(each.status in OPEN for each in found.bound):
        ui.button(t("optimise.unbind"), on_click=unbind).props("outline no-caps")


class _Progress:
    """Asks until the run has ended, then shows what came out."""

    def __init__(self, view: View, found: OptimisationView, ended: Reload) -> None:
        self._view, self._found, self._ended = view, found, ended
        self._path = f"/v1/jobs/{segment(found.job_id)}"

    def draw(self) -> None:
        t = self._view.t
        label = t("optimise.running")
        html(Markup("<h2>{}</h2>").format(label))
        self._bar = ui.linear_progress(value=0, show_value=False)
        self._bar.props(f'rounded size=8px aria-label="{label}"')
        if self._view.user.has(Role.strategist):
            ui.button(t("run.cancel"), on_click=self._cancel).props("flat no-caps")
        self._timer = ui.timer(_SECONDS, self._refresh)

    async def _refresh(self) -> None:
        path = f"/v1/optimisations/{self._found.id}"
        found = await self._view.optional(self._view.api.get("campaign", path, OptimisationView))
        job = await self._view.optional(self._view.api.get("campaign", self._path, JobView))
        if job is not None:
            self._bar.set_value(job.progress)
        if found is not None and found.state not in _LIVE:
            self._timer.deactivate()
            # Not awaited: what it draws takes the place of this panel, whose timer would cancel it.
            background_tasks.create(self._ended(), name="optimisation ended")

    async def _cancel(self) -> None:
        await self._view.attempt(self._view.api.post("campaign", f"{self._path}:cancel", JobView))


def _tiles(view: View, result: OptimisationResult) -> None:
    t = view.t
    with ui.element("div").classes("grid cols-5"):
        kpi(t("optimise.value"), whole(result.value), result.currency, accent=True)
        kpi(t("optimise.bound"), whole(result.bound), t("optimise.gap", share=percent(result.gap, 2)))
        kpi(t("optimise.contacts"), whole(result.contacts), t("optimise.of", n=whole(result.options)))
        kpi(t("optimise.spent"), whole(result.minutes), t("optimise.cost", amount=whole(result.cost)))
        kpi(t("optimise.full"), whole(result.managers_full), t("optimise.of", n=whole(result.managers)))


def _prices(view: View, result: OptimisationResult) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2><p>{}</p>").format(t("optimise.prices"), t("optimise.prices.note")))
        if not result.prices:
            empty_state(t("optimise.free"), t("optimise.free.do"))
            return
        names = ("limit", "used", "available", "price", "meaning")
        rows = [
            [
                f"{t(f'optimise.kind.{each.kind}')} {each.key or ''}",
                whole(each.used),
                whole(each.limit),
                f"{each.price:,.2f}",
                t.local(each.sentence),
            ]
            for each in result.prices
        ]
        html(table([t(f"optimise.{name}") for name in names], rows, right=(1, 2, 3)))


def _campaigns(view: View, found: OptimisationView, result: OptimisationResult) -> None:
    t = view.t
    bound = {each.campaign_id for each in found.bound}
    names = ("audience", "contactable", "contacts", "value", "minimum", "maximum", "missing", "uses")
    rows = [
        [
            link(each.key, f"/campaigns/{each.campaign_id}"),
            whole(each.audience),
            whole(each.contactable),
            whole(each.contacts),
            whole(each.value),
            whole(each.minimum),
            whole(each.maximum),
            whole(each.missing) if each.missing else NOTHING,
            tag(t("optimise.uses.yes"), "good") if each.campaign_id in bound else NOTHING,
        ]
        for each in result.campaigns
    ]
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("optimise.campaigns")))
        columns = [t("column.campaign"), *(t(f"optimise.{name}") for name in names)]
        html(table(columns, rows, right=range(1, 8)))


def _managers(view: View, found: OptimisationView) -> None:
    t = view.t

    async def fetch() -> Listed[ManagerShare]:
        path = f"/v1/optimisations/{found.id}/managers"
        return await view.api.get("campaign", path, Listed[ManagerShare], {"limit": _MANAGERS})

    def draw(managers: Listed[ManagerShare]) -> None:
        rows = [
            [each.manager, whole(each.contacts), whole(each.minutes), whole(each.value), f"{each.price:,.2f}"]
            for each in managers.items
        ]
        names = ("contacts", "spent", "value", "price")
        columns = [t("column.manager"), *(t(f"optimise.{name}") for name in names)]
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("optimise.managers")))
            html(table(columns, rows, right=range(1, 5)))

    view.section(fetch, draw)
