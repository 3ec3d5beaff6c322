"""The life-cycle stage of a customer, and what it is told from."""

from services.segmentation.domain.catalogue.forms import LOCAL_DATE, SINCE_EVENT, derived, within
from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type
from shared.contracts.segmentation.life_cycle import Stage, Thresholds

ACTIVITY = ("transaction.posted", "card.spent", "login", "channel.visited")
STAGE = "life_cycle_stage"
BACK_DAYS = 180
"""Whoever is active in so many days after a long pause has come back."""
_ACTIVE = f"type IN ({', '.join(repr(name) for name in ACTIVITY)})"
_LEAST_TRANSACTIONS = 6
_USES = (
    "ever_held",
    "account_count",
    "aum",
    "aum_90d_ago",
    "aum_growth_90d",
    "loan_balance",
    "last_activity_days",
    "activity_gap_days",
    "tenure_months",
    "txn_count_90d",
    "txn_count_180d",
)


def stage_feature(limits: Thresholds) -> Feature:
    """The stage under these thresholds, as a derived feature."""
    idle = "coalesce({last_activity_days}, 30 * {tenure_months}, 0)"
    least = f"{limits.least_assets:f}"
    before = "({txn_count_180d} - {txn_count_90d})"
    kept = f"{1 - limits.decline_activity!r}"
    conditions = {
        Stage.prospect: "NOT {ever_held} AND {last_activity_days} IS NULL",
        Stage.lost: "({ever_held} AND {account_count} = 0) "
        f"OR ({{aum}} + {{loan_balance}} < {least} AND {idle} >= {limits.lost_days})",
        Stage.dormant: f"{idle} >= {limits.dormant_days}",
        Stage.won_back: f"coalesce({{activity_gap_days}} >= {limits.lost_days}, false)",
        Stage.onboarding: f"coalesce({{tenure_months}} < {limits.onboarding_months}, false)",
        Stage.decline: f"coalesce({{aum_growth_90d}} <= {-limits.decline!r}, false) "
        f"OR ({before} >= {_LEAST_TRANSACTIONS} AND {{txn_count_90d}} <= {kept} * {before})",
        Stage.growth: f"coalesce({{aum_growth_90d}} >= {limits.growth!r}, false) "
        f"OR ({{aum_90d_ago}} < {least} AND {{aum}} >= {least})",
    }
    cases = " ".join(f"WHEN {condition} THEN '{stage}'" for stage, condition in conditions.items())
    expression = f"CASE {cases} ELSE '{Stage.mature}' END"
    return derived(STAGE, "生命周期阶段", "Life-cycle stage", Type.text, expression, _USES)


LIFE_CYCLE: tuple[Feature, ...] = (
    Feature(
        "ever_held",
        "曾持有产品",
        "Has or had an account",
        Type.boolean,
        Source.day,
        "count(*) > 0",
        missing=Missing.false,
    ),
    Feature(
        "last_activity_days",
        "距上次活动天数",
        "Days since the last activity",
        Type.integer,
        Source.event,
        f"date_diff('day', max({LOCAL_DATE}) FILTER ({_ACTIVE}), $today)",
        "day",
        types=ACTIVITY,
        dated=(SINCE_EVENT,),
    ),
    Feature(
        "activity_gap_days",
        "回归前中断天数",
        f"Days of pause before the first activity in {BACK_DAYS} days",
        Type.integer,
        Source.event,
        f"date_diff('day', max({LOCAL_DATE}) FILTER ({_ACTIVE} AND NOT {within(BACK_DAYS)}), "
        f"min({LOCAL_DATE}) FILTER ({_ACTIVE} AND {within(BACK_DAYS)}))",
        "day",
        types=ACTIVITY,
        windows=(BACK_DAYS,),
        dated=(Dated("event", "time", Turn.any),),
    ),
    stage_feature(Thresholds()),
)
