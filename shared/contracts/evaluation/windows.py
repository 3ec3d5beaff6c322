"""The effect in each of the windows that a metric declares."""

from pydantic import Field

from shared.contracts.base import Schema, Share
from shared.contracts.evaluation.effects import ArmEffect


class WindowEffect(Schema):
    """All treated arms pooled, over the exposures that have lived through this window."""

    days: int
    matured: Share = Field(description="Share of exposures whose window of this length has passed")
    overall: ArmEffect | None
    error: str | None = Field(None, description="Why there is no effect")
