"""Organisation tree, staff and the product catalogue."""

from decimal import Decimal

from sqlalchemy import ForeignKey, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from shared.db import Base


class OrgUnit(Base):
    """A unit of the bank; its code is the dotted path from head office."""

    __tablename__ = "org_unit"
    code: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str]
    name_zh: Mapped[str]
    name_en: Mapped[str]
    active: Mapped[bool]
    version: Mapped[int]


class Staff(Base):
    """A member of staff; `role` is what the identity provider should grant."""

    __tablename__ = "staff"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    org_path: Mapped[str] = mapped_column(ForeignKey("org_unit.code"), index=True)
    active: Mapped[bool]
    version: Mapped[int]


class Product(Base):
    """What the bank sells; the same for every branch."""

    __tablename__ = "product"
    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    category: Mapped[str]
    risk: Mapped[str]
    currency: Mapped[str]
    margin: Mapped[Decimal] = mapped_column(Numeric(9, 6))
    active: Mapped[bool]
    version: Mapped[int]
