"""Outcomes of a campaign's exposures by day, reduced inside DuckDB, and what every question to it asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb

IN_SCOPE = "($scope = '*' OR branch = $scope OR starts_with(branch, $scope || '.'))"
"""Exposures of a branch within an organisation scope; `*` is everywhere."""

KNOWN = "counted AND customer_id IS NOT NULL"
"""Exposures whose outcome can be known: one of a person, and not an erased one's. Where people are only
counted, `counted` alone is asked, so that totals stay what they were.
"""


@dataclass(frozen=True)
class Question:
    """Which campaign's exposures, of which organisation scope, with outcomes known until when (UTC)."""

    campaign_id: UUID
    until: datetime
    scope: str = "*"

    def parameters(self) -> dict[str, object]:
        return {"campaign": self.campaign_id, "until": naive_utc(self.until), "scope": self.scope}


def naive_utc(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None)


def named(sql: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Those the statement names: DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if re.search(rf"\${name}\b", sql)}


def select(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]
) -> list[tuple[Any, ...]]:
    """All rows; parameters the statement does not name are left out."""
    return cursor.execute(sql, named(sql, parameters)).fetchall()
