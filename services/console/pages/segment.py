"""One segment: who is in it, what its rule says, and how its members differ from everybody."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup, escape
from nicegui import ui

from services.console.api import segment as path_segment
from services.console.formats import moment, percent, whole
from services.console.frame import heading
from services.console.pages.segment_history import build_changes, build_trend, build_versions
from services.console.pages.segment_impact import actions, build_impact, build_snapshots
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets import charts
from services.console.widgets.html import Cell, facts, html, link, table
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureContrast, MemberView, SegmentProfile, SegmentView

_MEMBERS = 50
_CONTRASTS = 12
_WORDS = 10


@dataclass(frozen=True)
class SegmentFacts:
    segment: SegmentView
    profile: SegmentProfile | None
    members: Page[MemberView] | None


@page("/segments/{segment_id}", title="segment.title", nav="segments")
async def segment_page(view: View, segment_id: str) -> None:
    path = f"/v1/segments/{path_segment(segment_id)}"

    async def fetch() -> SegmentView:
        return await view.api.get("segmentation", path, SegmentView)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda found: _draw(view, found, again), height=480)


def _draw(view: View, segment: SegmentView, reload: Callable[[], Awaitable[None]]) -> None:
    t = view.t
    with heading(t.local(segment.name), segment.key, crumb=link(t("segments.title"), "/segments")):
        html(state_tag(t, segment.state.value))
        actions(view, segment, reload)
    lazy_tabs(
        {
            "overview": (t("segment.overview"), lambda: _overview_tab(view, segment)),
            "trend": (t("trend.tab"), lambda: build_trend(view, segment)),
            "versions": (t("versions.tab"), lambda: build_versions(view, segment)),
            "changes": (t("changes.tab"), lambda: build_changes(view, segment)),
            "impact": (t("impact.tab"), lambda: build_impact(view, segment)),
            "snapshots": (t("snapshots.tab"), lambda: build_snapshots(view, segment)),
        }
    )


def _overview_tab(view: View, segment: SegmentView) -> None:
    view.section(lambda: _fetch(view, segment), lambda shown: _overview(view, shown), height=420)


async def _fetch(view: View, segment: SegmentView) -> SegmentFacts:
    path = f"/v1/segments/{path_segment(segment.key)}"
    if segment.evaluated_at is None:
        return SegmentFacts(segment, None, None)
    profile, members = await asyncio.gather(
        view.optional(view.api.get("segmentation", f"{path}/profile", SegmentProfile)),
        view.optional(view.api.get("segmentation", f"{path}/members", Page[MemberView], {"limit": _MEMBERS})),
    )
    return SegmentFacts(segment, profile, members)


def _overview(view: View, shown: SegmentFacts) -> None:
    t, segment, profile = view.t, shown.segment, shown.profile
    with ui.element("div").classes("grid cols-4"):
        share = profile.size / profile.of if profile and profile.of else None
        kpi(t("segment.members"), whole(segment.size), t("segment.share", share=percent(share)))
        kpi(t("segment.version"), f"v{segment.live_version or segment.version}", t("segment.version.note"))
        kpi(t("segment.refresh"), t.word("refresh", segment.refresh.value), t("segment.refresh.note"))
        kpi(t("segment.kind"), t.word("segment_kind", segment.kind.value), moment(segment.evaluated_at))
    _rule(view, segment)
    if profile is None:
        with ui.element("section").classes("panel"):
            empty_state(t("segment.unevaluated"), t("segment.unevaluated.do"))
        return
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("div").classes("stack"):
            _profile(view, profile)
            _words(view, profile)
        _members(view, shown.members)


def _rule(view: View, segment: SegmentView) -> None:
    t = view.t
    pairs: list[tuple[str, Cell]] = []
    if segment.definition.sql:
        pairs.append((t("column.rule"), Markup("<code>{}</code>").format(segment.definition.sql)))
    if segment.definition.cluster:
        pairs.append((t("column.rule"), t("segments.cluster", n=segment.definition.cluster.cluster)))
    if segment.description:
        pairs.append((t("segment.description"), segment.description))
    with ui.element("section").classes("panel"):
        html(facts(pairs))


def _profile(view: View, profile: SegmentProfile) -> None:
    t = view.t
    shown = [c for c in profile.contrasts if c.standardised_difference is not None][:_CONTRASTS]
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("profile.title"), t("profile.note")
            )
        )
        if not shown:
            empty_state(t("profile.empty"), t("profile.empty.do"))
            return
        options = charts.diverging(
            [t.local(contrast.name) for contrast in shown],
            [contrast.standardised_difference or 0.0 for contrast in shown],
            [_tip(view, contrast) for contrast in shown],
        )
        charts.chart(options, height=28 * len(shown) + 40, label=t("profile.title"))


def _tip(view: View, contrast: FeatureContrast) -> str:
    t = view.t
    mean = "–" if contrast.mean is None else f"{contrast.mean:,.2f}"
    everybody = "–" if contrast.mean_all is None else f"{contrast.mean_all:,.2f}"
    lines = (t.local(contrast.name), t("profile.here", mean=mean), t("profile.all", mean=everybody))
    return "<br>".join(str(escape(line)) for line in lines)


def _words(view: View, profile: SegmentProfile) -> None:
    t = view.t
    if not profile.categories:
        return
    rows: list[list[Cell]] = [
        [
            t.local(each.name),
            each.value,
            percent(each.share),
            percent(each.share_all),
            f"× {each.lift:.2f}",
        ]
        for each in profile.categories[:_WORDS]
    ]
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("profile.words")))
        names = ("feature", "word", "share", "share_all", "lift")
        html(table([t(f"profile.{name}") for name in names], rows, right=(2, 3, 4)))


def _members(view: View, members: Page[MemberView] | None) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("segment.members")))
        if members is None or not members.items:
            empty_state(t("segment.nobody"), t("segment.nobody.do"))
            return
        rows: list[list[Cell]] = [
            [link(_short(member.customer_id), f"/customers/{member.customer_id}"), member.org]
            for member in members.items
        ]
        with ui.element("div").style("max-height: 380px; overflow-y: auto").props("tabindex=0"):
            html(table([t("column.customer"), t("column.org")], rows))
        if members.next_cursor:
            html(Markup('<p class="muted small">{}</p>').format(t("segment.first", n=len(rows))))


def _short(customer_id: UUID) -> str:
    """Ids of one day begin alike: the end tells them apart."""
    return f"{str(customer_id)[:8]}…{str(customer_id)[-12:]}"
