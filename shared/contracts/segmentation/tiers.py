"""Tiers: schemes, lists of moves and their approval, overrides, and where a customer stands."""

from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Key, LocalText, Note, OrgPath, Schema, Timestamp

Threshold = Annotated[float, Field(ge=-1e18, le=1e18, allow_inf_nan=False)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class TierKind(StrEnum):
    """`value`: what the customer is worth. `management`: which level of the bank looks after it."""

    value = "value"
    management = "management"


MANAGEMENT_LEVELS = ("subbranch", "tier2", "tier1", "hq")
"""Codes of a management scheme, from low to high; a scheme may leave some out."""


class Tier(Schema):
    """Reached at `upgrade_at`, lost below `downgrade_below`. The lowest tier has neither."""

    code: Key
    name: LocalText
    upgrade_at: Threshold | None = None
    downgrade_below: Threshold | None = Field(None, description="At most `upgrade_at`, which is the default")

    @model_validator(mode="after")
    def _down_not_above_up(self) -> Self:
        if self.downgrade_below is None:
            self.downgrade_below = self.upgrade_at
        elif self.upgrade_at is None or self.downgrade_below > self.upgrade_at:
            raise ValueError("`downgrade_below` must not be above `upgrade_at`")
        return self


def _checked(tiers: list[Tier]) -> list[Tier]:
    """From low to high; both thresholds ascend."""
    if len({tier.code for tier in tiers}) < len(tiers):
        raise ValueError("tiers need codes of their own")
    lowest, *others = tiers
    if lowest.upgrade_at is not None:
        raise ValueError("the lowest tier has no thresholds: everybody is in it at least")
    for tier in others:
        if tier.upgrade_at is None:
            raise ValueError(f"tier '{tier.code}' needs `upgrade_at`")
    for name in ("upgrade_at", "downgrade_below"):
        values = [getattr(tier, name) for tier in others]
        if any(low >= high for low, high in pairwise(values)):
            raise ValueError(f"`{name}` must ascend from tier to tier")
    return tiers


Tiers = Annotated[
    list[Tier],
    Field(min_length=2, max_length=20, description="From low to high"),
    AfterValidator(_checked),
]
StayDays = Annotated[int, Field(ge=0, le=3650)]


class TierSchemeCreate(Schema):
    key: Key
    name: LocalText
    description: Note = ""
    kind: TierKind = TierKind.value
    feature: Key = Field("aum", description="The figure that decides, of the feature catalogue")
    tiers: Tiers
    minimum_stay_days: StayDays = Field(
        0, description="A tier is not lost sooner; who was downgraded waits as long before going up again"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == TierKind.management:
            codes = [tier.code for tier in self.tiers]
            if codes != [level for level in MANAGEMENT_LEVELS if level in codes]:
                raise ValueError(f"a management scheme has of {MANAGEMENT_LEVELS} in this order")
        return self


class TierSchemePatch(Schema):
    """New thresholds decide from the next `:apply` on. Codes and their order stay."""

    name: LocalText | None = None
    description: Note | None = None
    tiers: Tiers | None = None
    minimum_stay_days: StayDays | None = None


class TierSchemeView(Schema):
    id: UUID
    key: Key
    name: LocalText
    description: Note
    kind: TierKind
    feature: Key
    tiers: list[Tier]
    minimum_stay_days: int
    revision: int = Field(description="Number of the ETag: grows with every edit")
    created_at: Timestamp
    updated_at: Timestamp


class ApplyRequest(Schema):
    dry_run: bool = Field(False, description="Only the list, which nobody can approve")
    note: Note = ""


class TierCause(StrEnum):
    """Why tiers moved: thresholds applied, an override, its end, a merge of customers or its undo."""

    applied = "applied"
    override = "override"
    override_ended = "override_ended"
    merge = "merge"


class TierListState(StrEnum):
    computing = "computing"
    dry_run = "dry_run"
    proposed = "proposed"
    approved = "approved"
    effective = "effective"
    rejected = "rejected"
    superseded = "superseded"
    failed = "failed"


class Move(StrEnum):
    entered = "entered"
    up = "up"
    down = "down"
    left = "left"


class TierListView(Schema):
    """Moves that belong together. `superseded`: a newer list was proposed before this one was decided."""

    id: UUID
    scheme_id: UUID
    scheme_key: Key
    cause: TierCause
    state: TierListState
    evaluated_at: Timestamp | None
    customers: int | None = Field(description="Customers looked at, bank wide")
    counts: dict[Move, int] = Field(description="Moves by direction, bank wide")
    held: int | None = Field(description="Would move but for the minimum stay")
    pinned: int | None = Field(description="Left out because an override holds their tier")
    note: Note
    made_by: str
    made_at: Timestamp
    decided_by: str | None
    decided_at: Timestamp | None
    comment: Note
    effective_at: Timestamp | None
    problem: str | None
    job_id: UUID | None


class DecisionRequest(Schema):
    comment: Note = ""


class RejectionRequest(Schema):
    comment: Reason


class TierChangeView(Schema):
    customer_id: UUID
    org: OrgPath
    scheme_key: Key
    list_id: UUID
    cause: TierCause
    move: Move
    from_tier: str | None
    to_tier: str | None
    value: float | None = Field(description="The deciding figure; null is unknown or did not decide")
    threshold: float | None = Field(description="The threshold it crossed")
    at: Timestamp | None = Field(description="When it took effect; null when it did not (yet)")


class OverrideState(StrEnum):
    proposed = "proposed"
    active = "active"
    rejected = "rejected"
    superseded = "superseded"
    ended = "ended"
    expired = "expired"


class TierOverrideRequest(Schema):
    scheme: Key
    tier: Key
    reason: Reason
    until: Timestamp = Field(description="It ends by itself at this time, at most two years ahead")


class TierOverrideView(Schema):
    id: UUID
    customer_id: UUID
    scheme_key: Key
    tier: str
    reason: str
    until: Timestamp
    state: OverrideState
    made_by: str
    made_at: Timestamp
    decided_by: str | None
    decided_at: Timestamp | None
    comment: Note
    ended_at: Timestamp | None


class HeldTier(Schema):
    scheme_id: UUID
    scheme_key: Key
    name: LocalText
    kind: TierKind
    tier: str
    tier_name: LocalText
    rank: int = Field(description="0 is the lowest tier of the scheme")
    since: date = Field(description="Business date")
    override_until: Timestamp | None = Field(description="Held by an override until then")


class CustomerTiers(Schema):
    """Where the customer stands in every scheme that was applied; nothing while merged into another."""

    customer_id: UUID
    tiers: list[HeldTier]


class OrgTiers(Schema):
    org: OrgPath
    tiers: dict[str, int]


class TierCounts(Schema):
    """Customers by tier within your organisation, and by the units below it."""

    scheme_id: UUID
    tiers: dict[str, int]
    orgs: list[OrgTiers]
