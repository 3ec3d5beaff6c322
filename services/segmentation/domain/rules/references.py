"""Segments that refer to segments: order of evaluation and cycles."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from services.segmentation.domain.rules.problems import RuleError


def evaluation_order(references: Mapping[str, set[str]]) -> list[str]:
    """Keys so that each comes after those it refers to; unknown keys referred to are left out."""
    known = {key: sorted(uses & references.keys()) for key, uses in sorted(references.items())}
    try:
        return list(TopologicalSorter(known).static_order())
    except CycleError as error:
        path = " → ".join(error.args[1])
        raise RuleError(f"segments refer to each other in a circle: {path}", "/definition") from None


def check_references(key: str, uses: set[str], existing: Mapping[str, set[str]], pointer: str) -> None:
    """Refuses a definition of `key` that refers to an unknown segment or closes a circle."""
    if unknown := sorted(uses - existing.keys() - {key}):
        raise RuleError(f"there is no segment '{unknown[0]}'", pointer)
    try:
        evaluation_order({**existing, key: uses})
    except RuleError as error:
        raise RuleError(error.detail, pointer) from None
