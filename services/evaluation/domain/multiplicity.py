"""Many tests at once: p-values corrected for their number, in the order given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q-values: taking all below q for finds, the share of false ones among them is at most q on average.

    Benjamini and Hochberg (1995); for tests that are independent or go together.
    """
    p, order = _sorted(p_values)
    if p.size == 0:
        return []
    raised = p[order] * p.size / np.arange(1, p.size + 1)
    return _restored(np.minimum.accumulate(raised[::-1])[::-1], order)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that hold for the family: below α with any false find at most α of the time. Holm (1979)."""
    p, order = _sorted(p_values)
    if p.size == 0:
        return []
    return _restored(np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)), order)


def _sorted(p_values: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    p = np.asarray(p_values, dtype=np.float64)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p-values lie between 0 and 1")
    return p, np.argsort(p, kind="stable")


def _restored(ascending: NDArray[np.float64], order: NDArray[np.intp]) -> list[float]:
    found = np.empty_like(ascending)
    found[order] = np.minimum(ascending, 1.0)
    return [float(value) for value in found]
