"""What came of contacts, by the version of the script that was used."""

from collections import defaultdict
from decimal import Decimal

from sqlalchemy import Integer, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import CampaignArm, Contact
from services.campaign.queries.arms import arm_of_contact
from services.campaign.queries.catalogue import version_of
from shared.contracts.campaign.scripts import ScriptEffect
from shared.contracts.events import ContactOutcome


async def script_effects(session: AsyncSession, key: str) -> list[ScriptEffect]:
    """The newest version first; row-level security keeps other organisations' contacts out."""
    used = (
        select(
            CampaignArm.script,
            Contact.campaign_id,
            Contact.state,
            Contact.disposition,
            Contact.attempts,
            Contact.minutes,
            Contact.outcome_amount,
        )
        .join(CampaignArm, arm_of_contact())
        .where(func.starts_with(CampaignArm.script, f"{key}@"))
        .cte("used")
    )
    sold = (used.c.state == "done") & (used.c.disposition == "accepted")
    totals = select(
        used.c.script.label("ref"),
        func.count(used.c.campaign_id.distinct()).cast(Integer).label("campaigns"),
        func.count().cast(Integer).label("contacts"),
        *(
            func.count().filter(used.c.state == state).cast(Integer).label(name)
            for state, name in (("assigned", "open"), ("done", "done"), ("expired", "expired"))
        ),
        func.sum(used.c.attempts).cast(Integer).label("attempts"),
        func.sum(used.c.minutes).label("minutes"),
        func.count().filter(sold).cast(Integer).label("conversions"),
        func.coalesce(func.sum(used.c.outcome_amount).filter(sold), Decimal(0)).label("outcome_amount"),
    ).group_by(used.c.script)
    counted = (
        select(used.c.script, used.c.disposition, func.count().cast(Integer).label("contacts"))
        .where(used.c.disposition.is_not(None))
        .group_by(used.c.script, used.c.disposition)
        .order_by(used.c.disposition)
    )
    dispositions: dict[str, dict[ContactOutcome, int]] = defaultdict(dict)
    for row in await session.execute(counted):
        dispositions[row.script][row.disposition] = row.contacts
    effects = [
        ScriptEffect.model_validate({**row, "dispositions": dispositions[row["ref"]]})
        for row in (await session.execute(totals)).mappings()
    ]
    return sorted(effects, key=lambda effect: version_of(effect.ref)[1], reverse=True)
