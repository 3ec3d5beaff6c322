"""Materials 物料: texts, pages and files that go with a contact."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Code, Key, LocalText, Schema, Timestamp
from shared.contracts.campaign.compliance import ComplianceHit, WordingChannel
from shared.contracts.campaign.scripts import Decided, LocalRendered
from shared.contracts.campaign.vocabulary import MaterialRef

MaterialKind = Literal["text", "html", "file"]
Body = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class LocalBody(Schema):
    zh: Body
    en: Body


class MaterialFile(Schema):
    """A file that is kept elsewhere, bound by its content's hash."""

    uri: Annotated[str, StringConstraints(pattern=r"^(https|s3)://[^\s\\<>\"'{}]{3,500}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=1, le=1_000_000_000, description="Bytes")]
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z0-9][a-z0-9.+-]{0,80}$")] = Field(
        examples=["application/pdf"]
    )


class MaterialWrite(Schema):
    """`POST /v1/materials`: each post of a key makes its next version; a version never changes."""

    key: Key
    name: LocalText
    kind: MaterialKind
    channel: WordingChannel
    products: Annotated[list[Code], Field(max_length=50)] = Field(
        default_factory=list, description="What it is meant to offer; empty: anything"
    )
    body: LocalBody | None = Field(None, description="Of a text or HTML material; a template as in scripts")
    file: MaterialFile | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if (self.body is not None) != (self.kind != "file") or (self.file is not None) != (
            self.kind == "file"
        ):
            message = "a file material has a file, the others a body"
            raise ValueError(message)
        return self


class SmsLength(Schema):
    """As the networks count: 160 characters of the basic alphabet or 70 of any other fit one segment."""

    encoding: Literal["gsm7", "ucs2"]
    units: int
    segments: int


class SmsLengths(Schema):
    zh: SmsLength
    en: SmsLength


class MaterialView(MaterialWrite, Decided):
    version: int
    ref: MaterialRef
    sha256: str = Field(description="Of the file, or of the canonical JSON of the body")
    size: int = Field(description="Bytes of the file, or of the body's texts in UTF-8")
    created_at: Timestamp
    created_by: str


class MaterialPreview(Schema):
    """The material with sample values, and what the compliance lists in force say of it."""

    body: LocalRendered | None
    variables: list[str]
    sms: SmsLengths | None = Field(description="For SMS: the length with the sample values")
    hits: list[ComplianceHit]
