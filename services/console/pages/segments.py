"""Segments 客群, and a box to try a rule on today's customers before anything is saved."""

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, moment, percent, whole
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, facts, html, link, table, two_lines
from services.console.widgets.states import empty_state, skeleton
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureView, PreviewView, SegmentView

_SAMPLE = 8
_FIRST_RULE = "aum >= 500000 and age between 50 and 65"


@page("/segments", title="segments.title", nav="segments")
async def segments_page(view: View) -> None:
    t = view.t
    with heading(t("segments.title"), t("segments.note")):
        ui.button(t("overlap.title"), on_click=lambda: ui.navigate.to("/segment-overlap")).props(
            "outline no-caps"
        )
        ui.button(t("studio.title"), on_click=lambda: ui.navigate.to("/segment-studio")).props(
            "unelevated no-caps"
        )
    with ui.element("div").classes("grid cols-wide").style("margin-bottom: 18px"):
        _preview_box(view)
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("features.title")))
            view.section(
                lambda: view.api.get("segmentation", "/v1/features", Page[FeatureView]),
                lambda found: _features(view, found.items),
            )

    async def fetch() -> Page[SegmentView]:
        return await view.api.get("segmentation", "/v1/segments", Page[SegmentView], {"limit": 500})

    view.section(fetch, lambda found: _list(view, found.items), height=280)


def _list(view: View, segments: list[SegmentView]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not segments:
            empty_state(t("segments.empty"), t("segments.empty.do"))
            return
        names = ("segment", "state", "kind", "members", "evaluated", "rule")
        ordered = sorted(segments, key=lambda segment: (segment.state.value != "live", -(segment.size or 0)))
        rows = [_row(view, segment) for segment in ordered]
        html(table([t(f"column.{name}") for name in names], rows, right=(3,)))


def _row(view: View, segment: SegmentView) -> list[Cell]:
    t = view.t
    rule = segment.definition.sql or (
        t("segments.cluster", n=segment.definition.cluster.cluster) if segment.definition.cluster else NOTHING
    )
    return [
        two_lines(link(t.local(segment.name), f"/segments/{segment.id}"), segment.key),
        state_tag(t, segment.state.value),
        t.word("segment_kind", segment.kind.value),
        whole(segment.size),
        moment(segment.evaluated_at),
        Markup('<code class="small">{}</code>').format(rule if len(rule) <= 90 else rule[:88] + " …"),
    ]


def _features(view: View, features: list[FeatureView]) -> None:
    t = view.t
    rows: list[list[Cell]] = [
        [
            Markup("<code>{}</code>").format(feature.key),
            t.local(feature.name),
            t.word("feature_type", feature.type.value),
        ]
        for feature in features
    ]
    with (
        ui.element("div")
        .style("max-height: 300px; overflow-y: auto")
        .props(f'tabindex=0 role="region" aria-label="{t("features.title")}"')
    ):
        html(table([t(f"column.{name}") for name in ("feature", "meaning", "type")], rows))


def _preview_box(view: View) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("preview.title"), t("preview.note")
            )
        )
        rule = (
            ui.textarea(t("preview.rule"), value=_FIRST_RULE)
            .props("outlined autogrow spellcheck=false maxlength=8000")
            .classes("code")
        )
        with ui.element("div").classes("filters").style("margin: 10px 0"):
            button = ui.button(t("preview.run")).props("unelevated no-caps")
            html(Markup("{}").format(t("preview.keys")), tag="span").classes("muted small")
        shown = ui.element("div").props('aria-live="polite"')

        async def run() -> None:
            button.disable()
            shown.clear()
            with shown:
                skeleton(90)
            body = {"definition": {"sql": str(rule.value or "")}, "sample": _SAMPLE}
            found = await view.attempt(
                view.api.post("segmentation", "/v1/segments:preview", PreviewView, body)
            )
            button.enable()
            shown.clear()
            if found is not None:
                with shown:
                    html(_answer(view, found))

        button.on_click(run)
        rule.on("keydown.ctrl.enter.prevent", run)


def _answer(view: View, found: PreviewView) -> Markup:
    t = view.t
    share = found.count / found.of if found.of else None
    head = Markup('<div class="kpi-value">{}</div><p class="muted">{}</p>').format(
        whole(found.count), t("preview.of", all=whole(found.of), share=percent(share))
    )
    leaves: list[list[Cell]] = [
        [
            Markup("<code>{}</code>").format(leaf.text),
            t.word("freshness", leaf.freshness.value),
            whole(leaf.passing),
        ]
        for leaf in found.leaves
    ]
    names = ("condition", "freshness", "passing")
    sample = Markup(" ").join(link(str(customer)[-8:], f"/customers/{customer}") for customer in found.sample)
    more = facts(
        [(t("preview.sql"), Markup("<code>{}</code>").format(found.sql)), (t("preview.sample"), sample)]
    )
    return head + table([t(f"column.{name}") for name in names], leaves, right=(2,)) + more
