"""How a scorecard's figures are put to people, in both languages."""

from typing import Final

from shared.contracts.evaluation.scorecards import Comparison, Score
from shared.formats import Language, Quantity, whole

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "rank": ("第 {rank} 位", "rank {rank}"),
    "between": ("第 {first}–{last} 位之间", "between {first} and {last}"),
    "no_order": ("不可区分", "not distinguishable"),
    "above": ("优于一般水平", "Better than typical"),
    "below": ("低于一般水平", "Worse than typical"),
    "not_distinguishable": ("与一般水平不可区分", "Not distinguishable from typical"),
    "too-few": ("客户太少", "Too few customers"),
    "not-alike": ("没有与其他对象相似的客户", "No customers like those of others"),
    "not-compared": ("该指标未作比较", "Not compared by this indicator"),
    "no-data": ("该指标没有数据。", "There is no data for this indicator."),
    "no-variance": (
        "所有客户结果相同，无法判断偶然性。",
        "Every customer has the same outcome: chance cannot be judged.",
    ),
    "too-few-subjects": ("可比对象不足三个。", "Fewer than three can be compared."),
    "too-many-subjects": (
        "一次最多比较 2,000 个对象，请缩小机构范围。",
        "At most 2,000 are compared at once: choose a smaller organisation.",
    ),
    "groups": (
        "{n} 个对象分为可区分的 {groups} 组；组内不可区分，不排名次",
        (
            "{n} compared, in {groups} groups that can be told apart; within a group nobody can, and there"
            " are no ranks"
        ),
    ),
    "one_group": (
        "{n} 个对象彼此不可区分，因此不排名次",
        "{n} compared: nobody can be told from the rest, so there is no order",
    ),
    "subject": ("对象", "Subject"),
    "customers": ("客户数", "Customers"),
    "difference": ("与应有结果之差（收缩后）", "Beside what was expected (shrunk)"),
    "place": ("位次", "Place"),
}


def unit_of(comparison: Comparison, language: Language) -> Quantity:
    """How values of the indicator are written."""
    if comparison.indicator.unit == "share":
        return Quantity(language, "proportion")
    return Quantity(language, "sum", "CNY")


def place_of(score: Score, language: Language) -> str:
    """The rank of who can be told from everybody; of the others the interval, once there is an order."""
    if score.rank is not None:
        return score_word("rank", language).format(rank=score.rank)
    if score.rank_interval is None:
        return ""
    first, last = score.rank_interval
    if score.group is None:
        return score_word("no_order", language)
    return score_word("between", language).format(first=first, last=last)


def order_of(comparison: Comparison, language: Language) -> str:
    """What may be said of the order of all, or why nothing was compared."""
    if comparison.error is not None:
        return score_word(comparison.error, language)
    told = score_word("one_group" if comparison.groups <= 1 else "groups", language)
    return told.format(n=whole(comparison.subjects), groups=whole(comparison.groups))


def score_word(key: str, language: Language) -> str:
    """The word for a standing, for a reason why there is no score, or for a column; KeyError for others."""
    zh, en = _WORDS[key]
    return zh if language == "zh" else en
