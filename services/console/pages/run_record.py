"""The record of a run by CRISP-DM, its approval, and training it again to see that it comes out the same."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from markupsafe import Markup
from nicegui import background_tasks, ui

from services.console.formats import NOTHING, figure, moment, percent, whole
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, facts, html, table, tag
from shared.auth import Role
from shared.contracts.base import JobView
from shared.contracts.segmentation import ModelRunView
from shared.contracts.segmentation.models import ModelRecord

_SECONDS = 0.8


def build_record(view: View, run: ModelRunView, reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
    path = f"/v1/model-runs/{run.id}/record"

    async def again() -> None:
        await load()

    load = view.section(
        lambda: view.api.get("segmentation", path, ModelRecord),
        lambda found: _draw(view, run, found, again, reload),
        height=460,
    )


def _draw(
    view: View,
    run: ModelRunView,
    found: ModelRecord,
    again: Callable[[], Coroutine[Any, Any, None]],
    reload: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    t = view.t
    with ui.element("div").classes("grid cols-2"):
        _part(t("record.business"), _business(view, found))
        _part(t("record.data"), _data(view, found))
        _part(t("record.modelling"), _modelling(view, found))
        _part(t("record.evaluation"), _evaluation(view, found))
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("record.understanding")))
        heads = [
            t(f"record.{name}") for name in ("column", "unknown", "mean", "deviation", "median", "range")
        ]
        html(table(heads, _columns(view, found), right=(1, 2, 3, 4, 5)))
    with ui.element("div").classes("actions"):
        if view.user.has(Role.approver) and found.approval is None:
            approve = view.bank_wide(ui.button(t("record.approve")).props("unelevated no-caps"))
            approve.on_click(lambda: _approve(view, run, reload))
        if view.user.has(Role.strategist) and found.input_kept:
            button = view.bank_wide(ui.button(t("record.reproduce")).props("outline no-caps"))
            button.on_click(lambda: _reproduce(view, run, button, again))


def _part(title: str, pairs: list[tuple[str, Cell]]) -> None:
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(title))
        html(facts(pairs))


def _business(view: View, found: ModelRecord) -> list[tuple[str, Cell]]:
    t, approval = view.t, found.approval
    approved: Cell = tag(t("record.not_approved"), "warn")
    if approval is not None:
        approved = tag(t("record.approved_by", who=approval.by, at=moment(approval.at)), "good")
        approved += Markup(" {}").format(approval.note)
    return [
        (t("models.goal"), found.goal or NOTHING),
        (t("models.success"), found.success or NOTHING),
        (t("record.approval"), approved),
        (t("record.segments"), ", ".join(found.segments) or NOTHING),
    ]


def _data(view: View, found: ModelRecord) -> list[tuple[str, Cell]]:
    t, window = view.t, found.window
    return [
        (t("record.evaluated_at"), moment(window.evaluated_at)),
        (t("record.position"), whole(window.stream_sequence)),
        (t("models.customers"), whole(window.customers)),
        (t("record.input"), _digest(found.input_digest)),
    ]


def _modelling(view: View, found: ModelRecord) -> list[tuple[str, Cell]]:
    t = view.t
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return [
        (t("model.parameters"), Markup("<code>{}</code>").format(found.parameters.model_dump_json())),
        (t("models.seed"), str(found.seed)),
        (t("record.versions"), versions),
        (t("models.by"), f"{found.created_by} · {moment(found.finished_at)}"),
    ]


def _evaluation(view: View, found: ModelRecord) -> list[tuple[str, Cell]]:
    t = view.t
    figures = [
        (t.word("metric_name", name), _figure(view, value))
        for name, value in found.metrics.items()
        if isinstance(value, str | int | float) or value is None
    ]
    return [
        *figures,
        (t("record.result"), _digest(found.result_digest)),
        (t("record.reproduction"), _reproduction(view, found)),
    ]


def _figure(view: View, value: str | float | None) -> str:
    return view.t.word("metric_value", value) if isinstance(value, str) else figure(value, view.t.language)


def _reproduction(view: View, found: ModelRecord) -> Markup:
    t, told = view.t, found.reproduction
    if told is None:
        return tag(t("record.not_reproduced") if found.input_kept else t("record.input_gone"))
    text = t("record.same") if told.same else t("record.different")
    return tag(text, "good" if told.same else "bad") + Markup(" {}").format(moment(told.at))


def _digest(text: str) -> Markup:
    return Markup('<code class="small" title="{}">{}…</code>').format(text, text[:16])


def _columns(view: View, found: ModelRecord) -> Iterator[list[Cell]]:
    """Of every table that was read, a row per column of numbers."""
    for name, told in found.understanding.items():
        described: Any = told
        for column, figures in described["columns"].items():
            title = column if len(found.understanding) == 1 else f"{name}: {column}"
            yield [title, *_figures(view, figures)]


def _figures(view: View, told: Mapping[str, Any]) -> list[str]:
    if "quantiles" not in told:
        return [percent(told["unknown"]), *[NOTHING] * 4]
    quantiles = told["quantiles"]
    low, high = (figure(quantiles[share], view.t.language) for share in ("0.01", "0.99"))
    ends = f"{low} ~ {high}"
    values = (told["mean"], told["deviation"], quantiles["0.5"])
    figures = [figure(value, view.t.language) for value in values]
    return [percent(told["unknown"]), *figures, ends]


async def _approve(view: View, run: ModelRunView, reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
    t = view.t
    note = await confirm(
        t, title=t("record.approve"), text=t("record.approve.confirm"), field=t("record.note"), required=True
    )
    if note is None:
        return
    path = f"/v1/model-runs/{run.id}:approve"
    if await view.attempt(view.api.post("segmentation", path, ModelRunView, {"note": note})) is not None:
        view.done(t("record.approved"))
        await reload()


async def _reproduce(
    view: View, run: ModelRunView, button: ui.button, again: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """The record is drawn again when the job has ended."""
    path = f"/v1/model-runs/{run.id}:reproduce"
    job = await view.attempt(view.api.post("segmentation", path, JobView))
    if job is None:
        return
    button.disable()
    view.done(view.t("record.reproducing"))

    async def look() -> None:
        found = await view.optional(view.api.get("segmentation", f"/v1/jobs/{job.id}", JobView))
        if found is not None and found.state not in {"queued", "running"}:
            timer.deactivate()
            # Not awaited: what it draws takes the place of this timer, which would cancel it.
            background_tasks.create(again(), name="run reproduced")

    timer = ui.timer(_SECONDS, look)
