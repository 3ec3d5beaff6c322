"""Who uses segments besides other segments: a change of a segment is a change for them."""

from collections.abc import Collection, Iterable
from typing import Any

import duckdb
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Insight, Model, TargetProfile, TargetVersion
from services.segmentation.store.campaigns import running_from
from services.segmentation.usecases.training.kinds import KINDS
from shared.contracts.base import LocalText
from shared.contracts.segmentation import ModelKind
from shared.contracts.segmentation.comparisons import SegmentUser, UserKind
from shared.contracts.segmentation.insights import InsightState


async def users_of_segments(session: AsyncSession, keys: Collection[str]) -> list[SegmentUser]:
    """Models, target profiles and insights that the caller may see and that name one of these segments.

    Tiers, GE matrices and features read features, none of which knows a segment.
    """
    return [
        *await _models(session, keys),
        *await _profiles(session, keys),
        *await _insights(session, keys),
    ]


async def _models(session: AsyncSession, keys: Collection[str]) -> list[SegmentUser]:
    found = []
    for model in await session.scalars(select(Model).order_by(Model.key)):
        kind = KINDS[ModelKind(model.kind)]
        names = _among(kind.segments(kind.parameters.model_validate(model.parameters)), keys)
        found += [
            SegmentUser(
                kind=UserKind.model,
                id=model.id,
                key=model.key,
                name=LocalText.model_validate(model.name),
                org=None,
                segment=name,
            )
            for name in names
        ]
    return found


async def _profiles(session: AsyncSession, keys: Collection[str]) -> list[SegmentUser]:
    newest = (TargetVersion.profile_id == TargetProfile.id) & (TargetVersion.version == TargetProfile.version)
    rows = await session.execute(
        select(TargetProfile, TargetVersion.sql)
        .join(TargetVersion, newest)
        .where(_mentions(TargetVersion.sql, keys))
        .order_by(TargetProfile.id)
    )
    return [
        SegmentUser(
            kind=UserKind.target_profile,
            id=profile.id,
            key=None,
            name=LocalText.model_validate(profile.name),
            org=profile.org_path,
            segment=name,
        )
        for profile, sql in rows
        for name in _among(segment_keys(stored_rule(sql)), keys)
    ]


async def _insights(session: AsyncSession, keys: Collection[str]) -> list[SegmentUser]:
    rows = await session.scalars(
        select(Insight)
        .where(
            Insight.state != InsightState.archived,
            or_(Insight.segment.in_(keys), _mentions(Insight.group_sql, keys)),
        )
        .order_by(Insight.id)
    )
    return [
        SegmentUser(
            kind=UserKind.insight,
            id=insight.id,
            key=None,
            name=LocalText(zh=insight.title, en=insight.title),
            org=insight.org_path,
            segment=name,
        )
        for insight in rows
        for name in _among(_named(insight), keys)
    ]


def _named(insight: Insight) -> set[str]:
    grouped = segment_keys(stored_rule(insight.group_sql)) if insight.group_sql else set()
    return {*grouped, *((insight.segment,) if insight.segment else ())}


def campaigns_from(cursor: duckdb.DuckDBPyConnection, keys: Collection[str], org: str) -> list[SegmentUser]:
    """Campaigns launched and not over, as far as the stream remembers their launch."""
    return [
        SegmentUser(
            kind=UserKind.campaign,
            id=campaign.campaign_id,
            key=campaign.key,
            name=LocalText(zh=campaign.zh, en=campaign.en),
            org=None,
            segment=name,
        )
        for campaign in running_from(cursor, keys, org)
        for name in _among(campaign.segments, keys)
    ]


def _among(named: Iterable[str], keys: Collection[str]) -> list[str]:
    return sorted(set(named) & set(keys))


def _mentions(sql: InstrumentedAttribute[Any], keys: Collection[str]) -> ColumnElement[bool]:
    """Rules whose text has one of the keys in it: the few that are worth reading."""
    return or_(*(sql.contains(key, autoescape=True) for key in keys))
