"""Weights by comparing factors two at a time (methods.md §4).

Analytic hierarchy process: Saaty, The Analytic Hierarchy Process (1980); How to make a decision, European
Journal of Operational Research 48 (1990).
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

ACCEPTABLE = 0.1
"""A consistency ratio from here on says that the comparisons contradict each other too much."""

LARGEST = 15
_RANDOM_INDEX = (0.0, 0.0, 0.58, 0.90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49, 1.51, 1.48, 1.56, 1.57, 1.59)
"""Mean consistency index of random reciprocal matrices of order 1, 2, …, 15."""

_RECIPROCAL_TOLERANCE = 0.02
_EXACT = 1e-9
Matrix = NDArray[np.float64]


class ComparisonError(ValueError):
    """`row` and `column` (from 0) name the comparison that cannot be read."""

    def __init__(self, row: int, column: int, detail: str) -> None:
        super().__init__(detail)
        self.row = row
        self.column = column
        self.detail = detail


@dataclass(frozen=True)
class Contradiction:
    """Factors i, j, k: i against k was stated, but i:j and j:k imply something else."""

    triple: tuple[int, int, int]
    stated: float
    implied: float


@dataclass(frozen=True)
class Hierarchy:
    """`weights` (n,) sum to 1. `worst` is None below three factors."""

    weights: Matrix
    eigenvalue: float
    ratio: float
    worst: Contradiction | None


def paired_weights(comparisons: Matrix, whole: float) -> Matrix:
    """Row sum / total of an (n, n) matrix whose two entries of each pair sum to `whole` (1 or 4).

    The diagonal is not read. A factor that loses every comparison weighs nothing: that is the method.
    Raises `ComparisonError` for entries outside 0..whole or pairs that do not sum to `whole`.
    """
    for row, column in zip(*np.triu_indices(len(comparisons), 1), strict=True):
        forth, back = comparisons[row, column], comparisons[column, row]
        if not 0 <= forth <= whole:
            raise ComparisonError(int(row), int(column), f"must be between 0 and {whole:g}")
        if abs(forth + back - whole) > _EXACT:
            raise ComparisonError(
                int(column), int(row), f"must be {whole - forth:g}: the pair sums to {whole:g}"
            )
    sums = comparisons.sum(axis=1) - np.diag(comparisons)
    weights: Matrix = sums / sums.sum()
    return weights


def hierarchy(comparisons: Matrix) -> Hierarchy:
    """Principal eigenvector of the reciprocal (n, n) matrix, n up to 15, and how consistent it is.

    Only the upper half decides; the lower must be its reciprocal within 2 % (people write 0.33).
    Raises `ComparisonError` for entries outside 1/9..9 or pairs that are not reciprocal.
    """
    matrix = _reciprocal(comparisons)
    size = len(matrix)
    values, vectors = np.linalg.eig(matrix)
    principal = int(np.argmax(values.real))
    vector = np.abs(vectors[:, principal].real)
    eigenvalue = float(values[principal].real)
    index = (eigenvalue - size) / (size - 1) if size > 1 else 0.0
    random = _RANDOM_INDEX[size - 1]
    ratio = max(index / random, 0.0) if random else 0.0
    return Hierarchy(vector / vector.sum(), eigenvalue, ratio, _worst(matrix))


def _reciprocal(comparisons: Matrix) -> Matrix:
    matrix = np.eye(len(comparisons))
    for row, column in zip(*np.triu_indices(len(comparisons), 1), strict=True):
        forth, back = comparisons[row, column], comparisons[column, row]
        if not 1 / 9 - _RECIPROCAL_TOLERANCE / 9 <= forth <= 9:
            raise ComparisonError(int(row), int(column), "must be between 1/9 and 9")
        if abs(forth * back - 1) > _RECIPROCAL_TOLERANCE:
            raise ComparisonError(int(column), int(row), f"must be the reciprocal, {1 / forth:.4g}")
        matrix[row, column], matrix[column, row] = forth, 1 / forth
    return matrix


def _worst(matrix: Matrix) -> Contradiction | None:
    """The triple whose comparisons are furthest from multiplying: max |ln(a_ij · a_jk / a_ik)|."""
    if len(matrix) < 3:
        return None
    logs = np.log(matrix)
    i, j, k = max(
        (triple for triple in permutations(range(len(matrix)), 3) if triple[0] < triple[2]),
        key=lambda triple: abs(
            logs[triple[0], triple[1]] + logs[triple[1], triple[2]] - logs[triple[0], triple[2]]
        ),
    )
    return Contradiction((i, j, k), float(matrix[i, k]), float(matrix[i, j] * matrix[j, k]))
