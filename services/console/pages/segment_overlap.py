"""How much segments have in common: a heat map, and the intersection of two kept as a segment."""

from collections.abc import Sequence

from markupsafe import Markup, escape
from nicegui import events, ui

from services.console.api import Params
from services.console.formats import NOTHING, percent, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets import charts
from services.console.widgets.html import html, link
from services.console.widgets.segment_charts import Square, heat_map
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import SegmentState, SegmentView
from shared.contracts.segmentation.comparisons import Combination, OverlapSegment, OverlapView

_FIRST, _MOST = 8, 50
_MEASURES = ("jaccard", "count", "lift")


@page("/segment-overlap", title="overlap.title", nav="segments")
async def overlap_page(view: View) -> None:
    t = view.t
    with heading(t("overlap.title"), t("overlap.note"), crumb=link(t("segments.title"), "/segments")):
        pass

    async def fetch() -> Page[SegmentView]:
        wanted: Params = {"state": SegmentState.live.value, "limit": 500}
        return await view.api.get("segmentation", "/v1/segments", Page[SegmentView], wanted)

    view.section(fetch, lambda found: _choose(view, found.items), height=480)


def _choose(view: View, segments: list[SegmentView]) -> None:
    t = view.t
    if len(segments) < 2:
        with ui.element("section").classes("panel"):
            empty_state(t("overlap.few"), t("overlap.few.do"))
        return
    by_size = sorted(segments, key=lambda segment: -(segment.size or 0))
    names = {segment.key: t.local(segment.name) for segment in by_size}
    with ui.element("div").classes("filters"):
        chosen = (
            ui.select(names, value=[each.key for each in by_size[:_FIRST]], multiple=True)
            .props(f'outlined dense use-chips max-values={_MOST} label="{t("overlap.segments")}"')
            .style("min-width: 420px; max-width: 900px")
        )
        measure = ui.toggle({each: t(f"overlap.{each}") for each in _MEASURES}, value=_MEASURES[0])
        measure.props("no-caps dense unelevated")

    async def fetch() -> OverlapView | None:
        keys = list(chosen.value or [])
        if len(keys) < 2:
            return None
        return await view.api.post("segmentation", "/v1/segments:overlap", OverlapView, {"segments": keys})

    reload = view.section(fetch, lambda found: _draw(view, found, str(measure.value)), height=480)
    chosen.on_value_change(reload)
    measure.on_value_change(reload)


def _draw(view: View, found: OverlapView | None, measure: str) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if found is None:
            empty_state(t("overlap.few.chosen"), t("overlap.few.chosen.do"))
            return
        names = [t.local(each.name) for each in found.segments]
        squares = [
            _square(view, found, names, row, column, measure)
            for row in range(len(names))
            for column in range(len(names))
        ]
        html(Markup("<p class='muted'>{}</p>").format(t("overlap.click")))
        drawn = charts.chart(heat_map(names, squares), height=150 + 44 * len(names), label=t("overlap.title"))

        async def click(event: events.EChartPointClickEventArguments) -> None:
            square = squares[event.data_index]
            if square.row != square.column:
                await _intersection(view, [found.segments[each] for each in (square.row, square.column)])

        drawn.on_point_click(click)


def _square(
    view: View, found: OverlapView, names: Sequence[str], row: int, column: int, measure: str
) -> Square:
    t = view.t
    both, jaccard, lift = found.counts[row][column], found.jaccard[row][column], found.lift[row][column]
    smaller = min(found.segments[row].size, found.segments[column].size)
    lines = (
        f"{names[row]} × {names[column]}",
        f"{t('overlap.count')}: {whole(both)}",
        f"{t('overlap.jaccard')}: {percent(jaccard)}",
        f"{t('overlap.lift')}: {NOTHING if lift is None else f'{lift:.2f}'}",
    )
    texts = {
        "count": whole(both),
        "jaccard": percent(jaccard),
        "lift": NOTHING if lift is None else f"{lift:.1f}",
    }
    shades = {
        "count": both / smaller if smaller else 0.0,
        "jaccard": jaccard or 0.0,
        # Ten times as many as by chance is as dark as it gets.
        "lift": min((lift or 0.0) / 10, 1.0),
    }
    tip = "<br>".join(str(escape(line)) for line in lines)
    return Square(row, column, shades[measure], texts[measure], tip)


async def _intersection(view: View, segments: Sequence[OverlapSegment]) -> None:
    """Shows what two segments share, and keeps it as a draft if somebody who may says so."""
    t = view.t
    keys = [segment.key for segment in segments]
    wanted: dict[str, object] = {"operation": "intersection", "segments": keys, "sample": 0}
    found = await view.attempt(view.api.post("segmentation", "/v1/segments:combine", Combination, wanted))
    if found is None:
        return
    may_keep = view.user.has(Role.strategist) and view.user.at_head_office
    title = " ∩ ".join(t.local(segment.name) for segment in segments)
    with ui.dialog() as dialog, ui.card().classes("dialog").props(f'aria-label="{escape(title)}"'):
        html(
            Markup("<h2>{}</h2><p class='muted'>{}</p><p><code>{}</code></p>").format(
                title, t("overlap.both", n=whole(found.count), all=whole(found.of)), found.sql
            )
        )
        if may_keep:
            with ui.element("div").classes("stack").style("width: 100%"):
                key = ui.input(t("overlap.key"), value="-and-".join(keys)[:64]).props("outlined dense")
                name = ui.input(t("overlap.name"), value=title).props("outlined dense maxlength=200")

        async def save() -> None:
            label = {"zh": str(name.value), "en": str(name.value)}
            body = {**wanted, "save_as": {"key": str(key.value), "name": label}}
            kept = await view.attempt(
                view.api.post("segmentation", "/v1/segments:combine", Combination, body)
            )
            if kept is not None and kept.saved is not None:
                dialog.submit(kept.saved.key)

        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            if may_keep:
                ui.button(t("overlap.save"), on_click=save).props("unelevated no-caps")
    saved = await dialog
    dialog.delete()
    if isinstance(saved, str):
        ui.navigate.to(f"/segments/{saved}")
