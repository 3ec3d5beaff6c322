"""Why a customer is in a segment, or is not."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import (
    Again,
    EventValue,
    FeatureValue,
    Leaf,
    Measure,
    Never,
    Op,
    Rule,
    Sequence,
    Stopped,
    Test,
    leaves,
)
from services.segmentation.store import reading
from shared.contracts.segmentation import LeafExplained

_EVIDENCE = 50


def explain_rule(
    cursor: duckdb.DuckDBPyConnection,
    rule: Rule,
    ordinal: int,
    members: Mapping[str, BitMap],
    moment: Moment,
    catalogue: Catalogue,
) -> tuple[bool | None, list[LeafExplained]]:
    """Whether the rule holds for this customer at `moment`, and each of its conditions."""
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("rule", rule)
    parts = list(leaves(rule))
    for number, leaf in enumerate(parts):
        compiler.add_value(f"value{number}", leaf)
        compiler.add_rule(f"holds{number}", leaf)
    columns = reading.columns(cursor, compiler.query(only=[ordinal]), members.__getitem__)
    if not len(columns["ordinal"]):
        return None, []
    return _truth(columns["rule"]), [
        LeafExplained(
            text=to_sql(leaf),
            value=_plain(columns[f"value{number}"]),
            holds=(holds := _truth(columns[f"holds{number}"])),
            evidence=[name for name, _ in found],
            until=_until(leaf, [at for _, at in found]) if holds else None,
        )
        for number, leaf in enumerate(parts)
        for found in [_evidence(cursor, leaf, ordinal, moment, catalogue)]
    ]


def _evidence(
    cursor: duckdb.DuckDBPyConnection, leaf: Leaf, ordinal: int, moment: Moment, catalogue: Catalogue
) -> list[tuple[str, datetime]]:
    """The events behind a condition, newest first."""
    found: list[tuple[str, datetime]] = []
    for measured in _events_of(leaf, catalogue):
        query = Compiler(catalogue, moment).events_behind(measured, ordinal)
        found += reading.evidence(cursor, query, _EVIDENCE)
    return sorted(found, key=lambda event: event[1], reverse=True)[:_EVIDENCE]


def _events_of(leaf: Leaf, catalogue: Catalogue) -> list[EventValue]:
    """The events a condition looks at; of a feature those of its event types and longest window."""
    match leaf:
        case Test(EventValue() as value):
            return [value]
        case Test(FeatureValue(key)):
            feature = catalogue[key]
            return [EventValue(Measure.count, type_, days=feature.days) for type_ in feature.types]
        case Sequence(first, then):
            return [EventValue(Measure.last, type_) for type_ in dict.fromkeys((first, then))]
        case Never(type_) | Stopped(type_) | Again(type_):
            return [EventValue(Measure.last, type_)]
        case _:
            return []


def _until(leaf: Leaf, times: list[datetime]) -> datetime | None:
    """When a count stops being enough because its oldest events leave the window."""
    match leaf:
        case Test(EventValue(Measure.count, days=int(days)), Op.gt | Op.gte as op, (int(least), *_)):
            needed = least + (op is Op.gt)
            if 0 < needed <= len(times):
                return times[needed - 1].replace(tzinfo=UTC) + timedelta(days=days)
    return None


def _truth(column: np.ndarray[tuple[int], np.dtype[np.generic]]) -> bool | None:
    value = column[0]
    return None if value is np.ma.masked else bool(value)


def _plain(column: np.ndarray[tuple[int], np.dtype[np.generic]]) -> float | bool | str | None:
    value = column.tolist()[0]
    match value:
        case None:
            return None
        case bool() | str():
            return value
        case int() | float() | Decimal():
            return None if value != value else float(value)  # noqa: PLR0124 - NaN
        case date():
            return value.isoformat()
        case _:
            return str(value)
