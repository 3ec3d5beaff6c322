"""Subjects of a scorecard beside a typical one, as a caterpillar plot: on the page and in the bulletin."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from shared.charts.caterpillar import CaterpillarRow, CaterpillarWords, caterpillar
from shared.charts.forest import Estimate
from shared.charts.palette import Palette
from shared.contracts.evaluation.scorecards import Comparison, Score, SubjectCard
from shared.contracts.metrics import Better
from shared.formats import Language, whole
from shared.scorecard_words import place_of, score_word, unit_of

Scored = tuple[SubjectCard, Score]


def in_order(comparison: Comparison, cards: Sequence[SubjectCard]) -> list[Scored]:
    """By group, and within a group by name: nothing within it says who is better."""
    key = comparison.indicator.key
    scored = [(card, score) for card in cards for score in card.scores if score.indicator == key]
    return sorted(scored, key=lambda pair: (pair[1].shrunk is None, pair[1].group or 0, pair[0].subject))


def scores_plot(
    comparison: Comparison,
    scored: Sequence[Scored],
    language: Language,
    palette: Palette,
    called: Callable[[SubjectCard], str],
    *,
    address: Callable[[SubjectCard], str] = lambda _: "",
    among: Sequence[Scored] = (),
    width: float = 1180,
) -> Markup:
    """`called`: the name of a subject; `address`: where it leads; `among`: all, of which this is a part."""
    unit = unit_of(comparison, language)
    names = ("subject", "customers", "difference", "place")
    title = comparison.indicator.name
    words = CaterpillarWords(
        title.zh if language == "zh" else title.en, *(score_word(name, language) for name in names)
    )
    return caterpillar(
        [_row(score, language, called(card), address(card)) for card, score in scored],
        words,
        lambda value: unit.signed(value) if value else unit.value(0),
        palette,
        higher_is_better=comparison.indicator.better is Better.HIGHER,
        ends=[float(end) for _, score in among if score.ci for end in score.ci],
        width=width,
    )


def _row(score: Score, language: Language, name: str, address: str) -> CaterpillarRow:
    estimate = None
    if score.shrunk is not None and score.ci is not None:
        estimate = Estimate(float(score.shrunk), *(float(end) for end in score.ci))
    return CaterpillarRow(
        name=name,
        size=whole(score.customers),
        found=estimate,
        place=place_of(score, language),
        why=score_word(score.error, language) if score.error else "",
        part=score.group or 1,
        address=address,
    )
