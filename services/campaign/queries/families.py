"""A person's files: the survivor and all that are merged into it. Ledger lines, suppressions and tasks stay
with the file they were made for; whoever asks of a person asks of the family.
"""

from typing import LiteralString
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Subquery, func, or_, select
from sqlalchemy.orm import aliased

from services.campaign.models import Customer

FAMILY: LiteralString = """
family AS (SELECT id FROM known_customer WHERE %(customer)s IN (id, merged_into))
"""
"""For statements of text: the files of a survivor."""


def person() -> ColumnElement[UUID]:
    """Of a file: the survivor, or itself."""
    return func.coalesce(Customer.merged_into, Customer.id)


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
