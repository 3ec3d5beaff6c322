"""Whom contacting changes: a model of a campaign's effect, and what choosing by it would be worth."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, segment
from services.console.formats import moment, p_value, percent, whole
from services.console.pages.advice import Reload
from services.console.pages.evaluation_job import run_job
from services.console.pages.review_facts import ReviewFacts
from services.console.view import View
from services.console.widgets.figures import panel
from services.console.widgets.html import Cell, html, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.evaluation.uplift import ResponseModel, UpliftEstimate
from shared.contracts.metrics import MetricKind

_ADDS_UP = {MetricKind.SUM, MetricKind.COUNT, MetricKind.PROPORTION, MetricKind.BALANCE}


def draw_response(view: View, seen: ReviewFacts) -> None:
    """Loads by itself; where nothing can be told of one customer, why."""
    t = view.t
    with panel(t("response.title"), t("response.note")):
        if hindered := _hindered(seen):
            empty_state(t(f"response.{hindered}"), t(f"response.{hindered}.do"))
            return

        async def again() -> None:
            await load()

        load = view.section(
            lambda: _fetch(view, seen), lambda found: _draw(view, seen, found, again), height=320
        )


def _hindered(seen: ReviewFacts) -> str | None:
    registration = seen.board.registration
    if registration.unit != "customer":
        return "drawn"
    metric = seen.metrics.get(registration.primary_metric)
    return "kind" if metric is not None and metric.kind not in _ADDS_UP else None


async def _fetch(view: View, seen: ReviewFacts) -> ResponseModel | None:
    """None before the first was fitted."""
    path = f"/v1/campaigns/{segment(seen.campaign_id)}/response-model"
    try:
        return await view.api.get("evaluation", path, ResponseModel)
    except ApiProblem as problem:
        if problem.status == 404:
            return None
        raise


def _draw(view: View, seen: ReviewFacts, found: ResponseModel | None, again: Reload) -> None:
    t = view.t
    if found is None:
        empty_state(t("response.empty"), t("response.empty.do"))
        _fit_button(view, seen, "response.fit", again)
        return
    html(_verdict(view, found))
    with ui.element("div").classes("grid cols-2"):
        with ui.element("div"):
            html(seen.pictures.uplift(found))
            html(Markup('<p class="small">{}</p>').format(_qini(view, seen, found)))
        with ui.element("div"):
            html(_choosing(view, seen, found))
            note = Markup('<p class="muted small" style="margin-top: 12px">{}</p>')
            html(note.format(t("response.definition")))
    html(_tenths(view, seen, found))
    html(Markup('<p class="muted small">{}</p>').format(_footing(view, found)))
    _fit_button(view, seen, "response.again", again)


def _verdict(view: View, found: ResponseModel) -> Markup:
    t = view.t
    said = tag(t.word("response.verdict", found.verdict), "good" if found.verdict == "differs" else "warn")
    return Markup("<p>{} {}</p>").format(said, t.local(found.reading))


def _qini(view: View, seen: ReviewFacts, found: ResponseModel) -> str:
    return view.t(
        "response.qini",
        value=seen.unit.signed(found.qini.value),
        ci=seen.unit.interval(found.qini.ci),
        p=p_value(found.qini.p_value),
        auuc=seen.unit.signed(found.auuc),
    )


def _choosing(view: View, seen: ReviewFacts, found: ResponseModel) -> Markup:
    """Those of whom an effect in the wanted direction is expected, beside everybody, nobody and a lot."""
    t = view.t
    share = percent(found.share)
    compared: list[tuple[str, UpliftEstimate | None]] = [
        ("chosen", found.chosen),
        ("everybody", found.everybody),
        ("gain", found.gain),
        ("over_lot", found.over_lot),
    ]
    rows: list[list[Cell]] = [
        [t(f"response.{name}", share=share), _estimate(seen, each), p_value(each.p_value)]
        for name, each in compared
        if each is not None
    ]
    return table([t("response.compared"), t("column.difference"), "p"], rows, right=(1, 2))


def _estimate(seen: ReviewFacts, found: UpliftEstimate) -> Cell:
    value = Markup("<b>{}</b>").format(seen.unit.signed(found.value))
    return two_lines(value, seen.unit.interval(found.ci))


def _tenths(view: View, seen: ReviewFacts, found: ResponseModel) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            str(number),
            whole(each.n),
            seen.unit.signed(each.expected),
            Markup("<b>{}</b>").format(seen.unit.signed(each.effect.value)),
            seen.unit.interval(each.effect.ci),
        ]
        for number, each in enumerate(found.groups, 1)
    ]
    columns = [t(f"response.{name}") for name in ("tenth", "n", "expected", "found")]
    return table([*columns, t("column.interval")], rows, right=range(1, 5))


def _footing(view: View, found: ResponseModel) -> str:
    return view.t(
        "response.as_of",
        fitted=moment(found.fitted_at),
        until=moment(found.data_until),
        n=whole(found.n),
        held=whole(found.n_hold_out),
    )


def _fit_button(view: View, seen: ReviewFacts, label: str, again: Reload) -> None:
    if not view.user.has(Role.strategist):
        return

    async def fit() -> None:
        path = f"/v1/campaigns/{segment(seen.campaign_id)}:fit-response-model"
        await run_job(view, path, "response.", button, again)

    with ui.element("div"):
        button = ui.button(view.t(label), on_click=fit).props("outline no-caps")
