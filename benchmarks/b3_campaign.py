"""The campaign of B3: open for whoever joins the measured segment, so that an event leads to a task."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import psycopg

from benchmarks.workplace import ServiceProcess, Workplace
from shared.auth import Role
from tests.campaign.conftest import OFFER, SCRIPT, a_scheme, an_arm, campaign_body

# Everybody may be called, and nobody is held out: each of the probes is to lead to a task.
_KNOWN = """
INSERT INTO known_customer (id, ordinal, version, kind, status, org_path, primary_manager, risk_level,
  risk_valid_until, consents)
SELECT id, n, 1, 'person', 'active', 'hq.sh', 'M' || n %% 1000, 5, current_date + 365, '{call}'
FROM unnest(%s::uuid[]) WITH ORDINALITY AS c(id, n)
"""


@asynccontextmanager
async def campaign_service(place: Workplace, ids: list[UUID]) -> AsyncIterator[ServiceProcess]:
    """Running, and knowing the customers."""
    async with place.service("campaign", HUANYING_GLOBAL_HOLD_OUT="0") as service:
        conninfo = place.servers.postgres.url("campaign", "postgres").replace("+psycopg", "")
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute(_KNOWN, (ids,))
            await connection.execute("ANALYZE known_customer")
        yield service


async def open_campaign(place: Workplace, url: str, segment: str) -> None:
    """Approved and launched; whoever joins `segment` gets a task."""
    clients = (
        httpx.AsyncClient(
            base_url=f"{url}/v1",
            timeout=60,
            headers={"Authorization": f"Bearer {place.token(role, staff=staff)}"},
        )
        for role, staff in ((Role.strategist, "S1"), (Role.approver, "S2"))
    )
    author, checker = clients
    async with author, checker:
        await _done(author, "/offers", OFFER)
        script = await _done(author, "/scripts", SCRIPT)
        await _done(checker, f"/scripts/{script['ref']}:approve", {})
        body = campaign_body(
            scheme=a_scheme(an_arm("call", 1.0), hold_out=0),
            audience={"include": [segment], "trigger": {"segment": segment}},
        )
        path = f"/campaigns/{(await _done(author, '/campaigns', body))['id']}"
        # Not before the segment is heard of.
        while (await author.post(f"{path}:submit")).status_code == 422:  # noqa: ASYNC110 - a benchmark may look
            await asyncio.sleep(0.2)
        await _done(checker, f"{path}:approve", {})
        await _done(author, f"{path}:launch", None)
        while (await author.get(path)).json()["status"] != "running":  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.2)


async def _done(client: httpx.AsyncClient, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    return dict(answer.raise_for_status().json())
