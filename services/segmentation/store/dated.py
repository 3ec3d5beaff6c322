"""Whom a new business date may change: their dates turn into something else on it."""

from collections.abc import Iterable
from datetime import date

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.rules.windows import DateWindow

_ORDINAL = {"relation": "unnest([ordinal_from, ordinal_to])"}
_OF_ZONE = "(time AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE"
_DAYS = 366 * 9_999
"""Further away than dates go."""


def turned(
    cursor: duckdb.DuckDBPyConnection, windows: Iterable[DateWindow], zone: str, before: date, today: date
) -> BitMap:
    """Customers one of whose dates turns on a day in (`before`, `today`]."""
    found = BitMap()
    for window in windows:
        column = _OF_ZONE if window.table == "event" else window.column
        conditions = [f"{column} IS NOT NULL", _on_days(window, column)]
        parameters: dict[str, date | str] = {"before": before, "today": today}
        if window.table == "event":
            conditions.append("type = $event")
            parameters |= {"event": window.event or "", "zone": zone}
        sql = (
            f"SELECT DISTINCT {_ORDINAL.get(window.table, 'ordinal')} AS ordinal FROM {window.table} "  # noqa: S608
            f"WHERE {' AND '.join(conditions)}"
        )
        used = {name: value for name, value in parameters.items() if f"${name}" in sql}
        column_of_ordinals = cursor.execute(sql, used).fetchnumpy()["ordinal"]
        found |= BitMap(np.asarray(column_of_ordinals).astype(np.uint32))
    return found


def _on_days(window: DateWindow, column: str) -> str:
    if window.days is None:
        return "true"
    turns = [
        f"(({column} + to_months({int(months)}))::DATE > $before - {int(days)} "
        f"AND ({column} + to_months({int(months)}))::DATE <= $today - {int(days)})"
        for months in window.months
        for days in window.days
        if abs(months) * 31 < _DAYS and abs(days) < _DAYS
    ]
    return f"({' OR '.join(turns)})" if turns else "false"
