"""What a review shows beside the result, put together from what the store counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from uuid import UUID

import duckdb

from services.evaluation.domain.catalogue import CONVERSION
from services.evaluation.domain.exposure import FunnelCounts, Stages
from services.evaluation.domain.scripts import ScriptArm, by_script
from services.evaluation.queries.boards import funnel_group
from services.evaluation.store.contacts import funnel
from services.evaluation.store.desks import DeskQuestion, feedback, opportunities, referrals
from services.evaluation.store.outcomes import Question
from shared.contracts.evaluation import Narrative
from shared.contracts.evaluation.review import (
    CampaignReview,
    JudgedSubject,
    OpportunityBy,
    OpportunityGroup,
    OpportunityHistory,
    ReferralCounts,
    ReferralPair,
    ReferralResults,
    ScriptRecord,
)

DESCRIPTIVE = Narrative(
    zh="触达、回应、转介、商机与评分是对所做之事的描述性计数，未与对照组比较，不说明因果。"
    "话术版本的因果效果见评估结果中的按版本效果。",
    en="Contacts, responses, referrals, opportunities and ratings are counts of what was done and noted:"
    " descriptive, not compared with the hold-out. What a version of a script caused, the result says.",
)


@dataclass(frozen=True)
class Reviewed:
    """One consistent reading of the store."""

    stages: FunnelCounts
    judged: Sequence[JudgedSubject]
    referrals: tuple[ReferralCounts, list[ReferralPair]]
    opportunities: list[OpportunityGroup]


def read_review(
    cursor: duckdb.DuckDBPyConnection,
    question: Question,
    windows: Sequence[int],
    desk: DeskQuestion,
    currency: str,
) -> Reviewed:
    return Reviewed(
        funnel(cursor, question, CONVERSION, windows),
        feedback(cursor, question.campaign_id, question.scope),
        referrals(cursor, desk),
        opportunities(cursor, desk, "all", currency),
    )


def campaign_review(
    campaign_id: UUID,
    arms: Sequence[ScriptArm],
    seen: Reviewed,
    desk: DeskQuestion,
    currency: str,
    at: datetime,
) -> CampaignReview:
    return CampaignReview(
        campaign_id=campaign_id,
        as_of=at,
        retained_days=seen.stages.retained_days,
        scripts=_records(arms, seen),
        feedback=list(seen.judged),
        referrals=referral_results(seen.referrals, desk, at),
        opportunities=opportunity_history(seen.opportunities, desk, "all", currency, at),
        reading=DESCRIPTIVE,
    )


def _records(arms: Sequence[ScriptArm], seen: Reviewed) -> list[ScriptRecord]:
    judged = {one.subject: one for one in seen.judged if one.kind == "script"}
    records = []
    for script, those in by_script(arms).items():
        stages = reduce(Stages.plus, (seen.stages.by_arm.get(arm.key, Stages()) for arm in those), Stages())
        said = judged.get(script)
        records.append(
            ScriptRecord(
                script=script,
                arms=[arm.key for arm in those],
                funnel=funnel_group(stages, seen.stages.retained_days),
                given=said.given if said else 0,
                mean=said.mean if said else None,
            )
        )
    return records


def referral_results(
    found: tuple[ReferralCounts, list[ReferralPair]], asked: DeskQuestion, at: datetime
) -> ReferralResults:
    total, pairs = found
    return ReferralResults(
        as_of=at,
        campaign_id=asked.campaign_id,
        made_from=asked.since,
        made_until=asked.until,
        total=total,
        pairs=pairs[: asked.limit],
        left_off=max(0, len(pairs) - asked.limit),
    )


def opportunity_history(
    found: list[OpportunityGroup], asked: DeskQuestion, by: OpportunityBy, currency: str, at: datetime
) -> OpportunityHistory:
    return OpportunityHistory(
        as_of=at,
        currency=currency,
        campaign_id=asked.campaign_id,
        by=by,
        opened_from=asked.since,
        opened_until=asked.until,
        groups=found[: asked.limit],
        left_off=max(0, len(found) - asked.limit),
    )
