"""How a segment came to be what it is: its size over time, its definitions, who came and went."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import pairwise

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment as path_segment
from services.console.formats import NOTHING, day, moment, whole
from services.console.view import View
from services.console.widgets import charts, segment_charts
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.segmentation import Cause, ChangeKind, ChangeView, SegmentView
from shared.contracts.segmentation.history import SegmentTrend, SegmentVersionView, TrendStep

_PAGE = 50
More = Callable[[], Awaitable[Page[ChangeView] | None]]
_WORD = re.compile(r"'[^']*'|\w+|[^\w\s]|\s+")


def build_trend(view: View, segment: SegmentView) -> None:
    t = view.t
    path = f"/v1/segments/{path_segment(segment.key)}/trend"
    step = ui.toggle({each.value: t(f"trend.step.{each.value}") for each in TrendStep}, value="day")
    step.props("no-caps dense unelevated")

    async def fetch() -> SegmentTrend:
        return await view.api.get("segmentation", path, SegmentTrend, {"step": str(step.value)})

    step.on_value_change(view.section(fetch, lambda found: _draw_trend(view, found), height=320))


def _draw_trend(view: View, found: SegmentTrend) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("trend.title")))
        if all(point.size is None for point in found.points):
            empty_state(t("trend.empty"), t("trend.empty.do"))
            return
        periods = [
            segment_charts.Period(day(point.start), point.size, point.joined, point.left)
            for point in found.points
        ]
        options = segment_charts.trend(periods, t("trend.size"), t("trend.joined"), t("trend.left"))
        charts.chart(options, height=300, label=t("trend.title"))


def build_versions(view: View, segment: SegmentView) -> None:
    path = f"/v1/segments/{path_segment(segment.key)}/versions"

    async def fetch() -> Page[SegmentVersionView]:
        return await view.api.get("segmentation", path, Page[SegmentVersionView], {"limit": 200})

    view.section(fetch, lambda found: _draw_versions(view, found.items), height=280)


def _draw_versions(view: View, versions: list[SegmentVersionView]) -> None:
    t = view.t
    before = {newer.version: older for newer, older in pairwise(versions)}
    rows: list[list[Cell]] = [
        [
            Markup("v{} {}").format(each.version, tag(t("versions.live"), "good") if each.live else ""),
            moment(each.created_at),
            each.created_by,
            _definition(view, each, before.get(each.version)),
            moment(each.evaluated_at),
            _moved(each.joined, "+"),
            _moved(each.left, "−"),
        ]
        for each in versions
    ]
    names = ("version", "saved", "by", "difference", "effective", "joined", "left")
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("versions.title")))
        html(table([t(f"versions.{name}") for name in names], rows, right=(5, 6)))


def _definition(view: View, version: SegmentVersionView, older: SegmentVersionView | None) -> Markup:
    definition = version.definition
    if definition.sql is None:
        return Markup("{}").format(
            view.t("segments.cluster", n=definition.cluster.cluster) if definition.cluster else NOTHING
        )
    earlier = older.definition.sql if older is not None else None
    return Markup("<code>{}</code>").format(
        definition.sql if earlier is None else difference(earlier, definition.sql)
    )


def difference(before: str, after: str) -> Markup:
    """The later text, with what is new in it and what went, word by word."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    parts = []
    for what, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[start:end]), "".join(new[begin:stop])
        if what == "equal":
            parts.append(Markup("{}").format(come))
            continue
        if gone:
            parts.append(Markup("<del>{}</del>").format(gone))
        if come:
            parts.append(Markup("<ins>{}</ins>").format(come))
    return Markup().join(parts)


def _moved(count: int | None, sign: str) -> str:
    return NOTHING if count is None else f"{sign}{whole(count)}" if count else "0"


@dataclass
class _Log:
    found: list[ChangeView] = field(default_factory=list)
    next_cursor: str | None = None


def build_changes(view: View, segment: SegmentView) -> None:
    t = view.t
    path = f"/v1/segments/{path_segment(segment.key)}/changes"
    everything = {"": t("changes.all")}
    with ui.element("div").classes("filters"):
        kind = ui.select(
            everything | {each.value: t(f"trend.{each.value}") for each in ChangeKind},
            value="",
            label=t("changes.change"),
        )
        cause = ui.select(
            everything | {each.value: t(f"changes.cause.{each.value}") for each in Cause},
            value="",
            label=t("changes.cause"),
        )
        since = ui.input(t("changes.since")).props("type=date stack-label")
        customer = ui.input(t("changes.customer"))
        for each in (kind, cause, since, customer):
            each.props("outlined dense").style("min-width: 170px")
    log = _Log()

    async def read(cursor: str | None) -> Page[ChangeView]:
        wanted = {
            "change": kind.value,
            "cause": cause.value,
            "since": f"{since.value}T00:00:00+08:00" if since.value else None,
            "customer": str(customer.value or "").strip(),
        }
        given = {name: value for name, value in wanted.items() if value}
        return await view.api.get(
            "segmentation", path, Page[ChangeView], {**given, "limit": _PAGE, "cursor": cursor}
        )

    async def fetch() -> None:
        page = await read(None)
        log.found, log.next_cursor = page.items, page.next_cursor

    async def more() -> Page[ChangeView] | None:
        return await view.attempt(read(log.next_cursor))

    reload = view.section(fetch, lambda _: _draw_changes(view, log, more), height=280)
    for select in (kind, cause):
        select.on_value_change(reload)
    for written in (since, customer):
        written.on("change", reload)


def _draw_changes(view: View, log: _Log, more: More) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("changes.title")))
        if not log.found:
            empty_state(t("changes.empty"), t("changes.empty.do"))
            return
        listed = html(_changes(view, log.found))

        async def follow() -> None:
            page = await more()
            if page is not None:
                log.found.extend(page.items)
                log.next_cursor = page.next_cursor
                listed.set_content(str(_changes(view, log.found)))
                button.set_visibility(page.next_cursor is not None)

        button = ui.button(t("more"), on_click=follow).props("flat no-caps")
        button.set_visibility(log.next_cursor is not None)


def _changes(view: View, changes: Sequence[ChangeView]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            moment(change.at),
            link(f"…{str(change.customer_id)[-12:]}", f"/customers/{change.customer_id}"),
            tag(t(f"trend.{change.change.value}"), "good" if change.change is ChangeKind.joined else "warn"),
            t(f"changes.cause.{change.cause.value}"),
            f"v{change.version}",
        ]
        for change in changes
    ]
    return table([t(f"changes.{name}") for name in ("at", "customer", "change", "cause", "version")], rows)
