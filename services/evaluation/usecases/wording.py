"""What a recommendation says to people: one sentence and one with the figures, per rule."""

from services.evaluation.domain.effect import Effect
from services.evaluation.domain.policies import Candidate
from services.evaluation.domain.recommend import Advice, Findings, Rule
from shared.contracts.base import LocalText
from shared.contracts.evaluation import Narrative
from shared.contracts.metrics import MetricCreate, MetricKind

_NAMED = 5

_TITLES: dict[Rule, tuple[str, str]] = {
    "no-hold-out": ("下一轮必须设置对照组", "Run the next round with a hold-out"),
    "verdict-withheld": ("健康检查未通过，暂不下结论", "No conclusion: a health check failed"),
    "window-open": ("观察期未满，继续观察", "Keep watching: outcome windows are still open"),
    "not-computable": ("数据不足，无法判断", "Not enough data to judge"),
    "guardrail-harmed": ("停止：护栏指标受损", "Stop: a guardrail was harmed"),
    "effect-negative": ("停止：活动适得其反", "Stop: the campaign did harm"),
    "effect-negative-but-cells-positive": (
        "整体不佳，缩小到有效客群再测",
        "Harmful overall: test again where it worked",
    ),
    "cost-exceeds-contribution": ("停止：收益不抵成本", "Stop: it cannot earn its cost"),
    "targeting-better": ("缩小到有效客群", "Aim at those it helps: worth more than the same again"),
    "script-better": ("改用更好的话术", "Use the better script only"),
    "channel-better": ("改用更好的渠道", "Use the better channel only"),
    "allocation-better": ("调整方案份额", "Shift shares to the better arms"),
    "effect-mixed": (
        "有得有失，只对有效客群再测",
        "It helped some and hurt others: test again where it helped",
    ),
    "effect-positive": ("继续：活动有效", "Continue: the campaign works"),
    "cells-positive": ("整体不明显，对有效客群再测", "Unclear overall: test again where it seems to work"),
    "target-out-of-reach": ("停止：最好情况也达不到目标", "Stop: even the best case misses the target"),
    "effect-absent": ("没有证据表明有效", "No evidence that it works"),
    "too-small-to-tell": ("扩大样本再测", "Test again with more customers"),
}


def title(advice: Advice) -> LocalText:
    zh, en = _TITLES[advice.rule]
    return LocalText(zh=zh, en=en)


def text(advice: Advice, found: Findings, metric: MetricCreate) -> Narrative:
    """The title with the effect, its interval, and what the rule adds."""
    zh, en = _TITLES[advice.rule]
    figures = _figures(found, metric) if advice.rule not in _WITHOUT_FIGURES else ("", "")
    more = _more(advice, found, metric)
    return Narrative(zh=f"{zh}。{figures[0]}{more[0]}", en=f"{en}. {figures[1]}{more[1]}".strip())


_WITHOUT_FIGURES: frozenset[Rule] = frozenset(
    {"no-hold-out", "verdict-withheld", "window-open", "not-computable"}
)


def _figures(found: Findings, metric: MetricCreate) -> tuple[str, str]:
    effect = found.effect
    if not isinstance(effect, Effect):
        return "", ""
    low, high = (_amount(end, metric) for end in effect.interval)
    difference, level = _amount(effect.difference, metric), f"{1 - found.alpha:.0%}"
    zh = f"{metric.name.zh}：人均差异 {difference}（{level} 区间 {low} 至 {high}），"
    en = f"{metric.name.en}: {difference} per customer ({level} interval {low} to {high}), "
    return (
        f"{zh}触达组 {effect.n} 人，对照组 {effect.n_control} 人。",
        f"{en}{effect.n} treated, {effect.n_control} held out. ",
    )


def _more(advice: Advice, found: Findings, metric: MetricCreate) -> tuple[str, str]:
    if advice.policy is not None:
        return _gain(advice.policy, metric)
    if advice.action == "re_target" and advice.cells:
        names = ", ".join(cell.values[0] for cell in advice.cells[:3])
        return f"效果最好：{names}。", f"Best: {names}."
    if advice.n_needed:
        return (
            f"下一轮每组约需 {advice.n_needed} 人。",
            f"The next test needs about {advice.n_needed} a group.",
        )
    if advice.rule == "guardrail-harmed":
        names = ", ".join(found.harmed)
        return f"受损指标：{names}。", f"Harmed: {names}."
    return "", ""


def _gain(policy: Candidate, metric: MetricCreate) -> tuple[str, str]:
    """Over the same again, as customers show whom it was not learned on."""
    gain, low, high = (_amount(each, metric) for each in (policy.gain.value, *policy.interval))
    kept = "、".join(policy.cells[:_NAMED]), ", ".join(policy.cells[:_NAMED])
    shares = ", ".join(f"{arm} {share:.0%}" for arm, share in policy.shares.items())
    more_zh, more_en = (
        (f"保留：{kept[0]}。", f"Go on with: {kept[1]}.")
        if policy.cells
        else (f"份额：{shares}。", f"Shares: {shares}.")
    )
    return (
        f"与照原样再做一次相比，每位客户差 {gain}（留出样本估计，{low} 至 {high}）。{more_zh}",
        f"Over the same again {gain} per customer on held-out customers ({low} to {high}). {more_en}",
    )


def _amount(value: float, metric: MetricCreate) -> str:
    if metric.kind is MetricKind.PROPORTION:
        return f"{value:+.2%}"
    return f"{value:+,.2f}{f' {metric.currency}' if metric.currency else ''}"
