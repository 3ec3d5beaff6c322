"""Contact policies are written once; the next text of a key is its next version, and holds from then on."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import ContactPolicy
from services.campaign.queries.contact_policies import policy_view
from services.campaign.usecases.versions import next_version
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.contact_policies import ContactPolicyView, ContactPolicyWrite


async def create_policy(
    session: AsyncSession, principal: Principal, request: ContactPolicyWrite
) -> ContactPolicyView:
    """The next version of the key."""
    quiet = request.quiet_hours
    policy = ContactPolicy(
        key=request.key,
        version=await next_version(session, ContactPolicy, request.key),
        name=request.name.model_dump(),
        cap=request.cap.contacts,
        cap_days=request.cap.days,
        cool_down_days=request.cool_down_days,
        quiet_from=quiet.start if quiet else None,
        quiet_until=quiet.end if quiet else None,
        rest_on_weekends=request.rest_on_weekends,
        rest_days=sorted(set(request.rest_days)),
        created_at=clock.now(),
        created_by=principal.id,
    )
    session.add(policy)
    await session.flush()
    audit(session, principal, "create_policy", f"contact-policy/{policy.key}@{policy.version}")
    return policy_view(policy)
