"""One branch or manager: every indicator with its interval, counts of the period, and earlier periods."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, percent, whole
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.caterpillar import place_of, unit_of
from services.console.widgets.html import Cell, facts, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.campaign.activity_targets import ActivityAttainment, Attained
from shared.contracts.evaluation.scorecards import Comparison, Score, SubjectHistory, SubjectRecord, Volumes

_TONES = {"above": "good", "below": "bad"}


@dataclass(frozen=True)
class Found:
    history: SubjectHistory
    activity: Sequence[Attained]


@page("/scorecards/{subject}", title="scorecards.title", nav="scorecards")
async def scorecard_page(view: View, subject: str) -> None:
    t = view.t
    with heading(subject, crumb=link(t("scorecards.title"), "/scorecards")):
        pass
    view.section(lambda: _fetch(view, subject), lambda found: _draw(view, found), height=460)


async def _fetch(view: View, subject: str) -> Found:
    path = f"/v1/scorecards/{segment(subject)}"
    history = await view.api.get("evaluation", path, SubjectHistory)
    return Found(history, await _activity(view, history.records[0]))


async def _activity(view: View, record: SubjectRecord) -> Sequence[Attained]:
    """Targets are the campaign service's, by month: of a quarter there is none."""
    head = record.head
    if "Q" in head.period:
        return []
    params = {
        "period": "month",
        "on": head.first_day.isoformat(),
        "org": record.card.org,
        "manager": record.card.staff,
    }
    found = await view.optional(
        view.api.get("campaign", "/v1/activity-attainment", ActivityAttainment, params)
    )
    items = [each for each in found.items if each.manager == record.card.staff] if found else []
    return items[0].activities if items else []


def _draw(view: View, found: Found) -> None:
    t = view.t
    if not found.history.records:
        empty_state(t("scorecards.empty"), t("scorecards.empty.do"))
        return
    newest = found.history.records[0]
    with ui.element("section").classes("panel"):
        title = f"{newest.head.period} · {newest.card.org}"
        head = Markup('<div class="panel-head"><h2>{}</h2><div>{}</div></div>')
        html(head.format(title, state_tag(t, newest.head.state)))
        html(Markup("<p>{}</p>").format(t("scorecards.given", n=whole(newest.card.customers))))
        columns = ("indicator", "observed", "expected", "difference", "standing", "place")
        html(table([t(f"scorecards.{name}") for name in columns], _rows(view, newest), right=(1, 2, 3)))
        html(Markup('<p class="muted small">{}</p>').format(t.local(newest.head.reading)))
    with ui.element("div").classes("grid cols-2"):
        if newest.card.volumes is not None:
            _volumes(view, newest.card.volumes)
        if found.activity:
            _attainment(view, found.activity)
    if len(found.history.records) > 1:
        _earlier(view, found.history.records)


def _rows(view: View, record: SubjectRecord) -> list[list[Cell]]:
    comparisons = {each.indicator.key: each for each in record.head.comparisons}
    return [_row(view, comparisons[score.indicator], score) for score in record.card.scores]


def _row(view: View, comparison: Comparison, score: Score) -> list[Cell]:
    t, unit = view.t, unit_of(view.t, comparison)
    name = two_lines(t.local(comparison.indicator.name), t("scorecards.of", n=whole(score.customers)))
    if score.shrunk is None:
        why = t.word("scorecards.why", score.error or "")
        return [name, unit.value(score.observed), unit.value(score.expected), NOTHING, why, NOTHING]
    standing = score.standing or "not_distinguishable"
    return [
        name,
        unit.value(score.observed),
        unit.value(score.expected),
        two_lines(unit.signed(score.shrunk), unit.interval(score.ci)),
        tag(t.word("standing", standing), _TONES.get(standing, "")),
        place_of(t, score),
    ]


def _volumes(view: View, found: Volumes) -> None:
    t = view.t
    pairs: list[tuple[str, Cell]] = [
        (t("scorecards.referrals_made"), whole(found.referrals_made)),
        (t("scorecards.referrals_received"), whole(found.referrals_received)),
        (t("scorecards.referrals_won"), whole(found.referrals_won)),
        (t("scorecards.credit"), exact_money(found.credit, "CNY")),
        (t("scorecards.opportunities_won"), whole(found.opportunities_won)),
        (t("scorecards.won_amount"), exact_money(found.won_amount, "CNY")),
    ]
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(
                t("scorecards.volumes"), t("scorecards.volumes.note")
            )
        )
        html(facts(pairs))


def _attainment(view: View, activities: Sequence[Attained]) -> None:
    t = view.t
    rows: list[list[Cell]] = [
        [
            t.word("activity", each.activity),
            whole(each.done),
            whole(each.target),
            NOTHING if each.attainment is None else percent(each.attainment, 0),
        ]
        for each in activities
    ]
    columns = [t(f"scorecards.{name}") for name in ("activity", "done", "target", "attained")]
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("scorecards.targets")))
        html(table(columns, rows, right=(1, 2, 3)))


def _earlier(view: View, records: Sequence[SubjectRecord]) -> None:
    """By indicator, the standing in each period: an order of periods, not of subjects."""
    t = view.t
    names = {each.indicator.key: t.local(each.indicator.name) for each in records[0].head.comparisons}
    rows: list[list[Cell]] = []
    for record in records:
        standings = {score.indicator: score.standing for score in record.card.scores}
        cells: list[Cell] = [
            two_lines(record.head.period, t.word("state", record.head.state)),
            whole(record.card.customers),
        ]
        for key in names:
            standing = standings.get(key)
            cells.append(tag(t.word("standing", standing), _TONES.get(standing, "")) if standing else NOTHING)
        rows.append(cells)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("scorecards.history")))
        html(table([t("scorecards.chosen"), t("scorecards.customers"), *names.values()], rows, right=(1,)))
