"""Whom facts were about, with the stream position they came with: an evaluation after another looks at these.

Noted in the transaction of the facts, before it changes who is related to whom. Who took part in a merge
or its undo stands in `regrouped`, by the same position.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.store import families
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.staging import register_ordinals
from shared.contracts.events import (
    CustomerRef,
    CustomerState,
    HoldingState,
    MonthOfCustomer,
    RecordedEvent,
    RelationEnd,
    RelationState,
    ValuesCalculated,
)

_KEPT_BATCHES = 10_000

_OWNERS = """
SELECT DISTINCT coalesce(alias.survivor, told.home) FROM (SELECT unnest($homes::INTEGER[]) AS home) AS told
LEFT JOIN alias ON alias.home = told.home
"""
_ENDS = """
SELECT DISTINCT unnest([ordinal_from, ordinal_to]) FROM relation WHERE id IN (SELECT unnest($ids::UUID[]))
"""
_NEIGHBOURS = """
SELECT ordinal_to FROM relation SEMI JOIN wanted ON wanted.ordinal = ordinal_from
UNION SELECT ordinal_from FROM relation SEMI JOIN wanted ON wanted.ordinal = ordinal_to
"""
_FLOOR = "SELECT max(applied) FROM touch_from"
_FLOOR_UNSAID = "SELECT coalesce(max(applied), 0) FROM watermark"


@dataclass
class Named:
    """Whom one batch of messages names, by what it says of them."""

    own: set[int] = field(default_factory=set)
    """Their own row."""
    homes: set[int] = field(default_factory=set)
    """Homes of facts."""
    relations: set[UUID] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)
    times: list[datetime] = field(default_factory=list)
    """Of business events."""


@dataclass(frozen=True)
class Touched:
    """Customers by what was told of them: their own row, other facts, a merge or its undo."""

    own: BitMap
    facts: BitMap
    regrouped: BitMap


@dataclass(frozen=True)
class Span:
    """Times (UTC) of the earliest and the latest event of one batch."""

    earliest: datetime
    latest: datetime


def named(
    customers: Iterable[CustomerState] = (),
    holdings: Iterable[HoldingState] = (),
    events: Sequence[RecordedEvent] = (),
    relations: Iterable[RelationState] = (),
    values: Iterable[ValuesCalculated] = (),
    erased: Iterable[CustomerRef] = (),
) -> Named:
    facts: list[HoldingState | RecordedEvent | MonthOfCustomer | RelationEnd] = [
        *holdings,
        *events,
        *(each for told in values for each in told.values),
        *(end for each in relations for end in (each.from_customer, each.to_customer)),
    ]
    return Named(
        own={each.ordinal for each in customers},
        homes={each.ordinal if each.home_ordinal is None else each.home_ordinal for each in facts},
        relations={each.relation_id for each in relations},
        erased={each.ordinal for each in erased},
        times=[each.time for each in events],
    )


def note(cursor: duckdb.DuckDBPyConnection, told: Named, applied: int) -> None:
    """Before the facts are written and anybody is erased, but after merges: whose a fact is then is known."""
    if cursor.execute(_FLOOR).fetchall() == [(None,)]:
        cursor.execute(f"INSERT INTO touch_from {_FLOOR_UNSAID}")
    owners = _found(cursor, _OWNERS, {"homes": list(told.homes | told.erased)})
    if told.relations:
        owners |= _found(cursor, _ENDS, {"ids": [str(each) for each in told.relations]})
    if told.erased:
        owners |= neighbours(cursor, BitMap(told.erased) | owners)
    if not (owners or told.own):
        return
    span = [min(told.times), max(told.times)] if told.times else [None, None]
    cursor.execute(
        "INSERT INTO touch VALUES (?, ?, ?, ?, ?)",
        [applied, BitMap(told.own).serialize(), owners.serialize(), *map(_utc, span)],
    )
    _forget_oldest(cursor)


def start_from(cursor: duckdb.DuckDBPyConnection, applied: int) -> None:
    """The store was filled otherwise: nobody knows whom facts up to this position were about."""
    for table in ("touch", "touch_from"):
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    cursor.execute("INSERT INTO touch_from VALUES (?)", [applied])


def since(cursor: duckdb.DuckDBPyConnection, applied: int) -> Touched | None:
    """Whom facts behind this position were about; `None` when it may be anybody."""
    if _floor(cursor) > applied:
        return None
    rows = cursor.execute("SELECT own, facts FROM touch WHERE applied > ?", [applied]).fetchall()
    regrouped = families.regrouped_since(cursor, applied)
    facts = BitMap.union(BitMap(), *(BitMap.deserialize(facts) for _, facts in rows))
    return Touched(
        BitMap.union(BitMap(), *(BitMap.deserialize(own) for own, _ in rows)),
        facts | regrouped | neighbours(cursor, regrouped) | families.erased_since(cursor, applied),
        regrouped,
    )


def spans_since(cursor: duckdb.DuckDBPyConnection, applied: int) -> list[Span] | None:
    """When the events behind this position happened; `None` when nobody knows."""
    if _floor(cursor) > applied:
        return None
    rows = cursor.execute(
        "SELECT earliest, latest FROM touch WHERE applied > ? AND earliest IS NOT NULL", [applied]
    )
    return [Span(*row) for row in rows.fetchall()]


def neighbours(cursor: duckdb.DuckDBPyConnection, ordinals: BitMap) -> BitMap:
    """Who stands in any relation to one of these, in either direction."""
    if not ordinals:
        return BitMap()
    register_ordinals(cursor, "wanted", to_array(ordinals))
    try:
        return _found(cursor, _NEIGHBOURS)
    finally:
        cursor.unregister("wanted")


def _floor(cursor: duckdb.DuckDBPyConnection) -> int:
    said = cursor.execute(_FLOOR).fetchall()[0][0]
    return int(cursor.execute(_FLOOR_UNSAID).fetchall()[0][0] if said is None else said)


def _forget_oldest(cursor: duckdb.DuckDBPyConnection) -> None:
    """An evaluation that far behind looks at everybody."""
    if cursor.execute("SELECT count(*) FROM touch").fetchall()[0][0] <= 2 * _KEPT_BATCHES:
        return
    newest = "SELECT applied FROM touch ORDER BY applied DESC LIMIT 1 OFFSET ?"
    floor = cursor.execute(newest, [_KEPT_BATCHES]).fetchall()[0]
    cursor.execute("DELETE FROM touch WHERE applied <= ?", floor)
    cursor.execute("UPDATE touch_from SET applied = ?", floor)


def _found(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, list[int] | list[str]] | None = None
) -> BitMap:
    column: NDArray[np.generic] = next(iter(cursor.execute(sql, parameters).fetchnumpy().values()))
    return BitMap(np.asarray(column).astype(np.uint32))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None
