"""Feeding and running a model of service quality: months observed, upload with the lines refused, run."""

import re
from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui
from nicegui.events import UploadEventArguments

from services.console.api import ApiProblem, segment
from services.console.formats import NOTHING, whole
from services.console.view import View, advice
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, table
from shared import clock
from shared.contracts.base import JobView, ProblemItem
from shared.contracts.evaluation.service_quality import (
    ObservationsTaken,
    ObservedPeriods,
    QualityModel,
    RowError,
)

_MAX_BYTES = 64 * 1024**2
_SECONDS = 0.7
_LIVE = frozenset({"queued", "running"})
_LINE = re.compile(r"^/lines/(\d+)(?:/(.+))?$")


class FeedPanel:
    """Uploading replaces a month; a run is followed until it has ended."""

    def __init__(
        self,
        view: View,
        model: QualityModel,
        path: str,
        observed: ObservedPeriods,
        changed: Callable[[], Awaitable[None]],
        next_version: Callable[[QualityModel], Awaitable[None]],
    ) -> None:
        self._view, self._model, self._path = view, model, path
        self._observed, self._changed, self._next_version = observed, changed, next_version
        self._job: JobView | None = None

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                    t("service_quality.feed"), t("service_quality.feed.note", columns=self._columns())
                )
            )
            self._months()
            if not self._view.bank_wide_form():
                return
            with ui.element("div").classes("filters").style("margin-top: 12px"):
                self._period = ui.input(t("service_quality.period"), value=f"{clock.today():%Y-%m}")
                self._period.props('outlined dense mask="####-##"')
                self._skip = ui.checkbox(t("service_quality.skip_invalid"))
                self._upload = ui.upload(
                    label=t("service_quality.upload"),
                    auto_upload=True,
                    max_files=1,
                    max_file_size=_MAX_BYTES,
                    on_upload=self._taken,
                    on_rejected=lambda: ui.notify(t("imports.too_large"), type="warning"),
                ).props('accept=".csv,.parquet" flat bordered')
            if self._observed.items:
                self._removal()
            self._errors = ui.element("div").props('aria-live="polite"')
            with ui.element("div").classes("actions").style("margin-top: 12px"):
                self._start = ui.button(t("service_quality.run"), on_click=self._run)
                self._start.props("unelevated no-caps").set_enabled(bool(self._observed.items))
                ui.button(
                    t("service_quality.change"), on_click=lambda: self._next_version(self._model)
                ).props("outline no-caps")
            self._bar = ui.linear_progress(value=0, show_value=False).props("rounded size=8px")
            self._bar.props(f'aria-label="{t("service_quality.run")}"').set_visibility(False)
            self._told = html(Markup())
            self._timer = ui.timer(_SECONDS, self._follow, active=False)

    def _columns(self) -> str:
        own = [one.key for business in self._model.businesses for one in business.indicators()]
        every = [*own, *(one.key for one in self._model.overall)]
        return ", ".join(["branch", "business", "date", *dict.fromkeys(every)])

    def _months(self) -> None:
        t = self._view.t
        if not self._observed.items:
            html(Markup('<p class="muted">{}</p>').format(t("service_quality.nothing_observed")))
            return
        keys = [business.key for business in self._model.businesses]
        names = [t.local(business.name) for business in self._model.businesses]
        rows: list[list[Cell]] = [
            [one.period, whole(one.branches), *(whole(one.rows.get(key, 0)) for key in keys)]
            for one in self._observed.items
        ]
        heads = [t("service_quality.period"), t("service_quality.branches"), *names]
        html(table(heads, rows, right=range(1, len(heads))))

    def _removal(self) -> None:
        t = self._view.t
        months = [one.period for one in self._observed.items]
        with ui.element("div").classes("filters").style("margin-top: 12px"):
            month = ui.select(months, value=months[0], label=t("service_quality.take_away.month"))
            month.props("outlined dense options-dense").style("min-width: 140px")
            ui.button(
                t("service_quality.take_away"), on_click=lambda: self._take_away(str(month.value))
            ).props("outline no-caps color=negative")

    async def _take_away(self, month: str) -> None:
        view, t = self._view, self._view.t
        text = t("service_quality.take_away.confirm", month=month)
        if await confirm(t, title=t("service_quality.take_away"), text=text) is None:
            return
        path = f"{self._path}/observations/{segment(month)}"
        if await view.attempt(view.api.delete("evaluation", path, ObservedPeriods)) is not None:
            view.done(t("service_quality.taken_away", month=month))
            await self._changed()

    async def _taken(self, event: UploadEventArguments) -> None:
        t, view = self._view.t, self._view
        self._upload.reset()
        self._errors.clear()
        path = f"{self._path}/observations/{segment(str(self._period.value or ''))}"
        skip = "true" if self._skip.value else "false"
        try:
            taken = await view.api.upload(
                "evaluation", path, ObservationsTaken, event.file.iterate(), {"skip_invalid": skip}, "PUT"
            )
        except ApiProblem as problem:
            rows = [error for item in problem.errors if (error := _row_error(item))]
            if problem.status == 401:
                view.to_sign_in()
            elif rows:
                self._show(advice(t, problem), rows)
            else:
                view.notify(problem, problem.errors)
            return
        view.done(t("service_quality.taken", rows=f"{taken.rows:,}", branches=taken.branches))
        if taken.errors:
            self._show(t("service_quality.refused", n=taken.refused), taken.errors)
            self._start.set_enabled(True)
        else:
            await self._changed()

    def _show(self, title: str, errors: list[RowError]) -> None:
        t = self._view.t
        rows: list[list[Cell]] = [
            [f"{error.line:,}", error.column or NOTHING, error.detail] for error in errors
        ]
        names = [t(f"service_quality.{name}") for name in ("line", "column", "reason")]
        with self._errors:
            html(Markup("<p><b>{}</b></p>{}").format(title, table(names, rows, right=(0,))))

    async def _run(self) -> None:
        self._start.disable()
        self._job = await self._view.attempt(self._view.api.post("evaluation", f"{self._path}:run", JobView))
        if self._job is None:
            self._start.enable()
            return
        self._bar.set_visibility(True)
        self._timer.activate()

    async def _follow(self) -> None:
        if self._job is None:
            return
        path = f"/v1/jobs/{segment(self._job.id)}"
        job = await self._view.optional(self._view.api.get("evaluation", path, JobView))
        if job is None:
            return
        self._bar.set_value(job.progress)
        if job.state in _LIVE:
            return
        self._timer.deactivate()
        self._bar.set_visibility(False)
        self._start.enable()
        if job.state == "succeeded":
            self._view.done(self._view.t("service_quality.ran"))
            await self._changed()
        else:
            why = (job.problem.detail or job.problem.title) if job.problem else job.state
            failed = self._view.t("service_quality.failed")
            self._told.set_content(str(Markup('<p role="alert"><b>{}</b> {}</p>').format(failed, why)))


def _row_error(item: ProblemItem) -> RowError | None:
    """A problem's pointer to a line and column of the file."""
    found = _LINE.match(item.pointer)
    if found is None:
        return None
    return RowError(line=int(found[1]), column=found[2], detail=item.detail)
