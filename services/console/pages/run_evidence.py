"""Why these groups: the table of K, where customers lie, who is in doubt, what moved since the run before."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from markupsafe import Markup, escape
from nicegui import ui

from services.console.formats import NOTHING, figure, percent, whole
from services.console.pages.words import PSI_TONES, psi_tag
from services.console.view import View
from services.console.widgets import cluster_charts
from services.console.widgets.charts import chart
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.segmentation import RunProfile
from shared.contracts.segmentation.clusters import DriftView, KTableView
from shared.contracts.segmentation.models import BorderlineCustomer, ProjectedCustomer, Projection

_CRITERIA = ("silhouette", "calinski_harabasz", "davies_bouldin", "eigengap", "stability")
_DOUBTFUL = 50


def build_choice(view: View, path: str) -> None:
    """There is none for k-means runs of before it was made for them."""
    view.section(
        lambda: view.optional(view.api.get("segmentation", f"{path}/k-table", KTableView)),
        lambda found: _choice(view, found),
        height=360,
    )


def _choice(view: View, found: KTableView | None) -> None:
    t = view.t
    if found is None:
        with ui.element("section").classes("panel"):
            empty_state(t("run.choice.empty"), t("run.choice.empty.do"))
        return
    # K-means has no graph, so no gap between its eigenvalues.
    criteria = [name for name in _CRITERIA if all(getattr(row, name) is not None for row in found.rows)]
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("run.choice")))
            heads = ["K", *(t(f"criterion.{name}") for name in criteria), t("criterion.mean_rank"), ""]
            rows = [
                [
                    str(row.k),
                    *(figure(getattr(row, name), t.language) for name in criteria),
                    f"{row.mean_rank:.2f}",
                    _verdict(view, found, row.k),
                ]
                for row in found.rows
            ]
            html(table(heads, rows, right=range(len(criteria) + 2)))
        with ui.element("section").classes("panel"):
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                    t("run.choice.picture"), t("run.choice.note")
                )
            )
            ks = [row.k for row in found.rows]
            series = {
                t(f"criterion.{name}"): [
                    -getattr(row, name) if name == "davies_bouldin" else getattr(row, name)
                    for row in found.rows
                ]
                for name in criteria
            }
            options = cluster_charts.criteria(ks, series, found.chosen, t("run.chosen"))
            chart(options, height=300, label=t("run.choice.picture"))


def _verdict(view: View, found: KTableView, k: int) -> Markup:
    t = view.t
    tags = [tag(t("run.chosen"), "accent")] if k == found.chosen else []
    if k == found.recommended:
        tags.append(tag(t("run.recommended"), "good"))
    if k == found.runner_up:
        tags.append(tag(t("run.runner_up")))
    return Markup(" ").join(tags)


def build_picture(view: View, path: str) -> None:
    async def fetch() -> tuple[Projection, RunProfile]:
        picture, profile = await asyncio.gather(
            view.api.get("segmentation", f"{path}/projection", Projection),
            view.api.get("segmentation", f"{path}/profile", RunProfile),
        )
        return picture, profile

    view.section(fetch, lambda found: _picture(view, *found), height=460)


def _picture(view: View, found: Projection, profile: RunProfile) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        share = percent(sum(found.explained))
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("run.picture"), t("run.picture.note", n=whole(len(found.points)), share=share)
            )
        )
        if not found.points:
            empty_state(t("run.picture.empty"), t("run.picture.empty.do"))
            return
        names = {group.cluster: t("segments.cluster", n=group.cluster) for group in profile.clusters}
        for group in profile.clusters:
            if group.name:
                names[group.cluster] = t.local(group.name)
        points = [
            cluster_charts.Point(point.x, point.y, point.cluster, point.degree, _tip(names, point))
            for point in found.points
        ]
        features = {
            contrast.feature: t.local(contrast.name)
            for group in profile.clusters
            for contrast in group.contrasts
        }
        options = cluster_charts.plane(points, names, (_axis(found, 0, features), _axis(found, 1, features)))
        chart(options, height=460, label=t("run.picture"))


def _tip(names: dict[int, str], point: ProjectedCustomer) -> str:
    degree = "" if point.degree is None else f" {percent(point.degree)}"
    return f"{escape(names.get(point.cluster, str(point.cluster)))}{degree}<br>{point.customer_id}"


def _axis(found: Projection, axis: int, features: Mapping[str, str]) -> str:
    """The two features that an axis is mostly made of."""
    ordered = sorted(found.loadings.items(), key=lambda item: -abs(item[1][axis]))
    return " / ".join(
        f"{'+' if loading[axis] >= 0 else '−'}{features.get(name, name)}" for name, loading in ordered[:2]
    )


def build_borderline(view: View, path: str) -> None:
    view.section(
        lambda: view.api.get(
            "segmentation", f"{path}/borderline", Page[BorderlineCustomer], {"limit": _DOUBTFUL}
        ),
        lambda found: _borderline(view, found),
        height=300,
    )


def _borderline(view: View, found: Page[BorderlineCustomer]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("run.borderline"), t("run.borderline.note")
            )
        )
        if not found.items:
            empty_state(t("run.borderline.empty"), t("run.borderline.empty.do"))
            return
        rows: list[list[Cell]] = [
            [
                link(_short(each.customer_id), f"/customers/{each.customer_id}"),
                t("segments.cluster", n=each.cluster),
                percent(each.degree),
                t("segments.cluster", n=each.second) if each.second else NOTHING,
                percent(each.second_degree),
                percent(each.cohesion),
                tag(t("run.outlier"), "warn") if each.outlier else "",
            ]
            for each in found.items
        ]
        names = ("customer", "group", "degree", "second", "degree", "cohesion")
        html(table([*(t(f"run.{name}") for name in names), ""], rows, right=(2, 4, 5)))


def _short(customer_id: UUID) -> str:
    """Ids of one day begin alike: the end tells them apart."""
    return f"{str(customer_id)[:8]}…{str(customer_id)[-12:]}"


def build_drift(view: View, path: str) -> None:
    """There is none for the first run of a model."""
    view.section(
        lambda: view.optional(view.api.get("segmentation", f"{path}/drift", DriftView)),
        lambda found: _drift(view, found),
        height=360,
    )


def _drift(view: View, found: DriftView | None) -> None:
    t = view.t
    if found is None:
        with ui.element("section").classes("panel"):
            empty_state(t("run.drift.empty"), t("run.drift.empty.do"))
        return
    with ui.element("div").classes("grid cols-4"):
        kpi(
            t("run.drift.moved"),
            percent(found.moved),
            t("run.drift.since", n=found.previous_run),
            accent=True,
        )
        for name in ("customers", "joined", "left"):
            kpi(t(f"run.drift.{name}"), whole(getattr(found, name)))
    with ui.element("div").classes("grid cols-2"):
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("run.drift.groups")))
            rows: list[list[Cell]] = [
                [
                    t("segments.cluster", n=each.cluster),
                    whole(each.size_before),
                    whole(each.size),
                    percent(each.stayed),
                ]
                for each in found.groups
            ]
            heads = [t(f"run.drift.{name}") for name in ("group", "before", "now", "stayed")]
            html(table(heads, rows, right=(1, 2, 3)))
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("run.drift.features")))
            _stability(view, found)


def _stability(view: View, found: DriftView) -> None:
    t = view.t
    labels = [t.local(each.name) for each in found.features]
    if not labels:
        empty_state(t("run.drift.no_features"), t("run.drift.no_features.do"))
        return
    levels = [each.level for each in found.features]
    options = cluster_charts.stability_bars(labels, [each.psi for each in found.features], levels)
    chart(options, height=28 * len(labels) + 48, label=t("run.drift.features"))
    shifted = [name for name, level in zip(labels, levels, strict=True) if level != "stable"]
    worst = max(levels, key=list(PSI_TONES).index)
    html(psi_tag(t, worst) + " " + "、".join(shifted))
