"""One model: what it is for, how it is trained, its runs; a new run starts here."""

import asyncio
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, facts, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import ModelRunView, ModelView


@dataclass(frozen=True)
class Shown:
    model: ModelView
    runs: list[ModelRunView]


@page("/models/{model_id}", title="model.title", nav="models")
async def model_page(view: View, model_id: str) -> None:
    path = f"/v1/models/{segment(model_id)}"

    async def fetch() -> Shown:
        model, runs = await asyncio.gather(
            view.api.get("segmentation", path, ModelView),
            view.api.get("segmentation", f"{path}/runs", Page[ModelRunView], {"limit": 50}),
        )
        return Shown(model, runs.items)

    view.section(fetch, lambda shown: _draw(view, shown), height=420)


def _draw(view: View, shown: Shown) -> None:
    t, model = view.t, shown.model
    with heading(t.local(model.name), model.key, crumb=link(t("models.title"), "/models")):
        html(tag(t.word("model_kind", model.kind.value), "accent"))
        if view.user.has(Role.strategist):
            button = ui.button(t("model.run"), on_click=lambda: _start(view, model))
            view.bank_wide(button).props("unelevated no-caps")
    pairs: list[tuple[str, Cell]] = [
        (t("models.goal"), model.goal or NOTHING),
        (t("models.success"), model.success or NOTHING),
        (t("models.needs_approval"), t("yes") if model.needs_approval else t("no")),
        (t("model.parameters"), Markup("<code>{}</code>").format(model.parameters.model_dump_json())),
    ]
    with ui.element("section").classes("panel"):
        html(facts(pairs))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("model.runs")))
        if not shown.runs:
            empty_state(t("model.runs.empty"), t("model.runs.empty.do"))
            return
        names = ("run", "state", "customers", "groups", "by", "finished")
        html(
            table(
                [t(f"models.{name}") for name in names], [_row(view, run) for run in shown.runs], right=(2, 3)
            )
        )


def _row(view: View, run: ModelRunView) -> list[Cell]:
    t = view.t
    approved = Markup(" ") + tag(t("run.approved"), "good") if run.approval else Markup()
    return [
        link(f"#{run.number}", f"/model-runs/{run.id}"),
        state_tag(t, run.state.value) + approved,
        whole(run.window.customers if run.window else None),
        whole(len([each for each in run.clusters if each.size])),
        run.created_by,
        moment(run.finished_at),
    ]


async def _start(view: View, model: ModelView) -> None:
    run = await view.attempt(view.api.post("segmentation", f"/v1/models/{model.id}/runs", ModelRunView))
    if run is not None:
        ui.navigate.to(f"/model-runs/{run.id}")
