# ruff: noqa: S608  names in statements are positions: nothing a file says gets into one
"""The columns of a table that an analysis needs, typed, by unit; and their moments by group.

Groups are reduced inside DuckDB by two passes – means, then centred sums – so that neither the number of rows
nor the size of the values (balances of 1e8 ± 10) costs memory or digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.evaluation.domain.analysis import GroupMoments
from services.evaluation.domain.winsor import caps, winsorised
from services.evaluation.store.columns import (
    Measure,
    key_of,
    label_of,
    offence_of,
    refuse,
    refuse_text,
    value_of,
)
from services.evaluation.store.tables import BROKEN, Table, TableColumn, UnreadableTable

LARGEST = 1e100
"""Beyond, squares overflow; nothing that is measured gets near."""
_COMBINED = {"mean": "avg", "sum": "sum", "max": "max"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns an analysis needs. Measures and dimensions are known by their position."""

    arm: TableColumn
    unit: TableColumn | None
    cluster: TableColumn | None
    measures: Sequence[Measure]
    dimensions: Sequence[TableColumn]


@dataclass(frozen=True, slots=True)
class Intake:
    """What was read, and what had to be left out: numbers of rows, but `crossed` and `torn` of units."""

    rows: int
    without_arm: int
    without_unit: int
    without_cluster: int
    crossed: int
    torn: int
    """Units of one arm in several clusters."""
    repeated: int
    """Units of several rows."""
    strange: dict[int, int]
    """By measure: NaN or infinite values."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One measure over all that take part."""

    present: int
    mean: float
    binary: bool
    constant: bool
    """The same for all, or there for none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The measure that is compared and those that go with it, each as measure and its shift.

    With `imputed`, missing companions take their shift (the mean) as value; otherwise the row leaves.
    """

    measure: int
    shift: float
    companions: Sequence[tuple[int, float]] = ()
    imputed: bool = True


@dataclass(frozen=True, slots=True)
class Grouped:
    """`keys`: for each label the groups' values (G,); `moments` in the order of the outcomes asked for.

    The order of groups is that of one reading: another has another.
    """

    keys: list[NDArray[np.object_]]
    moments: list[GroupMoments]


