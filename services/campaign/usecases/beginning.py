"""A contact begins: the last moment at which it can be refused."""

import math
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain import tasks as rules
from services.campaign.domain.contact_rules import ContactRules
from services.campaign.domain.plan import plan_of
from services.campaign.models import Campaign, Contact
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.catalogue import get_offer
from services.campaign.queries.contact_policies import rules_of
from services.campaign.queries.moment import Refusal, refusals_now
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.reservations import reserve
from services.campaign.usecases.tasks import Work, lock_task, require_running, resources_of
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.errors import Conflict


async def start_task(
    session: AsyncSession, principal: Principal, settings: CampaignSettings, task_id: UUID
) -> None:
    """Consent, suitability, caps and hold-out are looked at once more; what the contact needs is reserved.

    A rule that refuses closes the task with its reason: that is no error of the manager's, whose call it
    forbids. In quiet hours, or without a unit or money left, the task stays as it is (409). Starting again
    asks again: who began yesterday may have to leave the customer alone today.
    """
    work = await lock_task(session, principal, task_id)
    again = work.task.state == "started"
    if not again:
        rules.require_legal(work.task.state, "start")
    require_running(work)
    _require_window(work)
    campaign = await session.get_one(Campaign, work.task.campaign_id)
    plan = plan_of(content_of(campaign)).at_step(work.task.arm, work.contact.step)
    contact_rules = await rules_of(session, settings, plan.scheme.contact_policy, clock.now())
    refused = await refusals_now(
        session,
        settings,
        [task_id],
        campaign_id=work.task.campaign_id,
        plan=plan,
        offer=await get_offer(session, work.offer),
        rules=contact_rules,
    )
    if task_id in refused:
        await _close(session, principal, work, refused[task_id])
        return
    _require_waking_hours(contact_rules)
    await reserve(session, settings, await resources_of(session, settings, work))
    if again:
        return
    work.task.state = "started"
    work.task.begun_at = clock.now()
    work.task.version += 1
    await session.flush()


def _require_window(work: Work) -> None:
    if work.row.ends_on < clock.today():
        raise Conflict(f"the campaign's window ended on {work.row.ends_on}", slug="window-passed")


def _require_waking_hours(of: ContactRules) -> None:
    now = clock.now()
    allowed = of.next_allowed(now, clock.ZONE)
    if allowed is None:
        raise Conflict(f"Contact policy {of.ref} rests every day", slug="quiet-hours")
    if allowed > now:
        raise Conflict(
            f"Contact policy {of.ref} lets customers rest until {allowed:%Y-%m-%d %H:%M}",
            slug="quiet-hours",
            headers={"Retry-After": str(math.ceil((allowed - now).total_seconds()))},
        )


async def _close(session: AsyncSession, principal: Principal, work: Work, refusal: Refusal) -> None:
    closed = await expire_contacts(
        session,
        Contact.id == work.task.id,
        at=clock.now(),
        by=principal.id,
        reason=refusal.rule,
        evidence=refusal.evidence,
    )
    if not closed:
        raise Conflict("The contact was closed meanwhile", slug="illegal-transition")
    detail = {"rule": refusal.rule}
    audit(session, principal, "refuse_contact", f"task/{work.task.id}", detail, org_path=work.task.org_path)
