"""What the versions of a campaign's scripts changed, and how they compare with each other."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Key, Number, Schema
from shared.contracts.evaluation.effects import ArmEffect, EffectMethod, Interval, Narrative, Probability

ArmTrait = Literal["channel", "offer"]


class ScriptEffect(Schema):
    """The arms of one version of a script, pooled, against the hold-out."""

    script: str = Field(examples=["wealth-50plus@3"])
    arms: list[Key]
    effect: ArmEffect | None = Field(description="Its `arm` is `all` where several arms are pooled")
    error: str | None = Field(None, description="Why there is no effect")
    error_code: str | None = Field(None, examples=["too-few"])


class ScriptComparison(Schema):
    """One version against another, among customers drawn by lot for either."""

    script: str
    other: str
    n: int
    n_other: int
    mean: Number | None = None
    mean_other: Number | None = None
    difference: Number | None = Field(None, description="Mean of `script` − mean of `other`")
    ci: Interval | None = None
    p_value: Probability | None = None
    q_value: Probability | None = Field(None, description="Benjamini–Hochberg over all comparisons")
    method: EffectMethod | None = None
    also_differ_in: list[ArmTrait] = Field(
        description="What else is not the same for the two: the difference is then that of the arms as they"
        " are, and no one can say which part of it the words have"
    )
    error: str | None = Field(None, description="Why there is no comparison")
    error_code: str | None = Field(None, examples=["too-few"])


class ScriptEffects(Schema):
    """By intention to treat, over customers assigned whose outcome window has passed."""

    effects: list[ScriptEffect]
    comparisons: list[ScriptComparison] = Field(description="Every two versions once; none of only one")
    reading: Narrative = Field(description="What of this is causal, and what is not")
