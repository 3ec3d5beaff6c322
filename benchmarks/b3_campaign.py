"""The campaign of B3: open for whoever joins the measured segment, so that an event leads to a task."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from nats.js import JetStreamContext

from benchmarks.campaigns import desk
from benchmarks.workplace import ServiceProcess, Workplace
from shared.topology import DURABLES, ensure_durable
from tests.campaign.conftest import a_scheme, an_arm, campaign_body

# Everybody may be called, and nobody is held out: each of the probes is to lead to a task.
_KNOWN = """
INSERT INTO known_customer (id, ordinal, version, kind, status, org_path, primary_manager, risk_level,
  risk_valid_until, consents)
SELECT id, n, 1, 'person', 'active', 'hq.sh', 'M' || n %% 1000, 5, current_date + 365, '{call}'
FROM unnest(%s::uuid[]) WITH ORDINALITY AS c(id, n)
"""


@asynccontextmanager
async def campaign_service(
    place: Workplace, js: JetStreamContext, ids: list[UUID]
) -> AsyncIterator[ServiceProcess]:
    """Running, knowing the customers, and hearing of segments from now on: whom their first evaluation found
    says nothing of how soon an event is answered, and is up to twelve million rows.
    """
    await ensure_durable(js, DURABLES["campaign__segments"], since=datetime.now(UTC))
    async with place.service("campaign", HUANYING_GLOBAL_HOLD_OUT="0") as service:
        conninfo = place.servers.postgres.url("campaign", "postgres").replace("+psycopg", "")
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute(_KNOWN, (ids,))
            await connection.execute("ANALYZE known_customer")
        yield service


async def open_campaign(place: Workplace, url: str, segment: str) -> None:
    """Approved and launched; whoever joins `segment` gets a task."""
    async with desk(place, url) as people:
        path = await people.draft(
            campaign_body(
                scheme=a_scheme(an_arm("call", 1.0), hold_out=0),
                audience={"include": [segment], "trigger": {"segment": segment}},
            )
        )
        await people.approve(path)
        await people.launch(path)
