"""Moments of a campaign's finest cells, reduced inside DuckDB: no customer ever reaches Python.

To get moments by any dimensions: `cell_tables(...)` once, then `table.of_arms(traits).by("arm", "tier", …)`.
The finest cell is arm × segment × branch × tier × manager; tier and manager are those of the customer when
they were assigned, '' where nobody told.

Sums are of whole hundredths in 128 bits, products too, and centred before they become floating: exact, the
same in whatever order rows come, and right on balances of 1e8 that differ by cents.

Exposures are taken a part at a time: memory is bounded by the size of a part and the number of cells, and not
by how many there are. Only where extreme outcomes are moved all are gathered at once.
"""

from collections.abc import Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.evaluation.domain.breakdown import Cell, cells_of
from services.evaluation.domain.cells import MOMENTS, STORED, CellTable, Column
from services.evaluation.store.cell_sums import added, sums_sql
from services.evaluation.store.outcomes import IN_SCOPE, KNOWN, Question, named
from services.evaluation.store.parts import WHOLE, Part, parts_of
from services.evaluation.store.quantities import HUNDREDTHS, Measure, Quantity
from shared import clock
from shared.contracts.metrics import MetricCreate

# The scheme of values that took effect first: a later one cannot change an earlier result.
_SCHEME = """
    SELECT scheme FROM tier WHERE kind = 'value' GROUP BY scheme ORDER BY min(effective_at), scheme LIMIT 1
"""
# The tier that the customer's own file had by it when assigned. Asks `known` with `own`, the file itself, and
# `assigned_at`; makes `exposed` with `tier`.
TIERED = f"""
    scheme AS ({_SCHEME}),
    standing AS (
        SELECT tier.home, tier.effective_at, tier.tier FROM tier JOIN scheme USING (scheme)
        WHERE tier.home IN (SELECT own FROM known)
    ),
    exposed AS (
        SELECT u.*, coalesce(t.tier, '') AS tier
        FROM known AS u ASOF LEFT JOIN standing AS t
          ON t.home = u.own AND u.assigned_at >= t.effective_at
    )
"""  # noqa: S608 - constants


def tier_scheme(cursor: duckdb.DuckDBPyConnection) -> str | None:
    """Key of the scheme whose tiers cells tell apart; None where no tier has taken effect."""
    found = cursor.execute(_SCHEME).fetchall()
    return str(found[0][0]) if found else None


def cell_tables(
    cursor: duckdb.DuckDBPyConnection, question: Question, measures: Sequence[Measure]
) -> list[CellTable]:
    """The finest cells of each measure, over exposures whose window has passed, all gathered together."""
    # Whose outcomes are extreme is known only of all together.
    whole = any(measure.metric.winsorise for measure in measures)
    found = _gathered(
        cursor,
        question,
        [Quantity(measure, i) for i, measure in enumerate(measures)],
        [WHOLE] if whole else parts_of(cursor, question),
    )
    keys = {name: _column(found[name]) for name in STORED}
    order = np.lexsort([keys[name].codes for name in reversed(STORED)])
    tables = (
        CellTable(keys, np.stack([_floats(found[f"{name}{i}"]) for name in MOMENTS])).taken(order)
        for i in range(len(measures))
    )
    return [table.taken(table.moments[0] > 0) for table in tables]


def _gathered(
    cursor: duckdb.DuckDBPyConnection,
    question: Question,
    quantities: Sequence[Quantity],
    parts: Sequence[Part],
) -> pa.Table:
    """A row a cell, in no order. Parts that do not split cells have each its own."""
    parameters = unit_parameters(question, quantities)
    sums = [sums_sql(units_sql(quantities, part), len(quantities)) for part in parts]
    if parts[0].splits:
        return added(cursor, sums, parameters, len(quantities), _cells_sql("cell", len(quantities)))
    return pa.concat_tables(
        _table(cursor, _cells_sql(f"({each})", len(quantities)), parameters) for each in sums
    )


def cell_moments(
    cursor: duckdb.DuckDBPyConnection, question: Question, metrics: Sequence[MetricCreate]
) -> dict[str, list[Cell]]:
    """Moments of each metric in every cell arm × segment × branch. A quantile has none: `unit_values`."""
    tables = cell_tables(cursor, question, [Measure(metric, metric.window_days) for metric in metrics])
    return {
        metric.key: cells_of(table.by("arm", "segment", "branch"))
        for metric, table in zip(metrics, tables, strict=True)
    }


def unit_values(
    cursor: duckdb.DuckDBPyConnection, question: Question, measure: Measure
) -> dict[str, NDArray[np.float64]]:
    """The outcomes of everybody in each arm (hold-out: ''), ascending, in the metric's unit: for what does
    not add up from moments.
    """
    quantities = [Quantity(measure, 0)]
    values = f"SELECT arm, y0::DOUBLE / {HUNDREDTHS} AS y FROM unit WHERE known0 ORDER BY arm, y"  # noqa: S608
    sql = f"{units_sql(quantities)} {values}"
    found = _table(cursor, sql, unit_parameters(question, quantities))
    column, outcomes = _column(found["arm"]), _floats(found["y"])
    return {arm: outcomes[column.codes == code] for code, arm in enumerate(column.names)}


def unit_parameters(question: Question, quantities: Sequence[Quantity]) -> dict[str, object]:
    parameters = question.parameters() | {
        "zone": str(clock.ZONE),
        "types": sorted({type_ for quantity in quantities for type_ in quantity.types}),
    }
    for quantity in quantities:
        parameters |= quantity.parameters
    return parameters


