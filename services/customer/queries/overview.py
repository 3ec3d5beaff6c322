"""Everything about one customer in one round trip: the 360° view."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.queries.customers import opened
from services.customer.queries.overview_statement import OVERVIEW
from services.customer.queries.private import with_private
from shared import clock
from shared.db import fetch
from shared.errors import NotFound

_LIABILITIES = frozenset({"loan", "card"})


@dataclass(frozen=True, slots=True)
class Overview:
    """The finished JSON of a Customer360 and the customer's version."""

    body: bytes
    version: int


async def overview(
    session: AsyncSession,
    vault: Vault,
    customer_id: UUID,
    told: Mapping[str, Sequence[Mapping[str, Any]] | None],
) -> Overview:
    """404 when the customer is not visible. Personal fields are masked; `told`: segments and tiers, as
    segmentation told them.
    """
    today = clock.today()
    rows = await fetch(session, OVERVIEW, {"customer": customer_id, "today": today})
    if not rows:
        raise NotFound("There is no such customer in your organisation")
    pii, key, version, born, risk_until, customer, org, primary, backup, *facts, standing = rows[0]
    holdings, events, contacts = facts
    profile = {**opened(vault, customer_id, key, pii, reveal=False), **orjson.loads(customer)}
    held = orjson.loads(holdings)
    body = orjson.dumps(
        {
            "customer": profile,
            "org_name": orjson.Fragment(org),
            "primary_manager_name": primary,
            "backup_manager_name": backup,
            "totals": totals(held),
            "holdings": orjson.Fragment(holdings),
            "timeline": [with_private(vault, event) for event in orjson.loads(events)],
            "contacts": orjson.Fragment(contacts),
            "next_dates": next_dates(today, born, risk_until, held),
            **_standing(profile["org"], orjson.loads(standing)),
            "segments": told.get("segments"),
            "tiers": told.get("tier"),
        }
    )
    return Overview(body, version)


def _standing(org: str, found: dict[str, Any]) -> dict[str, Any]:
    """How the customer stands with the bank; nobody shares a customer whose lead branch is alone."""
    alone = [{"org": org, "role": "lead", "share": "1"}]
    return {**found, "branches": found["branches"] or alone}


def totals(holdings: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Assets and liabilities by currency over open accounts."""
    sums: dict[str, list[Decimal]] = {}
    for holding in holdings:
        if holding["closed_on"] is None:
            pair = sums.setdefault(holding["currency"], [Decimal("0.00"), Decimal("0.00")])
            pair[holding["category"] in _LIABILITIES] += Decimal(holding["balance"])
    return [
        {"currency": currency, "assets": str(assets), "liabilities": str(liabilities)}
        for currency, (assets, liabilities) in sorted(sums.items())
    ]


def next_dates(
    today: date, born: date | None, risk_until: date | None, holdings: Sequence[dict[str, Any]]
) -> list[dict[str, object]]:
    """What comes within a year, soonest first, at most ten."""
    found: list[dict[str, object]] = []
    if born is not None:
        found.append({"kind": "birthday", "date": _next_birthday(born, today), "subject": ""})
    if risk_until is not None:
        found.append({"kind": "risk_expiry", "date": risk_until, "subject": ""})
    found += [
        {"kind": "maturity", "date": date.fromisoformat(holding["matures_on"]), "subject": holding["account"]}
        for holding in holdings
        if holding["matures_on"] and holding["closed_on"] is None
    ]
    soon = [item for item in found if today <= _day(item) <= today + timedelta(days=366)]
    return sorted(soon, key=lambda item: (_day(item), str(item["kind"])))[:10]


def _day(item: dict[str, object]) -> date:
    day = item["date"]
    if not isinstance(day, date):
        raise TypeError("a next date has a date")
    return day


def _next_birthday(born: date, today: date) -> date:
    """29 February is kept on 28 February in other years."""
    for year in (today.year, today.year + 1):
        try:
            birthday = born.replace(year=year)
        except ValueError:
            birthday = date(year, 2, 28)
        if birthday >= today:
            return birthday
    raise AssertionError("a birthday falls within two calendar years")
