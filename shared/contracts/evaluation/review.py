"""What a review counts beside the measured effect: referrals, opportunities, what managers said.

None of it is compared with the hold-out: these are counts of what people of the bank did and noted, and say
nothing of what would have happened without.
"""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, Money, OrgPath, Schema, Share, Timestamp
from shared.contracts.evaluation.boards import FunnelGroup, RetainedDays
from shared.contracts.evaluation.effects import Narrative
from shared.contracts.events.feedback import FeedbackKind

OpportunityBy = Literal["all", "org", "month"]


class CreditedSum(Schema):
    """Of referrals that were won, in one currency; each credited by its own shares, to the cent."""

    currency: Currency
    amount: Money
    referrer: Money = Field(description="The part of those who referred")
    receiver: Money = Field(description="The part of those who saw to it")


class ReferralCounts(Schema):
    """made = waiting + accepted + rejected + lapsed + withdrawn before an answer."""

    made: int
    customers: int
    linked: int = Field(description="Leads from the network of a core company")
    waiting: int = Field(description="Neither answered nor lapsed")
    accepted: int = Field(description="Also those that were won, lost or ended since")
    rejected: int
    lapsed: int = Field(description="Not answered in time")
    withdrawn: int = Field(description="Before they were answered")
    won: int
    lost: int
    acceptance: Share | None = Field(description="Accepted of accepted, rejected and lapsed")
    win_rate: Share | None = Field(description="Won of won and lost")
    hours_to_answer: tuple[float, float, float] | None = Field(
        description="Quartiles of the hours by the clock from making to accepting or rejecting"
    )
    credited: list[CreditedSum]


class ReferralPair(ReferralCounts):
    from_org: OrgPath
    to_org: OrgPath


class ReferralResults(Schema):
    """Of referrals between two branches when the reader sees either; without those of customers erased."""

    as_of: Timestamp
    campaign_id: UUID | None = Field(description="Only those made in a contact of this campaign")
    made_from: date | None
    made_until: date | None
    total: ReferralCounts
    pairs: list[ReferralPair] = Field(description="Most referrals first")
    left_off: int = Field(description="Pairs beyond the limit")


class StageHistory(Schema):
    """One stage, by the opportunities that ever stood in it."""

    key: Key
    reached: int
    open: int = Field(description="Stand in it now")
    won: int
    lost: int
    conversion: Share | None = Field(description="Won of won and lost, of those that ever stood in it")
    stays: int = Field(description="Times that one came and left")
    days: tuple[float, float, float] | None = Field(description="Quartiles of the days of a stay")


class StageMoves(Schema):
    """How often one went from here to there, forward or back."""

    from_stage: Key | None = Field(description="null: opened there; `won` and `lost` are reopened")
    to_stage: Key
    moves: int
    share: Share = Field(description="Of all moves out of `from_stage`")


class OpportunityGroup(Schema):
    group: str | None = Field(description="null: all; else an organisation, or a month as 2026-11")
    opened: int
    customers: int
    open: int
    won: int
    lost: int
    won_amount: Money
    win_rate: Share | None = Field(description="Won of won and lost")
    days_to_win: tuple[float, float, float] | None = Field(description="Quartiles, from opening to winning")
    lost_reasons: dict[str, int]
    stages: list[StageHistory] = Field(description="In the order in which opportunities come to them")
    moves: list[StageMoves]


class OpportunityHistory(Schema):
    """How opportunities of one currency went; without those of customers erased."""

    as_of: Timestamp
    currency: Currency
    campaign_id: UUID | None = Field(
        description="Only those of a contact of this campaign, or of a referral made in one"
    )
    by: OpportunityBy
    opened_from: date | None
    opened_until: date | None
    groups: list[OpportunityGroup]
    left_off: int = Field(description="Groups beyond the limit")


class JudgedSubject(Schema):
    """The list of a campaign, one version of a script, or one offer, as managers rate it."""

    kind: FeedbackKind
    subject: str | None = Field(description="Version of the script, or the offer; null for the list")
    given: int
    mean: float = Field(description="Of the ratings, 1 to 5")
    ratings: Annotated[list[int], Field(min_length=5, max_length=5)] = Field(
        description="How often 1, 2, 3, 4 and 5 were given"
    )


class ScriptRecord(Schema):
    """How far customers came to whom one version of a script was assigned, and what managers say of it."""

    script: str
    arms: list[Key]
    funnel: FunnelGroup
    given: int = Field(description="Ratings by managers")
    mean: float | None = Field(description="Of the ratings, 1 to 5")


class CampaignReview(Schema):
    """Beside the result of a campaign, of the reader's branches."""

    campaign_id: UUID
    as_of: Timestamp
    retained_days: RetainedDays = None
    scripts: list[ScriptRecord]
    feedback: list[JudgedSubject]
    referrals: ReferralResults
    opportunities: OpportunityHistory
    reading: Narrative = Field(description="What of this is causal, and what is not")
