"""One person, several files: what a merge means for open contacts, and what its undoing brings back.

Every line of the ledger stays with the file it was decided for, and so do `ContactRecorded`, attempts and
suppressions: whoever reads them of a person reads the family, and an undone merge leaves each where it
belongs. What a merge changes is what may still happen. In one campaign one person is contacted once: of
several lines one stands (one by which contact began, else the survivor's, else one that was held out,
else the earliest decided), and open ones besides it are withdrawn. If one of the files has asked to be left
alone, open contacts of all of them are withdrawn. Undoing brings back what the merge withdrew.
"""

from typing import LiteralString
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import MergeTold, Withdrawal
from services.campaign.usecases.withdrawal import reopen_contacts, withdraw_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import CustomersMerged, CustomersUnmerged
from shared.db import fetch

_BY = "system:merge"
_SYSTEM = Principal(id=_BY, roles=frozenset(), org="hq")

_FAMILY = """
WITH family AS (
  SELECT unnest(%(files)b::uuid[]) AS id
  UNION SELECT id FROM known_customer WHERE merged_into = %(survivor)s
), open AS (
  SELECT c.id, c.campaign_id, c.customer_id FROM family f JOIN contact c ON c.customer_id = f.id
  WHERE c.arm IS NOT NULL AND c.state = 'assigned'
)
"""

_BLOCKED = f"""
{_FAMILY}SELECT id FROM open WHERE EXISTS (
  SELECT 1 FROM suppression s JOIN family f ON f.id = s.customer_id
  WHERE (s.channel IS NULL OR s.channel = 'call') AND (s.until IS NULL OR s.until > %(at)s))
"""  # noqa: S608 - constants

# Also where nothing was recorded yet: the person may have been talked to, or the message be under way.
_BEGUN: LiteralString = """(c.attempts > 0
    OR EXISTS (SELECT FROM task t WHERE t.id = c.id AND t.begun_at IS NOT NULL)
    OR EXISTS (SELECT FROM message m WHERE m.id = c.id AND m.attempts > 0))"""
# Of several lines of a person in one campaign the first.
_STANDS: LiteralString = f"""ORDER BY {_BEGUN} DESC, c.customer_id = %(survivor)s DESC,
      c.state <> 'assigned' DESC, c.decided_at, c.id"""

_SECOND = f"""
{_FAMILY}, line AS (
  SELECT c.campaign_id, c.customer_id, row_number() OVER (
    PARTITION BY c.campaign_id
    {_STANDS}) AS place
  FROM (SELECT DISTINCT campaign_id FROM open) o CROSS JOIN family f
  JOIN contact c ON c.campaign_id = o.campaign_id AND c.customer_id = f.id AND c.step = 'first'
  WHERE c.state IN ('assigned', 'done', 'held_out') OR {_BEGUN}
)
SELECT o.id FROM open o JOIN line l USING (campaign_id, customer_id) WHERE l.place > 1
"""  # noqa: S608 - constants

# The customers' own states come by another way, sooner or later: no release takes them for two people until
# then, and a merge that was late leaves nothing behind when it is taken back.
_POINT = """
UPDATE known_customer SET merged_into = %(survivor)s
WHERE id = ANY(%(files)b::uuid[]) AND id <> %(survivor)s AND status <> 'erased'
"""
_POINT_BACK = """
UPDATE known_customer c SET merged_into = s.merged_into
FROM unnest(%(ids)b::uuid[], %(merged_into)b::uuid[]) AS s(id, merged_into)
WHERE c.id = s.id AND c.merged_into = %(survivor)s
"""


