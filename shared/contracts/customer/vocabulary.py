"""Names and forms of values the customer service speaks in."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Schema
from shared.contracts.events import Channel

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
SourceKey = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f]+$")]
Account = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Consents = Annotated[dict[Channel, bool], Field(description="By channel; absent means not given")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
EventTypeName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,5}$", max_length=100)
]

Month = Annotated[
    str,
    StringConstraints(pattern=r"^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"),
    Field(description="Calendar month in the bank's zone", examples=["2026-10"]),
]

OrgLevel = Literal["hq", "tier1", "tier2", "subbranch"]
StaffRole = Literal["admin", "strategist", "approver", "branch_head", "manager", "auditor", "integrator"]
ProductCategory = Literal["demand", "time_deposit", "wealth", "fund", "insurance", "loan", "card", "payroll"]
ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
RiskLevel = Literal["C1", "C2", "C3", "C4", "C5"]
CustomerKind = Literal["person", "company"]
CustomerStatus = Literal["active", "closed"]
AnyStatus = Literal["active", "closed", "merged", "erased"]
Gender = Literal["F", "M"]
ImportDataset = Literal[
    "customers", "holdings", "events", "relations", "ownership", "consents", "interactions"
]
ExportDataset = Literal[
    "customers",
    "holdings",
    "events",
    "relations",
    "values",
    "consents",
    "ownership",
    "shares",
    "interactions",
    "merges",
    "erasures",
]


class SourceIdentity(Schema):
    """The customer's id in one source system; a pair belongs to one customer only."""

    source: SourceName
    source_id: SourceKey
