"""The named segments of recency, frequency and monetary value as rules over the stored cut-offs."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

import numpy as np

from services.segmentation.domain.rfm import RfmSegment, Scale, Scales
from services.segmentation.domain.rules.tree import All, FeatureValue, Op, Rule, Test, all_of, any_of


def segment_rule(segment: RfmSegment, scales: Scales, keys: Mapping[str, str]) -> Rule | None:
    """Who is in the segment, exactly. `keys`: the feature of each measure.

    `None` when no customer can be in it, because it lies in bands that do not exist or that
    nobody can reach.
    """
    recency = _within(keys["recency"], scales.recency, _bands(scales.recency, segment.recency))
    ways = [
        all_of([frequency, monetary])
        for frequency, monetary in _values(segment, scales, keys)
        if frequency is not None and monetary is not None
    ]
    if recency is None or not ways:
        return None
    return all_of([recency, any_of(ways)])


def _values(
    segment: RfmSegment, scales: Scales, keys: Mapping[str, str]
) -> Iterator[tuple[Rule | None, Rule | None]]:
    """For each band of frequency the bands of monetary value whose rounded mean is the segment's."""
    low, high = segment.value
    for band in range(1, len(scales.frequency.cuts) + 2):
        of_five = _of_five(band, scales.frequency)
        fitting = [
            each
            for each in range(1, len(scales.monetary.cuts) + 2)
            if low <= (of_five + _of_five(each, scales.monetary) + 1) // 2 <= high
        ]
        yield (
            _within(keys["frequency"], scales.frequency, [band]),
            _within(keys["monetary"], scales.monetary, fitting),
        )


def _bands(scale: Scale, of_five: tuple[int, int]) -> list[int]:
    return [
        band for band in range(1, len(scale.cuts) + 2) if of_five[0] <= _of_five(band, scale) <= of_five[1]
    ]


def _of_five(band: int, scale: Scale) -> int:
    return -(-band * 5 // (len(scale.cuts) + 1))


def _within(key: str, scale: Scale, bands: list[int]) -> Rule | None:
    """Values in these neighbouring bands; unknown ones are in the lowest."""
    if not bands:
        return None
    lower = scale.cuts[bands[0] - 2] if bands[0] > 1 else None
    upper = scale.cuts[bands[-1] - 1] if bands[-1] <= len(scale.cuts) else None
    if lower is not None and not np.isfinite(lower):
        return None
    tests: list[Rule] = []
    if lower is not None:
        tests.append(_test(key, Op.gt if scale.rising else Op.lt, lower))
    if upper is not None and np.isfinite(upper):
        tests.append(_test(key, Op.lte if scale.rising else Op.gte, upper))
    if lower is not None:
        return all_of(tests)
    # Every band: says nothing.
    return any_of([*tests, Test(FeatureValue(key), Op.is_null)]) if tests else All(())


def _test(key: str, op: Op, cut: float) -> Test:
    exact = Decimal(repr(cut))
    return Test(
        FeatureValue(key), op, (int(exact) if exact == exact.to_integral_value() else exact.normalize(),)
    )
