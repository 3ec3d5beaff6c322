"""Why a customer is in a segment, or is not."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import (
    EventValue,
    FeatureValue,
    Leaf,
    Measure,
    Never,
    Op,
    Rule,
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
) -> tuple[bool | None, list[LeafExplained]]:
    """Whether the rule holds for this customer at `moment`, and each of its conditions."""
    compiler = Compiler(BUILT_IN, moment)
    compiler.add_rule("rule", rule)
    parts = list(leaves(rule))
    for number, leaf in enumerate(parts):
        compiler.add_value(f"value{number}", leaf)
        compiler.add_rule(f"holds{number}", leaf)
    columns = reading.columns(cursor, compiler.query(only=[ordinal]), members.__getitem__)
    if not len(columns["ordinal"]):
        return None, []
    return _truth(columns["rule"]), [
        _explained(
            cursor, leaf, columns[f"value{number}"], _truth(columns[f"holds{number}"]), ordinal, moment
        )
        for number, leaf in enumerate(parts)
    ]


def _explained(
    cursor: duckdb.DuckDBPyConnection,
    leaf: Leaf,
    value: np.ndarray[tuple[int], np.dtype[np.generic]],
    holds: bool | None,  # noqa: FBT001 - three-valued
    ordinal: int,
    moment: Moment,
) -> LeafExplained:
    measured = _events_of(leaf)
    found = []
    if measured is not None:
        query = Compiler(BUILT_IN, moment).events_behind(measured, ordinal)
        found = reading.evidence(cursor, query, _EVIDENCE)
    return LeafExplained(
        text=to_sql(leaf),
        value=_plain(value),
        holds=holds,
        evidence=[name for name, _ in found],
        until=_until(leaf, [at for _, at in found]) if holds else None,
    )


def _events_of(leaf: Leaf) -> EventValue | None:
    """The events a condition looks at; of a feature those of its first event type and window."""
    match leaf:
        case Test(EventValue() as value):
            return value
        case Test(FeatureValue(key)) if BUILT_IN[key].types:
            feature = BUILT_IN[key]
            return EventValue(Measure.count, feature.types[0], days=feature.days)
        case Never(type_) | Stopped(type_):
            return EventValue(Measure.last, type_)
        case _:
            return None


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
