"""Reads of contact policies, and the one that holds."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.contact_rules import ContactRules
from services.campaign.models import ContactPolicy
from services.campaign.settings import CampaignSettings
from shared.contracts.base import Page
from shared.contracts.campaign.contact_policies import ContactPolicyView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

DEFAULT = "default"
"""Of the installation's settings until somebody writes a policy of this key."""


def policy_view(policy: ContactPolicy) -> ContactPolicyView:
    quiet = None
    if policy.quiet_from is not None:
        quiet = {"start": policy.quiet_from, "end": policy.quiet_until}
    plain = ("key", "version", "name", "cool_down_days", "rest_on_weekends", "rest_days", "created_at")
    return ContactPolicyView.model_validate(
        {
            **{name: getattr(policy, name) for name in plain},
            "cap": {"contacts": policy.cap, "days": policy.cap_days},
            "quiet_hours": quiet,
            "created_by": policy.created_by,
        }
    )


async def list_policies(session: AsyncSession, page: PageRequest, key: str | None) -> Page[ContactPolicyView]:
    query = select(ContactPolicy) if key is None else select(ContactPolicy).where(ContactPolicy.key == key)
    return await paginate(
        session,
        query,
        [ContactPolicy.key.expression, ContactPolicy.version.expression],
        page,
        lambda row: policy_view(row[0]),
    )


async def get_policy(session: AsyncSession, key: str) -> ContactPolicyView:
    policy = await session.scalar(_newest(key))
    if policy is None:
        raise NotFound(f"no contact policy {key}")
    return policy_view(policy)


async def known_policies(session: AsyncSession, keys: Collection[str]) -> set[str]:
    found = await session.scalars(
        select(ContactPolicy.key).where(ContactPolicy.key.in_(keys), ContactPolicy.version == 1)
    )
    return {*found, DEFAULT}


async def rules_of(session: AsyncSession, settings: CampaignSettings, key: str, at: datetime) -> ContactRules:
    """The version that was the newest `at` that moment, so that a repeated release decides the same."""
    policy = await session.scalar(_newest(key).where(ContactPolicy.created_at <= at))
    if policy is None:
        return ContactRules(f"{DEFAULT}@0", settings.contact_cap, settings.contact_cap_days)
    quiet = None
    if policy.quiet_from is not None and policy.quiet_until is not None:
        quiet = (policy.quiet_from, policy.quiet_until)
    return ContactRules(
        ref=f"{policy.key}@{policy.version}",
        cap=policy.cap,
        cap_days=policy.cap_days,
        cool_down_days=policy.cool_down_days,
        quiet=quiet,
        rest_on_weekends=policy.rest_on_weekends,
        rest_days=frozenset(policy.rest_days),
    )


def _newest(key: str) -> Select[ContactPolicy]:
    return (
        select(ContactPolicy).where(ContactPolicy.key == key).order_by(ContactPolicy.version.desc()).limit(1)
    )
