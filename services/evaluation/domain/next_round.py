"""The next campaign that a recommendation asks for: the one evaluated, with one thing changed."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from pydantic import ValidationError

from shared.contracts.base import LocalText, Schema
from shared.contracts.campaign import CampaignWrite
from shared.contracts.campaign.fixes import Audience, CampaignParts
from shared.contracts.evaluation.recommendations import Action, Outcome
from shared.errors import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from shared.contracts.campaign import CampaignView
    from shared.contracts.campaign.fixes import People, Responsibility, Schedule, Scheme
    from shared.contracts.evaluation import Recommendation
    from shared.contracts.evaluation.recommendations import PolicyValue

FIRST_HOLD_OUT = 0.1
"""Share held out of the next round where nobody was."""
_LONGEST_NAME, _LONGEST_KEY = 180, 64
_TO_SHARES = frozenset({Action.RE_SCRIPT, Action.RE_CHANNEL, Action.RE_ALLOCATE})


def next_round(
    campaign: CampaignView, advice: Recommendation, today: date, aim: str | None = None
) -> CampaignWrite:
    """`campaign` once more from tomorrow, as `advice` has it. Whom an optimisation chose is of the old one.

    `aim`: key of the segment that was made for it, which takes the place of those it aimed at.
    The same recommendation makes the same key, so that there is one draft of it, whoever accepts how often.
    Unprocessable where no campaign can say it: beyond 200 organisations, for one.
    """
    parts = {name: getattr(campaign, name) for name in CampaignParts.model_fields}
    parts |= {
        "key": f"{campaign.key[:_LONGEST_KEY]}-next-{advice.id.hex[-8:]}",
        "name": LocalText(
            zh=f"{campaign.name.zh[:_LONGEST_NAME]}（下一轮）",
            en=f"{campaign.name.en[:_LONGEST_NAME]} (next round)",
        ),
        "recommendation_id": advice.id,
        "schedule": _schedule(campaign.schedule, today),
        "scheme": _scheme(campaign.scheme, advice),
        "audience": _audience(campaign, advice, aim),
        "people": _people(campaign.people, advice),
        "responsibility": _responsibility(campaign.responsibility, advice),
    }
    content = {name: part.model_dump() if isinstance(part, Schema) else part for name, part in parts.items()}
    try:
        return CampaignWrite.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Unprocessable(f"No campaign can be drafted of this: {where}: {first['msg']}") from error


def policy_of(advice: Recommendation) -> PolicyValue | None:
    """The one that `advice` follows; before that was told, the best of those that say what it says."""
    followed = next((policy for policy in advice.policies if policy.followed), None)
    if followed is not None:
        return followed
    same = (
        policy
        for policy in advice.policies
        if policy.action is advice.action and policy.outcome is advice.outcome
    )
    return max(same, key=lambda policy: abs(policy.gain), default=None)


def _aim(advice: Recommendation, dimension: str) -> list[str]:
    """Cells of `dimension` to go on with; empty where it aims by another one, or at everybody."""
    if advice.action is not Action.RE_TARGET:
        return []
    policy = policy_of(advice) if advice.outcome is Outcome.ACT else None
    if policy is not None:
        return policy.cells if policy.dimension == dimension else []
    if not advice.cells:
        return []
    # Cells of several dimensions may have looked good: the best one says by which to aim.
    chosen = advice.cells[0].dimension
    return [cell.value for cell in advice.cells if cell.dimension == chosen == dimension]


def _schedule(schedule: Schedule | None, today: date) -> Schedule | None:
    if schedule is None:
        return None
    start = today + timedelta(days=1)
    return schedule.model_copy(update={"start": start, "end": start + (schedule.end - schedule.start)})


def _scheme(scheme: Scheme | None, advice: Recommendation) -> Scheme | None:
    if scheme is None:
        return None
    policy = policy_of(advice)
    if policy is not None and advice.action in _TO_SHARES:
        return _shared(scheme, policy.shares, scheme.hold_out)
    if advice.evidence.rule == "no-hold-out":
        treated = 1 - FIRST_HOLD_OUT
        return _shared(scheme, {arm.key: arm.share * treated for arm in scheme.arms}, FIRST_HOLD_OUT)
    return scheme


def _shared(scheme: Scheme, shares: Mapping[str, float], hold_out: float) -> Scheme:
    """Only arms with a share; the first takes what rounding leaves."""
    arms = [arm for arm in scheme.arms if shares.get(arm.key, 0) > 0]
    if not arms:
        return scheme
    total = sum(shares[arm.key] for arm in arms)
    parts = [round(shares[arm.key] / total * (1 - hold_out), 4) for arm in arms]
    parts[0] = 1 - hold_out - sum(parts[1:])
    changed = [arm.model_copy(update={"share": part}) for arm, part in zip(arms, parts, strict=True)]
    return scheme.model_copy(update={"arms": changed, "hold_out": hold_out})


def _audience(campaign: CampaignView, advice: Recommendation, aim: str | None) -> Audience | None:
    audience = campaign.audience
    if audience is None:
        return None
    segments = _aim(advice, "segment")
    include = [key for key in audience.include if key in segments] or audience.include
    if aim is not None:
        include = [aim]
    return audience.model_copy(update={"include": include, "limit": _limit(audience.limit, campaign, advice)})


def _limit(limit: int | None, campaign: CampaignView, advice: Recommendation) -> int | None:
    """Enough for the smaller group to have as many as the next test needs."""
    needed, scheme = advice.evidence.n_needed, campaign.scheme
    if limit is None or needed is None or scheme is None or not 0 < scheme.hold_out < 1:
        return limit
    return max(limit, ceil(needed / min(scheme.hold_out, 1 - scheme.hold_out)))


def _people(people: People | None, advice: Recommendation) -> People | None:
    branches = _aim(advice, "branch")
    return people.model_copy(update={"orgs": branches}) if people and branches else people


def _responsibility(duty: Responsibility | None, advice: Recommendation) -> Responsibility | None:
    branches = _aim(advice, "branch")
    if duty is None or not branches:
        return duty
    measures = [measure for measure in duty.measures if _within(measure.org, branches)]
    return duty.model_copy(update={"measures": measures})


def _within(org: str, branches: Sequence[str]) -> bool:
    return any(org == branch or org.startswith(f"{branch}.") for branch in branches)