def units_sql(quantities: Sequence[Quantity], part: Part = WHOLE) -> str:
    """`unit`: one row per exposure of the part with its cell, whom it is of, its propensity, and of each
    measure whether it is known, y and x.
    """
    known = ", ".join(
        f"u.assigned_at + {q.measure.window} <= $until AS known{q.i}, {q.y} AS y{q.i}, {q.x} AS x{q.i}"
        for q in quantities
    )
    events = [column for q in quantities for column in q.events]
    accounts = [column for q in quantities for column in q.accounts]
    widest = max(q.measure.days for q in quantities)
    parts = [
        f"""known AS (
            SELECT customer_id, coalesce(home, customer_id) AS own, arm, segment, branch,
                   coalesce(primary_manager, '') AS manager, propensity, assigned_at,
                   (assigned_at AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE AS day
            FROM exposure
            WHERE campaign_id = $campaign AND {KNOWN} AND {IN_SCOPE}{part.exposures}
        )""",  # noqa: S608 - names come from contracts' literals, values are bound
        TIERED,
    ]
    joins = ""
    if events:
        parts.append(_outcome(events, widest, part))
        joins += " LEFT JOIN outcome AS o USING (customer_id)"
    if accounts:
        parts.append(_held(accounts, widest, part))
        joins += " LEFT JOIN held AS b USING (customer_id)"
    keys = ", ".join((*STORED, "customer_id", "propensity"))
    parts.append(f"raw AS (SELECT {keys}, {known} FROM exposed AS u{joins})")  # noqa: S608
    parts.append(_capped(quantities))
    return "WITH " + ", ".join(parts)


def _outcome(columns: Sequence[str], widest: int, part: Part) -> str:
    return f"""outcome AS (
        SELECT u.customer_id, {", ".join(columns)}
        FROM event AS e JOIN known AS u USING (customer_id)
        WHERE list_contains($types, e.type){part.facts("e.customer_id")}
          AND e.time >= u.assigned_at - INTERVAL {widest} DAY
          AND e.time < u.assigned_at + INTERVAL {widest} DAY
        GROUP BY u.customer_id
    )"""  # noqa: S608 - names come from contracts' literals, values are bound


def _held(columns: Sequence[str], widest: int, part: Part) -> str:
    names = [column.rsplit(" AS ", 1)[1] for column in columns]
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    return f"""account AS (
        SELECT u.customer_id, {", ".join(columns)}
        FROM (
            SELECT *, CASE WHEN closed THEN 0 ELSE (balance * {HUNDREDTHS})::HUGEINT END AS minor FROM holding
        ) AS h JOIN known AS u USING (customer_id)
        WHERE h.as_of < u.day + {widest}{part.facts("h.customer_id")}
        GROUP BY u.customer_id, h.home, h.account
    ),
    held AS (SELECT customer_id, {sums} FROM account GROUP BY customer_id)"""  # noqa: S608 - as above


def _capped(quantities: Sequence[Quantity]) -> str:
    """Outcomes and covariates beyond the declared quantiles of everybody's moved to them."""
    capped = [q for q in quantities if q.measure.metric.winsorise]
    if not capped:
        return "unit AS (FROM raw)"
    ends, moved = [], []
    for q in capped:
        limits = q.measure.metric.winsorise
        shares = f"[{limits.lower!r}, {limits.upper!r}]" if limits else ""
        for name in (f"y{q.i}", f"x{q.i}"):
            ends.append(f"quantile_cont({name}::DOUBLE, {shares}) FILTER (known{q.i}) AS c{name}")
            within = f"least(greatest({name}, c{name}[1]::HUGEINT), c{name}[2]::HUGEINT)"
            moved.append(f"CASE WHEN known{q.i} THEN {within} END AS {name}")
    return (
        f"cap AS (SELECT {', '.join(ends)} FROM raw), "  # noqa: S608 - as above
        f"unit AS (SELECT raw.* REPLACE ({', '.join(moved)}) FROM raw, cap)"
    )


def _cells_sql(sums: str, measures: int) -> str:
    moments = ", ".join(_moments(i) for i in range(measures))
    keys = ", ".join(STORED)
    return f"SELECT {keys}, {moments} FROM {sums}"  # noqa: S608 - names of ours


def _moments(i: int) -> str:
    return (
        f"n{i}::DOUBLE AS n{i}, sy{i}::DOUBLE / {HUNDREDTHS} / n{i} AS mean_y{i}, "
        f"{_centred('sy', 'sy', 'syy', i)} AS m2_y{i}, sx{i}::DOUBLE / {HUNDREDTHS} / n{i} AS mean_x{i}, "
        f"{_centred('sx', 'sx', 'sxx', i)} AS m2_x{i}, {_centred('sx', 'sy', 'sxy', i)} AS c_xy{i}"
    )


def _centred(one: str, other: str, product: str, i: int) -> str:
    """Σab − Σa·Σb/n, exact; in floats only where n·Σab is beyond 128 bits, as no money there is can be."""
    exact = f"TRY(n{i} * {product}{i} - {one}{i} * {other}{i})::DOUBLE"
    rough = f"n{i} * {product}{i}::DOUBLE - {one}{i}::DOUBLE * {other}{i}::DOUBLE"
    return f"coalesce({exact}, {rough}) / n{i} / {HUNDREDTHS**2}"


def _column(values: pa.ChunkedArray) -> Column:
    encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = np.argsort(np.array(names, dtype=object)) if names else np.zeros(0, dtype=np.int64)
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    return Column(tuple(names[i] for i in order), rank[encoded.indices.to_numpy()])


def _floats(values: pa.ChunkedArray) -> NDArray[np.float64]:
    """Where nothing is known, 0."""
    numbers: NDArray[np.float64] = np.nan_to_num(values.to_numpy().astype(np.float64))
    return numbers


def _table(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object]) -> pa.Table:
    return cursor.sql(sql, params=named(sql, parameters)).to_arrow_table()
