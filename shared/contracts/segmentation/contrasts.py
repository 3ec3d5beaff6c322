"""What makes a group of customers different."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, LocalText, Schema, Share, Timestamp


class FeatureContrast(Schema):
    """How a group differs from everybody in one feature."""

    feature: Key
    name: LocalText
    unit: str | None
    mean: float | None = Field(description="Mean in the group; the share of true for booleans")
    mean_all: float | None
    deviation_all: float | None = Field(description="Standard deviation over everybody")
    standardised_difference: float | None = Field(description="(mean − mean_all) / deviation_all")
    known: Share = Field(description="Share of the group for whom the feature is known")


class CategoryContrast(Schema):
    """How often one word of a text feature is found in a group, and among everybody."""

    feature: Key
    name: LocalText
    value: str = Field(examples=["teacher"])
    share: Share = Field(description="Of those in the group for whom the feature is known")
    share_all: Share
    lift: float = Field(description="share / share_all")
    standardised_difference: float = Field(description="(share − share_all) / √(share_all (1 − share_all))")


class SegmentProfile(Schema):
    segment_id: UUID
    key: Key
    size: int
    of: int
    evaluated_at: Timestamp
    contrasts: list[FeatureContrast] = Field(description="Largest difference first")
    categories: list[CategoryContrast] = Field(
        default_factory=list, description="The same of features that are words; largest difference first"
    )
