"""A ranking bulletin as a document: who is where by each indicator, with intervals, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

from markupsafe import Markup

from services.evaluation.queries.names import Names
from services.evaluation.queries.report import environment
from shared.charts.palette import Palette
from shared.charts.scores import Scored, in_order, scores_plot
from shared.contracts.campaign.activity_targets import Activity
from shared.contracts.evaluation.scorecards import Comparison, RankingBulletin, Score, SubjectCard
from shared.formats import Language, Quantity
from shared.scorecard_words import order_of, place_of, score_word, unit_of

_LISTED = 60
"""Subjects by one indicator that a document lists: of more, those that stand out most."""
_DRAWN = 16
"""Rows of one picture: it must fit on a page, and on what another leaves of one."""


@dataclass(frozen=True)
class Table:
    """One indicator. `unlisted`: subjects that are left to the data behind the document."""

    comparison: Comparison
    unit: Quantity
    order: str
    plots: list[Markup]
    scored: list[Scored]
    unlisted: int


def bulletin_html(bulletin: RankingBulletin, names: Names, language: Language, palette: Palette) -> str:
    """Needs nothing from elsewhere; every text in it is escaped."""
    called = partial(_called, names, language)
    counted = bulletin.subjects[:_LISTED]
    return (
        environment(language)
        .get_template("bulletin.html.j2")
        .render(
            bulletin=bulletin,
            called=called,
            org=names.branch(bulletin.org, language),
            tables=[
                _table(each, bulletin.subjects, called, language, palette) for each in bulletin.comparisons
            ],
            volumes=[card for card in counted if card.volumes is not None],
            active=[card for card in counted if card.activity],
            activities=get_args(Activity),
            uncounted=len(bulletin.subjects) - len(counted),
            place_of=partial(place_of, language=language),
            score_word=partial(score_word, language=language),
            tones={"above": "good", "below": "bad", "not_distinguishable": ""},
        )
    )


def _table(
    comparison: Comparison,
    cards: Sequence[SubjectCard],
    called: Callable[[SubjectCard], str],
    language: Language,
    palette: Palette,
) -> Table:
    scored = in_order(comparison, cards)
    listed = _outstanding(scored)
    drawn = [] if comparison.error else [pair for pair in listed if pair[1].shrunk is not None]
    plots = [
        scores_plot(comparison, part, language, palette, called, among=drawn, width=880)
        for part in (drawn[at : at + _DRAWN] for at in range(0, len(drawn), _DRAWN))
    ]
    return Table(
        comparison,
        unit_of(comparison, language),
        order_of(comparison, language),
        plots,
        listed,
        len(scored) - len(listed),
    )


def _outstanding(scored: list[Scored]) -> list[Scored]:
    """All, or where they are too many those furthest from what was to be expected; in the order they came."""
    if len(scored) <= _LISTED:
        return scored
    by_distance = sorted(scored, key=lambda pair: _distance(pair[1]), reverse=True)
    kept = {card.subject for card, _ in by_distance[:_LISTED]}
    return [pair for pair in scored if pair[0].subject in kept]


def _distance(score: Score) -> float:
    return -1.0 if score.shrunk is None else abs(float(score.shrunk))


def _called(names: Names, language: Language, card: SubjectCard) -> str:
    return (names.manager if card.staff else names.branch)(card.subject, language)
