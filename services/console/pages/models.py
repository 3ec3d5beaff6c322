"""Models 模型: what is declared and how its newest run stands; a new one is declared beside the list."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, moment, whole
from services.console.frame import heading
from services.console.pages.model_declaration import DeclarationForm
from services.console.pages.words import numeric_features, state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import ModelRunView, ModelView, SegmentView


@dataclass(frozen=True)
class Declared:
    models: list[ModelView]
    runs: dict[str, ModelRunView]


@page("/models", title="models.title", nav="models")
async def models_page(view: View) -> None:
    t = view.t
    with heading(t("models.title"), t("models.note")):
        pass
    reload = view.section(lambda: _fetch(view), lambda found: _list(view, found), height=260)
    if view.user.has(Role.strategist):
        with ui.element("div").style("margin-top: 18px"):
            if not view.bank_wide_form():
                return
            view.section(
                lambda: _choices(view), lambda found: DeclarationForm(view, *found, reload).draw(), height=320
            )


async def _fetch(view: View) -> Declared:
    models = await view.api.get("segmentation", "/v1/models", Page[ModelView], {"limit": 200})
    newest = [model.last_run_id for model in models.items if model.last_run_id]
    runs = await asyncio.gather(
        *(view.api.get("segmentation", f"/v1/model-runs/{each}", ModelRunView) for each in newest)
    )
    return Declared(models.items, {str(run.model_id): run for run in runs})


async def _choices(view: View) -> tuple[dict[str, str], list[SegmentView]]:
    features, segments = await asyncio.gather(
        numeric_features(view),
        view.api.get("segmentation", "/v1/segments", Page[SegmentView], {"limit": 500, "state": "live"}),
    )
    return features, segments.items


def _list(view: View, found: Declared) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not found.models:
            empty_state(t("models.empty"), t("models.empty.do"))
            return
        names = ("model", "kind", "goal", "run", "state", "customers", "finished")
        rows = [_row(view, model, found.runs.get(str(model.id))) for model in found.models]
        html(table([t(f"models.{name}") for name in names], rows, right=(5,)))


def _row(view: View, model: ModelView, run: ModelRunView | None) -> list[Cell]:
    t = view.t
    goal = model.goal if len(model.goal) <= 60 else model.goal[:58] + " …"
    return [
        two_lines(link(t.local(model.name), f"/models/{model.id}"), model.key),
        t.word("model_kind", model.kind.value),
        goal or NOTHING,
        link(f"#{run.number}", f"/model-runs/{run.id}") if run else NOTHING,
        state_tag(t, run.state.value) if run else Markup("{}").format(NOTHING),
        whole(run.window.customers if run and run.window else None),
        moment(run.finished_at) if run else NOTHING,
    ]
