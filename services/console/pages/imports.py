"""Import wizard: a file, what it seems to be, how its columns are read, a trial run, the run itself."""

from dataclasses import dataclass
from typing import get_args

from markupsafe import Markup
from nicegui import ui
from nicegui.elements.upload_files import FileUpload
from nicegui.events import UploadEventArguments

from services.console.frame import heading
from services.console.pages.import_mapping import MappingTable
from services.console.pages.import_progress import ProgressPanel
from services.console.view import View, page
from services.console.widgets.html import html
from services.console.widgets.states import empty_state, skeleton
from shared.auth import Role
from shared.contracts.customer.imports import ImportProposal, ImportView
from shared.contracts.customer.vocabulary import ImportDataset

IMPORTERS = (Role.integrator,)
_MAX_BYTES = 8 * 1024**3
_DATASETS = get_args(ImportDataset)


@dataclass
class Wizard:
    """One file on its way in; the panels below it are filled step by step."""

    view: View
    dataset: str = "customers"
    file: FileUpload | None = None
    proposal: ImportProposal | None = None
    mapping: MappingTable | None = None


@page("/imports", title="imports.title", nav="imports")
async def imports_page(view: View) -> None:
    t, wizard = view.t, Wizard(view)
    with heading(t("imports.title"), t("imports.note")):
        pass
    if not view.user.has(*IMPORTERS):
        with ui.element("section").classes("panel"):
            empty_state(t("imports.forbidden"), t("imports.forbidden.do"))
        return
    with ui.element("section").classes("panel"):
        html(Markup("<h2>1 · {}</h2>").format(t("imports.file")))
        with ui.element("div").classes("filters"):
            ui.select(
                {name: t.word("dataset", name) for name in _DATASETS},
                value=wizard.dataset,
                label=t("imports.dataset"),
                on_change=lambda event: choose(str(event.value)),
            ).props("outlined dense options-dense").style("min-width: 200px")
            uploader = ui.upload(
                label=t("imports.upload"),
                auto_upload=True,
                max_files=1,
                max_file_size=_MAX_BYTES,
                on_rejected=lambda: ui.notify(t("imports.too_large"), type="warning"),
            ).props('accept=".csv,.txt,.gz,.parquet" flat bordered')
    steps = ui.element("div").classes("stack").props('aria-live="polite"').style("margin-top: 18px")

    async def choose(dataset: str) -> None:
        wizard.dataset = dataset
        if wizard.file is not None:
            await look()

    async def taken(event: UploadEventArguments) -> None:
        wizard.file = event.file
        uploader.reset()
        await look()

    async def look() -> None:
        steps.clear()
        with steps:
            skeleton(240)
        proposal = await view.attempt(_propose(wizard))
        steps.clear()
        if proposal is None:
            return
        wizard.proposal = proposal
        with steps:
            _mapping_step(wizard)

    uploader.on_upload(taken)


async def _propose(wizard: Wizard) -> ImportProposal:
    if wizard.file is None:
        raise RuntimeError("a file is chosen before it is looked at")
    return await wizard.view.api.upload(
        "customer",
        "/v1/imports:propose",
        ImportProposal,
        wizard.file.iterate(),
        {"dataset": wizard.dataset},
    )


def _mapping_step(wizard: Wizard) -> None:
    view, proposal = wizard.view, wizard.proposal
    if proposal is None or wizard.file is None:
        raise RuntimeError("a file is proposed before it is mapped")
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>2 · {}</h2>").format(t("imports.mapping")))
        form = t(
            "imports.seems",
            name=wizard.file.name,
            format=proposal.format,
            encoding=proposal.encoding or "",
            delimiter=proposal.delimiter or "",
            rows=f"{proposal.rows:,}",
        )
        html(Markup('<p class="muted small">{}</p>').format(form))
        wizard.mapping = MappingTable(view, proposal)
        wizard.mapping.draw()
        with ui.element("div").classes("actions").style("margin-top: 14px"):
            ui.button(t("imports.try"), on_click=lambda: start(dry_run=True)).props("outline no-caps")
            ui.button(t("imports.run"), on_click=lambda: start(dry_run=False)).props("unelevated no-caps")
    outcome = ui.element("div").classes("stack")

    async def start(*, dry_run: bool) -> None:
        missing = wizard.mapping.missing() if wizard.mapping else []
        if missing:
            ui.notify(t("imports.missing", names=t("comma").join(missing)), type="warning")
            return
        began = await view.attempt(_start(wizard, dry_run=dry_run))
        if began is not None:
            outcome.clear()
            with outcome:
                ProgressPanel(view, began).draw()


async def _start(wizard: Wizard, *, dry_run: bool) -> ImportView:
    proposal, table, file = wizard.proposal, wizard.mapping, wizard.file
    if proposal is None or table is None or file is None:
        raise RuntimeError("a file is mapped before it is imported")
    return await wizard.view.api.upload(
        "customer",
        "/v1/imports",
        ImportView,
        file.iterate(),
        {
            "dataset": wizard.dataset,
            "filename": file.name[:200],
            "mapping": table.mapping().model_dump_json(exclude_defaults=True),
            "encoding": proposal.encoding,
            "delimiter": proposal.delimiter,
            "quote": proposal.quote,
            "dry_run": "true" if dry_run else "false",
        },
    )
