"""Where a campaign worked: by any dimensions, by script and channel, by branch and manager."""

from functools import partial
from typing import get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import p_value, whole
from services.console.pages.review_facts import ReviewFacts
from services.console.view import View
from services.console.widgets.figures import panel
from services.console.widgets.html import html, tag
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from shared.contracts.base import Number
from shared.contracts.evaluation import Breakdown, BreakdownBy, BreakdownRow

DIMENSIONS: tuple[str, ...] = get_args(BreakdownBy)
_FIRST = "segment"
_ROWS = 40


def draw_breakdown(view: View, seen: ReviewFacts) -> None:
    """A forest plot that is fetched again whenever other dimensions are picked."""
    t = view.t
    with panel(t("breakdown.title"), t("breakdown.note")):
        chosen = {"by": [_FIRST]}
        options = {name: t.word("dimension", name) for name in DIMENSIONS}
        picker = ui.select(options, value=[_FIRST], multiple=True, label=t("breakdown.by"))
        picker.props("outlined dense use-chips").classes("breakdown-by")
        load = view.section(
            lambda: _fetch(view, seen, ",".join(chosen["by"]), top=_ROWS),
            lambda found: _forest(view, seen, found),
        )

        async def pick() -> None:
            if picker.value and list(picker.value) != chosen["by"]:
                chosen["by"] = list(picker.value)
                await load()

        picker.on_value_change(pick)


async def _fetch(view: View, seen: ReviewFacts, by: str, top: int | None = None) -> Breakdown:
    """Of many cells the `top` that are surest to differ from nothing."""
    path = f"/v1/campaigns/{segment(seen.campaign_id)}/breakdown"
    return await view.api.get("evaluation", path, Breakdown, {"by": by} | ({"top": top} if top else {}))


def _forest(view: View, seen: ReviewFacts, found: Breakdown) -> None:
    t = view.t
    if not found.rows:
        empty_state(t("breakdown.empty"), t("breakdown.empty.do"))
        return
    html(_differ(view, seen, found))
    html(seen.pictures.forest(found.rows, _overall(seen)))
    if len(found.rows) < found.cells:
        shown = t("breakdown.cut", n=whole(len(found.rows)), all=whole(found.cells))
        html(Markup('<p class="muted small">{}</p>').format(shown))


def _differ(view: View, seen: ReviewFacts, found: Breakdown) -> Markup:
    """Whether the effect differs between the values at all: without that, looking for the best is idle."""
    t = view.t
    if found.heterogeneity is None:
        told = t("breakdown.not_pooled" if len(found.by) == 1 else "breakdown.crossed")
        why = (found.not_pooled or "") if t.language == "en" else ""
        return Markup('<p class="muted small" title="{}">{}</p>').format(why, told)
    spread = found.heterogeneity
    told = t("breakdown.q", q=f"{spread.q:.1f}", df=spread.df, p=p_value(spread.p_value))
    differs = spread.p_value < seen.board.registration.alpha
    verdict = t("breakdown.differs" if differs else "breakdown.alike")
    return Markup('<p class="small">{} <span class="muted">{}</span></p>').format(
        tag(verdict, "accent" if differs else ""), told
    )


def _overall(seen: ReviewFacts) -> Number | None:
    result = seen.board.result
    overall = result.primary.overall if result and result.primary else None
    return overall.difference if overall else None


def draw_scripts_by_channel(view: View, seen: ReviewFacts) -> None:
    t = view.t
    with panel(t("heat.title"), t("heat.note")):
        view.section(
            lambda: _fetch(view, seen, "script,channel"), lambda found: _heat(view, seen, found), height=140
        )


def _heat(view: View, seen: ReviewFacts, found: Breakdown) -> None:
    if not found.rows:
        empty_state(view.t("breakdown.empty"), view.t("breakdown.empty.do"))
        return
    html(seen.pictures.heat(found.rows))


def draw_arms(view: View, seen: ReviewFacts) -> None:
    result = seen.board.result
    if result is None or result.primary is None:
        return
    with panel(view.t("arms.title"), view.t("arms.note")):
        html(seen.pictures.arms(result.primary, width=640))


def draw_people(view: View, seen: ReviewFacts) -> None:
    """Branches and managers beside what is typical of them: for asking why, not for ranking."""
    t = view.t
    with panel(t("people.title"), t("people.note")):
        lazy_tabs(
            {
                name: (t.word("dimension", name), partial(_people, view, seen, name))
                for name in ("branch", "manager")
            }
        )


def _people(view: View, seen: ReviewFacts, dimension: str) -> None:
    view.section(
        lambda: _fetch(view, seen, dimension),
        lambda found: _caterpillar(view, seen, found, dimension),
        height=200,
    )


def _caterpillar(view: View, seen: ReviewFacts, found: Breakdown, dimension: str) -> None:
    t = view.t
    spread = found.heterogeneity
    if spread is None:
        empty_state(t("people.none"), t("people.none.do"))
        return
    html(_differ(view, seen, found))
    title = t("people.chart", dimension=t.word("dimension", dimension))
    told = [row for row in found.rows if row.shrunk]
    shown = _extremes(told)
    html(seen.pictures.caterpillar(shown, spread.pooled, title))
    notes = []
    if len(shown) < len(told):
        notes.append(t("people.cut", n=whole(len(shown)), all=whole(len(told))))
    if len(told) < len(found.rows):
        notes.append(t("people.few", n=whole(len(found.rows) - len(told))))
    if notes:
        html(Markup('<p class="muted small">{}</p>').format(" ".join(notes)))


def _extremes(rows: list[BreakdownRow]) -> list[BreakdownRow]:
    """The lowest and the highest, where there are too many to draw."""
    found = sorted(rows, key=lambda row: row.shrunk.value if row.shrunk else 0)
    return found if len(found) <= _ROWS else [*found[: _ROWS // 2], *found[-_ROWS // 2 :]]
