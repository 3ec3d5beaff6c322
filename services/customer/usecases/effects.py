"""What business events change besides the log: holdings, risk level, consents, conversations."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming
from services.customer.usecases.consents import MARKETING, Word, change_consents
from services.customer.usecases.conversations import keep_complaints, keep_interactions
from services.customer.usecases.families import Families, lock_families
from services.customer.usecases.measures import UNMEASURED, Measure, apply_measures
from services.customer.usecases.own_risk import keep_earlier_survivors_risk, keep_own_risk, raise_own_risk
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.db import fetch

Effect = tuple[Incoming, UUID]

PRODUCT_EVENTS = frozenset(
    {"balance.snapshot", "product.opened", "product.closed", "product.matured", "product.renewed"}
)

_ASSESS = """
UPDATE customer c SET risk_level = a.level, risk_valid_until = a.valid_until, risk_assessed_at = a.at
FROM unnest(%(ids)b::uuid[], %(levels)b::text[], %(until)b::date[], %(at)b::timestamptz[])
  AS a(id, level, valid_until, at)
WHERE c.id = a.id AND (c.risk_assessed_at IS NULL
  OR (a.at, a.level, a.valid_until) > (c.risk_assessed_at, c.risk_level, c.risk_valid_until))
RETURNING c.id
"""

# The summary on the customer is what crosses to other services: the last word on marketing of its whole
# family while it holds, and of two at one instant the refusal.
_TOUCH = """
UPDATE customer c SET version = version + 1, updated_at = %(now)s, consents = coalesce(
  (SELECT jsonb_object_agg(channel, granted) FROM (
     SELECT DISTINCT ON (channel) channel, granted AND coalesce(valid_until >= %(today)s, true) AS granted
     FROM consent WHERE purpose = 'marketing'
       AND customer_id = ANY(c.id || ARRAY(SELECT id FROM customer WHERE merged_into = c.id))
     ORDER BY channel, changed_at DESC, consent.granted) AS last_word), '{}')
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
    await keep_interactions(session, by_type.get("interaction.recorded", []))
    await keep_complaints(session, by_type.get("complaint.filed", []), by_type.get("complaint.resolved", []))


async def touch(session: AsyncSession, customer_ids: Iterable[UUID]) -> None:
    """A new version of these customers, with their consents summed up; not yet published."""
    parameters = {"ids": list(customer_ids), "now": clock.now(), "today": clock.today()}
    await fetch(session, _TOUCH, parameters)


async def _change_customers(
    session: AsyncSession, risks: Sequence[Effect], consents: Sequence[Effect]
) -> None:
    families = await lock_families(session, {customer for _event, customer in (*risks, *consents)})
    changed = await _assess(session, risks, families)
    changed |= await change_consents(session, _consent_words(consents))
    changed |= {families.survivors[home] for home in changed & families.survivors.keys()}
    if changed:
        await touch(session, changed)
        await publish_customers(session, list(changed))


async def _assess(session: AsyncSession, risks: Sequence[Effect], families: Families) -> set[UUID]:
    """An assessment of a merged customer speaks for its survivors too; who changed."""
    if not risks:
        return set()
    homes = _assessments(risks)
    await raise_own_risk(session, homes)
    assessed = set(homes["ids"])
    merged = [(home, one) for home, one in families.survivors.items() if home in assessed]
    stations = [(home, one) for home, one in families.stations if home in assessed]
    await keep_own_risk(session, {survivor for _, survivor in merged})
    await keep_earlier_survivors_risk(session, {station for _, station in stations})
    told_for = [*merged, *stations]
    of_survivors = [(event, one) for event, home in risks for child, one in told_for if child == home]
    return {row[0] for row in await fetch(session, _ASSESS, _assessments([*risks, *of_survivors]))}


def _assessments(risks: Sequence[Effect]) -> dict[str, list[Any]]:
    """Columns of the last assessment of each customer."""
    latest = _latest(
        risks, lambda e: (e[0].time, e[0].data["level"], e[0].data["valid_until"]), lambda e: e[1]
    )
    return {
        "ids": [customer for _event, customer in latest],
        "levels": [event.data["level"] for event, _customer in latest],
        "until": [date.fromisoformat(event.data["valid_until"]) for event, _customer in latest],
        "at": [event.time for event, _customer in latest],
    }


def _consent_words(consents: Sequence[Effect]) -> list[Word]:
    return [
        Word(
            customer,
            event.data["channel"],
            event.data["granted"],
            event.time,
            event.source,
            event.data.get("purpose", MARKETING),
            _date(event.data, "valid_until") if event.data["granted"] else None,
        )
        for event, customer in consents
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
