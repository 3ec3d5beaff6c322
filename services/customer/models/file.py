"""Import files and the rows of them that were not taken."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
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
