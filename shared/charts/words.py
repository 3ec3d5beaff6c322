"""Words on the pictures of a campaign's review, in both languages."""

from typing import Final

from shared.formats import Language

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "assigned": ("分配", "Assigned"),
    "contacted": ("接触", "Contacted"),
    "reached": ("触达", "Reached"),
    "responded": ("响应", "Responded"),
    "converted": ("转化", "Converted"),
    "retained": ("留存", "Retained"),
    "unknown": ("尚不可知", "not known"),
    "funnel": ("转化漏斗：触达组与对照组", "Funnel: treated beside hold-out"),
    "stage": ("阶段", "Stage"),
    "treated": ("触达组", "Treated"),
    "hold_out": ("对照组", "Hold-out"),
    "course": ("累计差异走势", "Cumulative difference"),
    "day": ("派发后天数", "Days since assignment"),
    "difference": ("户均累计差异", "Difference per customer so far"),
    "upward": ("触达组 − 对照组（户均）", "Treated − hold-out, per customer"),
    "upward_share": ("触达组 − 对照组（占比）", "Treated − hold-out, share of customers"),
    "band": ("始终有效区间", "Always-valid band"),
    "immature": ("尚未成熟", "Not yet mature"),
    "arms": ("各组与对照组之差", "Arms against the hold-out"),
    "breakdown": ("分维度效果", "Effects by group"),
    "group": ("分组", "Group"),
    "size": ("人数（触达/对照）", "n (treated / hold-out)"),
    "raw": ("原始估计", "As measured"),
    "shrunk": ("收缩估计", "Shrunk"),
    "figure": ("差异 [区间]", "Difference [interval]"),
    "pooled": ("总体效果", "Overall effect"),
    "too_few": ("样本不足，不单独下结论", "Too few customers for an effect of its own"),
    "heat": ("话术 × 渠道", "Script × channel"),
    "script": ("话术", "Script"),
    "nobody": ("无", "Nobody"),
    "incremental": ("总增量", "Incremental total"),
    "target": ("目标", "Target"),
    "typical": ("与总体之差 [区间]", "Against the typical [interval]"),
    "launch": ("启动", "Launch"),
    "wave": ("批次", "Wave"),
    "pause": ("暂停", "Paused"),
    "resume": ("恢复", "Resumed"),
    "complete": ("结束", "Completed"),
    "uplift": ("按得分由高到低联系的效果", "Effect of contacting by score"),
    "uplift_share": ("联系的客户占比（得分高者先）", "Share contacted, highest scores first"),
    "uplift_upward": ("效果（摊到全部客户的户均）", "Effect, per customer of all"),
    "uplift_line": ("按得分", "By score"),
    "uplift_band": ("逐点区间", "Interval of each point"),
    "uplift_lot": ("随机联系同样多", "As many by lot"),
    "all": ("全部触达组", "All treated"),
}


def word(key: str, language: Language) -> str:
    """The word for `key`; KeyError for one that no picture has."""
    zh, en = _WORDS[key]
    return zh if language == "zh" else en
