"""What a campaign refers to: offers, scripts and segments, as they stand."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.approval import content_hash
from services.campaign.domain.compliance import refusals
from services.campaign.domain.costs import task_cost
from services.campaign.domain.fixes import TASK_CHANNEL
from services.campaign.domain.journeys import contacts_of, segments_of
from services.campaign.domain.messages import WORDING_OF, text_faults
from services.campaign.domain.wording import material_wording, script_wording
from services.campaign.models import Channel, Segment
from services.campaign.queries.catalogue import materials_by_ref, offers_by_key, scripts_by_ref
from services.campaign.queries.compliance import hits_in, lists_in_force
from services.campaign.queries.contact_policies import known_policies
from shared.contracts.campaign import Arm, CampaignContent, OfferView, ScriptView
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.campaign.materials import MaterialView
from shared.errors import Conflict, FieldError, Unprocessable


@dataclass(frozen=True)
class KnownSegment:
    id: UUID
    version: int
    kind: str | None


@dataclass(frozen=True)
class References:
    offers: Mapping[str, OfferView]
    scripts: Mapping[str, ScriptView]
    materials: Mapping[str, MaterialView]
    segments: Mapping[str, KnownSegment]
    contact_policies: Collection[str]
    channels: Mapping[str, Channel]
    """Those that carry messages."""

    def minutes(self, arm: Arm) -> float:
        """Of a manager, for one contact."""
        return self.scripts[arm.script].minutes if arm.channel == TASK_CHANNEL else 0

    def cost(self, arm: Arm, cost_per_minute: Decimal) -> Decimal:
        """Of one contact."""
        if arm.channel != TASK_CHANNEL:
            return self.channels[arm.channel].cost
        return task_cost(self.minutes(arm), cost_per_minute)

    def hash(self, key: str, content: CampaignContent, strategy: str | None = None) -> str:
        versions = {name: segment.version for name, segment in self.segments.items()}
        return content_hash(key, content, self.offers, self.scripts, self.materials, versions, strategy)

    def segment_ids(self) -> dict[str, UUID]:
        return {name: segment.id for name, segment in self.segments.items()}


async def load_references(session: AsyncSession, content: CampaignContent) -> References:
    arms = [arm for _, _, arm in _contacts(content)]
    policies = [content.scheme.contact_policy] if content.scheme else []
    return References(
        offers=await offers_by_key(session, {arm.offer for arm in arms}),
        scripts=await scripts_by_ref(session, {arm.script for arm in arms}),
        materials=await materials_by_ref(session, {ref for arm in arms for ref in arm.materials}),
        segments=await _segments(session, _segment_keys(content)),
        contact_policies=await known_policies(session, policies),
        channels=await _channels(session, {arm.channel for arm in arms}),
    )


def _contacts(content: CampaignContent) -> Iterator[tuple[str, str, Arm]]:
    """First contacts and those of journeys; of a draft without a scheme none."""
    if content.scheme is not None:
        yield from contacts_of(content.scheme)


def _journey_segments(content: CampaignContent) -> Iterator[tuple[str, str]]:
    if content.scheme is not None:
        yield from segments_of(content.scheme)


def _segment_keys(content: CampaignContent) -> list[str]:
    keys = [key for _, key in _journey_segments(content)]
    audience = content.audience
    if audience is None:
        return keys
    trigger = [audience.trigger.segment] if audience.trigger else []
    return [*audience.include, *audience.exclude, *trigger, *keys]


async def _channels(session: AsyncSession, keys: Collection[str]) -> dict[str, Channel]:
    rows = await session.scalars(select(Channel).where(Channel.key.in_(keys)))
    return {row.key: row for row in rows}


async def _segments(session: AsyncSession, keys: list[str]) -> dict[str, KnownSegment]:
    rows = await session.scalars(
        select(Segment).where(Segment.key.in_(keys), ~Segment.archived).order_by(Segment.key, Segment.version)
    )
    return {row.key: KnownSegment(row.id, row.version, row.kind) for row in rows}


def weighed_hash(key: str, content: CampaignContent, found: References) -> str:
    """What an optimisation weighs of a campaign: all of its content but what an optimisation chose."""
    return found.hash(key, content.model_copy(update={"optimisation": None}))


def stale_choice(key: str, content: CampaignContent, found: References) -> list[FieldError]:
    """A choice that was made for other content: neither its counts nor its limits hold any more."""
    choice = content.optimisation
    if choice is None or choice.content_hash == weighed_hash(key, content, found):
        return []
    detail = f"{choice.name} weighed other content: run the optimisation again, or unbind it"
    return [FieldError("/optimisation", detail)]


def unknown(content: CampaignContent, found: References) -> list[FieldError]:
    """A pointer to every reference that leads nowhere."""
    errors = []
    for pointer, step, arm in _contacts(content):
        if step == FIRST_STEP and arm.offer not in found.offers:
            errors.append(FieldError(f"{pointer}/offer", f"there is no offer {arm.offer}"))
        if arm.channel != TASK_CHANNEL and arm.channel not in found.channels:
            errors.append(FieldError(f"{pointer}/channel", f"there is no channel {arm.channel}"))
        if arm.script not in found.scripts:
            errors.append(FieldError(f"{pointer}/script", f"there is no script {arm.script}"))
        errors += [
            FieldError(f"{pointer}/materials/{number}", f"there is no material {ref}")
            for number, ref in enumerate(arm.materials)
            if ref not in found.materials
        ]
    errors += [
        FieldError(pointer, f"no published segment {key} is known here")
        for pointer, key in _journey_segments(content)
        if key not in found.segments
    ]
    if content.scheme and content.scheme.contact_policy not in found.contact_policies:
        detail = f"there is no contact policy {content.scheme.contact_policy}"
        errors.append(FieldError("/scheme/contact_policy", detail))
    if content.audience:
        for part, keys in (("include", content.audience.include), ("exclude", content.audience.exclude)):
            errors += [
                FieldError(f"/audience/{part}/{index}", f"no published segment {key} is known here")
                for index, key in enumerate(keys)
                if key not in found.segments
            ]
    return [*errors, *_unfit_trigger(content, found)]


def _unfit_trigger(content: CampaignContent, found: References) -> list[FieldError]:
    trigger = content.audience.trigger if content.audience else None
    if trigger is None:
        return []
    segment = found.segments.get(trigger.segment)
    if segment is None:
        detail = f"no published segment {trigger.segment} is known here"
    elif segment.kind == "cluster":
        detail = f"the members of {trigger.segment} come from runs of its model: nobody moves by themselves"
    else:
        return []
    return [FieldError("/audience/trigger/segment", detail)]


def unusable(content: CampaignContent, found: References) -> list[FieldError]:
    """Versions that nobody approved or somebody retired, and scripts that are meant for other products."""
    errors = []
    for pointer, _, arm in _contacts(content):
        used: list[tuple[str, ScriptView | MaterialView | None]] = [
            ("script", found.scripts.get(arm.script)),
            *((f"materials/{number}", found.materials.get(ref)) for number, ref in enumerate(arm.materials)),
        ]
        offer = found.offers.get(arm.offer)
        for place, version in used:
            if version is None:
                continue
            if version.state != "approved":
                detail = f"{version.ref} is {version.state}"
            elif offer and version.products and offer.product not in version.products:
                detail = f"{version.ref} is not meant for {offer.product}"
            else:
                continue
            errors.append(FieldError(f"{pointer}/{place}", detail))
        if arm.channel in found.channels:
            errors += _unsendable(pointer, arm, found)
    return errors


def _unsendable(pointer: str, arm: Arm, found: References) -> Iterator[FieldError]:
    channel, script = found.channels[arm.channel], found.scripts.get(arm.script)
    if arm.materials:
        yield FieldError(f"{pointer}/materials", "a message is its script and nothing else")
    offer = found.offers.get(arm.offer)
    if script is not None and offer is not None:
        yield from (
            FieldError(f"{pointer}/script", said) for said in text_faults(script, channel.kind, offer)
        )


def closed_channels(content: CampaignContent, found: References) -> list[FieldError]:
    """Channels that carry nothing now. Asked at submission only: later one may be closed for an hour."""
    return [
        FieldError(f"{pointer}/channel", f"{arm.channel} is disabled")
        for pointer, _, arm in _contacts(content)
        if arm.channel in found.channels and found.channels[arm.channel].state == "disabled"
    ]


def foreign_channels(content: CampaignContent, found: References) -> list[FieldError]:
    """A budget pays for messages at what they cost, which is no number of another currency."""
    if content.budget is None:
        return []
    others = sorted(
        {each.key for each in found.channels.values() if each.currency != content.budget.currency}
    )
    return [
        FieldError("/budget/currency", f"{key} counts in {found.channels[key].currency}") for key in others
    ]


async def refused_words(
    session: AsyncSession, content: CampaignContent, found: References, day: date
) -> list[FieldError]:
    """What the compliance lists in force refuse for the very products that are offered."""
    lists = await lists_in_force(session, day)
    errors = []
    for pointer, _, arm in _contacts(content):
        offer, script = found.offers.get(arm.offer), found.scripts.get(arm.script)
        wordings = {"script": script_wording(script)} if script else {}
        for number, ref in enumerate(arm.materials):
            if ref in found.materials:
                wordings[f"materials/{number}"] = material_wording(found.materials[ref])
        for place, wording in wordings.items():
            said = replace(wording, products=[offer.product] if offer else wording.products)
            if arm.channel in found.channels:
                said = replace(said, channel=WORDING_OF[found.channels[arm.channel].kind])
            errors += [
                FieldError(f"{pointer}/{place}", f"{error.pointer}: {error.detail}")
                for error in refusals(await hits_in(said, lists))
            ]
    return errors


def require_usable(content: CampaignContent, found: References) -> None:
    errors = unusable(content, found)
    if errors:
        raise Conflict("a text of the campaign may not be used any more", errors=errors, slug="text-retired")


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
