"""What business events change besides the log: holdings, risk level, consents."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming
from services.customer.usecases.measures import UNMEASURED, Measure, apply_measures
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.db import fetch

Effect = tuple[Incoming, UUID]

PRODUCT_EVENTS = frozenset(
    {"balance.snapshot", "product.opened", "product.closed", "product.matured", "product.renewed"}
)

_LOCK = "SELECT id FROM customer WHERE id = ANY(%(ids)b::uuid[]) ORDER BY id FOR NO KEY UPDATE"

_ASSESS = """
UPDATE customer c SET risk_level = a.level, risk_valid_until = a.valid_until, risk_assessed_at = a.at
FROM unnest(%(ids)b::uuid[], %(levels)b::text[], %(until)b::date[], %(at)b::timestamptz[])
  AS a(id, level, valid_until, at)
WHERE c.id = a.id AND (c.risk_assessed_at IS NULL
  OR (a.at, a.level, a.valid_until) > (c.risk_assessed_at, c.risk_level, c.risk_valid_until))
RETURNING c.id
"""

_CONSENT = """
INSERT INTO consent AS c (customer_id, channel, granted, changed_at, source)
SELECT * FROM unnest(%(ids)b::uuid[], %(channels)b::text[], %(granted)b::boolean[], %(at)b::timestamptz[],
                     %(sources)b::text[])
ORDER BY 1, 2
ON CONFLICT (customer_id, channel) DO UPDATE
SET granted = EXCLUDED.granted, changed_at = EXCLUDED.changed_at, source = EXCLUDED.source
WHERE (EXCLUDED.changed_at, NOT EXCLUDED.granted, EXCLUDED.source) > (c.changed_at, NOT c.granted, c.source)
RETURNING customer_id
"""

# The summary on the customer is what crosses to other services.
_TOUCH = """
UPDATE customer c SET version = version + 1, updated_at = %(now)s, consents = coalesce(
  (SELECT jsonb_object_agg(channel, granted) FROM consent WHERE customer_id = c.id), '{}')
WHERE id = ANY(%(ids)b::uuid[])
"""


async def apply_effects(session: AsyncSession, effects: Sequence[Effect]) -> None:
    """Apply `effects` in one pass each; later events win whatever the order of arrival."""
    by_type: dict[str, list[Effect]] = {}
    for effect in effects:
        by_type.setdefault(effect[0].type, []).append(effect)
    products = [effect for kind in sorted(PRODUCT_EVENTS) for effect in by_type.get(kind, ())]
    risks, consents = by_type.get("risk.assessed", []), by_type.get("consent.changed", [])
    if risks or consents:
        await _change_customers(session, risks, consents)
    await apply_measures(session, [_measure(event, customer) for event, customer in products])


async def change_consents(
    session: AsyncSession, rows: Sequence[tuple[UUID, str, bool, object, str]]
) -> set[UUID]:
    """Store (customer, channel, granted, changed at, source) rows, unique by the first two; who changed."""
    if not rows:
        return set()
    ids, channels, granted, at, sources = (list(column) for column in zip(*rows, strict=True))
    parameters = {"ids": ids, "channels": channels, "granted": granted, "at": at, "sources": sources}
    return {row[0] for row in await fetch(session, _CONSENT, parameters)}


async def touch(session: AsyncSession, customer_ids: Iterable[UUID]) -> None:
    """A new version of these customers, with their consents summed up; not yet published."""
    await fetch(session, _TOUCH, {"ids": list(customer_ids), "now": clock.now()})


async def _change_customers(
    session: AsyncSession, risks: Sequence[Effect], consents: Sequence[Effect]
) -> None:
    ids = {customer for _event, customer in (*risks, *consents)}
    await fetch(session, _LOCK, {"ids": list(ids)})
    changed = await _assess(session, risks)
    changed |= await change_consents(session, _consent_rows(consents))
    if changed:
        await touch(session, changed)
        await publish_customers(session, list(changed))


async def _assess(session: AsyncSession, risks: Sequence[Effect]) -> set[UUID]:
    if not risks:
        return set()
    latest = _latest(
        risks, lambda e: (e[0].time, e[0].data["level"], e[0].data["valid_until"]), lambda e: e[1]
    )
    parameters = {
        "ids": [customer for _event, customer in latest],
        "levels": [event.data["level"] for event, _customer in latest],
        "until": [date.fromisoformat(event.data["valid_until"]) for event, _customer in latest],
        "at": [event.time for event, _customer in latest],
    }
    return {row[0] for row in await fetch(session, _ASSESS, parameters)}


def _consent_rows(consents: Sequence[Effect]) -> list[tuple[UUID, str, bool, object, str]]:
    """The last word per customer and channel; at the same instant a refusal outweighs a consent."""
    latest = _latest(
        consents,
        lambda e: (e[0].time, not e[0].data["granted"], e[0].source),
        lambda e: (e[1], e[0].data["channel"]),
    )
    return [
        (customer, event.data["channel"], event.data["granted"], event.time, event.source)
        for event, customer in latest
    ]


def _latest(
    effects: Sequence[Effect], order: Callable[[Effect], object], group: Callable[[Effect], object]
) -> list[Effect]:
    last: dict[object, Effect] = {}
    for effect in sorted(effects, key=order):  # type: ignore[arg-type]  # tuples of comparable values
        last[group(effect)] = effect
    return list(last.values())


def _measure(event: Incoming, customer_id: UUID) -> Measure:
    """`product.closed` without a balance means zero; the others without one say nothing of the balance."""
    data = event.data
    told = data.get("balance")
    on = event.time.astimezone(clock.ZONE).date()
    closed = event.type == "product.closed"
    measured = told is not None or closed
    return Measure(
        customer_id=customer_id,
        account=data.get("account", data["product"]),
        product=data["product"],
        balance=Decimal(told or "0.00"),
        currency=data.get("currency", "CNY"),
        as_of=date.fromisoformat(data["as_of"]) if "as_of" in data else on,
        measured_at=event.time if measured else UNMEASURED,
        opened_on=_date(data, "opened_on") or (on if event.type == "product.opened" else None),
        matures_on=_date(data, "matures_on"),
        closed_on=on if closed else None,
    )


def _date(data: dict[str, object], name: str) -> date | None:
    value = data.get(name)
    return date.fromisoformat(value) if isinstance(value, str) else None
