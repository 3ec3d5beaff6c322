"""Who is inside a target profile now, and who comes instead."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.contrast import Contrast, contrasts
from services.segmentation.domain.drift import Period
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.tree import Rule
from services.segmentation.queries.profile import PROFILED, contrast_view, feature_matrix
from services.segmentation.queries.target_shares import units_of
from services.segmentation.store import reading
from services.segmentation.store.reading import register_references
from shared.contracts.segmentation.targets import TargetContrast

CONTRIBUTION = "contribution_12m"
_TOTALS = """
SELECT count(*), count(*) FILTER (inside), count(*) FILTER (inside IS NULL),
  coalesce(sum(aum_now), 0), coalesce(sum(aum_now) FILTER (inside), 0),
  CASE WHEN EXISTS (FROM value) THEN coalesce(sum(earned), 0) END, coalesce(sum(earned) FILTER (inside), 0)
FROM ({judged})
"""


@dataclass(frozen=True)
class Totals:
    """Over the active customers of a unit. Contribution is absent while none is known of anybody."""

    customers: int
    inside: int
    unknown: int
    aum: Decimal
    aum_inside: Decimal
    contribution: Decimal | None
    contribution_inside: Decimal | None


def totals(
    cursor: duckdb.DuckDBPyConnection,
    rule: Rule,
    catalogue: Catalogue,
    members: Mapping[str, BitMap],
    moment: Moment,
    org: str,
) -> Totals:
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("inside", rule)
    compiler.add_feature("aum_now", "aum")
    compiler.add_feature("earned", CONTRIBUTION)
    query = compiler.query(org=org)
    register_references(cursor, query, members.__getitem__)
    row = cursor.execute(_TOTALS.format(judged=query.sql), dict(query.parameters)).fetchall()[0]
    customers, inside, unknown, aum, aum_inside, earned, earned_inside = row
    earned_inside = None if earned is None else earned_inside
    return Totals(customers, inside, unknown, aum, aum_inside, earned, earned_inside)


@dataclass(frozen=True)
class Outsiders:
    newcomers: int
    outsiders: int
    target: int
    contrasts: list[TargetContrast]


def outsiders(
    cursor: duckdb.DuckDBPyConnection,
    rule: Rule,
    catalogue: Catalogue,
    members: Mapping[str, BitMap],
    moment: Moment,
    periods: list[Period],
    org: str,
) -> Outsiders:
    """New customers of these periods who are outside now, beside everybody who is inside."""
    units = units_of(cursor, periods)
    new = units["ordinal"].to_numpy()[units["measure"].to_numpy(zero_copy_only=False) == "new_customers"]
    compiler = Compiler(catalogue, moment)
    compiler.add_rule("inside", rule)
    judged = reading.columns(cursor, compiler.query(org=org), members.__getitem__)
    members_now = np.asarray(judged["ordinal"])[reading.holds(judged["inside"])]
    ordinals, matrix = feature_matrix(cursor, PROFILED, moment, org)
    inside, came = np.isin(ordinals, members_now), np.isin(ordinals, new)
    return Outsiders(
        int(came.sum()),
        int((came & ~inside).sum()),
        int(inside.sum()),
        _beside(matrix, came & ~inside, inside),
    )


def _beside(
    matrix: Mapping[str, NDArray[np.float64]], outside: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> list[TargetContrast]:
    """Features known of both groups, largest gap first."""
    target = {each.feature: each for each in contrasts(matrix, inside)}
    found = [
        TargetContrast(
            outsiders=contrast_view(each),
            target=contrast_view(target[each.feature]),
            gap=each.difference - wanted,
        )
        for each in contrasts(matrix, outside)
        if each.difference is not None and (wanted := _difference(target[each.feature])) is not None
    ]
    return sorted(found, key=lambda each: -abs(each.gap))


def _difference(contrast: Contrast) -> float | None:
    return contrast.difference
