"""Service quality 服务质量: the index of branches, what moves it, what it rests on, and how it is fed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import moment, whole
from services.console.frame import heading
from services.console.pages.service_quality_branches import draw_branches
from services.console.pages.service_quality_feed import FeedPanel
from services.console.pages.service_quality_form import declare
from services.console.pages.words import Names, names
from services.console.view import View, page
from services.console.widgets.html import Cell, facts, html, table, tag
from services.console.widgets.quality_charts import Arrow, Branching, path_diagram, reliability_bar
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.evaluation.service_quality import (
    BusinessResult,
    MeasuredConstruct,
    ObservedPeriods,
    PathWeight,
    QualityIndex,
    QualityModel,
    QualityRun,
)

RELIABLE = 0.7
Another = Callable[[QualityModel], Awaitable[None]]


@dataclass
class Chosen:
    """What the page is about."""

    models: dict[str, QualityModel]
    key: str
    period: str | None = None

    @property
    def model(self) -> QualityModel:
        return self.models[self.key]

    @property
    def path(self) -> str:
        return f"/v1/service-quality/models/{segment(self.key)}"


@dataclass(frozen=True)
class Found:
    """`index`, `run`: none before the first run."""

    index: QualityIndex | None
    run: QualityRun | None
    observed: ObservedPeriods
    names: Names


class _Wanted:
    """The model that was declared last, which is shown then."""

    key: str | None = None


@page("/service-quality", title="service_quality.title", nav="service-quality")
async def service_quality_page(view: View) -> None:
    t, wanted = view.t, _Wanted()

    async def another(model: QualityModel | None) -> None:
        declared = await declare(view, model)
        if declared is not None:
            view.done(t("service_quality.declared", name=declared.key, version=declared.version))
            wanted.key = declared.key
            await reload()

    async def first() -> None:
        await another(None)

    with heading(t("service_quality.title"), t("service_quality.note")):
        if view.user.has(Role.strategist):
            button = ui.button(t("service_quality.declare"), on_click=first)
            view.bank_wide(button.props("unelevated no-caps"))
    reload = view.section(
        lambda: _models(view), lambda models: _chosen(view, models, wanted.key, another), height=320
    )


async def _models(view: View) -> list[QualityModel]:
    path = "/v1/service-quality/models"
    return (await view.api.get("evaluation", path, Page[QualityModel], {"limit": 200})).items


def _chosen(view: View, models: list[QualityModel], wanted: str | None, another: Another) -> None:
    t = view.t
    if not models:
        with ui.element("section").classes("panel"):
            empty_state(t("service_quality.empty"), t("service_quality.empty.do"))
        return
    ran_first = sorted(models, key=lambda model: (model.run_id is None, model.key))
    chosen = Chosen({model.key: model for model in models}, wanted or ran_first[0].key)
    with ui.element("div").classes("filters"):
        names = {model.key: f"{t.local(model.name)} ({model.key}@{model.version})" for model in models}
        picker = ui.select(names, value=chosen.key, label=t("service_quality.model"))
        picker.props("outlined dense options-dense").style("min-width: 320px")
        months = ui.select([], label=t("service_quality.period")).props("outlined dense options-dense")
        months.style("min-width: 140px")

    def draw(found: Found) -> None:
        if found.index:
            chosen.period = found.index.period
            months.set_options([one.period for one in reversed(found.index.bank)], value=chosen.period)
        months.set_visibility(found.index is not None)
        _draw(view, chosen, found)
        if view.user.has(Role.strategist):
            FeedPanel(view, chosen.model, chosen.path, found.observed, reload, another).draw()

    reload = view.section(lambda: _fetch(view, chosen), draw, height=420)

    async def other_model() -> None:
        chosen.key, chosen.period = str(picker.value), None
        await reload()

    async def other_month() -> None:
        # Options that are set anew tell a change too.
        if months.value and months.value != chosen.period:
            chosen.period = str(months.value)
            await reload()

    picker.on_value_change(other_model)
    months.on_value_change(other_month)


async def _fetch(view: View, chosen: Chosen) -> Found:
    api, path = view.api, chosen.path
    model, observed, called = await asyncio.gather(
        api.get("evaluation", path, QualityModel),
        api.get("evaluation", f"{path}/observations", ObservedPeriods),
        names(view),
    )
    chosen.models[chosen.key] = model
    if model.run_id is None:
        return Found(None, None, observed, called)
    index = await api.get("evaluation", f"{path}/index", QualityIndex, {"period": chosen.period})
    run = await api.get("evaluation", f"{path}/runs/{index.run_id}", QualityRun)
    return Found(index, run, observed, called)


def _draw(view: View, chosen: Chosen, found: Found) -> None:
    t = view.t
    if found.index is None or found.run is None:
        with ui.element("section").classes("panel"):
            empty_state(t("service_quality.not_run"), t("service_quality.not_run.do"))
        return
    if not found.index.comparable:
        reasons = t("comma").join(_place(view, chosen.model, one) for one in found.run.unreliable)
        with ui.element("section").classes("panel").props('role="alert"'):
            html(
                Markup("<h2>{} {}</h2><p>{}</p>").format(
                    t("service_quality.withheld"),
                    tag(f"< {RELIABLE}", "bad"),
                    t("service_quality.withheld.why", names=reasons),
                )
            )
    draw_branches(view, chosen.model, found.index, found.names)
    _paths(view, chosen.model, found.run)
    _measured(view, chosen.model, found.run)


def _place(view: View, model: QualityModel, name: str) -> str:
    business, _, dimension = name.partition("/")
    return f"{_business(view, model, business)} · {view.t.word('quality_dimension', dimension)}"


def _business(view: View, model: QualityModel, key: str) -> str:
    """Its name in the newest version; a run of an older one may know others."""
    return next((view.t.local(one.name) for one in model.businesses if one.key == key), key)


def _paths(view: View, model: QualityModel, run: QualityRun) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("service_quality.paths"), t("service_quality.paths.note")
            )
        )
        shares = {share.name: share for share in run.shares}
        parts = [
            Branching(
                _arrow(shares[result.business], _business(view, model, result.business)),
                [_arrow(one, t.word("quality_dimension", one.name)) for one in result.dimensions],
            )
            for result in run.businesses
        ]
        html(path_diagram(parts, t("service_quality.bank"), t("service_quality.paths")))
        clipped = [
            f"{_place(view, model, f'{result.business}/{one.name}')} ({one.path:.2f})"
            for result in run.businesses
            for one in result.dimensions
            if one.clipped
        ] + [f"{_business(view, model, one.name)} ({one.path:.2f})" for one in run.shares if one.clipped]
        if clipped:
            html(
                Markup('<p class="small">{} {}</p>').format(
                    tag(t("service_quality.clipped"), "bad"),
                    t("service_quality.clipped.why", names=t("comma").join(clipped)),
                )
            )


def _arrow(one: PathWeight, name: str) -> Arrow:
    return Arrow(name, one.weight, one.weight_ci[0], one.weight_ci[1], one.clipped)


def _measured(view: View, model: QualityModel, run: QualityRun) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("service_quality.measured"), t("service_quality.measured.note")
            )
        )
        names = ("business", "dimension", "alpha", "composite", "ave", "htmt", "loadings", "verdict")
        rows = [
            _measured_row(view, model, result, one) for result in run.businesses for one in result.measured
        ]
        html(table([t(f"service_quality.{name}") for name in names], rows, right=(4, 5)))
        fits = [
            (
                _business(view, model, result.business),
                f"χ²({one.df}) = {one.chi2:.1f} · CFI {one.cfi:.3f} · RMSEA {one.rmsea:.3f}",
            )
            for result in run.businesses
            if (one := result.factor_model)
        ]
        pairs: list[tuple[str, Cell]] = [
            *((t("service_quality.factors", name=name), fit) for name, fit in fits),
            (t("service_quality.rows"), whole(run.rows)),
            (t("service_quality.replicates"), whole(run.replicates)),
            (t("service_quality.ran_at"), moment(run.ran_at)),
            *(
                (month, t("service_quality.left_out_month", why=why))
                for month, why in run.left_out_periods.items()
            ),
        ]
        html(facts(pairs))


def _measured_row(
    view: View, model: QualityModel, result: BusinessResult, one: MeasuredConstruct
) -> list[Cell]:
    t = view.t
    name = t.word("quality_dimension", one.name)
    return [
        _business(view, model, result.business),
        name,
        reliability_bar(one.alpha, RELIABLE, f"{name} α"),
        reliability_bar(one.composite, RELIABLE, f"{name} ρ"),
        "–" if one.ave is None else f"{one.ave:.2f}",
        f"{max(one.htmt.values()):.2f}" if one.htmt else "–",
        t("comma").join(f"{key} {value:.2f}" for key, value in one.loadings.items()),
        _verdict(view, one),
    ]


def _verdict(view: View, one: MeasuredConstruct) -> Markup:
    t = view.t
    if one.reliable is None:
        return tag(t("service_quality.unjudged"))
    if not one.reliable:
        return tag(t("service_quality.unreliable"), "bad")
    if one.distinct is False:
        return tag(t("service_quality.not_distinct"), "warn")
    return tag(t("service_quality.reliable"), "good")
