"""Segment studio 客群工作室: a rule as boxes and as SQL, kept in step, with its exact count while editing."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.api import segment as path_segment
from services.console.formats import percent, whole
from services.console.frame import heading
from services.console.pages.rule_builder import RuleBuilder
from services.console.pages.rule_forms import Node, Vocabulary
from services.console.view import View, advice, page
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import skeleton
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureView, PreviewView, SegmentView

_PAUSE_SECONDS = 0.4
_SAMPLE = 8
_FIRST: Node = {"all": [{"feature": "aum", "op": "gte", "value": 500000}]}
_PLACE = re.compile(r"\(line (\d+), column (\d+)\)$")
_TONES = {"realtime": "good", "daily": "", "scheduled": "warn"}


@dataclass
class Opened:
    """What the studio starts with."""

    words: Vocabulary
    segment: SegmentView | None


@dataclass
class Studio:
    """The rule being edited. `edits` counts changes, so that only the newest one is tried."""

    view: View
    words: Vocabulary
    segment: SegmentView | None
    edits: int = 0
    sql: str = ""
    form: str = "tree"
    found: PreviewView | None = None
    parts: dict[str, Any] = field(default_factory=dict)


@page("/segment-studio", title="studio.title", nav="segment-studio")
async def studio_page(view: View, segment: str = "") -> None:
    async def fetch() -> Opened:
        features, segments = await asyncio.gather(
            view.api.get("segmentation", "/v1/features", Page[FeatureView]),
            view.api.get("segmentation", "/v1/segments", Page[SegmentView], {"limit": 1000}),
        )
        keys = [each.key for each in segments.items if each.state.value != "archived"]
        words = Vocabulary({each.key: each for each in features.items}, keys)
        path = f"/v1/segments/{path_segment(segment)}"
        known = await view.api.get("segmentation", path, SegmentView) if segment else None
        return Opened(words, known)

    t = view.t
    with heading(t("studio.title"), t("studio.note"), crumb=link(t("segments.title"), "/segments")):
        html(link(t("catalogue.title"), "/features"))
    view.section(fetch, lambda opened: _draw(Studio(view, opened.words, opened.segment)), height=460)


def _draw(studio: Studio) -> None:
    t = studio.view.t
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("panel"):
                html(
                    Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                        t("studio.builder"), t("studio.builder.note")
                    )
                )
                studio.parts["builder"] = RuleBuilder(
                    t, studio.words, _first_tree(studio), lambda: _edited(studio, "tree")
                )
            _sql_panel(studio)
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("panel"):
                html(Markup("<h2>{}</h2>").format(t("studio.now")))
                studio.parts["shown"] = ui.element("div").props('aria-live="polite"')
            if studio.view.user.has(Role.strategist):
                _saving(studio)
    _edited(studio, "tree")


def _first_tree(studio: Studio) -> Node:
    definition = studio.segment.definition if studio.segment else None
    if definition is not None and definition.tree is not None:
        return dict(definition.model_dump(mode="json", by_alias=True, exclude_none=True)["tree"])
    return {"all": [dict(each) for each in _FIRST["all"]]}


def _sql_panel(studio: Studio) -> None:
    t = studio.view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("studio.sql"), t("studio.sql.note")
            )
        )
        text = ui.textarea().props(f'outlined autogrow spellcheck=false aria-label="{t("studio.sql")}"')
        text.classes("code")
        studio.parts["sql"] = text
        studio.parts["sql_problem"] = html(Markup())

        def typed(value: str) -> None:
            if value.strip() != studio.sql:
                _edited(studio, "sql")

        text.on_value_change(lambda event: typed(str(event.value or "")))


# ── trying ──


def _edited(studio: Studio, form: str) -> None:
    """Tried as soon as nobody has typed for a moment."""
    studio.edits += 1
    studio.form = form
    edit = studio.edits

    async def later() -> None:
        if edit == studio.edits:
            await _try(studio, form, edit)

    with studio.parts["shown"]:
        ui.timer(_PAUSE_SECONDS if edit > 1 else 0.01, later, once=True)


def _definition(studio: Studio) -> Node:
    """As it was edited last."""
    if studio.form == "tree":
        return dict(studio.parts["builder"].tree)
    return {"sql": str(studio.parts["sql"].value or "").strip()}


async def _try(studio: Studio, form: str, edit: int) -> None:
    builder, shown = studio.parts["builder"], studio.parts["shown"]
    if studio.found is None:
        with shown:
            skeleton(90)
    body = {"definition": _definition(studio), "sample": _SAMPLE}
    try:
        found = await studio.view.api.post("segmentation", "/v1/segments:preview", PreviewView, body)
    except ApiProblem as problem:
        if edit == studio.edits:
            _refused(studio, form, problem)
        return
    if edit != studio.edits:
        return
    studio.found, studio.sql = found, found.sql
    if form == "sql":
        builder.show(found.model_dump(mode="json", by_alias=True, exclude_none=True)["tree"])
    else:
        studio.parts["sql"].set_value(found.sql)
    studio.parts["sql_problem"].set_content("")
    builder.clear_notes()
    builder.count([leaf.passing for leaf in found.leaves])
    shown.clear()
    with shown:
        html(_answer(studio.view, found))


def _refused(studio: Studio, form: str, problem: ApiProblem) -> None:
    """At the place of the mistake: a condition, or a line and column."""
    t, shown, builder = studio.view.t, studio.parts["shown"], studio.parts["builder"]
    if problem.status == 401:
        studio.view.to_sign_in()
        return
    builder.clear_notes()
    studio.parts["sql_problem"].set_content("")
    shown.clear()
    studio.found = None
    placed = [builder.problem(error.pointer, error.detail) for error in problem.errors if form == "tree"]
    if form == "sql" and problem.errors:
        text = str(studio.parts["sql"].value or "")
        studio.parts["sql_problem"].set_content(str(_pointed(text, problem.errors[0].detail)))
    with shown:
        html(
            Markup('<div class="state" role="alert"><b>{}</b>{}</div>').format(
                t("studio.refused"), "" if any(placed) or form == "sql" else advice(t, problem)
            )
        )


def _pointed(text: str, detail: str) -> Markup:
    """The line of the mistake with a mark below its place."""
    found = _PLACE.search(detail)
    message = Markup('<p class="tag bad" role="alert">{}</p>').format(detail)
    if not found:
        return message
    line, column = int(found[1]), int(found[2])
    lines = text.split("\n")
    if not 0 < line <= len(lines):
        return message
    start = max(0, column - 40)
    shown = lines[line - 1][start : start + 80]
    return message + Markup('<pre class="code small">{}\n{}▲</pre>').format(
        shown, " " * max(0, column - 1 - start)
    )


def _answer(view: View, found: PreviewView) -> Markup:
    t = view.t
    share = found.count / found.of if found.of else None
    head = Markup('<div class="kpi-value" data-count="{}">{}</div><p class="muted">{}</p>').format(
        found.count, whole(found.count), t("preview.of", all=whole(found.of), share=percent(share))
    )
    leaves: list[list[Cell]] = [
        [
            Markup("<code>{}</code>").format(leaf.text),
            tag(t.word("freshness", leaf.freshness.value), _TONES[leaf.freshness.value]),
            whole(leaf.passing),
        ]
        for leaf in found.leaves
    ]
    names = ("condition", "freshness", "passing")
    sample = Markup(" ").join(link(str(customer)[-8:], f"/customers/{customer}") for customer in found.sample)
    more = Markup('<p class="small muted">{} {}</p>').format(t("preview.sample"), sample)
    return head + table([t(f"column.{name}") for name in names], leaves, right=(2,)) + more


# ── saving ──


def _saving(studio: Studio) -> None:
    view, t, segment = studio.view, studio.view.t, studio.segment
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("studio.save") if segment is None else t.local(segment.name)))
        fields = {}
        if segment is None:
            with ui.element("div").classes("stack").style("gap: 10px; margin: 12px 0"):
                for name in ("key", "zh", "en", "description"):
                    fields[name] = ui.input(t(f"studio.{name}")).props("outlined dense maxlength=200")
        else:
            html(Markup('<p class="muted small">{}</p>').format(t("studio.edits", name=segment.key)))

        async def keep(*, publish: bool) -> None:
            values = {name: str(entry.value or "").strip() for name, entry in fields.items()}
            saved = await view.attempt(_saved(studio, values))
            if saved is None:
                return
            studio.segment = saved
            if publish:
                path = f"/v1/segments/{path_segment(saved.key)}:publish"
                if await view.attempt(view.api.post("segmentation", path, object)) is None:
                    return
            view.done(t("studio.published" if publish else "studio.saved", name=saved.key))
            ui.navigate.to(f"/segments/{saved.id}")

        with ui.element("div").classes("actions"):
            draft = ui.button(t("studio.save_draft"), on_click=lambda: keep(publish=False))
            publish = ui.button(t("studio.publish"), on_click=lambda: keep(publish=True))
            view.bank_wide(draft).props("outline no-caps")
            view.bank_wide(publish).props("unelevated no-caps")


async def _saved(studio: Studio, values: Mapping[str, str]) -> SegmentView:
    """A new draft, or a new version of the segment that was opened."""
    definition = _definition(studio)
    api, segment = studio.view.api, studio.segment
    if segment is None:
        body = {
            "key": values["key"],
            "name": {"zh": values["zh"], "en": values["en"] or values["zh"]},
            "description": values["description"],
            "definition": definition,
        }
        return await api.post("segmentation", "/v1/segments", SegmentView, body)
    path = f"/v1/segments/{path_segment(segment.key)}"
    body = {"definition": definition}
    return await api.patch("segmentation", path, SegmentView, body, if_match=segment.revision)
