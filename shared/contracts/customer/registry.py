"""Organisation, staff and the product catalogue."""

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Code, Currency, LocalText, Number, OrgPath, Schema
from shared.contracts.customer.vocabulary import OrgLevel, ProductCategory, ProductRisk, StaffRole, Text


class OrgWrite(Schema):
    """``PUT /v1/orgs/{code}``: the code is the dotted path (``hq.sh.pudong``); its parent must exist."""

    level: OrgLevel
    name: LocalText
    active: bool = True


class OrgView(OrgWrite):
    code: OrgPath
    parent: OrgPath | None
    version: int


class StaffWrite(Schema):
    """``PUT /v1/staff/{code}``: the unit must exist."""

    name: Text
    role: StaffRole
    org: OrgPath
    active: bool = True


class StaffView(StaffWrite):
    code: Code
    version: int


class ProductWrite(Schema):
    """``PUT /v1/products/{code}``; ``margin`` : annual spread as a fraction, may be negative."""

    name: LocalText
    category: ProductCategory
    risk: ProductRisk
    currency: Currency = "CNY"
    margin: Annotated[Number, Field(ge=-1, le=1, decimal_places=6)]
    active: bool = True


class ProductView(ProductWrite):
    code: Code
    version: int