class Observations:
    """Typed columns of one table, in its own database: a row each, or a unit each."""

    def __init__(self, table: Table, layout: Layout) -> None:
        self._cursor = table.cursor
        self._layout = layout
        self._caps: dict[int, tuple[float, float]] = {}
        self._read(table)
        self.intake = self._settle()

    def _read(self, table: Table) -> None:
        layout = self._layout
        parts = [f"{label_of(layout.arm)} AS arm"]
        parts += [f"{key_of(layout.unit)} AS unit"] if layout.unit else []
        parts += [f"{label_of(layout.cluster)} AS cluster"] if layout.cluster else []
        parts += [f"{label_of(column)} AS d{at}" for at, column in enumerate(layout.dimensions)]
        for at, measure in enumerate(layout.measures):
            parts += [f"{value_of(measure)} AS v{at}", f"{offence_of(measure.column)} AS t{at}"]
        statement = f"CREATE TABLE given AS SELECT {', '.join(parts)} FROM {table.source}"
        try:
            self._cursor.execute(statement, table.parameters)
        except duckdb.OutOfMemoryException:
            raise
        except BROKEN as error:
            raise UnreadableTable(_said(error)) from error

    def _settle(self) -> Intake:
        """Refuse what is no number; leave out what takes no part; make one row of each unit."""
        layout, strange = self._layout, self._check_values()
        counted = self._one(
            "SELECT count(*), count(*) FILTER (arm IS NULL)"
            f", {_unless('unit', layout.unit)}, {_unless('cluster', layout.cluster)} FROM given"
        )
        rows, without_arm, without_unit, without_cluster = (int(number) for number in counted)
        kept = ["arm IS NOT NULL"]
        kept += ["unit IS NOT NULL"] if layout.unit else []
        kept += ["cluster IS NOT NULL"] if layout.cluster else []
        where = " AND ".join(kept)
        crossed = torn = repeated = 0
        if layout.unit:
            self._cursor.execute(f"CREATE TABLE unit AS {self._by_unit(where)}")
            self._cursor.execute("DROP TABLE given")
            crossed, torn, repeated = (
                int(number)
                for number in self._one(
                    "SELECT count(*) FILTER (crossed), count(*) FILTER (torn AND NOT crossed)"
                    ", count(*) FILTER (repeated AND NOT crossed AND NOT torn) FROM unit"
                )
            )
            self._cursor.execute("CREATE VIEW observation AS FROM unit WHERE NOT crossed AND NOT torn")
        else:
            clean = [
                f"CASE WHEN isfinite(v{at}) THEN v{at} END AS v{at}" for at in range(len(layout.measures))
            ]
            self._cursor.execute(
                f"CREATE VIEW observation AS SELECT {', '.join([*self._labels(), *clean])}"
                f" FROM given WHERE {where}"
            )
        return Intake(rows, without_arm, without_unit, without_cluster, crossed, torn, repeated, strange)

    def _labels(self) -> list[str]:
        cluster = ["cluster"] if self._layout.cluster else []
        return ["arm", *cluster, *(f"d{at}" for at in range(len(self._layout.dimensions)))]

    def _by_unit(self, where: str) -> str:
        """A unit has the dimension's value that all its rows have, and none if they differ."""
        layout = self._layout
        parts = ["min(arm) AS arm", "min(arm) <> max(arm) AS crossed", "count(*) > 1 AS repeated"]
        if layout.cluster:
            parts += ["min(cluster) AS cluster", "min(cluster) <> max(cluster) AS torn"]
        else:
            parts += ["false AS torn"]
        parts += [
            f"CASE WHEN min(d{at}) = max(d{at}) THEN min(d{at}) END AS d{at}"
            for at in range(len(layout.dimensions))
        ]
        parts += [
            f"{_COMBINED[measure.combine]}(v{at}) FILTER (isfinite(v{at})) AS v{at}"
            for at, measure in enumerate(layout.measures)
        ]
        return f"SELECT {', '.join(parts)} FROM given WHERE {where} GROUP BY unit"

    def _check_values(self) -> dict[int, int]:
        """How many values of each measure are NaN or infinite; 422 for what is no number."""
        parts = []
        for at in range(len(self._layout.measures)):
            huge = f"isfinite(v{at}) AND abs(v{at}) > {LARGEST}"
            parts += [f"count(t{at})", f"min(t{at})", f"count(*) FILTER ({huge})"]
            parts += [f"count(*) FILTER (v{at} IS NOT NULL AND NOT isfinite(v{at}))"]
        found = self._one(f"SELECT {', '.join(parts)} FROM given")
        strange = {}
        for at, measure in enumerate(self._layout.measures):
            offences, example, huge, unusual = found[4 * at : 4 * at + 4]
            if offences:
                refuse_text(measure, int(offences), str(example))
            if huge:
                refuse(measure, f"has {huge:,} values beyond ±{LARGEST:g}: no measurement is that large")
            strange[at] = int(unusual)
        return strange

    def arms(self, most: int) -> dict[str, int]:
        """Rows or units that take part, by arm; of the first `most` arms."""
        rows = self._all(f"SELECT arm, count(*) FROM observation GROUP BY arm ORDER BY arm LIMIT {most}")
        return {str(arm): int(count) for arm, count in rows}

    def clusters(self) -> tuple[dict[str, int], int]:
        """Clusters by arm, and how many of them stand in several arms."""
        by_arm = self._all(
            "SELECT arm, count(*) FROM (SELECT DISTINCT arm, cluster FROM observation)"
            " GROUP BY arm ORDER BY arm"
        )
        split = self._one(
            "SELECT count(*) FROM (SELECT cluster FROM observation GROUP BY cluster"
            " HAVING min(arm) <> max(arm))"
        )
        return {str(arm): int(count) for arm, count in by_arm}, int(split[0])

    def levels(self, dimension: int, most: int) -> tuple[int, int]:
        """How many values a dimension has, counted up to `most`, and how many rows or units have none."""
        missing = self._one(f"SELECT count(*) FROM observation WHERE d{dimension} IS NULL")
        distinct = f"SELECT DISTINCT d{dimension} AS d FROM observation WHERE d{dimension} IS NOT NULL"
        levels = self._one(f"SELECT count(*) FROM ({distinct} LIMIT {most})")
        return int(levels[0]), int(missing[0])

    def profiles(self) -> list[Profile]:
        parts = []
        for at in range(len(self._layout.measures)):
            parts += [f"count(v{at})", f"coalesce(avg(v{at}), 0)", f"count(*) FILTER (v{at} NOT IN (0, 1))"]
            parts += [f"coalesce(min(v{at}) = max(v{at}), true)"]
        found = self._one(f"SELECT {', '.join(parts)} FROM observation")
        profiles = []
        for at in range(len(self._layout.measures)):
            present, mean, other, constant = found[4 * at : 4 * at + 4]
            binary = present > 0 and other == 0
            profiles.append(Profile(int(present), float(mean), binary=binary, constant=bool(constant)))
        return profiles

    def present(self, measures: Sequence[int]) -> dict[str, int]:
        """By arm, how many have all of `measures`."""
        where = " AND ".join(f"v{at} IS NOT NULL" for at in measures)
        rows = self._all(f"SELECT arm, count(*) FILTER ({where}) FROM observation GROUP BY arm")
        return {str(arm): int(count) for arm, count in rows}

    def cap(self, measure: int, share: float) -> tuple[float, float, int]:
        """Cap a measure at its quantiles 1 − `share` and `share`; they and how many values it changed."""
        values = self.values(measure)
        limits = caps(values, 1 - share, share)
        self._caps[measure] = limits
        return *limits, int(np.count_nonzero(winsorised(values, limits) != values))

    def values(self, measure: int, arm: str | None = None) -> NDArray[np.float64]:
        """All values of one arm, or of all: for what needs their order."""
        where = f"v{measure} IS NOT NULL" + (" AND arm = ?" if arm is not None else "")
        found = self._cursor.execute(
            f"SELECT v{measure} AS v FROM observation WHERE {where}", [] if arm is None else [arm]
        ).fetchnumpy()
        return np.asarray(found["v"], dtype=np.float64)

    def moments(self, outcomes: Sequence[Outcome], *by: str) -> Grouped:
        """Moments of each outcome by `by`: labels of this table (`arm`, `cluster`, `d0` …).

        Clusters go without their names: there may be millions.
        """
        columns = {
            (at, place): expression
            for at, outcome in enumerate(outcomes)
            for place, expression in enumerate(self._shifted(outcome))
        }
        keys = ", ".join(by)
        shifted = ", ".join(f"{expression} AS y{at}_{place}" for (at, place), expression in columns.items())
        given = " AND ".join(f"{key} IS NOT NULL" for key in by)
        source = f"(SELECT {keys}, {shifted} FROM observation WHERE {given})"
        centres = ", ".join(
            f"coalesce(fsum(y{at}_{place}) / count(y{at}_{place}), 0) AS c{at}_{place}"
            for at, place in columns
        )
        self._cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE centre AS SELECT {keys}, {centres} FROM {source} GROUP BY {keys}"
        )
        centred = ", ".join(f"y{at}_{place} - c{at}_{place} AS d{at}_{place}" for at, place in columns)
        kept = ", ".join(f"c{at}_{place}" for at, place in columns)
        told = [key for key in by if key != "cluster"]
        found = self._cursor.execute(
            f"SELECT {', '.join([*told, *_sums(outcomes)])}"
            f" FROM (SELECT {keys}, {centred}, {kept} FROM {source} JOIN centre USING ({keys}))"
            f" GROUP BY {keys}"
        ).fetchnumpy()
        labels = [np.asarray(found[key], dtype=object) for key in told]
        return Grouped(labels, [_moments_of(found, at, outcome) for at, outcome in enumerate(outcomes)])

    def _shifted(self, outcome: Outcome) -> list[str]:
        """Expressions of the outcome and its companions, NULL where the row does not count."""
        own = f"v{outcome.measure} IS NOT NULL"
        others = [] if outcome.imputed else [f"v{at} IS NOT NULL" for at, _ in outcome.companions]
        present = " AND ".join([own, *others])
        shifts = [(outcome.measure, outcome.shift), *outcome.companions]
        return [
            f"CASE WHEN {present} THEN coalesce({self._capped(at)} - ({shift!r}), 0.0) END"
            for at, shift in shifts
        ]

    def _capped(self, measure: int) -> str:
        if measure not in self._caps:
            return f"v{measure}"
        low, high = self._caps[measure]
        return f"least(greatest(v{measure}, {low!r}), {high!r})"

    def _all(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(statement, list(parameters)).fetchall()

    def _one(self, statement: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        return self._all(statement, parameters)[0]


def _sums(outcomes: Sequence[Outcome]) -> list[str]:
    parts = []
    for at, outcome in enumerate(outcomes):
        places = range(1 + len(outcome.companions))
        parts += [f"count(d{at}_0) AS n{at}", f"coalesce(max(d{at}_0 * d{at}_0), 0) AS l{at}"]
        for place in places:
            parts += [
                f"any_value(c{at}_{place}) AS c{at}_{place}",
                f"coalesce(fsum(d{at}_{place}), 0) AS s{at}_{place}",
            ]
            parts += [
                f"coalesce(fsum(d{at}_{place} * d{at}_{other}), 0) AS p{at}_{place}_{other}"
                for other in places
                if other >= place
            ]
    return parts


def _moments_of(found: dict[str, NDArray[np.float64]], at: int, outcome: Outcome) -> GroupMoments:
    """What rounding left of the means is taken out of the products (Björck's correction)."""
    size = 1 + len(outcome.companions)
    n = np.asarray(found[f"n{at}"], dtype=np.int64)
    counted = np.maximum(n, 1)
    rest = np.stack([np.asarray(found[f"s{at}_{place}"], dtype=np.float64) for place in range(size)], axis=1)
    centre = np.stack(
        [np.asarray(found[f"c{at}_{place}"], dtype=np.float64) for place in range(size)], axis=1
    )
    products = np.empty((len(n), size, size))
    for place in range(size):
        for other in range(place, size):
            product = np.asarray(found[f"p{at}_{place}_{other}"], dtype=np.float64)
            product = product - rest[:, place] * rest[:, other] / counted
            products[:, place, other] = products[:, other, place] = product
    for place in range(size):
        products[:, place, place] = np.maximum(products[:, place, place], 0.0)
    largest = np.asarray(found[f"l{at}"], dtype=np.float64)
    return GroupMoments(n, centre + rest / counted[:, None], products, largest)


def _unless(name: str, column: TableColumn | None) -> str:
    return f"count(*) FILTER (arm IS NOT NULL AND {name} IS NULL)" if column else "0"


def _said(error: Exception) -> str:
    """The first lines of what DuckDB says; what follows is advice for its own options."""
    lines = [line.strip() for line in str(error).splitlines()]
    until = next((at for at, line in enumerate(lines) if line.startswith("Possible")), 4)
    text = "; ".join(line for line in lines[:until] if line)
    return text.removeprefix("Invalid Input Error: ")[:400]
