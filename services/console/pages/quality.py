"""Data quality: how good the files are, by unit or manager, how that changes, and whom to fix first."""

from dataclasses import dataclass, field
from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, exact_money, moment, whole
from services.console.frame import heading
from services.console.session import PERSONAL_READERS
from services.console.view import View, page
from services.console.widgets.charts import chart
from services.console.widgets.customer_charts import trend
from services.console.widgets.html import Cell, bar, html, link, table, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tiles import kpi
from shared.contracts.base import Page
from shared.contracts.customer.quality import QualityScores, QualitySummary, WorklistItem

_DIMENSIONS = ("completeness", "validity", "freshness", "uniqueness")
_PAGE = 25
_TONES = {"high": "bad", "medium": "warn", "low": ""}


@dataclass
class Work:
    items: list[WorklistItem] = field(default_factory=list)
    next_cursor: str | None = None


@page("/quality", title="quality.title", nav="quality")
async def quality_page(view: View) -> None:
    t, work = view.t, Work()
    with heading(t("quality.title"), t("quality.note")):
        pass
    with ui.element("div").classes("filters"):
        by = ui.select({name: t(f"quality.by.{name}") for name in ("org", "manager")}, value="org")
        by.props("outlined dense options-dense").props(f'aria-label="{t("quality.by")}"')

    async def fetch() -> QualitySummary:
        return await view.api.get("customer", "/v1/quality/summary", QualitySummary, {"by": str(by.value)})

    reload = view.section(fetch, lambda found: _summary(view, found), height=380)
    by.on_value_change(reload)
    if view.user.has(*PERSONAL_READERS):
        view.section(lambda: _first(view, work), lambda _: _worklist(view, work), height=260)


def _summary(view: View, found: QualitySummary) -> None:
    t = view.t
    if not found.customers:
        with ui.element("section").classes("panel"):
            empty_state(t("quality.empty"), t("quality.empty.do"))
        return
    with ui.element("div").classes("grid cols-5"):
        note = t("quality.customers", n=whole(found.customers))
        kpi(t("quality.score"), _score(found.score), note, accent=True)
        for name in _DIMENSIONS:
            kpi(t(f"quality.{name}"), _score(getattr(found, name)))
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("quality.groups")))
            html(_groups(view, found))
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("quality.failing")))
            rows: list[list[Cell]] = [[t.local(one.name), whole(one.customers)] for one in found.failing[:12]]
            html(table([t("column.rule"), t("quality.affected")], rows, right=(1,)))
    if len(found.trend) > 1:
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("quality.trend")))
            series = {
                t(f"quality.{name}"): [_number(getattr(point, name)) for point in found.trend]
                for name in ("score", *_DIMENSIONS)
            }
            days = [point.day.isoformat() for point in found.trend]
            chart(trend(days, series), height=240, label=t("quality.trend"))
    html(Markup('<p class="muted small">{}</p>').format(t("quality.as_of", at=moment(found.evaluated_at))))


def _groups(view: View, found: QualitySummary) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            group.manager or group.org or NOTHING,
            whole(group.customers),
            Markup("{}{}").format(_score(group.score), bar(_share(group))),
            *(_score(getattr(group, name)) for name in _DIMENSIONS),
        ]
        for group in found.groups[:50]
    ]
    names = [
        t("quality.group"),
        t("column.members"),
        t("quality.score"),
        *(t(f"quality.{n}") for n in _DIMENSIONS),
    ]
    return table(names, rows, right=range(1, len(names)))


async def _first(view: View, work: Work) -> None:
    found = await _page(view, None)
    work.items, work.next_cursor = found.items, found.next_cursor


async def _page(view: View, cursor: str | None) -> Page[WorklistItem]:
    return await view.api.get(
        "customer", "/v1/quality/worklist", Page[WorklistItem], {"limit": _PAGE, "cursor": cursor}
    )


def _worklist(view: View, work: Work) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(
                t("quality.worklist"), t("quality.worklist.note")
            )
        )
        if not work.items:
            empty_state(t("quality.worklist.empty"), t("quality.worklist.empty.do"))
            return
        listed = html(_lines(view, work.items))

        async def more() -> None:
            found = await view.attempt(_page(view, work.next_cursor))
            if found is not None:
                work.items.extend(found.items)
                work.next_cursor = found.next_cursor
                listed.set_content(str(_lines(view, work.items)))
                button.set_visibility(found.next_cursor is not None)

        button = ui.button(t("more"), on_click=more).props("flat no-caps")
        button.set_visibility(work.next_cursor is not None)


def _lines(view: View, items: list[WorklistItem]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            link(str(item.customer_id)[:8], f"/customers/{item.customer_id}"),
            item.primary_manager or item.org,
            _score(item.score),
            exact_money(item.contribution, None),
            Markup("<br>").join(
                Markup("{} {}").format(tag(t.local(rule.name), _TONES[rule.severity]), t.local(rule.advice))
                for rule in item.failing
            ),
        ]
        for item in items
    ]
    names = ("customer", "manager", "score", "contribution", "fix")
    return table([t(f"quality.{name}") for name in names], rows, right=(2, 3))


def _score(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _share(group: QualityScores) -> float | None:
    return None if group.score is None else float(group.score) / 100
