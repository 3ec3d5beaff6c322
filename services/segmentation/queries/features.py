"""The catalogue as it is now: built-in features and those that people defined."""

from functools import lru_cache

import duckdb
import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.catalogue.life_cycle import stage_feature
from services.segmentation.domain.expressions.defined import Definition, with_defined
from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.features import Catalogue, Feature
from services.segmentation.domain.rules.compiler import Compiler, Moment
from services.segmentation.domain.rules.windows import feature_freshness
from services.segmentation.models import (
    DefinedFeature,
    LifeCycleScheme,
)
from services.segmentation.store.store import Store
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.segmentation import FeatureView
from shared.contracts.segmentation.features import FeatureTrialView
from shared.contracts.segmentation.life_cycle import Thresholds
from shared.errors import NotFound


async def load_catalogue(session: AsyncSession) -> Catalogue:
    """With every feature that was ever defined: archived ones too, marked, for what still refers to them;
    the life-cycle stage by the thresholds in force.
    """
    found = await session.scalars(select(DefinedFeature).order_by(DefinedFeature.key))
    newest = select(LifeCycleScheme.thresholds).order_by(LifeCycleScheme.version.desc()).limit(1)
    changed = await session.scalar(newest)
    limits = Thresholds.model_validate(changed).model_dump_json() if changed else None
    return _catalogue(tuple(_definition(each) for each in found), limits)


@lru_cache(maxsize=8)
def _catalogue(definitions: tuple[Definition, ...], limits: str | None) -> Catalogue:
    stages = [stage_feature(Thresholds.model_validate_json(limits))] if limits else []
    return with_defined(BUILT_IN.with_features(stages), definitions)


def _definition(stored: DefinedFeature) -> Definition:
    name = LocalText.model_validate(stored.name)
    return Definition(stored.key, name.zh, name.en, stored.unit, stored.expression, stored.archived)


async def find_feature(session: AsyncSession, key: str, *, for_update: bool = False) -> DefinedFeature:
    """A feature that people defined."""
    statement = select(DefinedFeature).where(DefinedFeature.key == key)
    found = await session.scalar(statement.with_for_update() if for_update else statement)
    if found is None:
        raise NotFound(f"There is no feature '{key}' that people defined.")
    return found


async def list_features(session: AsyncSession, *, archived: bool) -> list[FeatureView]:
    catalogue = await load_catalogue(session)
    stored = {each.key: each for each in await session.scalars(select(DefinedFeature))}
    return [
        feature_view(feature, catalogue, stored.get(feature.key))
        for feature in catalogue
        if archived or not feature.archived
    ]


def named_feature(catalogue: Catalogue, key: str) -> Feature:
    """Raises `NotFound` for a key that the catalogue does not have, with the nearest it has."""
    if key not in catalogue:
        near = catalogue.nearest(key)
        raise NotFound(f"There is no feature '{key}'" + (f"; did you mean '{near}'?" if near else "."))
    return catalogue[key]


def feature_view(feature: Feature, catalogue: Catalogue, stored: DefinedFeature | None) -> FeatureView:
    return FeatureView(
        key=feature.key,
        name=LocalText(zh=feature.zh, en=feature.en),
        description=stored.description if stored else "",
        type=feature.type,
        unit=feature.unit,
        expression=feature.expression,
        lineage=feature.lineage,
        freshness=feature_freshness(feature.key, catalogue),
        missing=feature.missing,
        built_in=stored is None,
        archived=feature.archived,
        revision=stored.revision if stored else None,
        created_by=stored.created_by if stored else None,
        updated_at=stored.updated_at if stored else None,
    )


async def try_feature(store: Store, catalogue: Catalogue, feature: Feature, org: str) -> FeatureTrialView:
    """What an expression gives for the customers of a scope."""
    tried = catalogue.with_features([feature])
    moment = Moment(clock.now(), clock.ZONE)
    values = await store.run(lambda cursor: _values(cursor, tried, feature.key, moment, org))
    known = values[~np.isnan(values)]
    summary = [float(each) for each in _summary(known)] if len(known) else [None] * 4
    return FeatureTrialView(
        expression=feature.expression,
        lineage=feature.lineage,
        freshness=feature_freshness(feature.key, tried),
        of=len(values),
        known=len(known),
        mean=summary[0],
        minimum=summary[1],
        median=summary[2],
        maximum=summary[3],
    )


Column = np.ndarray[tuple[int], np.dtype[np.float64]]


def _values(
    cursor: duckdb.DuckDBPyConnection, catalogue: Catalogue, key: str, moment: Moment, org: str
) -> Column:
    compiler = Compiler(catalogue, moment)
    compiler.add_feature("tried", key, numeric=True)
    query = compiler.query(org=org)
    column = cursor.execute(query.sql, dict(query.parameters)).fetchnumpy()["tried"]
    filled: Column = np.ma.filled(column.astype(np.float64), np.nan)
    return filled


def _summary(known: Column) -> list[np.float64]:
    with np.errstate(over="ignore"):
        return [known.mean(), known.min(), np.median(known), known.max()]
