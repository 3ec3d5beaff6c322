"""The customer, its key and its identities in source systems."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class Customer(Base):
    """Attributes in the clear are those every service may hold; the personal ones are in `pii`."""

    __tablename__ = "customer"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    version: Mapped[int] = mapped_column(server_default="1")
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("customer.id"))
    """The survivor, never itself merged: pointers are kept flat. Facts stay with the file they came for."""
    org_path: Mapped[str] = mapped_column(ForeignKey("org_unit.code"))
    primary_manager: Mapped[str | None] = mapped_column(ForeignKey("staff.code"))
    backup_manager: Mapped[str | None] = mapped_column(ForeignKey("staff.code"))
    gender: Mapped[str | None]
    birth_date: Mapped[date | None]
    occupation: Mapped[str | None]
    industry: Mapped[str | None]
    risk_level: Mapped[str | None]
    risk_valid_until: Mapped[date | None]
    risk_assessed_at: Mapped[datetime | None]
    customer_since: Mapped[date | None]
    consents: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Summary of the `consent` rows, as it crosses to other services."""
    pii: Mapped[bytes] = mapped_column(LargeBinary)
    pii_digest: Mapped[bytes] = mapped_column(LargeBinary)
    id_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    phone_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    name_key: Mapped[int | None] = mapped_column(BigInteger)
    name_grams: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    """Keyed hashes of the name and of its pieces: equal names and parts of names are found, not read."""
    match_version: Mapped[int | None] = mapped_column(SmallInteger)
    """Of the normal form the four keys were made of; null until the background work has made them."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    changed_by: Mapped[str | None] = mapped_column(
        server_default=text("nullif(current_setting('huanying.actor', true), '')")
    )
    change_reason: Mapped[str | None] = mapped_column(
        server_default=text("nullif(current_setting('huanying.reason', true), '')")
    )
    """Who made this version, and why; superseded versions are in `customer_history`."""
    __table_args__ = (
        Index("ix_customer_org_path_id", text("org_path text_pattern_ops"), "id"),
        Index("ix_customer_primary_manager_id", "primary_manager", "id"),
        Index("ix_customer_backup_manager", "backup_manager"),
        Index("ix_customer_merged_into", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
        Index("ix_customer_merged", "id", postgresql_where=text("merged_into IS NOT NULL")),
        Index("ix_customer_name_key", "name_key", "birth_date"),
        Index("ix_customer_name_grams", "name_grams", postgresql_using="gin"),
        Index("ix_customer_unmatched", "id", postgresql_where=text("match_version IS NULL")),
        Index("ix_customer_id_hash", "id_hash", postgresql_using="hash"),
        Index("ix_customer_phone_hash", "phone_hash", postgresql_using="hash"),
    )


class CustomerKey(Base):
    """The customer's data key, wrapped by the master key. Deleting the row erases the personal data."""

    __tablename__ = "customer_key"
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    wrapped_key: Mapped[bytes] = mapped_column(LargeBinary)


class SourceIdentity(Base):
    """The customer's id in one source system."""

    __tablename__ = "source_identity"
    source: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[UUID] = mapped_column(ForeignKey("customer.id"), index=True)
    ordinal: Mapped[int] = mapped_column(BigInteger)
    """The customer's, repeated here: event intake finds both in one place."""
