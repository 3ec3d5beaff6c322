"""What a run of the service-quality index finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from services.evaluation.domain.factors import FactorFit
from services.evaluation.domain.measurement import Reliability
from services.evaluation.domain.pls import Code, Scheme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Standing = Literal["above", "below", "as_bank"]


@dataclass(frozen=True, slots=True)
class NoIndex:
    """Why there is no index at all."""

    code: Code | Literal["no-positive-path"]
    detail: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """`low`, `high`: percentile interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Path:
    """What a dimension counts for in its business, or a business in the bank. `weight`: the path's share of
    the paths above zero. `clipped`: the path is below zero and counts nothing.
    """

    name: str
    path: Estimate
    weight: Estimate
    clipped: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """How a dimension, or a business by its `outcomes`, is measured. `reliability`: of two or more indicators
    that show the same; None of one alone, and of indicators that make a construct up.
    """

    name: str
    weights: dict[str, float]
    loadings: dict[str, float]
    reliability: Reliability | None
    distinct: bool | None
    """By Fornell and Larcker, from the business's other dimensions; None without a reliability."""
    heterotrait: dict[str, float]
    """HTMT with the other dimensions."""


@dataclass(frozen=True, slots=True)
class BusinessFit:
    """`r_squared` is of constructs with indicators of their own; a sum of its dimensions has none."""

    business: str
    n: int
    paths: list[Path]
    measured: list[Measured]
    r_squared: float | None
    factors: FactorFit | None


@dataclass(frozen=True, slots=True)
class Driver:
    """`contribution` = points of the index that `deviation` (in standard deviations) is worth by `weight`."""

    business: str
    dimension: str
    weight: float
    deviation: float
    contribution: float


@dataclass(frozen=True, slots=True)
class BranchIndex:
    """One branch in one month. Rank and standing are None when branches may not be compared."""

    unit: int
    n: int
    index: Estimate
    drivers: list[Driver]
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """Branch-months: `branch` and `period` (U,) are numbers."""

    branch: NDArray[np.intp]
    period: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Quality:
    """Everything a run finds."""

    businesses: list[BusinessFit]
    shares: list[Path]
    bank_r_squared: float | None
    bank: dict[int, Estimate]
    """By period; none of a period that lacks a business."""
    branches: list[BranchIndex]
    left_out: dict[int, str]
    """Unit → why it has no index."""
    unreliable: list[str]
    replicates: int


@dataclass(frozen=True, slots=True)
class Options:
    scheme: Scheme = "path"
    replicates: int = 500
    seed: int = 0
    alpha: float = 0.05


def shares(paths: Floats) -> Floats:
    """Weights that sum to 1 along the last axis: paths below zero count nothing, the rest by their size.

    Not a number where no path is above zero.
    """
    kept = np.maximum(paths, 0.0)
    total = kept.sum(axis=-1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1.0), np.nan)
