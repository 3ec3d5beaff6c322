"""What messages say and where they go: addresses and names are asked for, used, and kept nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.messages import text_of
from services.campaign.domain.plan import plan_of
from services.campaign.domain.template_values import LANGUAGES, Language, Value, salutation
from services.campaign.domain.wording import offer_values
from services.campaign.models import Campaign
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.catalogue import get_offer, get_script
from shared import clock
from shared.contracts.base import LocalText
from shared.contracts.campaign import ScriptView
from shared.contracts.campaign.channels import ChannelKind
from shared.contracts.customer.addresses import AddressChannel, AddressResult, CustomerAddress
from shared.errors import Unavailable
from shared.service import Runtime

_PATIENCE_SECONDS = 10.0
_MOST = 500
_ADDRESS_OF: Mapping[ChannelKind, AddressChannel] = {
    "sms": "sms",
    "email": "email",
    "push": "app",
    "im": "app",
}


@dataclass(frozen=True)
class Wording:
    """What all messages of one arm have in common."""

    script: ScriptView
    values: Mapping[Language, Mapping[str, Value]]

    @property
    def subject(self) -> LocalText:
        return self.script.name

    def body(self, language: Language, to: CustomerAddress) -> str:
        """Unprocessable names a value that is not known."""
        said = salutation(to.name, to.kind or "person", to.gender) if to.name else {}
        values: dict[Language, dict[str, Value]] = {each: dict(self.values[each]) for each in LANGUAGES}
        for each in LANGUAGES:
            if to.kind is not None:
                values[each]["customer.kind"] = to.kind
            if said:
                values[each]["customer.salutation"] = said[each]
        return text_of(self.script, language, values)


async def wording_of(session: AsyncSession, campaign_id: UUID, arm_key: str, step: str) -> Wording:
    content = content_of(await session.get_one(Campaign, campaign_id))
    plan = plan_of(content).at_step(arm_key, step)
    arm = next(each for each in plan.scheme.arms if each.key == arm_key)
    offer = await get_offer(session, arm.offer)
    values: dict[Language, dict[str, Value]] = {
        language: {
            "campaign.name": getattr(content.name, language),
            "campaign.ends_on": plan.schedule.end,
            "today": clock.today(),
            **offer_values(offer, language),
        }
        for language in LANGUAGES
    }
    return Wording(await get_script(session, arm.script), values)


async def addresses_of(
    runtime: Runtime, kind: ChannelKind, customers: Sequence[UUID]
) -> dict[UUID, CustomerAddress]:
    """Asked of the customer service, which knows whether they still agree. 503 when it does not answer."""
    found: dict[UUID, CustomerAddress] = {}
    for first in range(0, len(customers), _MOST):
        asked = [str(each) for each in customers[first : first + _MOST]]
        body = {"channel": _ADDRESS_OF[kind], "customers": asked}
        try:
            answer = await runtime.client("customer").post(
                "/v1/customers:addresses", json=body, timeout=_PATIENCE_SECONDS
            )
        except httpx.HTTPError as error:
            raise Unavailable("the customer file does not answer") from error
        if answer.is_error:
            raise Unavailable(f"the customer file answers {answer.status_code}")
        for item in AddressResult.model_validate_json(answer.content).items:
            found[item.customer_id] = item
    return found
