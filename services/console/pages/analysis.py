"""Analyse a table: a file of anybody's experiment, its columns chosen, the answer at once."""

from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui
from nicegui.elements.upload_files import FileUpload
from nicegui.events import UploadEventArguments

from services.console.frame import heading
from services.console.navigation import ANALYSTS
from services.console.pages.analysis_answer import draw_answer
from services.console.view import View, page
from services.console.widgets.fields import Place, Remark
from services.console.widgets.html import html
from services.console.widgets.states import empty_state, skeleton
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis, TableDescription

_MAX_BYTES = 512 * 1024**2
_PATH = "/v1/experiments"
_GRID = "display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 8px 16px"


@page("/analysis", title="analysis.title", nav="analysis")
async def analysis_page(view: View) -> None:
    t = view.t
    with heading(t("analysis.title"), t("analysis.note")):
        pass
    if not view.user.has(*ANALYSTS):
        with ui.element("section").classes("panel"):
            empty_state(t("analysis.forbidden"), t("analysis.forbidden.do"))
        return
    with ui.element("section").classes("panel"):
        html(Markup("<h2>1 · {}</h2>").format(t("analysis.file")))
        uploader = ui.upload(
            label=t("analysis.upload"),
            auto_upload=True,
            max_files=1,
            max_file_size=_MAX_BYTES,
            on_rejected=lambda: ui.notify(t("imports.too_large"), type="warning"),
        ).props('accept=".csv,.txt,.tsv,.gz,.parquet,.arrow,.feather,.ipc" flat bordered')
    steps = ui.element("div").classes("stack").props('aria-live="polite"').style("margin-top: 18px")
    with steps, ui.element("section").classes("panel"):
        empty_state(t("analysis.empty"), t("analysis.empty.do"))

    async def taken(event: UploadEventArguments) -> None:
        file = event.file
        uploader.reset()
        steps.clear()
        with steps:
            skeleton(200)
        found = await view.attempt(
            view.api.upload("evaluation", f"{_PATH}:describe", TableDescription, file.iterate())
        )
        steps.clear()
        with steps:
            if found is None:
                with ui.element("section").classes("panel"):
                    empty_state(t("analysis.empty"), t("analysis.empty.do"))
            else:
                Form(view, file, found).draw()

    uploader.on_upload(taken)


@dataclass
class Form:
    """One table and what is asked of it."""

    view: View
    file: FileUpload
    table: TableDescription
    places: dict[str, Place] = field(default_factory=dict)

    def draw(self) -> None:
        t = self.view.t
        with ui.element("section").classes("panel"):
            html(Markup("<h2>2 · {}</h2>").format(t("analysis.columns")))
            html(
                Markup('<p class="muted small">{} · {}</p>').format(
                    self.file.name, t("analysis.seems", format=self.table.format, n=len(self.table.columns))
                )
            )
            names = [column.name for column in self.table.columns]
            numbers = [column.name for column in self.table.columns if column.numeric]
            with ui.element("div").style(_GRID):
                arm = self._choice("arm", names)
                control = self._choice("control", [])
                metrics = self._choice("metrics", numbers, several=True)
                unit, cluster = self._choice("unit", names), self._choice("cluster", names)
                covariates = self._choice("covariates", numbers, several=True)
                dimensions = self._choice("dimensions", names, several=True)
            arm.on_value_change(lambda event: control.set_options(self._values(str(event.value)), value=None))
            self.places["/options"] = Remark()
            with ui.element("div").classes("actions").style("margin-top: 14px"):
                button = ui.button(t("analysis.run")).props("unelevated no-caps")
        shown = ui.element("div").classes("stack").props('aria-live="polite"')

        async def run() -> None:
            asked = {
                "arm": arm.value or "",
                "control": control.value or "",
                "metrics": metrics.value or [],
                "unit": unit.value or None,
                "cluster": cluster.value or None,
                "covariates": covariates.value or [],
                "dimensions": dimensions.value or [],
            }
            if not self._complete(asked):
                return
            button.disable()
            shown.clear()
            with shown:
                skeleton(240)
            options = AnalyseOptions.model_validate(asked).model_dump_json(exclude_none=True)
            answer = await self.view.attempt(
                self.view.api.upload(
                    "evaluation", f"{_PATH}:analyse", Analysis, self.file.iterate(), {"options": options}
                ),
                self.places,
            )
            button.enable()
            shown.clear()
            if answer is not None:
                with shown:
                    draw_answer(self.view, answer, self.file.name)

        button.on_click(run)

    def _complete(self, asked: dict[str, object]) -> bool:
        """Says at the field what cannot be left out."""
        complete = True
        for name in ("arm", "control", "metrics"):
            missing = not asked[name]
            self.places[f"/{name}"].error = self.view.t("field.required") if missing else None
            complete = complete and not missing
        return complete

    def _choice(self, name: str, options: list[str], *, several: bool = False) -> ui.select:
        t = self.view.t
        chosen = ui.select(
            [option for option in dict.fromkeys(options) if option],
            label=t(f"analysis.{name}"),
            multiple=several,
            with_input=True,
            clearable=not several,
            new_value_mode="add-unique" if name in {"control", "metrics"} else None,
        )
        chosen.props(f'outlined dense options-dense hint="{t(f"analysis.{name}.hint")}"')
        if several:
            chosen.props("use-chips")
        self.places[f"/{name}"] = chosen
        return chosen

    def _values(self, name: str) -> list[str]:
        """What the first rows hold in a column of few values."""
        return next((column.values or [] for column in self.table.columns if column.name == name), [])
