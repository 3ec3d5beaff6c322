"""From what was compared to the cards people read. Nothing is estimated here."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from services.evaluation.domain.indicators import Indicator
from services.evaluation.domain.scorecard import Compared, NoScore, standing
from services.evaluation.store.scorecards import BranchVolumes, Given
from shared.contracts.base import LocalText
from shared.contracts.evaluation import Narrative
from shared.contracts.evaluation.scorecards import (
    Comparison,
    IndicatorView,
    Score,
    ScoreGap,
    SubjectCard,
    Volumes,
)
from shared.contracts.metrics import Better

_CENT, _FINE = Decimal("0.01"), Decimal("0.000001")
READING = Narrative(
    zh="得分是实际结果与「同样客户结构下一般机构或经理」应有结果之差："
    "按活动 × 客群 × 层级 × 渠道校正，并按偶然性收缩。"
    "客户不是随机分给机构和经理的，未记录的差异仍在其中，因此得分是观察性的比较，不证明谁造成了什么。"
    "只有「较对照组」一项与随机留出的客户相比：那是活动在该机构或经理的客户身上的效果。"
    "位次区间重叠者不可区分，不排名次。",
    en="A score is what customers did less what a typical branch or manager with the same customers would be"
    " expected to see: adjusted for campaign × segment × tier × channel, and shrunk by as much as chance"
    " explains. Customers were not given to branches and managers by lot and differ in ways nobody recorded:"
    " this is an observational comparison and no proof of what anybody caused. Only the indicator beside the"
    " hold-out compares with customers left alone by lot: it is the campaigns' effect on customers of that"
    " branch or manager. Where rank intervals overlap nobody can be told apart, and there are no ranks.",
)


def number(value: float, indicator: Indicator) -> Decimal:
    """Cents for money, six places for shares."""
    return Decimal(repr(float(value))).quantize(_CENT if indicator.unit == "money" else _FINE)


def customers(value: float) -> Decimal:
    return Decimal(repr(float(value))).quantize(_CENT)


def view(indicator: Indicator) -> IndicatorView:
    (name_zh, name_en), (zh, en) = indicator.name, indicator.counted
    return IndicatorView(
        key=indicator.key,
        name=LocalText(zh=name_zh, en=name_en),
        counted=LocalText(zh=zh, en=en),
        unit=indicator.unit,
        role=indicator.role,
        better=Better.HIGHER if indicator.better > 0 else Better.LOWER,
    )


def comparison(indicator: Indicator, found: Compared | NoScore) -> Comparison:
    if isinstance(found, NoScore):
        nothing = {"subjects": 0, "groups": 0, "typical": None, "spread": None}
        return Comparison.model_validate({"indicator": view(indicator), "error": found.code, **nothing})
    weight = found.fitted.weight
    return Comparison(
        indicator=view(indicator),
        subjects=int(found.large.sum()),
        groups=found.ranking.groups,
        typical=number(weight @ found.fitted.mean / weight.sum(), indicator),
        spread=number(found.shrunk.spread, indicator),
    )


def scores(
    indicator: Indicator,
    found: Compared | NoScore,
    subjects: Sequence[str],
    totals: Mapping[int, tuple[float, float]],
) -> dict[str, Score]:
    """By subject; `totals` has customers and mean of everybody by number, compared or not."""
    compared = {} if isinstance(found, NoScore) else _compared(indicator, found, subjects)
    gap: ScoreGap = "not-compared" if isinstance(found, NoScore) else "not-alike"
    return {
        subjects[at]: compared.get(subjects[at])
        or Score(
            indicator=indicator.key,
            customers=customers(n),
            observed=number(mean, indicator),
            expected=None,
            error=gap,
        )
        for at, (n, mean) in totals.items()
    }


def _compared(indicator: Indicator, found: Compared, subjects: Sequence[str]) -> dict[str, Score]:
    fitted = found.fitted
    place = found.large.cumsum() - 1
    scored = {}
    for at, subject in enumerate(fitted.subject):
        score = Score(
            indicator=indicator.key,
            customers=customers(fitted.customers[at]),
            observed=number(fitted.mean[at], indicator),
            expected=number(fitted.expected[at], indicator),
            difference=number(fitted.score[at], indicator),
            error=None if found.large[at] else "too-few",
        )
        if found.large[at]:
            score = score.model_copy(update=_placed(indicator, found, at, int(place[at])))
        scored[subjects[subject]] = score
    return scored


def _placed(indicator: Indicator, found: Compared, at: int, place: int) -> dict[str, object]:
    ranking, (low, high) = found.ranking, found.intervals[at]
    return {
        "shrunk": number(found.shrunk.value[at], indicator),
        "ci": (number(low, indicator), number(high, indicator)),
        "standing": standing((low, high), indicator.better),
        "rank_interval": (int(ranking.low[place]), int(ranking.high[place])),
        "group": int(ranking.group[place]) if ranking.groups > 1 else None,
        "rank": int(ranking.low[place]) if ranking.groups > 1 and ranking.alone(place) else None,
    }


def cards(given: Given, scored: Sequence[Mapping[str, Score]], *, branches: bool) -> list[SubjectCard]:
    """Of everybody who was given a customer, by name."""
    return [
        SubjectCard(
            subject=subject,
            org=given.org[subject],
            staff=None if branches else subject,
            customers=customers(n),
            scores=[each[subject] for each in scored if subject in each],
            volumes=_volumes(given.volumes.get(subject, BranchVolumes())) if branches else None,
        )
        for subject, n in sorted(given.customers.items())
    ]


def _volumes(found: BranchVolumes) -> Volumes:
    return Volumes(
        referrals_made=found.made,
        referrals_received=found.received,
        referrals_won=found.won,
        credit=found.credit,
        opportunities_won=found.opportunities,
        won_amount=found.won_amount,
    )
