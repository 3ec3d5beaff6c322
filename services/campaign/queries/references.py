"""What a campaign refers to: offers, scripts and segments, as they stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.approval import content_hash
from services.campaign.models import Segment
from services.campaign.queries.catalogue import offers_by_key, scripts_by_ref
from shared.contracts.campaign import CampaignContent, OfferView, ScriptView
from shared.errors import FieldError, Unprocessable


@dataclass(frozen=True)
class KnownSegment:
    id: UUID
    version: int


@dataclass(frozen=True)
class References:
    offers: Mapping[str, OfferView]
    scripts: Mapping[str, ScriptView]
    segments: Mapping[str, KnownSegment]

    def hash(self, key: str, content: CampaignContent) -> str:
        versions = {name: segment.version for name, segment in self.segments.items()}
        return content_hash(key, content, self.offers, self.scripts, versions)

    def segment_ids(self) -> dict[str, UUID]:
        return {name: segment.id for name, segment in self.segments.items()}


async def load_references(session: AsyncSession, content: CampaignContent) -> References:
    arms = content.scheme.arms if content.scheme else []
    keys = [*content.audience.include, *content.audience.exclude] if content.audience else []
    return References(
        offers=await offers_by_key(session, {arm.offer for arm in arms}),
        scripts=await scripts_by_ref(session, {arm.script for arm in arms}),
        segments=await _segments(session, keys),
    )


async def _segments(session: AsyncSession, keys: list[str]) -> dict[str, KnownSegment]:
    rows = await session.scalars(
        select(Segment).where(Segment.key.in_(keys), ~Segment.archived).order_by(Segment.key, Segment.version)
    )
    return {row.key: KnownSegment(row.id, row.version) for row in rows}


def unknown(content: CampaignContent, found: References) -> list[FieldError]:
    """A pointer to every reference that leads nowhere."""
    errors = []
    for index, arm in enumerate(content.scheme.arms if content.scheme else []):
        if arm.offer not in found.offers:
            errors.append(FieldError(f"/scheme/arms/{index}/offer", f"there is no offer {arm.offer}"))
        if arm.script not in found.scripts:
            errors.append(FieldError(f"/scheme/arms/{index}/script", f"there is no script {arm.script}"))
    if content.audience:
        for part, keys in (("include", content.audience.include), ("exclude", content.audience.exclude)):
            errors += [
                FieldError(f"/audience/{part}/{index}", f"no published segment {key} is known here")
                for index, key in enumerate(keys)
                if key not in found.segments
            ]
    return errors


def expired_offers(content: CampaignContent, found: References, ends_on: date) -> list[FieldError]:
    arms = content.scheme.arms if content.scheme else []
    return [
        FieldError(f"/scheme/arms/{index}/offer", f"is valid until {until}, the campaign ends {ends_on}")
        for index, arm in enumerate(arms)
        if arm.offer in found.offers
        and (until := found.offers[arm.offer].valid_until) is not None
        and until < ends_on
    ]


def require_known(content: CampaignContent, found: References) -> None:
    errors = unknown(content, found)
    if errors:
        raise Unprocessable("the campaign refers to what does not exist", errors=errors)
