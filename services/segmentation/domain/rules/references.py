"""Segments that refer to segments: order of evaluation and cycles."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.tree import Rule, related_keys, segment_keys


def evaluation_order(references: Mapping[str, set[str]]) -> list[str]:
    """Keys so that each comes after those it refers to; unknown keys referred to are left out."""
    if circle := find_circle(references):
        path = " → ".join(circle)
        raise RuleError(f"segments refer to each other in a circle: {path}", "/definition")
    return list(TopologicalSorter(_known(references)).static_order())


def find_circle(references: Mapping[str, set[str]]) -> list[str] | None:
    """Keys that refer each to the next, the last to the first; `None` if there is no such circle."""
    try:
        TopologicalSorter(_known(references)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def _known(references: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {key: sorted(uses & references.keys()) for key, uses in sorted(references.items())}


def stages(rules: Mapping[str, Rule]) -> list[list[str]]:
    """Keys in order of evaluation, grouped into queries.

    A reference by `in_segment` may be answered within one query. `related` asks about the members of
    a segment themselves, so that segment must have been evaluated by an earlier one.
    """
    level: dict[str, int] = {}
    for key in evaluation_order({key: segment_keys(rule) for key, rule in rules.items()}):
        ahead = related_keys(rules[key])
        level[key] = max(
            (level[used] + (used in ahead) for used in segment_keys(rules[key]) if used in level), default=0
        )
    return [[key for key in level if level[key] == each] for each in sorted(set(level.values()))]


def check_references(key: str, uses: set[str], existing: Mapping[str, set[str]], pointer: str) -> None:
    """Refuses a definition of `key` that refers to an unknown segment or closes a circle."""
    if unknown := sorted(uses - existing.keys() - {key}):
        raise RuleError(f"there is no segment '{unknown[0]}'", pointer)
    try:
        evaluation_order({**existing, key: uses})
    except RuleError as error:
        raise RuleError(error.detail, pointer) from None
