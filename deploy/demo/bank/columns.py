"""Building Arrow text columns without a Python loop over rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Dates = npt.NDArray[np.datetime64]


def join(*parts: Any) -> pa.Array:
    """Concatenate columns and constants row by row; a null part makes the row null."""
    return pc.binary_join_element_wise(*parts, "")


def choose(words: Sequence[str], index: npt.NDArray[Any]) -> pa.Array:
    """The word each index names."""
    return pa.array(list(words), pa.string()).take(pa.array(index, pa.int64()))


def padded(numbers: npt.NDArray[Any], width: int) -> pa.Array:
    """Whole numbers with leading zeros."""
    return pc.utf8_lpad(pc.cast(pa.array(numbers, pa.int64()), pa.string()), width, "0")


def money(cents: Ints) -> pa.Array:
    """Decimal strings with two places of amounts in cents (``-1205`` is ``-12.05``)."""
    size = np.abs(cents)
    sign = choose(("", "-"), (cents < 0).astype(np.int64))
    whole = pc.cast(pa.array(size // 100, pa.int64()), pa.string())
    return join(sign, whole, ".", padded(size % 100, 2))


def dates(days: Dates, missing: Bools | None = None) -> pa.Array:
    """`datetime64[D]` as date32; NaT and `missing` rows become null."""
    mask = np.isnat(days) if missing is None else np.isnat(days) | missing
    return pa.array(days.astype("datetime64[D]").astype(np.int32), pa.int32(), mask=mask).cast(pa.date32())


def iso_dates(days: Dates) -> pa.Array:
    return pc.cast(dates(days), pa.string())


def nulled(column: pa.Array, keep: Bools) -> pa.Array:
    """The column with null where `keep` is false."""
    return pc.if_else(pa.array(keep), column, pa.scalar(None, column.type))


def cents(amounts: npt.NDArray[Any]) -> Ints:
    return np.rint(np.asarray(amounts, np.float64) * 100).astype(np.int64)
