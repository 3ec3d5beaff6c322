"""One target profile: how much is inside, whether newcomers and contacts still are, and who comes instead."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from markupsafe import Markup, escape
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, exact_money, moment, percent, whole
from services.console.frame import heading
from services.console.pages.target_form import change
from services.console.pages.targets import ANALYSTS, tolerance_words
from services.console.view import View, page
from services.console.widgets import charts
from services.console.widgets.html import Cell, facts, html, link, table, tag
from services.console.widgets.states import empty_state
from services.console.widgets.target_charts import drift
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.segmentation.targets import (
    Adherence,
    DriftMeasure,
    DriftSeries,
    DriftView,
    OutsiderProfile,
    TargetAlert,
    TargetCheck,
    TargetContrast,
    TargetProfileView,
)

_MONTHS = 12
_CONTRASTS = 12
_OF_CAMPAIGNS = {DriftMeasure.campaign_contacts, DriftMeasure.campaign_cost}
Reload = Callable[[], Awaitable[None]]


@page("/targets/{profile_id}", title="targets.title", nav="targets")
async def target_page(view: View, profile_id: str) -> None:
    path = f"/v1/target-profiles/{segment(profile_id)}"

    async def fetch() -> TargetProfileView:
        return await view.api.get("segmentation", path, TargetProfileView)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda profile: _Desk(view, path, profile, again).draw(), height=520)


@dataclass
class _Desk:
    view: View
    path: str
    profile: TargetProfileView
    reload: Reload
    shown: dict[str, str] = field(default_factory=dict)

    def draw(self) -> None:
        view, t, profile = self.view, self.view.t, self.profile
        crumb = link(t("targets.title"), "/targets")
        with heading(t.local(profile.name), f"{profile.org} · v{profile.version}", crumb=crumb):
            if view.user.has(*ANALYSTS):
                ui.button(t("targets.change"), on_click=self._change).props("outline no-caps")
                ui.button(t("targets.check"), on_click=self._check).props("unelevated no-caps")
        view.section(lambda: view.api.get("segmentation", f"{self.path}/adherence", Adherence), self._now)
        with ui.element("section").classes("panel"):
            html(facts(self._said()))
        params = {"months": _MONTHS}
        view.section(
            lambda: view.api.get("segmentation", f"{self.path}/drift", DriftView, params),
            self._drift,
            height=320,
        )
        with ui.element("div").classes("grid cols-wide"):
            view.section(
                lambda: view.api.get("segmentation", f"{self.path}/profile", OutsiderProfile),
                self._outsiders,
                height=320,
            )
            view.section(
                lambda: view.api.get("segmentation", f"{self.path}/alerts", Page[TargetAlert]),
                lambda found: self._alerts(found.items),
            )

    def _said(self) -> list[tuple[str, Cell]]:
        t, profile = self.view.t, self.profile
        pairs: list[tuple[str, Cell]] = [
            (t("column.rule"), Markup("<code>{}</code>").format(profile.definition.sql or "")),
            (t("targets.column.tolerances"), t("comma").join(tolerance_words(self.view, profile))),
            (t("targets.column.valid"), f"{day(profile.valid_from)} ~ {day(profile.valid_until)}"),
            (t("targets.column.checked"), moment(profile.checked_at)),
        ]
        return [*pairs, (t("targets.rationale"), profile.rationale)] if profile.rationale else pairs

    async def _change(self) -> None:
        if await change(self.view, self.profile) is not None:
            await self.reload()

    async def _check(self) -> None:
        found = await self.view.attempt(self.view.api.post("segmentation", f"{self.path}:check", TargetCheck))
        if found is not None:
            self.view.done(self.view.t("targets.check.done", n=len(found.alerts), judged=found.judged))
            await self.reload()

    def _now(self, now: Adherence) -> None:
        t = self.view.t
        with ui.element("div").classes("grid cols-4"):
            note = t("targets.counted", inside=whole(now.inside), total=whole(now.customers))
            kpi(t("targets.inside.customers"), percent(now.share), note, accent=True)
            kpi(t("targets.inside.aum"), percent(now.aum_share), exact_money(now.aum_inside, "CNY"))
            earned = exact_money(now.contribution_inside, "CNY")
            kpi(t("targets.inside.contribution"), percent(now.contribution_share), earned)
            kpi(t("targets.unknown"), whole(now.unknown), t("targets.unknown.note"))

    def _drift(self, found: DriftView) -> None:
        t = self.view.t
        units = list(dict.fromkeys(series.org for series in found.series))
        with ui.element("section").classes("panel"):
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                    t("targets.drift"), t("targets.drift.note")
                )
            )
            with ui.element("div").classes("filters"):
                measures = {str(one): t(f"targets.measure.{one}") for one in DriftMeasure}
                measure = ui.select(measures, value="new_customers")
                unit = ui.select(units, value=units[0])
                for chosen, label in ((measure, "targets.measure"), (unit, "targets.column.org")):
                    chosen.props(f'outlined dense options-dense aria-label="{t(label)}"')
            place = ui.element("div").classes("stack").style("width: 100%")

            def show() -> None:
                place.clear()
                with place:
                    self._series(found, str(unit.value), str(measure.value))

            measure.on_value_change(show)
            unit.on_value_change(show)
            show()

    def _series(self, found: DriftView, unit: str, measure: str) -> None:
        t = self.view.t
        chosen = next((s for s in found.series if (s.org, s.measure.value) == (unit, measure)), None)
        if chosen is None or not any(point.share is not None for point in chosen.points):
            empty_state(t("targets.drift.empty"), t("targets.drift.empty.do"))
            return
        charts.chart(drift(t, chosen.points, chosen.tolerance), height=280, label=t("targets.drift"))
        html(_figures(self.view, chosen))
        known = []
        if found.facts_since is not None:
            known.append(t("targets.since", day=day(found.facts_since)))
        if found.campaigns_since is not None and chosen.measure in _OF_CAMPAIGNS:
            known.append(t("targets.campaigns_since", day=day(found.campaigns_since)))
        if known:
            html(Markup('<p class="muted small">{}</p>').format(t("comma").join(known)))

    def _outsiders(self, found: OutsiderProfile) -> None:
        t = self.view.t
        with ui.element("section").classes("panel"):
            note = t("targets.instead.note", since=day(found.since), n=whole(found.newcomers))
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                    t("targets.instead", n=whole(found.outsiders)), note
                )
            )
            contrasts = found.contrasts[:_CONTRASTS]
            if not contrasts:
                empty_state(t("targets.instead.empty"), t("targets.instead.empty.do"))
                return
            options = charts.diverging(
                [t.local(each.outsiders.name) for each in contrasts],
                [each.gap for each in contrasts],
                [_gap_tip(self.view, each) for each in contrasts],
            )
            charts.chart(options, height=28 * len(contrasts) + 40, label=t("targets.instead", n=""))

    def _alerts(self, alerts: list[TargetAlert]) -> None:
        t = self.view.t
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("targets.alerts")))
            if not alerts:
                empty_state(t("targets.alerts.empty"), t("targets.alerts.empty.do"))
                return
            rows: list[list[Cell]] = [
                [
                    alert.period.strftime("%Y-%m"),
                    alert.org,
                    Markup("<br>").join(
                        Markup("{} {} &lt; {} {}").format(
                            t(f"targets.measure.{share.measure}"),
                            percent(share.share),
                            percent(share.tolerance, 0),
                            tag(t(f"targets.evidence.{share.evidence}"), "bad"),
                        )
                        for share in alert.shares
                    ),
                ]
                for alert in alerts
            ]
            html(table([t(f"targets.column.{name}") for name in ("month", "org", "shares")], rows))


def _figures(view: View, series: DriftSeries) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            point.period.strftime("%Y-%m"),
            percent(point.share),
            f"{percent(point.low)} ~ {percent(point.high)}",
            f"{whole(point.inside)} / {whole(point.total)}",
            tag(t(f"targets.evidence.{point.evidence}"), "bad") if point.evidence else "",
        ]
        for point in reversed(series.points)
        if point.total
    ]
    names = ("month", "share", "interval", "counted", "evidence")
    return table([t(f"targets.column.{name}") for name in names], rows, right=(1, 2, 3))


def _gap_tip(view: View, contrast: TargetContrast) -> str:
    t = view.t

    def mean(value: float | None) -> str:
        return "–" if value is None else f"{value:,.2f}"

    lines = (
        t.local(contrast.outsiders.name),
        t("targets.instead.outside", mean=mean(contrast.outsiders.mean)),
        t("targets.instead.inside", mean=mean(contrast.target.mean)),
    )
    return "<br>".join(str(escape(line)) for line in lines)
