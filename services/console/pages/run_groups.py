"""The groups of a run: in which features they differ, in words and as rules, and publishing them."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, percent, whole
from services.console.view import View
from services.console.widgets import cluster_charts
from services.console.widgets.charts import chart
from services.console.widgets.html import Cell, html, link, table, two_lines
from shared.auth import Role
from shared.contracts.segmentation import (
    ClusterProfile,
    ModelRunView,
    PublishedClusters,
    RunProfile,
)

_RADAR = 8
_HEAT = 14


@dataclass(frozen=True)
class Differences:
    """Standardised differences by feature and group; features that tell groups apart most come first."""

    groups: list[ClusterProfile]
    features: list[str]
    names: dict[str, str]
    values: dict[tuple[int, str], float | None]

    def of(self, group: int, features: list[str]) -> list[float | None]:
        return [self.values.get((group, feature)) for feature in features]


def build_groups(view: View, run: ModelRunView) -> None:
    path = f"/v1/model-runs/{run.id}/profile"
    view.section(
        lambda: view.api.get("segmentation", path, RunProfile),
        lambda found: _draw(view, run, found),
        height=420,
    )


def name_of(view: View, group: ClusterProfile) -> str:
    named = view.t.local(group.name) if group.name else ""
    return named or view.t("segments.cluster", n=group.cluster)


def _draw(view: View, run: ModelRunView, found: RunProfile) -> None:
    t = view.t
    shown = _differences(view, [group for group in found.clusters if group.size])
    names = [name_of(view, group) for group in shown.groups]
    if shown.features:
        with ui.element("div").classes("grid cols-wide"):
            with ui.element("section").classes("panel"):
                html(Markup("<h2>{}</h2>").format(t("run.heat")))
                features = shown.features[:_HEAT]
                rows = [
                    [shown.values.get((group.cluster, feature)) for group in shown.groups]
                    for feature in features
                ]
                options = cluster_charts.heat_map(names, [shown.names[each] for each in features], rows)
                chart(options, height=34 * len(features) + 96, label=t("run.heat"))
            with ui.element("section").classes("panel"):
                html(Markup("<h2>{}</h2>").format(t("run.radar")))
                features = shown.features[:_RADAR]
                outlines = {
                    group.cluster: (name, shown.of(group.cluster, features))
                    for group, name in zip(shown.groups[:_RADAR], names, strict=False)
                }
                options = cluster_charts.radar([shown.names[each] for each in features], outlines)
                chart(options, height=360, label=t("run.radar"))
    with ui.element("section").classes("panel"):
        heads = [t(f"run.{name}") for name in ("group", "size", "share", "description", "rule", "fit")]
        html(table(heads, [_row(view, group) for group in found.clusters], right=(1, 2)))
    if view.user.has(Role.strategist):
        _publish(view, run)


def _differences(view: View, groups: list[ClusterProfile]) -> Differences:
    values: dict[tuple[int, str], float | None] = {}
    names: dict[str, str] = {}
    for group in groups:
        for contrast in group.contrasts:
            values[group.cluster, contrast.feature] = contrast.standardised_difference
            names[contrast.feature] = view.t.local(contrast.name)

    def spread(feature: str) -> float:
        known = [value for (_, name), value in values.items() if name == feature and value is not None]
        return max(known) - min(known) if known else -1.0

    return Differences(groups, sorted(names, key=lambda name: -spread(name)), names, values)


def _row(view: View, group: ClusterProfile) -> list[Cell]:
    t, rule = view.t, group.rule
    fit = (
        t("run.fit.value", precision=percent(rule.precision), recall=percent(rule.recall))
        if rule
        else NOTHING
    )
    return [
        two_lines(name_of(view, group), f"#{group.cluster}"),
        whole(group.size),
        percent(group.share),
        t.local(group.description),
        Markup('<code class="small">{}</code>').format(rule.sql) if rule else NOTHING,
        fit,
    ]


def _publish(view: View, run: ModelRunView) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("run.publish"), t("run.publish.note")
            )
        )
        if run.needs_approval and run.approval is None:
            html(Markup('<p class="warn">{}</p>').format(t("run.publish.waits")))
        with ui.element("div").classes("filters"):
            prefix = ui.input(t("run.prefix")).props("outlined dense maxlength=60")
            forms = {form: t(f"run.publish.{form}") for form in ("cluster", "rule")}
            form = ui.select(forms, value="cluster", label=t("run.publish.as")).props("outlined dense")
            degree = ui.number(t("run.min_degree"), min=0, max=1, step=0.05).props("outlined dense clearable")
            degree.style("width: 190px")
            degree.set_visibility(run.kind.value in {"ensemble", "tactical"})
            button = view.bank_wide(ui.button(t("run.publish")).props("unelevated no-caps"))
        shown = html(Markup()).props('aria-live="polite"')

        async def publish() -> None:
            body: dict[str, object] = {"prefix": str(prefix.value or ""), "publish_as": str(form.value)}
            if degree.value is not None and form.value == "cluster":
                body["min_degree"] = float(degree.value)
            button.disable()
            path = f"/v1/model-runs/{run.id}:publish"
            done = await view.attempt(view.api.post("segmentation", path, PublishedClusters, body))
            button.enable()
            if done is not None:
                view.done(t("run.published", n=len(done.segments)))
                shown.set_content(str(_links(view, done)))

        button.on_click(publish)


def _links(view: View, done: PublishedClusters) -> Markup:
    return Markup(" · ").join(
        link(view.t.local(segment.name), f"/segments/{segment.id}") for segment in done.segments
    )
