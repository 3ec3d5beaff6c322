"""A cluster in words: the features in which it stands out."""

from collections.abc import Sequence

from shared.contracts.base import LocalText
from shared.contracts.segmentation import FeatureContrast

_NOTABLE = 0.3
_STRONG = 1.0
_NAMED = 3


def describe(contrasts: Sequence[FeatureContrast]) -> LocalText:
    """From the largest standardised differences, at most three, in Chinese and English."""
    notable = [each for each in contrasts if abs(each.standardised_difference or 0) >= _NOTABLE][:_NAMED]
    if not notable:
        return LocalText(zh="接近全体平均水平", en="Close to the average of all customers")
    return LocalText(zh="，".join(_zh(each) for each in notable), en=", ".join(_en(each) for each in notable))


def _zh(each: FeatureContrast) -> str:
    difference = each.standardised_difference or 0.0
    strength = "明显" if abs(difference) >= _STRONG else ""
    return f"{each.name.zh}{strength}偏{'高' if difference > 0 else '低'}"


def _en(each: FeatureContrast) -> str:
    difference = each.standardised_difference or 0.0
    strength = "much " if abs(difference) >= _STRONG else ""
    return f"{each.name.en} {strength}{'above' if difference > 0 else 'below'} average"
