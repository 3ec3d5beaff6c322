"""Definitions as callers write them, and as the database keeps them."""

from functools import lru_cache

from services.segmentation.domain.expressions.defined import any_number
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.sql_form import parse_sql
from services.segmentation.domain.rules.tree import Rule
from shared.contracts.conditions import SegmentDefinition, SqlDefinition


def read_definition(definition: SegmentDefinition, catalogue: Catalogue) -> Rule:
    """The checked tree of either form; `RuleError` points into the request."""
    if isinstance(definition, SqlDefinition):
        return parse_sql(definition.sql, catalogue)
    return from_condition(definition, catalogue)


def pointer_of(definition: SegmentDefinition) -> str:
    return "/definition/sql" if isinstance(definition, SqlDefinition) else "/definition"


_STORED = any_number(BUILT_IN)


@lru_cache(maxsize=4096)
def stored_rule(sql: str) -> Rule:
    """A definition that was checked when it was stored. Its features may be archived since."""
    return parse_sql(sql, _STORED)
