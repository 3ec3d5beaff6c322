"""How much of what comes, and of what we do, is inside a rule: month by month, unit by unit.

One scan finds who came or was contacted in which month; then each month is judged at its end by the rule
compiled for that moment, over those customers alone, and added up in the engine.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from services.segmentation.domain.drift import Period, Sums
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment, Query
from services.segmentation.domain.rules.tree import Rule
from services.segmentation.domain.rules.windows import scheduled
from services.segmentation.store.campaigns import contacts_since
from services.segmentation.store.past import as_of
from services.segmentation.store.reading import register_references
from shared import clock
from shared.contracts.segmentation.targets import DriftMeasure

CONTACT = "interaction.recorded"
CAMPAIGN_MEASURES = {DriftMeasure.campaign_contacts, DriftMeasure.campaign_cost}
_INSTANT = timedelta(microseconds=1)

# A customer without a date in the file came with the first product or the first event. The noon keeps a
# date in its month whatever the zone. What the customer began is no contact of ours.
_UNITS = """
WITH seen AS (
  SELECT ordinal, min(happened) AS came FROM (
    SELECT ordinal, opened_on + INTERVAL 12 HOUR AS happened FROM holding_latest
    UNION ALL SELECT ordinal, time FROM event
  ) SEMI JOIN (SELECT ordinal FROM customer WHERE customer_since IS NULL) USING (ordinal) GROUP BY ordinal
), contact AS (
  SELECT ordinal, number, count(*)::DOUBLE AS contacts,
    sum(TRY_CAST(data ->> '$.minutes' AS DOUBLE)) AS minutes
  FROM event JOIN month ON time >= start AND time < stop
  WHERE type = $contact AND direction IS DISTINCT FROM 'in' AND time >= $low AND time < $high
  GROUP BY ordinal, number
), attempt AS (
  SELECT coalesce(merged_into, ordinal) AS ordinal, number, count(*)::DOUBLE AS contacts,
    sum(cost)::DOUBLE AS cost
  FROM campaign_contact JOIN month ON time >= start AND time < stop JOIN customer USING (customer_id)
  WHERE time >= $low AND time < $high GROUP BY ALL
)
SELECT 'new_customers' AS measure, number, ordinal, 1::DOUBLE AS weight
FROM customer JOIN month ON customer_since >= first AND customer_since < after WHERE merged_into IS NULL
UNION ALL SELECT 'new_customers', number, ordinal, 1 FROM seen JOIN month ON came >= start AND came < stop
UNION ALL SELECT 'contacts', number, ordinal, contacts FROM contact
UNION ALL SELECT 'minutes', number, ordinal, minutes FROM contact WHERE minutes > 0
UNION ALL SELECT 'campaign_contacts', number, ordinal, contacts FROM attempt
UNION ALL SELECT 'campaign_cost', number, ordinal, cost FROM attempt WHERE cost > 0
"""

_SHARES = """
SELECT measure, CASE WHEN unit_org = $scope THEN $scope
    ELSE $scope || '.' || split_part(substr(unit_org, length($scope) + 2), '.', 1) END AS unit,
  sum(weight), coalesce(sum(weight) FILTER (inside), 0), sum(weight * weight),
  count(*) FILTER (inside IS NULL)
