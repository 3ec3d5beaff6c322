"""Import files and what became of their rows."""

from typing import Literal
from uuid import UUID

from shared.contracts.base import Schema, Timestamp
from shared.contracts.customer.vocabulary import ImportDataset


class ImportCounts(Schema):
    """Rows read so far and what became of them."""

    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int


class ImportView(Schema):
    """One import file and its job (``GET /v1/jobs/{job_id}`` has the progress)."""

    id: UUID
    job_id: UUID | None
    dataset: ImportDataset
    format: Literal["csv", "parquet"]
    filename: str
    size_bytes: int
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    counts: ImportCounts
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None


class ImportRowError(Schema):
    """Why one row was not taken; the values themselves are not repeated (they may be personal)."""

    row: int
    column: str | None
    detail: str
