"""Features of an earlier moment, made only of what is known with its time.

Events, balances and contributions are kept with their times. Of the customer's own row only the present
state is known, so a feature that reads anything but dates fixed for life is refused for the past, as is one
over relations, whose beginning nobody may know.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue, Feature, Source
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.queries.profile import NUMERIC, Matrix, feature_matrix
from services.segmentation.store.past import as_of

_FOR_LIFE = {"birth_date", "customer_since"}


def past_matrix(
    cursor: duckdb.DuckDBPyConnection, keys: Sequence[str], moment: Moment, catalogue: Catalogue = BUILT_IN
) -> tuple[NDArray[np.uint32], Matrix]:
    """As `feature_matrix`, at an earlier moment; customers ascend. Ask `known_then` about the keys first."""
    with as_of(cursor, moment):
        ordinals, matrix = feature_matrix(cursor, keys, moment, catalogue=catalogue)
    order = np.argsort(ordinals)
    return ordinals[order], {key: values[order] for key, values in matrix.items()}


def not_known_then(key: str, catalogue: Catalogue = BUILT_IN) -> str | None:
    """Why this feature cannot be had of an earlier moment; `None` if it can."""
    if key not in catalogue:
        return f"there is no feature '{key}'"
    feature = catalogue[key]
    if feature.type not in NUMERIC:
        return f"'{key}' is a {feature.type}, not a number"
    if reason := _present_only(catalogue, feature):
        return f"'{key}' is not known of earlier moments: {reason}"
    return None


def _present_only(catalogue: Catalogue, feature: Feature) -> str | None:
    if feature.source is Source.customer:
        columns = {each.column for each in feature.dated if each.table == "customer"}
        fixed = columns and columns <= _FOR_LIFE
        return None if fixed else "of the customer's file only the present state is kept"
    if feature.source is Source.relation:
        return "the beginning of a relation may be unknown"
    found = (_present_only(catalogue, catalogue[name]) for name in feature.uses if name in catalogue)
    return next((reason for reason in found if reason), None)
