"""One branch or manager: every indicator with its interval, counts of the period, and earlier periods."""

import asyncio
from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, percent, whole
from services.console.frame import heading
from services.console.pages.words import Names, names, state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, facts, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.contracts.evaluation.scorecards import (
    Comparison,
    Score,
    SubjectActivity,
    SubjectCard,
    SubjectHistory,
    SubjectRecord,
    Volumes,
)
from shared.scorecard_words import place_of, score_word, unit_of

_TONES = {"above": "good", "below": "bad"}


@page("/scorecards/{subject}", title="scorecards.title", nav="scorecards")
async def scorecard_page(view: View, subject: str) -> None:
    t = view.t
    with heading(subject, crumb=link(t("scorecards.title"), "/scorecards")):
        pass
    view.section(lambda: _fetch(view, subject), lambda found: _draw(view, *found), height=460)


async def _fetch(view: View, subject: str) -> tuple[SubjectHistory, Names]:
    path = f"/v1/scorecards/{segment(subject)}"
    return await asyncio.gather(
        view.api.get("evaluation", path, SubjectHistory), names(view, staff="." not in subject)
    )


def _draw(view: View, history: SubjectHistory, called: Names) -> None:
    t = view.t
    if not history.records:
        empty_state(t("scorecards.empty"), t("scorecards.empty.do"))
        return
    newest = history.records[0]
    with ui.element("section").classes("panel"):
        title = f"{newest.head.period} · {_called(called, newest.card)}"
        head = Markup('<div class="panel-head"><h2>{}</h2><div>{}</div></div>')
        html(head.format(title, state_tag(t, newest.head.state)))
        html(Markup("<p>{}</p>").format(t("scorecards.given", n=whole(newest.card.customers))))
        columns = ("indicator", "observed", "expected", "difference", "standing", "place")
        html(table([t(f"scorecards.{name}") for name in columns], _rows(view, newest), right=(1, 2, 3)))
        html(Markup('<p class="muted small">{}</p>').format(t.local(newest.head.reading)))
    with ui.element("div").classes("grid cols-2"):
        if newest.card.volumes is not None:
            _volumes(view, newest.card.volumes)
        if newest.card.activity:
            _activity(view, newest.card.activity)
    if len(history.records) > 1:
        _earlier(view, history.records)


def _called(names: Names, card: SubjectCard) -> str:
    if card.staff is None:
        return names.value("branch", card.subject)
    return f"{names.value('manager', card.staff)} · {names.value('branch', card.org)}"


def _rows(view: View, record: SubjectRecord) -> list[list[Cell]]:
    comparisons = {each.indicator.key: each for each in record.head.comparisons}
    return [_row(view, comparisons[score.indicator], score) for score in record.card.scores]


def _row(view: View, comparison: Comparison, score: Score) -> list[Cell]:
    t, unit = view.t, unit_of(comparison, view.t.language)
    name = two_lines(t.local(comparison.indicator.name), t("scorecards.of", n=whole(score.customers)))
    if score.shrunk is None:
        why = score_word(score.error or "not-compared", t.language)
        return [name, unit.value(score.observed), unit.value(score.expected), NOTHING, why, NOTHING]
    standing = score.standing or "not_distinguishable"
    return [
        name,
        unit.value(score.observed),
        unit.value(score.expected),
        two_lines(unit.signed(score.shrunk), unit.interval(score.ci)),
        tag(score_word(standing, t.language), _TONES.get(standing, "")),
        place_of(score, t.language),
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


def _activity(view: View, told: Sequence[SubjectActivity]) -> None:
    t = view.t
    rows: list[list[Cell]] = [
        [
            two_lines(t.word("activity", each.activity), f"{month.month} · {month.org}"),
            whole(each.done),
            whole(each.target),
            NOTHING if each.attainment is None else percent(each.attainment, 0),
        ]
        for month in told
        for each in month.activities
    ]
    columns = [t(f"scorecards.{name}") for name in ("activity", "done", "target", "attained")]
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(
                t("scorecards.targets"), t("scorecards.targets.note")
            )
        )
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
            cells.append(
                tag(score_word(standing, t.language), _TONES.get(standing, "")) if standing else NOTHING
            )
        rows.append(cells)
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("scorecards.history")))
        html(table([t("scorecards.chosen"), t("scorecards.customers"), *names.values()], rows, right=(1,)))
