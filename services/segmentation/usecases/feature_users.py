"""Who uses a feature: a change of what it computes is a change for them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.tree import feature_keys
from services.segmentation.models import (
    DefinedFeature,
    GeMatrix,
    Insight,
    Model,
    Segment,
    SegmentVersion,
    TargetProfile,
    TargetVersion,
    TierScheme,
)
from services.segmentation.queries.features import feature_view, load_catalogue, named_feature
from services.segmentation.usecases.training.kinds import KINDS
from shared.contracts.segmentation import ModelKind, SegmentState
from shared.contracts.segmentation.features import FeatureDetail
from shared.contracts.segmentation.insights import InsightState


async def show_feature(session: AsyncSession, key: str) -> FeatureDetail:
    catalogue = await load_catalogue(session)
    feature = named_feature(catalogue, key)
    shown = feature_view(feature, catalogue, await session.get(DefinedFeature, key))
    return FeatureDetail(**shown.model_dump(), used_by=await users_of_feature(session, key, catalogue))


async def users_of_feature(session: AsyncSession, key: str, catalogue: Catalogue) -> list[str]:
    """What is made of it, directly or not, as `<kind>:<key>`, of profiles and insights their ids; archived
    ones not, nor what the caller may not see.
    """
    reached = _made_of(key, catalogue)
    used = {
        "feature": {each for each in reached - {key} if not catalogue[each].archived},
        "model": await _models(session, reached),
        "tier-scheme": await _tier_schemes(session, reached),
        "ge-matrix": {each.key for each in await session.scalars(select(GeMatrix)) if reached & _of(each)},
        "segment": await _segments(session, reached),
        "target-profile": await _profiles(session, reached),
        "insight": await _insights(session, reached),
    }
    return sorted(f"{kind}:{name}" for kind, names in used.items() for name in names)


def _made_of(key: str, catalogue: Catalogue) -> set[str]:
    """The feature and all that use it, over any number of steps."""
    users: Mapping[str, set[str]] = {feature.key: set(feature.uses) for feature in catalogue}
    reached: set[str] = set()
    stack = [key]
    while stack:
        found = stack.pop()
        if found not in reached:
            reached.add(found)
            stack += [user for user, used in users.items() if found in used]
    return reached


async def _models(session: AsyncSession, reached: set[str]) -> set[str]:
    found = set()
    for model in await session.scalars(select(Model)):
        kind = KINDS[ModelKind(model.kind)]
        asked = kind.features(kind.parameters.model_validate(model.parameters))
        if reached & {key for _, key in asked}:
            found.add(model.key)
    return found


async def _tier_schemes(session: AsyncSession, reached: set[str]) -> set[str]:
    return set(await session.scalars(select(TierScheme.key).where(TierScheme.feature.in_(reached))))


def _of(matrix: GeMatrix) -> set[str]:
    banded = [factor["bands"] for factors in matrix.factors.values() for factor in factors]
    return {matrix.value_feature, *(bands["feature"] for bands in banded if bands)}


async def _segments(session: AsyncSession, reached: set[str]) -> set[str]:
    rules = await session.execute(
        select(Segment.key, SegmentVersion.sql)
        .join(SegmentVersion, SegmentVersion.segment_id == Segment.id)
        .where(
            Segment.state != SegmentState.archived,
            SegmentVersion.sql.is_not(None),
            SegmentVersion.version.in_([Segment.version, Segment.live_version]),
        )
    )
    return {name for name, sql in rules if _asks(sql, reached)}


async def _profiles(session: AsyncSession, reached: set[str]) -> set[str]:
    newest = (TargetVersion.profile_id == TargetProfile.id) & (TargetVersion.version == TargetProfile.version)
    rules = await session.execute(select(TargetProfile.id, TargetVersion.sql).join(TargetVersion, newest))
    return {str(profile_id) for profile_id, sql in rules if _asks(sql, reached)}


async def _insights(session: AsyncSession, reached: set[str]) -> set[str]:
    insights = await session.execute(
        select(Insight.id, Insight.feature, Insight.group_sql).where(Insight.state != InsightState.archived)
    )
    return {
        str(insight_id)
        for insight_id, feature, sql in insights
        if feature in reached or (sql and _asks(sql, reached))
    }


def _asks(sql: Any, reached: set[str]) -> bool:
    return not reached.isdisjoint(feature_keys(stored_rule(sql)))
