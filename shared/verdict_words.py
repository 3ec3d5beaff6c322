"""How a verdict and the checks behind it are put to people, in both languages."""

from typing import Final

from shared.formats import Language
from shared.verdicts import Verdict

_HEADLINES: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.NOT_EVALUATED: ("尚未评估", "Not evaluated yet"),
    Verdict.NO_HOLD_OUT: ("没有对照组，无法得出效果", "No hold-out: no effect can be claimed"),
    Verdict.WITHHELD: ("结论暂缓", "Verdict withheld"),
    Verdict.EARLY: ("尚不能下结论", "Too early to conclude"),
    Verdict.BETTER: ("活动有效", "The campaign worked"),
    Verdict.WORSE: ("活动起了反作用", "The campaign did harm"),
    Verdict.UNDECIDED: ("未见明确效果", "No clear effect"),
}
_MEANINGS: Final[dict[Verdict, tuple[str, str]]] = {
    Verdict.NOT_EVALUATED: (
        "还没有评估结果；可以立即评估，或等首批观察期结束后自动评估。",
        "There is no result yet. Evaluate now, or wait: it happens by itself once the first windows close.",
    ),
    Verdict.NO_HOLD_OUT: (
        "活动启动时没有留出对照组，只能描述做了什么、发生了什么，不能说明是否由活动带来。下次请至少留出一成客户。",
        (
            "Nobody was left alone at launch: what happened can be described, but not what the campaign"
            " caused. Hold out a tenth of the customers next time."
        ),
    ),
    Verdict.WITHHELD: (
        "健康检查未通过，此时给出的效果可能是错的，因此不予展示。原因与处理办法见下。",
        "A health check failed: an effect shown now might be wrong. Why, and what to do, stands below.",
    ),
    Verdict.EARLY: (
        "按启动前登记的停止规则，现在还不能下结论；以下数字会随观察期推进而变化。",
        "The stop rule registered before launch allows no conclusion yet; the figures below still move.",
    ),
    Verdict.BETTER: (
        "触达组优于对照组，区间不含零。",
        "The treated did better than the hold-out; the interval leaves out zero.",
    ),
    Verdict.WORSE: (
        "触达组差于对照组，区间不含零。",
        "The treated did worse than the hold-out; the interval leaves out zero.",
    ),
    Verdict.UNDECIDED: (
        "区间包含零：既不能说有效，也不能说无效。",
        "The interval holds zero: neither an effect nor its absence has been shown.",
    ),
}
_CHECKS: Final[dict[str, tuple[str, str]]] = {
    "hold_out": ("对照组", "Hold-out"),
    "srm": ("分组比例", "Split of the groups"),
    "srm_branches": ("各机构分组比例", "Split within branches"),
    "outcomes": ("观察期", "Outcome windows"),
    "crossover": ("跨组", "Cross-over"),
    "contamination": ("对照组污染", "Contamination of the hold-out"),
    "global_holdout_contaminated": ("全局对照组污染", "Contamination of the global hold-out"),
    "pre_period": ("活动前差异", "Difference before the campaign"),
    "late_data": ("迟到数据", "Late data"),
    "store_lag": ("读入进度", "Reading"),
    "other_campaigns": ("其他活动", "Other campaigns"),
}
_TO_DO: Final[dict[str, tuple[str, str]]] = {
    "hold_out": (
        "本次无法补救；下次启动前在“五定”中设定对照组比例。",
        "Nothing can mend it now; declare a hold-out before the next launch.",
    ),
    "srm": (
        "核对分配名单是否被人工增删、导入是否缺失；修正后重新评估。",
        (
            "Look for customers added to or taken off the lists by hand, or imports that are missing;"
            " then evaluate again."
        ),
    ),
    "srm_branches": (
        "先看比例异常的机构：名单是否在当地被改动。",
        "Look at the branches that are off first: were lists changed there?",
    ),
    "outcomes": (
        "等首批客户的观察期结束，届时自动评估。",
        "Wait until the first outcome windows have passed; the evaluation then runs by itself.",
    ),
    "crossover": (
        "查明为何对照组客户被触达；停止触达并在下次活动中隔离名单。",
        "Find out how customers changed groups; keep the lists apart next time.",
    ),
    "contamination": (
        "查明对照组客户从哪个活动或渠道被触达，并请该活动排除这些客户。",
        "Find the campaign or channel that reached the hold-out, and have it leave those customers out.",
    ),
    "global_holdout_contaminated": (
        "查明哪个活动接触了全局对照组客户，停止接触，并核对其名单是否绕过了联系规则。",
        "Find the campaign that contacted the global hold-out, and see how its list got round the rules.",
    ),
    "pre_period": (
        "两组在活动前已不同：核对分组是否随机，勿据此决策。",
        "The groups differed before the campaign: check the lot, and decide nothing on this.",
    ),
    "late_data": (
        "等数据补齐后重新评估；检查上游接口是否延迟。",
        "Evaluate again when the data are complete; look at what delays the feeds.",
    ),
}


_NO_EFFECT: Final[dict[str, str]] = {
    "too-few": "样本太少",
    "too-few-clusters": "整群数太少，或各群大小相差太大",
    "no-variance": "结果没有波动，无法判断偶然性",
    "no-denominator": "比率的分母均值并不明显大于零",
    "ties": "分位数处相同的取值太多，无法按次序判断偶然性",
    "too-large": "数值过大，无法求平方",
    "clustered": "整群分组时，分位数只能按客户比较",
    "undefined": "活动启动时还没有这个指标的定义，因此未作监测",
}


def headline(verdict: Verdict, language: Language) -> str:
    return _pick(_HEADLINES[verdict], language)


def meaning(verdict: Verdict, language: Language) -> str:
    return _pick(_MEANINGS[verdict], language)


def check_name(check: str, language: Language) -> str:
    """The code itself for a check that has no name here."""
    return _pick(_CHECKS.get(check, (check, check)), language)


def what_to_do(check: str, language: Language) -> str:
    """Empty where the check's own detail is all there is to say."""
    return _pick(_TO_DO.get(check, ("", "")), language)


def why_none(code: str | None, detail: str, language: Language) -> str:
    """Why there is no effect: `detail` in English, in Chinese what its code means; a code that is not known
    here, or none, says in Chinese only that nothing was computed.
    """
    return detail if language == "en" else _NO_EFFECT.get(code or "", "未能计算")


def _pick(words: tuple[str, str], language: Language) -> str:
    return words[0] if language == "zh" else words[1]
