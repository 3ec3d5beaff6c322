"""Definitions as callers write them, and as the database keeps them."""

from functools import lru_cache

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.sql_form import parse_sql
from services.segmentation.domain.rules.tree import Rule
from shared.contracts.conditions import SegmentDefinition, SqlDefinition


def read_definition(definition: SegmentDefinition) -> Rule:
    """The checked tree of either form; `RuleError` points into the request."""
    if isinstance(definition, SqlDefinition):
        return parse_sql(definition.sql, BUILT_IN)
    return from_condition(definition, BUILT_IN)


def pointer_of(definition: SegmentDefinition) -> str:
    return "/definition/sql" if isinstance(definition, SqlDefinition) else "/definition"


@lru_cache(maxsize=4096)
def stored_rule(sql: str) -> Rule:
    """A definition that was checked when it was stored."""
    return parse_sql(sql, BUILT_IN)
