"""What models that group customers are asked for."""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Key, Schema

Features = Annotated[list[Key], Field(min_length=1, max_length=40)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Sample = Annotated[int, Field(ge=100, le=200_000, description="At most so many customers are fitted on")]


class KMeansParameters(Schema):
    features: Features
    k: int = Field(ge=2, le=30)
    seed: Seed = 0
    sample: Sample = 50_000


class EnsembleParameters(Schema):
    """Many k-means partitions over random features and starts, and the partition they agree on."""

    features: Features
    k: Annotated[int, Field(ge=2, le=30)] | Literal["auto"] = Field(
        "auto", description="`auto` takes the number of groups the table of K recommends, and shows the table"
    )
    k_max: int = Field(10, ge=3, le=20, description="The table of K goes from 2 to here")
    partitions: int = Field(20, ge=5, le=100, description="Base partitions of the ensemble")
    seed: Seed = 0
    sample: Sample = 50_000
