"""Checks and descriptions that every kind over features shares."""

from collections.abc import Sequence

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.queries.profile import NUMERIC
from shared.errors import FieldError


def numeric_features(keys: Sequence[str], pointer: str = "/parameters/features") -> list[FieldError]:
    """Unknown, not numeric, or listed twice."""
    errors = []
    for index, key in enumerate(keys):
        where = f"{pointer}/{index}"
        if problem := not_numeric(key):
            errors.append(FieldError(where, problem))
        elif key in keys[:index]:
            errors.append(FieldError(where, f"'{key}' is listed twice"))
    return errors


def not_numeric(key: str) -> str | None:
    if key not in BUILT_IN:
        return f"there is no feature '{key}'"
    if BUILT_IN[key].type not in NUMERIC:
        return f"'{key}' is a {BUILT_IN[key].type}, not a number"
    return None
