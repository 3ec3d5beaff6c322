"""When a comparison may be read: agreed before anything is known."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.contracts.base import Key, Number, Schema


class FixedStop(Schema):
    """Read once, when every outcome window has passed."""

    kind: Literal["fixed"] = "fixed"


class AlwaysValidStop(Schema):
    """May be read at any time: by an interval that holds at all times together, and is wider for it."""

    kind: Literal["always_valid"]
    tuned_for: Annotated[
        int,
        Field(
            ge=10,
            le=1_000_000_000,
            description="Customers, treated and held out, with a closed outcome window at which the interval"
            " is to be narrowest",
        ),
    ]


def _ascending(looks: list[float]) -> list[float]:
    if any(later - earlier < 0.01 - 1e-9 for earlier, later in zip([0.0, *looks], looks, strict=False)):
        raise ValueError("looks have to ascend by at least 0.01 each")
    if abs(looks[-1] - 1) > 1e-9:
        raise ValueError("the last look has to be at 1")
    return [*looks[:-1], 1.0]


class GroupSequentialStop(Schema):
    """May be read at a few planned shares of the information, by bounds that spend α over them."""

    kind: Literal["group_sequential"]
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"
    looks: Annotated[
        list[Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]],
        Field(
            min_length=2,
            max_length=20,
            description="Shares of the customers with a closed outcome window, ascending, the last 1",
            examples=[[0.25, 0.5, 0.75, 1.0]],
        ),
        # After the numbers of looks: there have to be some to look at.
        AfterValidator(_ascending),
    ]
    customers: Annotated[int, Field(ge=10, le=1_000_000_000)] | None = Field(
        None,
        description="Treated and held out, as planned. Without it nobody knows a share before the last"
        " customer is assigned, and looks begin when the campaign is over",
    )


StopRule = Annotated[
    FixedStop | AlwaysValidStop | GroupSequentialStop,
    Field(discriminator="kind", description="When an early verdict is allowed"),
]
Margins = Annotated[
    dict[Key, Annotated[Number, Field(gt=0, le=1_000_000_000, decimal_places=10)]],
    Field(
        max_length=20,
        description="Guardrail → by how much it may get worse, in its own unit per customer: it passes when"
        " anything worse is ruled out. Without a margin it fails when harm is shown",
        examples=[{"complaints_30d": "0.002"}],
    ),
]
