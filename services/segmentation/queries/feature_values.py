"""Feature values of a few named customers, and which features are numbers."""

from collections.abc import Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.store import reading

_NO_MEMBERS: dict[str, BitMap] = {}


def feature_values(
    cursor: duckdb.DuckDBPyConnection,
    keys: Sequence[str],
    ordinals: NDArray[np.uint32],
    moment: Moment,
    catalogue: Catalogue,
) -> NDArray[np.float64]:
    """(len(ordinals), len(keys)) in the order given, NaN where unknown."""
    found = np.full((len(ordinals), len(keys)), np.nan)
    if not keys or not len(ordinals):
        return found
    compiler = Compiler(catalogue, moment)
    for number, key in enumerate(keys):
        compiler.add_feature(f"f{number}", key, numeric=True)
    columns = reading.columns(cursor, compiler.query(only=ordinals.tolist()), _NO_MEMBERS.__getitem__)
    places = {ordinal: place for place, ordinal in enumerate(ordinals.tolist())}
    rows = [places[ordinal] for ordinal in np.asarray(columns["ordinal"]).tolist()]
    for number in range(len(keys)):
        found[rows, number] = np.ma.filled(columns[f"f{number}"].astype(np.float64), np.nan)
    return found
