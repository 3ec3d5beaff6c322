"""Subjects of a scorecard beside a typical one, as a caterpillar plot."""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from services.console.formats import Quantity, whole
from services.console.i18n import Texts
from shared.charts.caterpillar import CaterpillarRow, CaterpillarWords, caterpillar
from shared.charts.forest import Estimate
from shared.charts.palette import SCREEN
from shared.contracts.evaluation.scorecards import Comparison, Score, SubjectCard
from shared.contracts.metrics import Better

_SHARE, _SUM = "proportion", "sum"


def unit_of(t: Texts, comparison: Comparison) -> Quantity:
    """How values of the indicator are written."""
    if comparison.indicator.unit == "share":
        return Quantity(t.language, _SHARE)
    return Quantity(t.language, _SUM, "CNY")


def scores_plot(
    t: Texts,
    comparison: Comparison,
    cards: Sequence[SubjectCard],
    address: Callable[[SubjectCard], str],
) -> Markup:
    """By group, and within a group by name: nothing within it says who is better."""
    scored = [(card, _score(card, comparison)) for card in cards]
    ordered = sorted(
        ((card, score) for card, score in scored if score is not None),
        key=lambda pair: (pair[1].shrunk is None, pair[1].group or 0, pair[0].subject),
    )
    unit = unit_of(t, comparison)
    words = CaterpillarWords(
        title=t.local(comparison.indicator.name),
        name=t("scorecards.subject"),
        size=t("scorecards.customers"),
        figure=t("scorecards.difference"),
        place=t("scorecards.place"),
    )
    return caterpillar(
        [_row(t, card, score, address(card)) for card, score in ordered],
        words,
        lambda value: unit.signed(value) if value else unit.value(0),
        SCREEN,
        higher_is_better=comparison.indicator.better is Better.HIGHER,
    )


def _score(card: SubjectCard, comparison: Comparison) -> Score | None:
    found = [each for each in card.scores if each.indicator == comparison.indicator.key]
    return found[0] if found else None


def _row(t: Texts, card: SubjectCard, score: Score, address: str) -> CaterpillarRow:
    estimate = None
    if score.shrunk is not None and score.ci is not None:
        estimate = Estimate(float(score.shrunk), *(float(end) for end in score.ci))
    return CaterpillarRow(
        name=card.subject,
        size=whole(score.customers),
        found=estimate,
        place=place_of(t, score),
        why=t.word("scorecards.why", score.error or ""),
        part=score.group or 1,
        address=address,
    )


def place_of(t: Texts, score: Score) -> str:
    """The rank of who can be told from everybody; of the others the interval, once there is an order."""
    if score.rank is not None:
        return t("scorecards.rank", rank=score.rank)
    if score.rank_interval is None:
        return ""
    first, last = score.rank_interval
    if score.group is None:
        return t("scorecards.no_order")
    return t("scorecards.between", first=first, last=last)
