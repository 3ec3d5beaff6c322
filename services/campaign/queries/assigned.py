"""What a release tells of its contacts, written by the database: a Python object for each is slower."""

from typing import Any

import orjson
from sqlalchemy import CTE, ColumnElement, Integer, Select, Text, case, func, select

from services.campaign.domain.plan import Plan
from services.campaign.models import Customer
from shared.contracts.events import BATCH_ITEMS


def assigned_contacts(decided: CTE, plan: Plan, step: str) -> Select[Any]:
    """Rows of lines, how many of the ledger, and contacts: the `AssignedContact`s of as many of them as one
    event may carry, as JSON with commas between; null for those who are suppressed.
    """
    suppressed = decided.c.state == "suppressed"
    theirs = select(Customer.primary_manager).where(Customer.id == decided.c.customer_id).scalar_subquery()
    number = func.row_number().over(partition_by=suppressed, order_by=decided.c.customer_id)
    listed = select(
        case((~suppressed, (number - 1) // BATCH_ITEMS)).label("part"),
        case((~suppressed, _contact(decided, plan, step, theirs))).label("contact"),
    ).subquery("listed")
    return (
        select(
            func.count().cast(Integer).label("lines"),
            func.string_agg(listed.c.contact, ",").label("contacts"),
        )
        .group_by(listed.c.part)
        .order_by(listed.c.part)
    )


def _contact(
    of: CTE, plan: Plan, step: str, primary_manager: ColumnElement[str | None]
) -> ColumnElement[str]:
    """The JSON of one. What all contacts of an arm have in common is written once."""
    arms = {
        arm.key: _members({"arm": arm.key} | arm.model_dump(include={"offer", "channel", "script"}))
        for arm in plan.scheme.arms
    }
    return func.concat(
        '{"contact_id":"',
        of.c.id,
        '","customer_id":"',
        of.c.customer_id,
        f'","step":"{step}","propensity":',
        of.c.propensity,
        ",",
        case(arms, value=of.c.arm, else_=_members({"arm": None})),
        ',"manager":',
        func.coalesce(_quoted(of.c.manager), "null"),
        ',"primary_manager":',
        func.coalesce(_quoted(primary_manager), "null"),
        ',"branch":',
        _quoted(of.c.org_path),
        ',"segment":',
        _quoted(of.c.segment),
        "}",
        type_=Text,
    )


def _members(of: dict[str, Any]) -> str:
    """An object's members, without its braces."""
    return orjson.dumps(of)[1:-1].decode()


def _quoted(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.to_json(column).cast(Text)