# A journey is the person's: of several in one campaign the one goes on whose line stands.
_ONE_JOURNEY = f"""
WITH line AS (
  SELECT c.id, row_number() OVER (
    PARTITION BY c.campaign_id
    {_STANDS}) AS place
  FROM (
    SELECT DISTINCT campaign_id FROM journey_run
    WHERE customer_id = ANY(%(files)b::uuid[]) AND state <> 'ended'
  ) k CROSS JOIN unnest(%(files)b::uuid[]) AS f(id)
  JOIN contact c ON c.campaign_id = k.campaign_id AND c.customer_id = f.id AND c.step = 'first'
  WHERE c.state <> 'suppressed'
), locked AS (
  SELECT r.contact_id, l.place FROM journey_run r JOIN line l ON l.id = r.contact_id
  WHERE r.state <> 'ended' ORDER BY r.contact_id FOR UPDATE OF r
)
UPDATE journey_run r SET
  customer_id = CASE WHEN l.place = 1 THEN %(survivor)s ELSE r.customer_id END,
  state = CASE WHEN l.place = 1 THEN r.state ELSE 'ended' END,
  ending = CASE WHEN l.place > 1 THEN 'merged' END,
  wake_at = CASE WHEN l.place = 1 THEN r.wake_at END,
  deadline = CASE WHEN l.place = 1 THEN r.deadline END
FROM locked l WHERE r.contact_id = l.contact_id
"""  # noqa: S608 - constants
_JOURNEY_BACK = """
UPDATE journey_run r SET customer_id = c.customer_id FROM contact c
WHERE c.id = r.contact_id AND c.customer_id = ANY(%(ids)b::uuid[]) AND r.customer_id = %(survivor)s
  AND r.state <> 'ended'
"""


async def merge(session: AsyncSession, event: CustomersMerged) -> None:
    """Withdraws what would contact the person twice, or against their will."""
    if not await _is_news(session, event.merge_id):
        return
    # Between two chunks of a launch, as what decides on contacts: both see what the other did.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.contact-cap'))"))
    now = clock.now()
    survivor = event.survivor.customer_id
    files = [survivor, *(each.customer_id for each in event.merged)]
    parameters = {"files": files, "survivor": survivor, "at": now}
    await fetch(session, _POINT, parameters)
    await fetch(session, _ONE_JOURNEY, parameters)
    blocked = [row[0] for row in await fetch(session, _BLOCKED, parameters)]
    withdrawn = await withdraw_contacts(
        session, blocked, "do_not_contact", at=now, by=_BY, merge_id=event.merge_id
    )
    second = [row[0] for row in await fetch(session, _SECOND, parameters)]
    withdrawn += await withdraw_contacts(session, second, "merged", at=now, by=_BY, merge_id=event.merge_id)
    if withdrawn:
        detail = {"contacts": withdrawn}
        audit(session, _SYSTEM, "withdraw_contacts", f"merge/{event.merge_id}", detail)


async def unmerge(session: AsyncSession, event: CustomersUnmerged) -> None:
    """Brings back what the merge withdrew."""
    await session.execute(
        insert(MergeTold)
        .values(merge_id=event.merge_id, undone=True)
        .on_conflict_do_update(index_elements=["merge_id"], set_={"undone": True})
    )
    parameters = {
        "ids": [each.customer_id for each in event.separated],
        "merged_into": [
            each.merged_into.customer_id if each.merged_into else None for each in event.separated
        ],
        "survivor": event.survivor.customer_id,
    }
    await fetch(session, _POINT_BACK, parameters)
    await fetch(session, _JOURNEY_BACK, parameters)
    withdrawn = await session.scalars(
        select(Withdrawal.contact_id).where(Withdrawal.merge_id == event.merge_id)
    )
    reopened = await reopen_contacts(session, list(withdrawn), at=clock.now(), by=_BY)
    if reopened:
        detail = {"contacts": reopened}
        audit(session, _SYSTEM, "reopen_contacts", f"merge/{event.merge_id}", detail)


async def _is_news(session: AsyncSession, merge_id: UUID) -> bool:
    """Not if its undoing was heard first."""
    await session.execute(insert(MergeTold).values(merge_id=merge_id, undone=False).on_conflict_do_nothing())
    undone = await session.scalar(select(MergeTold.undone).where(MergeTold.merge_id == merge_id))
    return not undone
