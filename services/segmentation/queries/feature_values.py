"""Feature values of a few named customers, and which features are numbers."""

from collections.abc import Iterable, Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.queries.profile import NUMERIC
from services.segmentation.store import reading
from shared.errors import FieldError, Unprocessable

_NO_MEMBERS: dict[str, BitMap] = {}


def feature_values(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    ordinals: NDArray[np.uint32],
    moment: Moment,
) -> NDArray[np.float64]:
    """(len(ordinals), len(keys)) in the order given, NaN where unknown."""
    found = np.full((len(ordinals), len(keys)), np.nan)
    if not keys or not len(ordinals):
        return found
    compiler = Compiler(BUILT_IN, moment)
    for number, key in enumerate(keys):
        compiler.add_feature(f"f{number}", key, numeric=True)
    columns = reading.columns(cursor, compiler.query(only=ordinals.tolist()), _NO_MEMBERS.__getitem__)
    places = {ordinal: place for place, ordinal in enumerate(ordinals.tolist())}
    rows = [places[ordinal] for ordinal in np.asarray(columns["ordinal"]).tolist()]
    for number in range(len(keys)):
        found[rows, number] = np.ma.filled(columns[f"f{number}"].astype(np.float64), np.nan)
    return found


def check_numeric(wanted: Iterable[tuple[str, str]]) -> None:
    """`wanted`: (pointer, feature). Raises `Unprocessable` for those that are unknown or not numbers."""
    errors = []
    for pointer, key in wanted:
        if key not in BUILT_IN:
            errors.append(FieldError(pointer, f"there is no feature '{key}'"))
        elif BUILT_IN[key].type not in NUMERIC:
            errors.append(FieldError(pointer, f"'{key}' is a {BUILT_IN[key].type}, not a number"))
    if errors:
        raise Unprocessable("Some features cannot be used here.", errors=errors)
