"""Organisations by their paths: one and what is below it, and also what it is part of."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, literal, or_

from shared.contracts.base import OrgPath


def within(column: ColumnElement[str], org: OrgPath) -> ColumnElement[bool]:
    """The organisation itself or below it."""
    return or_(column == org, column.startswith(f"{org}.", autoescape=True))


def in_orgs(column: ColumnElement[str], orgs: Sequence[OrgPath]) -> ColumnElement[bool]:
    return or_(*(within(column, org) for org in orgs))


def around(column: ColumnElement[str], org: OrgPath) -> ColumnElement[bool]:
    """The organisation, below it or above it: what is of the one concerns the other."""
    return or_(within(column, org), func.starts_with(literal(org), func.concat(column, ".")))
