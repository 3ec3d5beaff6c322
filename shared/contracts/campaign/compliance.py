"""Words that may not be said, or only with care, and where they were found."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Code, Key, LocalText, Schema, Timestamp

Severity = Literal["refuse", "warn"]
WordingKind = Literal["script", "material"]
WordingChannel = Literal["manager_task", "sms", "email", "app", "print"]
"""Where a text is meant to be used; a campaign's arms use scripts of `manager_task`."""
Pattern = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=60),
    Field(
        description="A word as it is spoken. `*` stands for up to 12 characters. Width, case, accents, "
        "spaces and invisible characters make no difference; Latin words are found whole",
        examples=["保本", "稳赚*不赔", "guaranteed return"],
    ),
]


class ComplianceWord(Schema):
    pattern: Pattern
    severity: Severity = Field(description="`refuse`: the text is not taken; `warn`: the reviewer is told")
    advice: Annotated[str, StringConstraints(max_length=400)] | None = None


class ComplianceListWrite(Schema):
    """`POST /v1/compliance-lists`: each post of a key makes the list's next version, from its day on."""

    key: Key
    name: LocalText
    words: Annotated[list[ComplianceWord], Field(max_length=2000)] = Field(
        description="Empty: the list is withdrawn"
    )
    channels: Annotated[list[WordingChannel], Field(max_length=5)] = Field(
        default_factory=list, description="Only texts for these channels; empty: for all"
    )
    products: Annotated[list[Code], Field(max_length=200)] = Field(
        default_factory=list,
        description="Only texts for these products, or for no product in particular; empty: for all",
    )
    valid_from: date


class ComplianceListView(ComplianceListWrite):
    version: int
    created_at: Timestamp
    created_by: str


class ComplianceHit(Schema):
    """One word in one text; hits may overlap."""

    pointer: str = Field(description="The text", examples=["/steps/0/text/zh"])
    start: int = Field(description="First character in the text as it is written, from 0")
    end: int = Field(description="One after the last character")
    found: str = Field(description="What stands there")
    pattern: str
    severity: Severity
    list: Key
    list_version: int
    advice: str | None = None


class Finding(Schema):
    """An approved version that says what the lists in force name."""

    kind: WordingKind
    ref: str
    name: LocalText
    refused: bool = Field(description="At least one hit would be refused if it were written today")
    hits: list[ComplianceHit]


class ComplianceListChange(ComplianceListView):
    """The new version, and the approved scripts and materials that say one of its words."""

    affected: list[Finding] = Field(description="As of the list's first day")
