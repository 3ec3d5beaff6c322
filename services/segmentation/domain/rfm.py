"""Recency, frequency, monetary value: bands, scores and named segments (methods.md §2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bands = NDArray[np.int8]
Variant = Literal["rfm", "afr"]
"""`rfm`: recency, frequency, amount spent. `afr`: a bank's, assets under management first."""
Measure = Literal["recency", "frequency", "monetary"]
MEASURES: tuple[Measure, ...] = ("recency", "frequency", "monetary")
_ORDER: dict[Variant, tuple[Measure, ...]] = {
    "rfm": MEASURES,
    "afr": ("monetary", "frequency", "recency"),
}
_MOST_BANDS = 9


@dataclass(frozen=True)
class Scale:
    """Cut-offs of one measure, worst first; `rising` when more is better.

    The score is 1 + the number of cut-offs that a value surpasses: a value equal to a cut-off is
    in the lower band.
    """

    cuts: tuple[float, ...]
    rising: bool = True

    def score(self, values: Floats) -> Bands:
        """1 (worst) to len(cuts) + 1; unknown values are in the lowest band."""
        signed, cuts = (values, np.array(self.cuts)) if self.rising else (-values, -np.array(self.cuts))
        band = np.searchsorted(cuts, np.where(np.isfinite(signed), signed, -np.inf), side="left")
        return (band + 1).astype(np.int8)


@dataclass(frozen=True)
class Scales:
    """Everything needed to score tomorrow's customer as today's."""

    recency: Scale
    frequency: Scale
    monetary: Scale
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    variant: Variant = "rfm"


@dataclass(frozen=True)
class Scores:
    """Of N customers. `total`: weighted mean band; `code`: the bands as digits in the variant's
    order, 555 is best; `segment`: index into `SEGMENTS`.
    """

    recency: Bands
    frequency: Bands
    monetary: Bands
    total: NDArray[np.float32]
    code: NDArray[np.int16]
    segment: NDArray[np.int8]


@dataclass(frozen=True)
class RfmSegment:
    """Named by the recency band and the rounded mean of frequency and monetary band, both of five."""

    key: str
    zh: str
    en: str
    recency: tuple[int, int]
    value: tuple[int, int]


SEGMENTS = (
    RfmSegment("champions", "核心价值客户", "Champions", (4, 5), (5, 5)),
    RfmSegment("loyal", "忠诚客户", "Loyal customers", (3, 5), (4, 4)),
    RfmSegment("cannot_lose", "必须挽留客户", "Cannot lose them", (1, 2), (5, 5)),
    RfmSegment("at_risk", "流失风险客户", "At risk", (1, 2), (3, 4)),
    RfmSegment("potential_loyal", "潜力客户", "Potential loyalists", (4, 5), (2, 3)),
    RfmSegment("new", "新近客户", "New customers", (5, 5), (1, 1)),
    RfmSegment("promising", "有望客户", "Promising", (4, 4), (1, 1)),
    RfmSegment("need_attention", "需关注客户", "Need attention", (3, 3), (3, 3)),
    RfmSegment("slipping", "高价值趋缓客户", "Slipping high value", (3, 3), (5, 5)),
    RfmSegment("about_to_sleep", "将休眠客户", "About to sleep", (3, 3), (1, 2)),
    RfmSegment("hibernating", "休眠客户", "Hibernating", (2, 2), (1, 2)),
    RfmSegment("lost", "流失客户", "Lost", (1, 1), (1, 2)),
)


