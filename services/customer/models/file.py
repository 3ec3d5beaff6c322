"""Import files and the rows of them that were not taken."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class ImportFile(Base):
    """One uploaded file, its job and what became of its rows."""

    __tablename__ = "import_file"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    job_id: Mapped[UUID | None]
    dataset: Mapped[str]
    format: Mapped[str]
    filename: Mapped[str]
    path: Mapped[str]
    encoding: Mapped[str | None]
    delimiter: Mapped[str | None]
    quote: Mapped[str | None]
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    dry_run: Mapped[bool] = mapped_column(server_default=text("false"))
    taken: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Rows of the file that are done with, written in the transaction of their chunk."""
    kept_until: Mapped[datetime | None]
    """While it waits to be resumed; the sealed file is deleted then."""
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str]
    counts: Mapped[dict[str, Any]]
    org_path: Mapped[str]
    source: Mapped[str | None]
    """The only source its rows may speak for, when an API key uploaded it."""
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ImportRejection(Base):
    """Why one row was not taken; never its values."""

    __tablename__ = "import_rejection"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    import_id: Mapped[UUID] = mapped_column(ForeignKey("import_file.id"), index=True)
    row: Mapped[int] = mapped_column(BigInteger)
    column: Mapped[str | None]
    detail: Mapped[str]
