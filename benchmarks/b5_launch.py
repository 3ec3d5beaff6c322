"""B5: the launch of a campaign, from the request to the last line of its ledger, against COPY of those lines.

The launch freezes the audience (one segment in, one out), asks every rule of every member (consent,
suitability, the cap over earlier contacts, hold-outs), cuts the arms by hash, and writes ledger lines, tasks
and events. The reference copies the finished lines, as text, into a table without index, fsync on.
"""

import time
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.campaigns import desk
from benchmarks.figure import at_most
from benchmarks.workplace import Workplace
from shared.ids import new_id
from tests.campaign.conftest import a_scheme, an_arm, campaign_body

TARGET = 4.0
_MANAGERS = 1_000

# One in ten does not agree to calls, one in ten has no valid rating.
_CUSTOMERS = """
INSERT INTO known_customer (id, ordinal, version, kind, status, org_path, primary_manager, backup_manager,
  risk_level, risk_valid_until, consents)
SELECT gen_random_uuid(), n, 1, 'person', 'active', 'hq.sh', 'M' || n %% %(managers)s, 'B', 5,
  current_date + CASE WHEN n %% 10 = 1 THEN -1 ELSE 365 END,
  CASE WHEN n %% 10 = 2 THEN '{}'::text[] ELSE '{call}' END
FROM generate_series(1, %(size)s) AS n
"""
_SEGMENT = """
INSERT INTO known_segment (id, key, version, kind, name, archived)
VALUES (%(id)s, %(key)s, 1, 'rule', '{"zh": "分群", "en": "Segment"}', false)
"""
_MEMBERS = """
INSERT INTO segment_member (segment_id, customer_id, member, changed_at)
SELECT %(id)s, id, true, now() FROM known_customer
WHERE ordinal %% 20 >= %(least)s AND ordinal %% 20 < %(below)s
"""
# One in five has had the two contacts that the cap allows.
_EARLIER = """
INSERT INTO contact (id, campaign_id, customer_id, wave, segment, org_path, state, arm, propensity, manager,
  disposition, decided_at, closed_at)
SELECT gen_random_uuid(), campaign.id, c.id, 1, 'earlier', c.org_path, 'done', 'call', 1, c.primary_manager,
  'no_answer', now() - interval '9 days', now() - interval '9 days'
FROM known_customer c CROSS JOIN (SELECT gen_random_uuid() AS id FROM generate_series(1, 2)) AS campaign
WHERE c.ordinal %% 5 = 4
"""


async def run(place: Workplace, size: int) -> list[dict[str, Any]]:
    """Seconds of the launch over seconds of COPY."""
    async with place.service("campaign") as service:
        await _fill(place, size)
        launching, campaign_id = await _launch(place, service.url)
    copying, lines = await _copy(place, campaign_id)
    measured, reference = f"{launching:,.1f} s, {lines:,} lines", f"COPY {copying:,.2f} s"
    return [at_most("launch, ledger durable", measured, reference, launching / copying, TARGET)]


def _conninfo(place: Workplace) -> str:
    return place.servers.postgres.url("campaign", "postgres").replace("+psycopg", "")


async def _fill(place: Workplace, size: int) -> None:
    async with await psycopg.AsyncConnection.connect(_conninfo(place), autocommit=True) as connection:
        await connection.execute(_CUSTOMERS, {"size": size, "managers": _MANAGERS})
        for key, least, below in (("wanted", 0, 19), ("unwanted", 18, 20)):
            segment = {"id": new_id(), "key": key}
            await connection.execute(_SEGMENT, segment)
            await connection.execute(_MEMBERS, {**segment, "least": least, "below": below})
        await connection.execute(_EARLIER, {})
        await connection.execute("VACUUM ANALYZE")


async def _launch(place: Workplace, url: str) -> tuple[float, UUID]:
    async with desk(place, url) as people:
        path = await people.draft(
            campaign_body(
                scheme=a_scheme(an_arm("first", 0.45), an_arm("second", 0.45), hold_out=0.1),
                audience={"include": ["wanted"], "exclude": ["unwanted"]},
                budget=None,
            )
        )
        await people.approve(path)
        began = time.perf_counter()
        await people.launch(path)
        return time.perf_counter() - began, UUID(path.rpartition("/")[2])


async def _copy(place: Workplace, campaign_id: UUID) -> tuple[float, int]:
    """Seconds to COPY the lines of the ledger, and how many there are."""
    async with await psycopg.AsyncConnection.connect(_conninfo(place), autocommit=True) as connection:
        lines = b""
        query = f"COPY (SELECT * FROM contact WHERE campaign_id = '{campaign_id}') TO STDOUT"
        async with connection.cursor() as cursor, cursor.copy(query) as copy:
            lines = b"".join([bytes(part) async for part in copy])
        await connection.execute("CREATE TABLE copied (LIKE contact)")
        began = time.perf_counter()
        async with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
            await copy.write(lines)
        return time.perf_counter() - began, lines.count(b"\n")
