"""User-defined features as part of the catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.segmentation.domain.expressions.sql_form import parse_expression
from services.segmentation.domain.expressions.tree import (
    Arithmetic,
    Call,
    Expression,
    Measured,
    Negative,
    operands,
    uses,
)
from services.segmentation.domain.features import Catalogue, Feature, FeatureType, Source
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.references import find_circle
from services.segmentation.domain.rules.tree import EventValue, FeatureValue

MAX_NODES = 500
MAX_DEPTH = 150
"""Of an expression with all features it uses written out."""


@dataclass(frozen=True)
class Definition:
    """A user's feature as it is stored."""

    key: str
    zh: str
    en: str
    unit: str | None
    expression: str
    archived: bool = False


class _Numbers(Catalogue):
    """Reads stored expressions in any order: a name that is not built in is a user's number."""

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str)

    def __getitem__(self, key: str) -> Feature:
        if super().__contains__(key):
            return super().__getitem__(key)
        return Feature(key, key, key, FeatureType.number, Source.defined, key)


def any_number(catalogue: Catalogue) -> Catalogue:
    """For texts that were checked when they were stored: every unknown name is a user's number."""
    return _Numbers(catalogue)


def with_defined(built_in: Catalogue, definitions: Sequence[Definition]) -> Catalogue:
    """The catalogue with users' features, archived ones among them: what used them still means them."""
    lenient = any_number(built_in)
    return built_in.with_features(
        defined(each, parse_expression(each.expression, lenient)) for each in definitions
    )


def defined(definition: Definition, tree: Expression) -> Feature:
    measures = [value for value in operands(tree) if isinstance(value, EventValue)]
    types = tuple(dict.fromkeys(value.type for value in measures))
    return Feature(
        definition.key,
        definition.zh,
        definition.en,
        FeatureType.number,
        Source.defined,
        definition.expression,
        definition.unit,
        types=types,
        days=max((value.days or 0 for value in measures), default=None),
        uses=uses(tree),
        tree=tree,
        archived=definition.archived,
    )


def check_definition(key: str, tree: Expression, catalogue: Catalogue, pointer: str) -> None:
    """Refuses what would close a circle, or grow too large written out."""
    references = {feature.key: set(feature.uses) for feature in catalogue}
    if circle := find_circle({**references, key: set(uses(tree))}):
        raise RuleError(f"features refer to each other in a circle: {' → '.join(circle)}", pointer)
    nodes, depth = _Extent(catalogue).of(tree)
    if nodes > MAX_NODES or depth > MAX_DEPTH:
        raise RuleError(
            f"with all features it uses written out it has {nodes} parts, {depth} deep: "
            f"at most {MAX_NODES} and {MAX_DEPTH} are possible",
            pointer,
        )


class _Extent:
    """How many nodes an expression has and how deep it is, with all features it uses written out."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._features: dict[str, tuple[int, int]] = {}

    def of(self, node: Expression) -> tuple[int, int]:
        match node:
            case Measured(FeatureValue(key)):
                parts = [self._feature(key)]
            case Arithmetic(_, left, right):
                parts = [self.of(left), self.of(right)]
            case Negative(item):
                parts = [self.of(item)]
            case Call(_, items):
                parts = [self.of(item) for item in items]
            case _:
                parts = []
        return 1 + sum(nodes for nodes, _ in parts), 1 + max((depth for _, depth in parts), default=0)

    def _feature(self, key: str) -> tuple[int, int]:
        if key not in self._features:
            feature = self._catalogue[key]
            parts = [self._feature(used) for used in feature.uses] if feature.tree is None else []
            whole = (1 + sum(nodes for nodes, _ in parts), 1 + max((depth for _, depth in parts), default=0))
            self._features[key] = whole if feature.tree is None else self.of(feature.tree)
        return self._features[key]
