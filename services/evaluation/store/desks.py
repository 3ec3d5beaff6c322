"""What became of referrals and opportunities, and how managers rate: counted inside DuckDB."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import duckdb

from services.evaluation.domain.credit import rate
from services.evaluation.store.outcomes import select
from shared.contracts.evaluation.review import (
    CreditedSum,
    JudgedSubject,
    OpportunityBy,
    OpportunityGroup,
    ReferralCounts,
    ReferralPair,
    StageHistory,
    StageMoves,
)

Row = tuple[Any, ...]
Quartiles = tuple[float, float, float]

_QUARTILES = "[0.25, 0.5, 0.75]"
# A journey's further contacts are no exposures: whatever was recorded names its campaign.
_OF_CAMPAIGN = """(
    SELECT contact_id FROM contact WHERE campaign_id = $campaign
    UNION SELECT contact_id FROM exposure WHERE campaign_id = $campaign AND contact_id IS NOT NULL
)"""


@dataclass(frozen=True)
class DeskQuestion:
    """Of which organisation scope and, when named, of which campaign, begun between which days."""

    scope: str = "*"
    campaign_id: UUID | None = None
    since: date | None = None
    until: date | None = None
    limit: int = 100

    def parameters(self) -> dict[str, object]:
        return {
            "scope": self.scope,
            "campaign": self.campaign_id,
            "since": self.since,
            "until": self.until,
        }

    def asks_for(self, day: str, of_campaign: str) -> str:
        return (
            f"($since::DATE IS NULL OR {day} >= $since) AND ($until::DATE IS NULL OR {day} <= $until)"
            f" AND ($campaign::UUID IS NULL OR {of_campaign})"
        )


def _within(org: str) -> str:
    return f"($scope = '*' OR {org} = $scope OR starts_with({org}, $scope || '.'))"


# ── referrals ─────────────────────────────────────────────────────────────────────────────────────────────


def _referrals(question: DeskQuestion) -> str:
    """Each referral whose making is known, once."""
    return f"""
        WITH one AS (
            SELECT referral_id, any_value(customer_id) AS customer_id, any_value(contact_id) AS contact_id,
                   any_value(from_org) AS from_org, any_value(to_org) AS to_org, any_value(linked) AS linked,
                   max_by(state, version) AS state, bool_or(state IN ('accepted', 'won', 'lost')) AS accepted,
                   min(day) FILTER (state = 'made') AS made_on,
                   epoch(min(told_at) FILTER (state IN ('accepted', 'rejected'))
                         - min(told_at) FILTER (state = 'made')) / 3600 AS hours,
                   any_value(currency) AS currency, any_value(amount) AS amount,
                   any_value(referrer) AS referrer, any_value(receiver) AS receiver
            FROM referral WHERE {_within("from_org")} OR {_within("to_org")}
            GROUP BY referral_id HAVING bool_or(state = 'made')
        ),
        chosen AS (FROM one WHERE {question.asks_for("made_on", f"contact_id IN {_OF_CAMPAIGN}")})
    """  # noqa: S608 - our own names, values are bound


def referrals(
    cursor: duckdb.DuckDBPyConnection, question: DeskQuestion
) -> tuple[ReferralCounts, list[ReferralPair]]:
    """All together, and by pair of branches with the most referrals first."""
    counted = select(
        cursor,
        f"""
        {_referrals(question)}
        SELECT from_org, to_org, count(*), count(DISTINCT customer_id), count(*) FILTER (linked),
               count(*) FILTER (state = 'made'), count(*) FILTER (accepted),
               count(*) FILTER (state = 'rejected'), count(*) FILTER (state = 'lapsed'),
               count(*) FILTER (state = 'withdrawn' AND NOT accepted), count(*) FILTER (state = 'won'),
               count(*) FILTER (state = 'lost'), quantile_cont(hours, {_QUARTILES})
        FROM chosen GROUP BY GROUPING SETS ((), (from_org, to_org))
        """,  # noqa: S608 - as above
        question.parameters(),
    )
    credited = _credited(cursor, question)
    total, pairs = _counts((0,) * 10 + (None,), []), []
    for from_org, to_org, *counts in counted:
        found = _counts(counts, credited[from_org, to_org])
        if from_org is None:
            total = found
        else:
            pairs.append(ReferralPair(from_org=from_org, to_org=to_org, **dict(found)))
    return total, sorted(pairs, key=lambda pair: (-pair.made, pair.from_org, pair.to_org))


def _credited(
    cursor: duckdb.DuckDBPyConnection, question: DeskQuestion
) -> Mapping[tuple[str | None, str | None], list[CreditedSum]]:
    rows = select(
        cursor,
        f"""
        {_referrals(question)}
        SELECT from_org, to_org, currency, sum(amount), sum(referrer), sum(receiver)
        FROM chosen WHERE state = 'won'
        GROUP BY GROUPING SETS ((currency), (from_org, to_org, currency)) ORDER BY currency
        """,  # noqa: S608 - as above
        question.parameters(),
    )
    found: defaultdict[tuple[str | None, str | None], list[CreditedSum]] = defaultdict(list)
    for from_org, to_org, currency, amount, referrer, receiver in rows:
        part = CreditedSum(currency=currency, amount=amount, referrer=referrer, receiver=receiver)
        found[from_org, to_org].append(part)
    return found


def _counts(counts: Sequence[Any], credited: list[CreditedSum]) -> ReferralCounts:
    made, customers, linked, waiting, accepted, rejected, lapsed, withdrawn, won, lost, hours = counts
    return ReferralCounts(
        made=made,
        customers=customers,
        linked=linked,
        waiting=waiting,
        accepted=accepted,
        rejected=rejected,
        lapsed=lapsed,
        withdrawn=withdrawn,
        won=won,
        lost=lost,
        acceptance=rate(accepted, rejected + lapsed),
        win_rate=rate(won, lost),
        hours_to_answer=_quartiles(hours),
        credited=credited,
    )


def _quartiles(found: Sequence[float] | None) -> Quartiles | None:
    if found is None:
        return None
    low, middle, high = (round(each, 2) for each in found)
    return low, middle, high


# ── opportunities ─────────────────────────────────────────────────────────────────────────────────────────

_GROUP: Mapping[OpportunityBy, str] = {
    "all": "NULL::VARCHAR",
    "org": "org",
    "month": "strftime(opened_on, '%Y-%m')",
}


def _opportunities(question: DeskQuestion, by: OpportunityBy) -> str:
    """Each opportunity whose opening is known, once, and every time that it stood somewhere."""
    of_campaign = f"""
        contact_id IN {_OF_CAMPAIGN} OR referral_id IN (
            SELECT referral_id FROM referral WHERE contact_id IN {_OF_CAMPAIGN}
        )
    """  # noqa: S608 - as above
    return f"""
        WITH one AS (
            SELECT opportunity_id, any_value(customer_id) AS customer_id, max_by(org, version) AS org,
                   max_by(to_stage, version) AS stands, max_by(told_at, version) AS since,
                   min(told_at) FILTER (from_stage IS NULL) AS opened_at,
                   min(day) FILTER (from_stage IS NULL) AS opened_on,
                   any_value(contact_id) AS contact_id, any_value(referral_id) AS referral_id,
                   max_by(won_amount, version) AS won_amount, max_by(lost_reason, version) AS lost_reason
            FROM opportunity WHERE currency = $currency
            GROUP BY opportunity_id HAVING bool_or(from_stage IS NULL)
        ),
        chosen AS (
            SELECT *, {_GROUP[by]} AS grp FROM one
            WHERE {_within("org")} AND {question.asks_for("opened_on", of_campaign)}
        ),
        stay AS (
            SELECT c.opportunity_id, c.grp, c.stands, o.from_stage, o.to_stage AS stage, o.told_at,
                   lead(o.told_at) OVER w AS left_at, row_number() OVER w AS number
            FROM opportunity AS o JOIN chosen AS c USING (opportunity_id)
            WINDOW w AS (PARTITION BY o.opportunity_id ORDER BY o.version)
        )
    """  # noqa: S608 - as above


def opportunities(
    cursor: duckdb.DuckDBPyConnection, question: DeskQuestion, by: OpportunityBy, currency: str
) -> list[OpportunityGroup]:
    """Months newest first, organisations with the most opportunities first; `all` is one group or none."""
    known, parameters = _opportunities(question, by), question.parameters() | {"currency": currency}
    stages = _stages(cursor, known, parameters)
    moves = _moves(cursor, known, parameters)
    reasons = _reasons(cursor, known, parameters)
    rows = select(
        cursor,
        f"""
        {known}
        SELECT grp, count(*), count(DISTINCT customer_id), count(*) FILTER (stands NOT IN ('won', 'lost')),
               count(*) FILTER (stands = 'won'), count(*) FILTER (stands = 'lost'),
               coalesce(sum(won_amount) FILTER (stands = 'won'), 0),
               quantile_cont(epoch(since - opened_at) / 86400, {_QUARTILES}) FILTER (stands = 'won')
        FROM chosen GROUP BY grp
        """,  # noqa: S608 - as above
        parameters,
    )
    groups = [
        OpportunityGroup(
            group=group,
            opened=opened,
            customers=customers,
            open=open_,
            won=won,
            lost=lost,
            won_amount=amount,
            win_rate=rate(won, lost),
            days_to_win=_quartiles(days),
            lost_reasons=reasons[group],
            stages=stages[group],
            moves=moves[group],
        )
        for group, opened, customers, open_, won, lost, amount, days in rows
    ]
    if by == "month":
        return sorted(groups, key=lambda each: each.group or "", reverse=True)
    return sorted(groups, key=lambda each: (-each.opened, each.group or ""))


def _stages(
    cursor: duckdb.DuckDBPyConnection, known: str, parameters: Mapping[str, object]
) -> Mapping[str | None, list[StageHistory]]:
    """The stages of the bank have no order here: they follow how early opportunities come to them."""
    rows = select(
        cursor,
        f"""
        {known},
        early AS (
            SELECT stage, avg(number) AS early
            FROM (SELECT stage, min(number) AS number FROM stay GROUP BY stage, opportunity_id) GROUP BY stage
        )
        SELECT grp, stage, count(DISTINCT opportunity_id),
               count(DISTINCT opportunity_id) FILTER (stands = stage),
               count(DISTINCT opportunity_id) FILTER (stands = 'won'),
               count(DISTINCT opportunity_id) FILTER (stands = 'lost'), count(left_at),
               quantile_cont(epoch(left_at - told_at) / 86400, {_QUARTILES})
        FROM stay JOIN early USING (stage) WHERE stage NOT IN ('won', 'lost')
        GROUP BY grp, stage, early ORDER BY early, stage
        """,  # noqa: S608 - as above
        parameters,
    )
    found: defaultdict[str | None, list[StageHistory]] = defaultdict(list)
    for group, key, reached, open_, won, lost, stays, days in rows:
        stage = StageHistory(
            key=key,
            reached=reached,
            open=open_,
            won=won,
            lost=lost,
            conversion=rate(won, lost),
            stays=stays,
            days=_quartiles(days),
        )
        found[group].append(stage)
    return found


def _moves(
    cursor: duckdb.DuckDBPyConnection, known: str, parameters: Mapping[str, object]
) -> Mapping[str | None, list[StageMoves]]:
    rows = select(
        cursor,
        f"""
        {known}
        SELECT grp, from_stage, stage, count(*),
               count(*) / sum(count(*)) OVER (PARTITION BY grp, from_stage)
        FROM stay GROUP BY grp, from_stage, stage ORDER BY from_stage NULLS FIRST, 4 DESC, stage
        """,  # noqa: S608 - as above
        parameters,
    )
    found: defaultdict[str | None, list[StageMoves]] = defaultdict(list)
    for group, from_stage, to_stage, n, share in rows:
        found[group].append(StageMoves(from_stage=from_stage, to_stage=to_stage, moves=n, share=share))
    return found


def _reasons(
    cursor: duckdb.DuckDBPyConnection, known: str, parameters: Mapping[str, object]
) -> Mapping[str | None, dict[str, int]]:
    rows = select(
        cursor,
        f"""
        {known}
        SELECT grp, lost_reason, count(*) FROM chosen WHERE stands = 'lost' AND lost_reason IS NOT NULL
        GROUP BY grp, lost_reason ORDER BY 3 DESC, lost_reason
        """,  # noqa: S608 - as above
        parameters,
    )
    found: defaultdict[str | None, dict[str, int]] = defaultdict(dict)
    for group, reason, n in rows:
        found[group][reason] = n
    return found


# ── feedback ──────────────────────────────────────────────────────────────────────────────────────────────


def feedback(cursor: duckdb.DuckDBPyConnection, campaign_id: UUID, scope: str) -> list[JudgedSubject]:
    """Of one campaign, by managers of `scope`."""
    rated = ", ".join(f"count(*) FILTER (rating = {rating})" for rating in range(1, 6))
    rows = select(
        cursor,
        f"""
        SELECT kind, subject, count(*), avg(rating), [{rated}]
        FROM feedback WHERE campaign_id = $campaign AND {_within("branch")}
        GROUP BY kind, subject ORDER BY kind, subject
        """,  # noqa: S608 - as above
        {"campaign": campaign_id, "scope": scope},
    )
    return [
        JudgedSubject(kind=kind, subject=subject, given=given, mean=round(mean, 2), ratings=ratings)
        for kind, subject, given, mean, ratings in rows
    ]