FROM (SELECT * FROM unit WHERE number = $number) AS unit JOIN ({judged}) AS judged USING (ordinal)
GROUP BY ALL
"""
_BEGINNINGS = (
    (r"\bholding(_latest)?\b", "SELECT min(as_of) FROM holding"),
    (r"\bevent\b", "SELECT min(time)::DATE FROM event"),
    (r"\bvalue\b", "SELECT min(month) FROM value"),
)

Shares = dict[tuple[str, DriftMeasure], list[Sums]]
"""Sums by unit and measure, one per period. Units: the scope itself, and those directly below."""


@dataclass(frozen=True)
class Judged:
    """`members`: per period, of the segments the rule refers to, as they were at its end."""

    rule: Rule
    catalogue: Catalogue
    members: Sequence[Mapping[str, BitMap]]


@dataclass(frozen=True)
class Found:
    shares: Shares
    facts_since: date | None
    campaigns_since: date | None

    def since(self, measure: DriftMeasure) -> date | None:
        """Where all that the measure needs begins; nothing where it always was."""
        known = [self.facts_since, self.campaigns_since if measure in CAMPAIGN_MEASURES else None]
        return max((day for day in known if day is not None), default=None)


def monthly_shares(
    cursor: duckdb.DuckDBPyConnection, judged: Judged, periods: Sequence[Period], org: str, now: datetime
) -> Found:
    """`periods`: oldest first. A measure that nobody has in any month is still there for the scope."""
    units = units_of(cursor, periods)
    numbers = units["number"].to_numpy()
    ordinals = units["ordinal"].to_numpy()
    cursor.register("unit", units)
    shares: Shares = {(org, measure): [Sums()] * len(periods) for measure in DriftMeasure}
    since: date | None = None
    for number, period in enumerate(periods):
        moment = Moment(min(now, period.stop - _INSTANT), clock.ZONE)
        whose = np.unique(ordinals[numbers == number])
        query = _compiled(judged, moment, whose, org)
        register_references(cursor, query, judged.members[number].__getitem__)
        since = since or facts_since(cursor, query)
        parameters = {**query.parameters, "scope": org, "number": number}
        cursor.register("asked", pa.table({"ordinal": whose}))
        # Those who left since came too: their month would look better or worse without them. A place among
        # all customers needs everybody's holdings.
        with as_of(cursor, moment, of=None if scheduled(judged.rule) else "asked"):
            rows = cursor.execute(_SHARES.format(judged=query.sql), parameters).fetchall()
        for measure, unit, total, inside, squares, unknown in rows:
            sums = Sums(total, inside, squares, unknown)
            shares[org, DriftMeasure(measure)][number] += sums
            if unit != org:
                series = shares.setdefault((unit, DriftMeasure(measure)), [Sums()] * len(periods))
                series[number] = sums
    for relation in ("unit", "asked"):
        cursor.unregister(relation)
    return Found(shares, since, contacts_since(cursor))


def units_of(cursor: duckdb.DuckDBPyConnection, periods: Sequence[Period]) -> pa.Table:
    """Who came or was contacted when: measure, number of the period, ordinal, weight."""
    cursor.register("month", _months(periods))
    low, high = (_utc(periods[0].start), _utc(periods[-1].stop))
    found = cursor.sql(_UNITS, params={"contact": CONTACT, "low": low, "high": high}).to_arrow_table()
    cursor.unregister("month")
    return found


def _months(periods: Sequence[Period]) -> pa.Table:
    return pa.table(
        {
            "number": pa.array(range(len(periods)), pa.int32()),
            "first": [period.first for period in periods],
            "after": [(period.first + timedelta(days=31)).replace(day=1) for period in periods],
            "start": pa.array([_utc(period.start) for period in periods], pa.timestamp("us")),
            "stop": pa.array([_utc(period.stop) for period in periods], pa.timestamp("us")),
        }
    )


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def _compiled(
    judged: Judged, moment: Moment, ordinals: np.ndarray[tuple[int], np.dtype[np.int32]], org: str
) -> Query:
    compiler = Compiler(judged.catalogue, moment)
    compiler.add_rule("inside", judged.rule)
    compiler.add_feature("unit_org", "org")
    return compiler.query(only=ordinals.tolist(), org=org)


def facts_since(cursor: duckdb.DuckDBPyConnection, query: Query) -> date | None:
    """Where the youngest of the tables that the rule reads begins."""
    beginnings = [
        cursor.execute(sql).fetchall()[0][0] for table, sql in _BEGINNINGS if re.search(table, query.sql)
    ]
    return max((day for day in beginnings if day is not None), default=None)
