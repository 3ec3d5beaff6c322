"""Making, editing, submitting and approving a campaign."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain import fixes
from services.campaign.domain.approval import require_other_eyes, require_same_content
from services.campaign.domain.lifecycle import next_status
from services.campaign.domain.plan import plan_of
from services.campaign.models import Approval, Campaign
from services.campaign.queries.campaigns import content_of, select_visible
from services.campaign.queries.references import (
    closed_channels,
    expired_offers,
    foreign_channels,
    load_references,
    refused_words,
    require_usable,
    stale_choice,
    unknown,
    unusable,
)
from services.campaign.queries.strategies import kept_version, version_now
from services.campaign.usecases.strategy_binding import hold_to_strategy, with_strategy
from services.campaign.usecases.triggers import pause_trigger, resume_trigger
from services.campaign.usecases.waking import lengthen_waits
from services.campaign.usecases.withdrawal import drop_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import (
    CampaignContent,
    CampaignPatch,
    CampaignVerb,
    CampaignWrite,
    PauseRequest,
)
from shared.contracts.campaign.fixes import ContactChoice
from shared.contracts.events import CampaignApproved, CampaignPaused, CampaignResumed
from shared.errors import FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.web import check_version


async def create_campaign(session: AsyncSession, principal: Principal, request: CampaignWrite) -> Campaign:
    content = CampaignContent.model_validate(request.model_dump(exclude={"key"}))
    _require_possible(principal, content)
    content = await with_strategy(session, principal, content, request.model_fields_set)
    campaign = Campaign(
        id=new_id(),
        key=request.key,
        status="draft",
        version=1,
        home_org=principal.org,
        created_at=clock.now(),
        created_by=principal.id,
        edited_by=principal.id,
    )
    _write_content(campaign, content)
    session.add(campaign)
    await session.flush()
    audit(session, principal, "create_campaign", f"campaign/{campaign.id}", {"key": campaign.key})
    return campaign


async def edit_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, version: int, patch: CampaignPatch
) -> Campaign:
    """Replaces the parts that `patch` names. Review and approval are void afterwards."""
    campaign = await lock_campaign(session, principal, campaign_id)
    check_version(campaign.version, version)
    campaign.status = next_status(campaign.status, "edit")
    changes = patch.model_dump(exclude_unset=True)
    if "name" in changes and changes["name"] is None:
        raise Unprocessable("a campaign keeps a name", errors=[FieldError("/name", "is required")])
    content = CampaignContent.model_validate({**campaign.content, **changes})
    _require_possible(principal, content)
    content = await with_strategy(session, principal, content, changes)
    _write_content(campaign, content)
    campaign.edited_by = principal.id
    void_approval(campaign)
    await _save(session, principal, campaign, "edit_campaign", {"parts": sorted(changes)})
    return campaign


async def bind_choice(
    session: AsyncSession, principal: Principal, campaign: Campaign, choice: ContactChoice | None
) -> None:
    """Who is contacted is content like any other. `campaign` is locked."""
    campaign.status = next_status(campaign.status, "edit")
    _write_content(campaign, content_of(campaign).model_copy(update={"optimisation": choice}))
    campaign.edited_by = principal.id
    void_approval(campaign)
    detail: dict[str, object] = {"optimisation": str(choice.optimisation_id) if choice else None}
    await _save(
        session, principal, campaign, "bind_optimisation" if choice else "unbind_optimisation", detail
    )


async def submit_campaign(session: AsyncSession, principal: Principal, campaign_id: UUID) -> Campaign:
    """Binds the content by its hash and asks for a second pair of eyes."""
    campaign = await lock_campaign(session, principal, campaign_id)
    status = next_status(campaign.status, "submit")
    content = content_of(campaign)
    plan = plan_of(content)
    found = await load_references(session, content)
    void_approval(campaign)
    errors = [
        *fixes.contradictions(content, clock.today()),
        *unknown(content, found),
        *unusable(content, found),
        *closed_channels(content, found),
        *foreign_channels(content, found),
        *await refused_words(session, content, found, clock.today()),
        *expired_offers(content, found, plan.schedule.end),
        *stale_choice(campaign.key, content, found),
        *await hold_to_strategy(session, campaign, content),
    ]
    if errors:
        raise Unprocessable("the campaign cannot be carried out as it stands", errors=errors)
    campaign.status = status
    campaign.content_hash = found.hash(campaign.key, content, kept_version(campaign))
    campaign.submitted_by, campaign.submitted_at = principal.id, clock.now()
    await _save(session, principal, campaign, "submit_campaign", {"content_hash": campaign.content_hash})
    return campaign


async def approve_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, comment: str | None
) -> Campaign:
    campaign = await lock_campaign(session, principal, campaign_id)
    campaign.status = next_status(campaign.status, "approve")
    submitted_by, submitted_hash = _submission(campaign)
    require_other_eyes(principal.id, submitted_by=submitted_by, edited_by=campaign.edited_by)
    content = content_of(campaign)
    found = await load_references(session, content)
    strategy = await version_now(session, campaign)
    require_same_content(submitted_hash, found.hash(campaign.key, content, strategy))
    require_usable(content, found)
    campaign.approved_by, campaign.approved_at = principal.id, clock.now()
    campaign.approved_hash = submitted_hash
    session.add(_decision(campaign, principal, "approved", comment))
    await emit(
        session,
        CampaignApproved(
            campaign_id=campaign.id,
            campaign_key=campaign.key,
            content_hash=submitted_hash,
            approved_by=principal.id,
            approved_at=campaign.approved_at,
        ),
    )
    await _save(session, principal, campaign, "approve_campaign", _decided(submitted_hash, content))
    return campaign


async def reject_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, reason: str
) -> Campaign:
    campaign = await lock_campaign(session, principal, campaign_id)
    campaign.status = next_status(campaign.status, "reject")
    submitted_by, submitted_hash = _submission(campaign)
    require_other_eyes(principal.id, submitted_by=submitted_by, edited_by=campaign.edited_by)
    session.add(_decision(campaign, principal, "rejected", reason))
    # The decision is checked against the submission, which is void from here on.
    await session.flush()
    void_approval(campaign)
    campaign.status_reason = reason
    detail = _decided(submitted_hash, content_of(campaign))
    await _save(session, principal, campaign, "reject_campaign", detail)
    return campaign


async def pause_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, request: PauseRequest
) -> Campaign:
    campaign = await _switch(session, principal, campaign_id, "pause", request.reason)
    campaign.paused_at = clock.now()
    await pause_trigger(session, campaign)
    if request.open_contacts == "drop":
        await drop_contacts(session, campaign_id, at=campaign.paused_at, by=principal.id)
    await emit(session, CampaignPaused(campaign_id=campaign.id, at=clock.now()))
    await _save(session, principal, campaign, "pause_campaign")
    return campaign


async def resume_campaign(session: AsyncSession, principal: Principal, campaign_id: UUID) -> Campaign:
    campaign = await _switch(session, principal, campaign_id, "resume", None)
    await resume_trigger(session, campaign)
    if campaign.paused_at is not None:
        await lengthen_waits(session, campaign.id, campaign.paused_at)
        campaign.paused_at = None
    await emit(session, CampaignResumed(campaign_id=campaign.id, at=clock.now()))
    await _save(session, principal, campaign, "resume_campaign")
    return campaign


async def _switch(
    session: AsyncSession, principal: Principal, campaign_id: UUID, verb: CampaignVerb, reason: str | None
) -> Campaign:
    campaign = await lock_campaign(session, principal, campaign_id)
    campaign.status = next_status(campaign.status, verb)
    campaign.status_reason = reason
    return campaign


async def lock_campaign(session: AsyncSession, principal: Principal, campaign_id: UUID) -> Campaign:
    """The campaign, held until the transaction ends; the principal must cover all of its organisations."""
    query = select_visible(principal).where(Campaign.id == campaign_id).with_for_update(of=Campaign)
    campaign = await session.scalar(query)
    if campaign is None:
        raise NotFound(f"no campaign {campaign_id}")
    outside = [org for org in [*campaign.orgs, campaign.home_org] if not principal.covers(org)]
    if outside:
        raise Forbidden(f"the campaign also belongs to {', '.join(outside)}")
    return campaign


def void_approval(campaign: Campaign) -> None:
    """Forgets submission and approval: their content is no longer the campaign's."""
    campaign.content_hash = campaign.strategy_version = None
    campaign.submitted_by = campaign.submitted_at = None
    campaign.approved_by = campaign.approved_at = campaign.approved_hash = None
    campaign.status_reason = None


