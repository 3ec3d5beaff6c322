"""Definitions as callers write them, and as the database keeps them."""

from functools import lru_cache

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue, Feature, FeatureType, Source
from services.segmentation.domain.rules.json_form import from_condition
from services.segmentation.domain.rules.sql_form import parse_sql
from services.segmentation.domain.rules.tree import Rule
from shared.contracts.conditions import SegmentDefinition, SqlDefinition


def read_definition(definition: SegmentDefinition, catalogue: Catalogue = BUILT_IN) -> Rule:
    """The checked tree of either form; `RuleError` points into the request."""
    if isinstance(definition, SqlDefinition):
        return parse_sql(definition.sql, catalogue)
    return from_condition(definition, catalogue)


def pointer_of(definition: SegmentDefinition) -> str:
    return "/definition/sql" if isinstance(definition, SqlDefinition) else "/definition"


class _Stored(Catalogue):
    """For texts that were checked when they were stored: a name not built in was a user's feature.

    Those are numbers, which is all that reading a text needs to know of them.
    """

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)

    def __getitem__(self, key: str) -> Feature:
        if super().__contains__(key):
            return super().__getitem__(key)
        return Feature(key, key, key, FeatureType.number, Source.defined, key)


_STORED = _Stored(BUILT_IN)


@lru_cache(maxsize=4096)
def stored_rule(sql: str) -> Rule:
    """A definition that was checked when it was stored. Its features may be archived since."""
    return parse_sql(sql, _STORED)
