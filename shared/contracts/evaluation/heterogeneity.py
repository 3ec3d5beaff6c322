"""Whether an effect differs between the values of a dimension, and what to expect of each."""

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Number, Schema
from shared.contracts.evaluation.effects import Interval, Probability

Variance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ShrunkEffect(Schema):
    """A cell's effect drawn towards that of all, the more the less the cell knows by itself."""

    value: Number
    ci: Interval


class DimensionHeterogeneity(Schema):
    """Of the cells of one dimension that have an effect."""

    q: Variance = Field(description="Cochran's Q")
    df: int
    p_value: Probability
    tau2: Variance = Field(description="Variance of true effects between cells (DerSimonian and Laird)")
    pooled: Number = Field(description="Mean of the cells' effects, weighted by what they know")