def rfm(
    recency: Floats,
    frequency: Floats,
    monetary: Floats,
    *,
    bands: int = 5,
    cuts: Sequence[Sequence[float]] | None = None,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    variant: Variant = "rfm",
) -> tuple[Scales, Scores]:
    """Scales of these customers and their scores.

    `recency`: days since the last activity, less is better; `frequency`: how often; `monetary`:
    how much (for `afr` the assets). (N,) each, NaN where unknown. `bands` quantiles, or fixed
    `cuts` for the three measures in this order, each worst first. Raises `ValueError` for
    cut-offs not in order, weights that are negative or all zero, or nobody to score.
    """
    columns = dict(zip(MEASURES, (recency, frequency, monetary), strict=True))
    if len({len(values) for values in columns.values()}) != 1 or not len(recency):
        raise ValueError("recency, frequency and monetary value of the same customers are needed")
    if min(weights) < 0 or not sum(weights) > 0:
        raise ValueError("weights are not negative and not all zero")
    if cuts is None:
        scales = [quantile_scale(columns[name], bands, rising=name != "recency") for name in MEASURES]
    else:
        scales = [
            fixed_scale(each, rising=name != "recency") for name, each in zip(MEASURES, cuts, strict=True)
        ]
    made = Scales(scales[0], scales[1], scales[2], weights, variant)
    return made, score(made, recency, frequency, monetary)


def quantile_scale(values: Floats, bands: int, *, rising: bool) -> Scale:
    """Cut-offs that put equally many of the known values into each band, as far as ties allow."""
    if not 2 <= bands <= _MOST_BANDS:
        raise ValueError(f"there are 2 to {_MOST_BANDS} bands")
    known = values[np.isfinite(values)]
    if not known.size:
        raise ValueError("nobody's value is known")
    ordered = np.sort(known) if rising else np.sort(known)[::-1]
    # In whole numbers: 0.6 · 10 customers are six, whatever the fraction is rounded to.
    last = [-(-known.size * band // bands) - 1 for band in range(1, bands)]
    return Scale(tuple(ordered[last].tolist()), rising)


def fixed_scale(cuts: Sequence[float], *, rising: bool) -> Scale:
    steps = np.diff(cuts) if rising else -np.diff(cuts)
    if not 1 <= len(cuts) < _MOST_BANDS or not np.isfinite(cuts).all() or (steps <= 0).any():
        order = "rising" if rising else "falling"
        raise ValueError(f"1 to {_MOST_BANDS - 1} cut-offs, worst first ({order}), are needed")
    return Scale(tuple(float(each) for each in cuts), rising)


def score(scales: Scales, recency: Floats, frequency: Floats, monetary: Floats) -> Scores:
    """Customers by scales that exist already."""
    bands = {
        "recency": scales.recency.score(recency),
        "frequency": scales.frequency.score(frequency),
        "monetary": scales.monetary.score(monetary),
    }
    weights = np.array(scales.weights) / sum(scales.weights)
    total = sum(weight * bands[name] for weight, name in zip(weights, MEASURES, strict=True))
    digits = [bands[name].astype(np.int16) for name in _ORDER[scales.variant]]
    return Scores(
        **bands,
        total=np.asarray(total, dtype=np.float32),
        code=(digits[0] * 100 + digits[1] * 10 + digits[2]).astype(np.int16),
        segment=_segment(scales, bands),
    )


def _segment(scales: Scales, bands: dict[str, Bands]) -> NDArray[np.int8]:
    of_five = {name: _of_five(bands[name], len(getattr(scales, name).cuts) + 1) for name in MEASURES}
    value = (of_five["frequency"] + of_five["monetary"] + 1) // 2
    found: Bands = _GRID[of_five["recency"] - 1, value - 1]
    return found


def _of_five(band: Bands, bands: int) -> NDArray[np.int16]:
    return -(-band.astype(np.int16) * 5 // bands)


def _grid() -> NDArray[np.int8]:
    """(5, 5): the segment of each recency band and value band."""
    grid = np.full((5, 5), -1, dtype=np.int8)
    for index, segment in enumerate(SEGMENTS):
        rows = slice(segment.recency[0] - 1, segment.recency[1])
        grid[rows, segment.value[0] - 1 : segment.value[1]] = index
    return grid


_GRID = _grid()
