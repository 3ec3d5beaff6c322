"""Messages for connectors, and what connectors share, without a service around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.campaign.channels import OutboundMessage
from services.campaign.channels.carriers import Carriers, carrying
from services.campaign.settings import CampaignSettings
from shared.db import Database
from shared.ids import new_id

PHONE = "+8613912345678"


def a_message(**changes: Any) -> OutboundMessage:
    values: dict[str, Any] = {
        "id": new_id(),
        "campaign_id": new_id(),
        "channel": "probe",
        "kind": "sms",
        "recipient": PHONE,
        "subject": None,
        "body": "您好，年化 2.85%",
        "language": "zh",
    }
    return OutboundMessage(**{**values, **changes})


@asynccontextmanager
async def carriers(**settings: Any) -> AsyncIterator[Carriers]:
    """Nothing in them touches the database but the sandbox."""
    chosen = CampaignSettings(**{"webhook_allow": "127.0.0.1", **settings})
    database = Database(chosen)
    try:
        async with carrying(chosen, database) as found:
            yield found
    finally:
        await database.close()
