"""How good the churn model is: validated out of time; setting one up and training it."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment, percent, whole
from services.console.pages.words import psi_tag, state_tag
from services.console.view import View
from services.console.widgets import charts
from services.console.widgets.html import Cell, html, link, table
from services.console.widgets.prediction_charts import calibration, gains
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import ModelRunView, ModelView
from shared.contracts.segmentation.predictions import PredictionReport

_POLL_SECONDS = 1.5
_RUNNING = {"queued", "running"}
_HORIZONS = (30, 60, 90)


@dataclass(frozen=True)
class Found:
    model: ModelView | None
    run: ModelRunView | None
    report: PredictionReport | None


def build_quality(view: View) -> None:
    async def again() -> None:
        await reload()

    reload = view.section(lambda: _fetch(view), lambda found: _Quality(view, found, again).draw(), height=420)


async def _fetch(view: View) -> Found:
    models = await view.api.get("segmentation", "/v1/models", Page[ModelView], {"limit": 200})
    churn = [each for each in models.items if each.kind == "churn"]
    if not churn:
        return Found(None, None, None)
    model = max(churn, key=lambda each: (each.last_run_id is not None, each.last_run_id or each.id))
    if model.last_run_id is None:
        return Found(model, None, None)
    path = f"/v1/model-runs/{model.last_run_id}"
    run = await view.api.get("segmentation", path, ModelRunView)
    report = None
    if run.state == "succeeded":
        report = await view.api.get("segmentation", f"{path}/validation", PredictionReport)
    return Found(model, run, report)


@dataclass
class _Quality:
    view: View
    found: Found
    reload: Any

    def draw(self) -> None:
        t, run = self.view.t, self.found.run
        if self.view.user.has(Role.strategist):
            with ui.element("div").classes("filters"):
                self._set_up() if self.found.model is None else self._train()
        if run is None:
            with ui.element("section").classes("panel"):
                empty_state(t("churn.no_model"), t("churn.no_model.do"))
            return
        parts = [t("churn.run", n=run.number), moment(run.finished_at or run.created_at)]
        parts += [run.problem] if run.problem else []
        head = Markup("{} {} {}").format(
            link(t.local(self.found.model.name), f"/model-runs/{run.id}") if self.found.model else "",
            state_tag(t, run.state),
            " · ".join(parts),
        )
        html(Markup("<p>{}</p>").format(head))
        if run.state in _RUNNING:
            ui.linear_progress(run.progress, show_value=False).props(f'aria-label="{t("column.state")}"')
            ui.timer(_POLL_SECONDS, self.reload, once=True)
        if self.found.report is not None:
            self._report(self.found.report)

    def _set_up(self) -> None:
        t = self.view.t
        horizon = ui.select({days: t("churn.horizon", days=days) for days in _HORIZONS}, value=90)
        horizon.props(f'outlined dense options-dense aria-label="{t("churn.horizon.label")}"')

        async def declare() -> None:
            body = {
                "key": "churn-warning",
                "name": {"zh": "流失预警", "en": "Churn warning"},
                "kind": "churn",
                "parameters": {"horizon_days": horizon.value},
            }
            model = await self.view.attempt(self.view.api.post("segmentation", "/v1/models", ModelView, body))
            if model is not None:
                await self._start(model)

        self.view.bank_wide(ui.button(t("churn.set_up"), on_click=declare)).props("unelevated no-caps")

    def _train(self) -> None:
        async def start() -> None:
            if self.found.model is not None:
                await self._start(self.found.model)

        button = ui.button(self.view.t("churn.train"), on_click=start).props("unelevated no-caps")
        self.view.bank_wide(button)
        if self.found.run is not None and self.found.run.state in _RUNNING:
            button.disable()

    async def _start(self, model: ModelView) -> None:
        path = f"/v1/models/{model.id}/runs"
        if await self.view.attempt(self.view.api.post("segmentation", path, ModelRunView)) is not None:
            self.view.done(self.view.t("churn.training"))
            await self.reload()

    def _report(self, report: PredictionReport) -> None:
        t, said = self.view.t, report.validation
        with ui.element("div").classes("grid cols-5"):
            kpi("AUC", f"{said.auc:.3f}", t("churn.auc.note"), accent=True)
            kpi("PR-AUC", f"{said.pr_auc:.3f}", t("churn.base", share=percent(said.base_rate)))
            kpi(t("churn.lift"), f"{said.lift:.1f}×", t("churn.lift.note"))
            kpi("Brier", f"{said.brier:.4f}", t("churn.brier.note", other=f"{said.brier_reference:.4f}"))
            kpi(t("churn.validated"), whole(said.customers), t("churn.lost", n=whole(said.outcomes)))
        with ui.element("div").classes("grid cols-2"):
            for title, note, drawn in (
                ("churn.calibration", "churn.calibration.note", calibration(t, said.calibration)),
                ("churn.gains", "churn.gains.note", gains(t, said.gains)),
            ):
                with ui.element("section").classes("panel"):
                    html(Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(t(title), t(note)))
                    charts.chart(drawn, height=300, label=t(title))
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("churn.stability")))
            rows: list[list[Cell]] = [
                [t.local(each.name), f"{each.psi:.3f}", psi_tag(t, each.level)]
                for each in report.stability[:10]
            ]
            names = ("feature", "psi", "level")
            html(table([t(f"churn.column.{name}") for name in names], rows, right=(1,)))
