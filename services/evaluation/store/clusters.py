"""Managers or branches of a campaign, where those were drawn by lot instead of customers."""

import duckdb

from services.evaluation.store.outcomes import IN_SCOPE, Question, select
from shared.contracts.drawing import DrawnUnit

_COLUMN: dict[DrawnUnit, str] = {"manager": "primary_manager", "branch": "branch"}


def drawn(cursor: duckdb.DuckDBPyConnection, question: Question, unit: DrawnUnit) -> dict[str, int] | None:
    """How many of them are in each arm (hold-out: ''), whose customers were assigned; None of customers.

    The manager is who was responsible for the customer when the lot was drawn, whoever made the contact.
    """
    if unit == "customer":
        return None
    rows = select(
        cursor,
        f"""
        SELECT arm, count(DISTINCT {_COLUMN[unit]}) FROM exposure
        WHERE campaign_id = $campaign AND counted AND {IN_SCOPE} GROUP BY arm
        """,  # noqa: S608 - constants
        question.parameters(),
    )
    return dict(rows)
