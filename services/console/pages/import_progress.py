"""An import while it runs and after: how far, what became of the rows, what was refused and why."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING
from services.console.pages.words import state_tag
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from shared.contracts.base import JobView, Page
from shared.contracts.customer.imports import ImportRowError, ImportView

_SECONDS = 0.7
_ERRORS = 50
_COUNTS = ("rows", "created", "updated", "unchanged", "parked", "quarantined", "rejected")
_LIVE = frozenset({"queued", "running"})


class ProgressPanel:
    """Asks until the import has ended; cancelling keeps what was committed, resuming goes on behind it."""

    def __init__(self, view: View, began: ImportView) -> None:
        self._view = view
        self._import = began

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            title = t("imports.trial") if self._import.dry_run else t("imports.running")
            with ui.element("div").classes("panel-head"):
                html(Markup("<h2>3 · {}</h2>").format(title))
                with ui.element("div").classes("actions"):
                    self._cancel = ui.button(t("imports.cancel"), on_click=self._stop).props("flat no-caps")
                    self._resume = ui.button(t("imports.resume"), on_click=self._go_on).props(
                        "outline no-caps"
                    )
            self._bar = ui.linear_progress(value=0, show_value=False).props("rounded size=8px")
            self._bar.props(f'aria-label="{title}"')
            self._state = html(Markup())
            self._counts = html(Markup())
            self._errors = html(Markup())
        self._timer = ui.timer(_SECONDS, self._refresh)

    async def _refresh(self) -> None:
        api, own = self._view.api, segment(self._import.id)
        job = None
        if self._import.job_id:
            path = f"/v1/jobs/{segment(self._import.job_id)}"
            job = await self._view.optional(api.get("customer", path, JobView))
        found = await self._view.optional(api.get("customer", f"/v1/imports/{own}", ImportView))
        if found is None:
            return
        self._import = found
        self._show(job)
        if found.state not in _LIVE:
            self._timer.deactivate()
            await self._show_errors()

    def _show(self, job: JobView | None) -> None:
        t, found = self._view.t, self._import
        live = found.state in _LIVE
        self._bar.set_value(job.progress if job and live else 1.0)
        self._cancel.set_visibility(live)
        self._resume.set_visibility(found.state in {"failed", "cancelled"} and found.kept_until is not None)
        detail = job.problem.detail or job.problem.title if job and job.problem else ""
        step = (job.step or "") if job and live else detail
        self._state.set_content(str(Markup("{} {}").format(state_tag(t, found.state), step)))
        books = Markup().join(
            Markup('<div class="book"><b>{:,}</b><span>{}</span></div>').format(
                getattr(found.counts, name), t(f"imports.{name}")
            )
            for name in _COUNTS
        )
        self._counts.set_content(str(Markup('<div class="books">{}</div>').format(books)))

    async def _show_errors(self) -> None:
        t = self._view.t
        if not self._import.counts.rejected:
            return
        path = f"/v1/imports/{segment(self._import.id)}/errors"
        found = await self._view.attempt(
            self._view.api.get("customer", path, Page[ImportRowError], {"limit": _ERRORS})
        )
        if found is not None:
            rows: list[list[Cell]] = [
                [f"{error.row:,}", error.column or NOTHING, error.detail] for error in found.items
            ]
            names = [t(f"imports.{name}") for name in ("row", "column", "reason")]
            self._errors.set_content(str(table(names, rows, right=(0,))))

    async def _stop(self) -> None:
        if self._import.job_id:
            path = f"/v1/jobs/{segment(self._import.job_id)}:cancel"
            await self._view.attempt(self._view.api.post("customer", path, JobView))

    async def _go_on(self) -> None:
        path = f"/v1/imports/{segment(self._import.id)}:resume"
        again = await self._view.attempt(self._view.api.post("customer", path, ImportView))
        if again is not None:
            self._import = again
            self._timer.activate()
