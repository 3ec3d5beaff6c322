"""The segment that a re-target by tiers asks for: whom of the campaign's audience the tiers to keep hold.

The rule language knows no tiers, but the figure that decides them: a tier is what lies between its threshold
and the next one's. Whom the minimum stay or an override holds in another tier, no rule can name.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from services.evaluation.domain.next_round import policy_of
from shared.contracts.base import LocalText
from shared.contracts.conditions import AllOf, AnyOf, FeatureCondition, SegmentCondition
from shared.contracts.segmentation import SegmentCreate
from shared.errors import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.contracts.campaign import CampaignView
    from shared.contracts.conditions import Condition
    from shared.contracts.evaluation import Recommendation
    from shared.contracts.evaluation.recommendations import PolicyValue
    from shared.contracts.segmentation.tiers import TierSchemeView

_LONGEST_NAME, _LONGEST_KEY, _LONGEST_TEXT = 150, 64, 1_500


def segment_key(campaign_key: str, advice: Recommendation) -> str:
    """The same recommendation makes the same key, so that there is one segment of it, whoever accepts."""
    return f"{campaign_key[:_LONGEST_KEY]}-aim-{advice.id.hex[-8:]}"


def policy_by_tier(advice: Recommendation) -> PolicyValue:
    """The one it follows. Unprocessable where it names no tiers of a scheme."""
    policy = policy_of(advice)
    if policy is None or policy.scheme is None or not policy.cells:
        raise Unprocessable("The recommendation names no tiers to aim at.")
    return policy


def aimed_segment(campaign: CampaignView, advice: Recommendation, scheme: TierSchemeView) -> SegmentCreate:
    """A rule for whom to aim at next, with the evidence as its description.

    Unprocessable where the campaign has no audience, or `scheme` none of the tiers.
    """
    if campaign.audience is None:
        raise Unprocessable("The campaign has no audience that could be narrowed.")
    segments: list[Condition] = [SegmentCondition(segment=key) for key in campaign.audience.include]
    bands = _bands(scheme, policy_by_tier(advice).cells)
    parts = [_any(segments), *([_any(bands)] if bands else [])]
    name, text = campaign.name, advice.text
    return SegmentCreate(
        key=segment_key(campaign.key, advice),
        name=LocalText(
            zh=f"{name.zh[:_LONGEST_NAME]}（下一轮目标客群）", en=f"{name.en[:_LONGEST_NAME]} (next aim)"
        ),
        description=f"{text.zh[:_LONGEST_TEXT]}\n{text.en[:_LONGEST_TEXT]}\n"
        f"按等级方案 {scheme.key} 的阈值；最短停留期或人工调整所保持的等级不在规则之内。"
        f" By the thresholds of {scheme.key}; tiers held by a minimum stay or an override are not told.\n"
        f"recommendation {advice.id}",
        definition=_all(parts),
    )


def _bands(scheme: TierSchemeView, kept: Sequence[str]) -> list[Condition]:
    """One condition for each run of neighbouring tiers; none where these are all."""
    codes = [tier.code for tier in scheme.tiers]
    missing = [code for code in kept if code not in codes]
    if missing:
        raise Unprocessable(f"The scheme {scheme.key} has no tier {', '.join(missing)} any more.")
    held = [False, *(code in kept for code in codes), False]
    edges = [place for place, (before, here) in enumerate(pairwise(held)) if before != here]
    starts, ends = edges[::2], edges[1::2]
    found = (
        [*_limit(scheme, start, "gte"), *_limit(scheme, end, "lt")]
        for start, end in zip(starts, ends, strict=True)
    )
    return [_all(conditions) for conditions in found if conditions]


def _limit(scheme: TierSchemeView, tier: int, op: str) -> Iterable[Condition]:
    """Below the lowest tier and above the highest there is nobody."""
    threshold = scheme.tiers[tier].upgrade_at if tier < len(scheme.tiers) else None
    if threshold is not None:
        yield FeatureCondition.model_validate({"feature": scheme.feature, "op": op, "value": threshold})


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else AllOf(all=parts)


def _any(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else AnyOf(any=parts)