def _write_content(campaign: Campaign, content: CampaignContent) -> None:
    campaign.content = content.model_dump(mode="json")
    campaign.strategy = content.strategy
    campaign.orgs = list(content.people.orgs) if content.people else []
    campaign.starts_on = content.schedule.start if content.schedule else None
    campaign.ends_on = content.schedule.end if content.schedule else None


def _require_possible(principal: Principal, content: CampaignContent) -> None:
    """Even a draft does not reach beyond its author's organisation."""
    orgs = content.people.orgs if content.people else []
    outside = [
        FieldError(f"/people/orgs/{index}", "is outside your organisation")
        for index, org in enumerate(orgs)
        if not principal.covers(org)
    ]
    if outside:
        raise Forbidden("the campaign reaches beyond your organisation", errors=outside)


def _submission(campaign: Campaign) -> tuple[str, str]:
    if campaign.submitted_by is None or campaign.content_hash is None:
        raise RuntimeError(f"campaign {campaign.id} is in review without a submission")
    return campaign.submitted_by, campaign.content_hash


def _decision(campaign: Campaign, principal: Principal, decision: str, comment: str | None) -> Approval:
    submitted_by, submitted_hash = _submission(campaign)
    return Approval(
        id=new_id(),
        campaign_id=campaign.id,
        decision=decision,
        content_hash=submitted_hash,
        maker=submitted_by,
        checker=principal.id,
        comment=comment,
        decided_at=clock.now(),
    )


def _decided(submitted_hash: str, content: CampaignContent) -> dict[str, object]:
    """As text, which comes back from the log as it went in, whatever numbers a scenario names."""
    return {"content_hash": submitted_hash, "content": content.model_dump_json()}


async def _save(
    session: AsyncSession,
    principal: Principal,
    campaign: Campaign,
    action: str,
    detail: dict[str, object] | None = None,
) -> None:
    campaign.version += 1
    await session.flush()
    # Of the campaign's own organisation: whoever decides there next sees what was decided above.
    audit(session, principal, action, f"campaign/{campaign.id}", detail, org_path=campaign.home_org)
