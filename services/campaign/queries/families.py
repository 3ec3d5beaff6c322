"""A person's files: the survivor and all that are merged into it. Ledger lines, suppressions and tasks stay
with the file they were made for; whoever asks of a person asks of the family.
"""

from typing import LiteralString
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Subquery, case, or_, select
from sqlalchemy.orm import aliased

from services.campaign.models import Customer

FAMILY: LiteralString = """
family AS (SELECT id FROM known_customer WHERE %(customer)s IN (id, merged_into))
"""
"""For statements of text: the files of a survivor."""


PERSON: LiteralString = "CASE WHEN {0}.merged_into IS NULL THEN {0}.id ELSE {0}.merged_into END"
"""For statements of text: `person` of a row of customers."""


def person() -> ColumnElement[UUID]:
    """Of a file: the survivor, or itself.

    Not by coalesce: PostgreSQL takes that for a function that could leak what row-level security hides, and
    reads all customers of the bank instead of an index to find one.
    """
    return case((Customer.merged_into.is_(None), Customer.id), else_=Customer.merged_into)


def merged_customers() -> Subquery:
    """Rows of id and survivor. Few among all customers, and read by index."""
    member = aliased(Customer)
    return (
        select(member.id, member.merged_into.label("survivor"))
        .where(member.merged_into.is_not(None))
        .subquery("member")
    )


def head_of_family(customer: ColumnElement[UUID]) -> FromClause:
    """One row of customer_id for a customer who has others merged into them, by one look at an index; none
    for all others.
    """
    member = aliased(Customer)
    return (
        select(member.merged_into.label("customer_id"))
        .where(member.merged_into == customer)
        .limit(1)
        .lateral("head")
    )


def of_family(column: ColumnElement[UUID], customer_id: UUID) -> ColumnElement[bool]:
    """`column` is this customer, or one merged into it."""
    return or_(
        column == customer_id, column.in_(select(Customer.id).where(Customer.merged_into == customer_id))
    )


def of_person(column: ColumnElement[UUID], customer_id: UUID) -> ColumnElement[bool]:
    """`column` is any file of the person: also the survivor, when this customer is merged."""
    root = select(person()).where(Customer.id == customer_id).scalar_subquery()
    files = select(Customer.id).where(or_(Customer.id == root, Customer.merged_into == root))
    return or_(column == customer_id, column.in_(files))
