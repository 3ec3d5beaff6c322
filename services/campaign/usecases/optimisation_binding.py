"""Binding campaigns to what an optimisation chose for them, and taking that back.

A plan is one: its limits are shared, so all of its campaigns are bound or none.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import within
from services.campaign.domain.lifecycle import TRANSITIONS
from services.campaign.models import Campaign, Optimisation
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.optimisations import bound_to, campaigns_of
from services.campaign.queries.references import load_references, weighed_hash
from services.campaign.usecases.campaigns import bind_choice, lock_campaign
from shared.auth import Principal
from shared.contracts.campaign.fixes import ContactChoice
from shared.contracts.campaign.optimisations import CampaignShare, OptimisationResult
from shared.errors import Conflict, FieldError


async def apply(session: AsyncSession, principal: Principal, run: Optimisation) -> None:
    """`run` has succeeded. Conflict names every campaign it cannot choose for any more; a campaign that has
    the choice already stays as it is.
    """
    shares = OptimisationResult.model_validate(run.result).campaigns
    errors: list[FieldError] = []
    chosen: list[tuple[Campaign, ContactChoice]] = []
    # Locked in one order, whatever the order they were named in.
    for index, share in sorted(enumerate(shares), key=lambda each: each[1].campaign_id):
        campaign = await lock_campaign(session, principal, share.campaign_id)
        wrong = await _in_the_way(session, run, share, campaign)
        if wrong:
            errors.append(FieldError(f"/campaigns/{index}/campaign_id", f"{campaign.key} {wrong}"))
        else:
            chosen.append((campaign, _choice(run, share)))
    if errors:
        raise Conflict(
            "the run does not fit its campaigns any more: run it again",
            errors=sorted(errors, key=lambda error: error.pointer),
            slug="stale-run",
        )
    for campaign, choice in chosen:
        if content_of(campaign).optimisation != choice:
            await bind_choice(session, principal, campaign, choice)


async def _in_the_way(
    session: AsyncSession, run: Optimisation, share: CampaignShare, campaign: Campaign
) -> str | None:
    if "edit" not in TRANSITIONS[campaign.status]:
        return f"is {campaign.status} already"
    content = content_of(campaign)
    found = await load_references(session, content)
    if share.content_hash != weighed_hash(campaign.key, content, found):
        return "has changed since the run"
    if not all(within(org, run.org_path) for org in campaign.orgs):
        return f"reaches beyond {run.org_path}, whose customers alone the run looked at"
    return None


def _choice(run: Optimisation, share: CampaignShare) -> ContactChoice:
    return ContactChoice(
        optimisation_id=run.id, name=run.name, contacts=share.contacts, content_hash=share.content_hash or ""
    )


async def unbind(session: AsyncSession, principal: Principal, run: Optimisation) -> None:
    """Conflict when none of its campaigns is bound to it and still to be launched."""
    bound = await session.scalars(
        select(Campaign.id).where(Campaign.id.in_(campaigns_of(run)), bound_to(run.id)).order_by(Campaign.id)
    )
    freed = 0
    for campaign_id in bound.all():
        campaign = await lock_campaign(session, principal, campaign_id)
        choice = content_of(campaign).optimisation
        if "edit" in TRANSITIONS[campaign.status] and choice and choice.optimisation_id == run.id:
            await bind_choice(session, principal, campaign, None)
            freed += 1
    if not freed:
        raise Conflict("no campaign that is still to be launched is bound to it", slug="not-bound")
