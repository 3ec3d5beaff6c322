"""Import files: how their columns are read, and what became of their rows."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Schema, Share, Timestamp
from shared.contracts.customer.vocabulary import ImportDataset

ImportEncoding = Literal["utf-8", "utf-8-sig", "gb18030", "latin-1"]
ImportFormat = Literal["csv", "parquet"]
Delimiter = Annotated[str, StringConstraints(pattern=r"^[\t\x20-\x7e]$")]
Quote = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]$")]
FileColumn = Annotated[str, StringConstraints(min_length=1, max_length=200)]
TargetColumn = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z_]{0,39}(\.[A-Za-z_][A-Za-z0-9_]{0,63})?$"),
    Field(description="Column of the data set; of events also `data.<property>`"),
]


class ColumnSource(Schema):
    """Where the values of one column come from: exactly one of `column`, `constant`, `template`.

    Applied in this order: take, trim, empty becomes absent, `values`, `decimal_comma`, `times`,
    `date_format`.
    """

    column: FileColumn | None = Field(None, description="Column of the file")
    constant: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        None, description="The same for every row"
    )
    template: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        None,
        description="Text with `{column}` of the file and `{#}`, the row's number; absent when a column is",
        examples=["{InvoiceNo}-{#}"],
    )
    trim: bool = Field(False, description="Without spaces at both ends")
    values: Annotated[dict[str, str], Field(max_length=1000)] | None = Field(
        None,
        description="Replacements of whole values; the key `` stands for absent, the value `` for none",
        examples=[{"PRIJEM": "in", "VYDAJ": "out"}],
    )
    otherwise: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="For values `values` does not name; they stay as they are when left out"
    )
    decimal_comma: bool = Field(False, description="Amounts like `1.234,56`")
    times: FileColumn | None = Field(
        None, description="Multiply by this column and round to cents, halves away from zero"
    )
    date_format: Annotated[str, StringConstraints(min_length=2, max_length=40)] | None = Field(
        None,
        description="As strptime; two digits of a year mean 1969 to 2068; times are the bank's",
        examples=["%y%m%d"],
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnSource":
        if sum(origin is not None for origin in (self.column, self.constant, self.template)) != 1:
            raise ValueError("needs exactly one of column, constant, template")
        if self.otherwise is not None and self.values is None:
            raise ValueError("otherwise needs values")
        return self


class ImportMapping(Schema):
    """How the data set's columns are made from the file's; the others of the file are left aside."""

    columns: Annotated[dict[TargetColumn, ColumnSource], Field(min_length=1, max_length=200)]


class ImportCounts(Schema):
    """Rows read so far and what became of them."""

    rows: int
    created: int
    updated: int
    unchanged: int
    parked: int = Field(0, description="Events that wait for their customer")
    quarantined: int = Field(0, description="Events set aside: they name no customer")
    rejected: int


ImportState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class ImportView(Schema):
    """One import file and its job (``GET /v1/jobs/{job_id}`` has the progress)."""

    id: UUID
    job_id: UUID | None
    dataset: ImportDataset
    format: ImportFormat
    encoding: ImportEncoding | None = Field(None, description="Of a CSV file; given or detected")
    delimiter: str | None = None
    quote: str | None = None
    mapping: ImportMapping | None = None
    dry_run: bool = Field(False, description="Checked against the database and not written")
    filename: str
    size_bytes: int
    state: ImportState
    counts: ImportCounts
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None
    kept_until: Timestamp | None = Field(
        None, description="Until then the file, sealed, is kept and `:resume` continues behind the last row"
    )


class ImportRowError(Schema):
    """Why one row was not taken; the values themselves are not repeated (they may be personal)."""

    row: int
    column: str | None
    detail: str


class FileColumnView(Schema):
    """One column of a file, as the first rows show it."""

    name: str
    type: Literal["text", "integer", "decimal", "boolean", "date", "instant", "json", "empty"]
    date_format: str | None = None
    decimal_comma: bool = False
    null_share: Share
    distinct: int = Field(description="Different values among the rows looked at")
    samples: list[str] = Field(description="Forms of values: a digit shows as 9, a letter as x, 汉字 as 字")
    categories: list[str] = Field(description="The values themselves where few repeat often")


class ColumnProposal(Schema):
    """Where one column of the data set could come from."""

    target: str
    source: ColumnSource
    confidence: Share
    reason: str


class MissingColumn(Schema):
    target: str
    required: bool
    detail: str


class ImportProposal(Schema):
    """What a file seems to be and how it could be imported; nothing was kept of it."""

    dataset: ImportDataset
    format: ImportFormat
    encoding: ImportEncoding | None
    delimiter: str | None
    quote: str | None
    rows: int = Field(description="Rows looked at")
    columns: list[FileColumnView]
    mapping: ImportMapping | None = Field(
        description="The proposals as one mapping; null when there are none"
    )
    proposals: list[ColumnProposal]
    missing: list[MissingColumn]
    ignored: list[str] = Field(description="Columns of the file nothing is made of")
