"""Checks that every kind over features shares."""

from collections.abc import Sequence

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue
from services.segmentation.queries.profile import NUMERIC
from shared.errors import FieldError


def twice(keys: Sequence[str], pointer: str = "/parameters/features") -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{index}", f"'{key}' is listed twice")
        for index, key in enumerate(keys)
        if key in keys[:index]
    ]


def pointed(keys: Sequence[str], pointer: str = "/parameters/features") -> list[tuple[str, str]]:
    """For `Kind.features`."""
    return [(f"{pointer}/{index}", key) for index, key in enumerate(keys)]


def not_numeric(key: str, catalogue: Catalogue = BUILT_IN) -> str | None:
    if key not in catalogue:
        return f"there is no feature '{key}'"
    if catalogue[key].type not in NUMERIC:
        return f"'{key}' is a {catalogue[key].type}, not a number"
    return None
