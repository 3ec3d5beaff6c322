"""The pages of the console, and who works with which."""

from collections.abc import Iterator
from typing import NamedTuple

from services.console.session import User
from shared.auth import Role

OVERSEERS = (Role.strategist, Role.approver, Role.branch_head, Role.auditor)
"""Who may see results; a manager who knew them could not treat everybody alike."""
ANALYSTS = (*OVERSEERS, Role.integrator)
"""Who may have a table of their own analysed."""
ACCOUNTS = (Role.manager, Role.branch_head, Role.strategist, Role.auditor)
"""Who works on the bank's accounts, or looks at that work."""


class Entry(NamedTuple):
    """`roles`: who works there; empty is everybody."""

    name: str
    address: str
    icon: str
    roles: tuple[Role, ...] = ()


GROUPS: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    ("", (Entry("board", "/", "board", OVERSEERS),)),
    (
        "insight",
        (
            Entry("segments", "/segments", "segments"),
            Entry("segment-studio", "/segment-studio", "segment-studio"),
            Entry("models", "/models", "models"),
            Entry("ge-matrices", "/ge-matrices", "ge-matrices"),
            Entry("tiers", "/tiers", "tiers"),
            Entry("churn", "/churn", "churn"),
            Entry("targets", "/targets", "targets", OVERSEERS),
            Entry("insights", "/insights", "insights"),
            Entry("bank-analyses", "/channels-and-products", "bank-analyses", ANALYSTS),
        ),
    ),
    (
        "campaigns",
        (
            Entry("strategies", "/strategies", "strategies", OVERSEERS),
            Entry("campaigns", "/campaigns", "campaigns"),
            Entry("recommendations", "/recommendations", "recommendations", OVERSEERS),
            Entry("service-quality", "/service-quality", "service-quality", OVERSEERS),
            Entry("analysis", "/analysis", "analysis", ANALYSTS),
            Entry("calendar", "/calendar", "calendar"),
            Entry("wording", "/wording", "wording", OVERSEERS),
            Entry("quotas", "/quotas", "quotas", OVERSEERS),
            Entry("contact-policies", "/contact-policies", "contact-policies", OVERSEERS),
            Entry("channels", "/channels", "channels", (Role.strategist, Role.approver, Role.auditor)),
            Entry("prices", "/prices", "prices", (Role.manager, *OVERSEERS)),
            Entry("optimisations", "/optimisations", "optimisations", OVERSEERS),
            Entry("opportunities", "/opportunities", "opportunities", ACCOUNTS),
            Entry("account-plans", "/account-plans", "account-plans", ACCOUNTS),
            Entry("activity", "/activity", "activity", ACCOUNTS),
            Entry("scorecards", "/scorecards", "scorecards", (Role.manager, *OVERSEERS)),
            Entry("tasks", "/tasks", "tasks", (Role.manager, Role.branch_head)),
            Entry("workforce", "/workforce", "workforce", (Role.manager, Role.branch_head)),
            Entry("feedback", "/feedback", "feedback", (Role.manager, *OVERSEERS)),
            Entry("referrals", "/referrals", "referrals", (Role.manager, Role.branch_head, Role.auditor)),
        ),
    ),
    (
        "customers",
        (
            Entry("customers", "/customers", "customers"),
            Entry("duplicates", "/duplicates", "duplicates", (Role.branch_head,)),
            Entry("quality", "/quality", "quality", OVERSEERS),
            Entry("handovers", "/handovers", "handovers", (Role.branch_head,)),
            Entry("imports", "/imports", "imports", (Role.integrator,)),
        ),
    ),
)


def open_to(user: User) -> Iterator[tuple[str, list[Entry]]]:
    """Groups with the entries this person works with, without empty ones."""
    for group, entries in GROUPS:
        mine = [entry for entry in entries if not entry.roles or user.has(*entry.roles)]
        if mine:
            yield group, mine
