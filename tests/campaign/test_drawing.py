"""Where managers or branches are drawn, their customers share what the lot says."""

from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select

from services.campaign.domain.split import GLOBAL_SALT, key_of, position, salt_of, slot_of, slots
from services.campaign.settings import CampaignSettings
from shared.contracts.campaign import Arm
from shared.db import Outbox
from tests.campaign.conftest import Bank, a_scheme, an_arm


@pytest.mark.parametrize("unit", ["manager", "branch"])
async def test_all_customers_of_what_is_drawn_share_the_arm(bank: Bank, unit: str) -> None:
    arms = [an_arm("call", 0.4), an_arm("visit", 0.3)]
    scheme = a_scheme(*arms, hold_out=0.3) | {"unit": unit}
    campaign_id = UUID(await bank.launched(scheme=scheme))
    cut = slots(0.3, [Arm.model_validate(arm) for arm in arms])
    by_customer = {str(state.customer_id): state for state in bank.customers}
    found = set()
    for entry in await bank.all_of(f"/v1/campaigns/{campaign_id}/ledger"):
        if entry["state"] == "suppressed":
            continue
        customer = by_customer[entry["customer_id"]]
        drawn = customer.primary_manager if unit == "manager" else customer.org
        assert drawn is not None
        slot = slot_of(position(salt_of("arm", campaign_id), key_of(drawn)), cut)
        assert (entry["arm"], entry["propensity"]) == (slot.arm, slot.propensity)
        found.add(drawn)
    assert len(found) > 1
    view = await bank.get(f"/v1/campaigns/{campaign_id}")
    assert view["scheme"]["unit"] == unit
    launched = await _registration(bank, campaign_id)
    assert launched["unit"] == unit
    settings = bank.campaign.runtime.settings
    assert isinstance(settings, CampaignSettings)
    held = {"share": settings.global_hold_out, "salt": GLOBAL_SALT}
    assert launched["global_hold_out"] == held


async def _registration(bank: Bank, campaign_id: UUID) -> dict[str, Any]:
    async with bank.campaign.runtime.db.transaction() as session:
        payloads = await session.scalars(select(Outbox.payload).where(Outbox.subject.contains("launched")))
        told = [orjson.loads(payload)["data"] for payload in payloads]
    (launched,) = (each for each in told if each["campaign_id"] == str(campaign_id))
    return dict(launched["registration"])
