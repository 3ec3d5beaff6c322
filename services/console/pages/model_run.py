"""One run: while it trains how far it is, afterwards its groups, the evidence, and its record."""

from collections.abc import Callable, Coroutine
from typing import Any

from markupsafe import Markup
from nicegui import background_tasks, ui

from services.console.api import segment
from services.console.formats import figure, moment, percent, whole
from services.console.frame import heading
from services.console.pages.run_evidence import build_borderline, build_choice, build_drift, build_picture
from services.console.pages.run_groups import build_groups
from services.console.pages.run_record import build_record
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import html, link, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import JobView
from shared.contracts.segmentation import ModelRunView

_SECONDS = 0.7
_LIVE = frozenset({"queued", "running"})
_FIRST = ("k", "groups", "segments", "silhouette", "auc", "mean_degree", "borderline", "fidelity")
_SHARES = frozenset({"mean_degree", "mean_cohesion", "borderline", "outliers", "fidelity"})


@page("/model-runs/{run_id}", title="run.title", nav="models")
async def model_run_page(view: View, run_id: str) -> None:
    path = f"/v1/model-runs/{segment(run_id)}"

    async def fetch() -> ModelRunView:
        return await view.api.get("segmentation", path, ModelRunView)

    async def again() -> None:
        await load()

    load = view.section(fetch, lambda run: _draw(view, run, again), height=480)


def _draw(view: View, run: ModelRunView, reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
    t = view.t
    crumb = link(t("models.title"), "/models")
    with heading(t("run.heading", n=run.number), moment(run.created_at), crumb=crumb):
        state = Markup() if run.state.value in _LIVE else Markup(" ") + state_tag(t, run.state.value)
        html(tag(t.word("model_kind", run.kind.value), "accent") + state)
        html(link(t("run.model"), f"/models/{run.model_id}"))
    if run.state.value in _LIVE:
        Progress(view, run, reload).draw()
    elif run.state.value != "succeeded":
        with ui.element("section").classes("panel"):
            empty_state(t.word("state", run.state.value), run.problem or t("run.nothing_kept"))
    else:
        _tiles(view, run)
        _tabs(view, run, reload)


def _tiles(view: View, run: ModelRunView) -> None:
    t = view.t
    figures = [
        (name, value)
        for name, value in sorted((run.metrics or {}).items(), key=_place)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    with ui.element("div").classes("grid cols-5"):
        kpi(t("models.customers"), whole(run.window.customers if run.window else None), accent=True)
        for name, value in figures[:4]:
            shown = percent(value) if name in _SHARES else figure(value, t.language)
            kpi(t.word("metric_name", name), shown)


def _place(metric: tuple[str, object]) -> tuple[int, str]:
    """The telling ones first."""
    name = metric[0]
    return (_FIRST.index(name) if name in _FIRST else len(_FIRST), name)


def _tabs(view: View, run: ModelRunView, reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
    t, path = view.t, f"/v1/model-runs/{run.id}"
    panels: dict[str, tuple[str, Callable[[], object]]] = {}
    if run.clusters:
        panels["groups"] = (t("run.tab.groups"), lambda: build_groups(view, run))
    if run.kind.value in {"ensemble", "kmeans"}:
        panels["choice"] = (t("run.tab.choice"), lambda: build_choice(view, path))
    if run.kind.value == "ensemble":
        panels["borderline"] = (t("run.tab.borderline"), lambda: build_borderline(view, path))
    if run.kind.value in {"ensemble", "kmeans"}:
        panels["picture"] = (t("run.tab.picture"), lambda: build_picture(view, path))
    if run.kind.value in {"ensemble", "kmeans", "rfm"}:
        panels["drift"] = (t("run.tab.drift"), lambda: build_drift(view, path))
    panels["record"] = (t("run.tab.record"), lambda: build_record(view, run, reload))
    lazy_tabs(panels)


class Progress:
    """Asks until the run has ended, then shows what came out; cancelling keeps nothing."""

    def __init__(self, view: View, run: ModelRunView, ended: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._view = view
        self._run = run
        self._ended = ended

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("panel-head"):
                html(Markup("<h2>{}</h2>").format(t("run.training")))
                if self._view.user.has(Role.strategist):
                    ui.button(t("run.cancel"), on_click=self._cancel).props("flat no-caps")
            self._bar = ui.linear_progress(value=self._run.progress, show_value=False)
            self._bar.props(f'rounded size=8px aria-label="{t("run.training")}"')
            self._step = html(Markup())
        self._show()
        self._timer = ui.timer(_SECONDS, self._refresh)

    def _show(self) -> None:
        t = self._view.t
        step = t.word("train_step", self._run.step or "waiting")
        text = Markup("{} {} · {}").format(
            state_tag(t, self._run.state.value), percent(self._run.progress, 0), step
        )
        self._bar.set_value(self._run.progress)
        self._step.set_content(str(text))

    async def _refresh(self) -> None:
        path = f"/v1/model-runs/{self._run.id}"
        found = await self._view.optional(self._view.api.get("segmentation", path, ModelRunView))
        if found is None:
            return
        self._run = found
        if found.state.value in _LIVE:
            self._show()
        else:
            self._timer.deactivate()
            # Not awaited: what it draws takes the place of this panel, whose timer would cancel it.
            background_tasks.create(self._ended(), name="run ended")

    async def _cancel(self) -> None:
        path = f"/v1/jobs/{segment(self._run.job_id)}:cancel"
        await self._view.attempt(self._view.api.post("segmentation", path, JobView))
