"""A campaign as the other services would tell of it: launched, assigned, contacted, lived through."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar
from uuid import UUID

import numpy as np

from shared.contracts.base import LocalText
from shared.contracts.events import (
    AssignedContact,
    CampaignCompleted,
    CampaignLaunched,
    ContactRecorded,
    ContactsAssigned,
    CustomerEventsRecorded,
    EventData,
    LedgerTotals,
    RecordedEvent,
    RegisteredArm,
    Registration,
)
from shared.ids import new_id

Item = TypeVar("Item")
BRANCHES = ("hq.sh.pudong", "hq.sh.xuhui", "hq.bj.haidian")
SEGMENTS = ("affluent", "young")
POSITIONS = count(10**12)
"""In the log of events, behind those that a customer service of the same session gives."""
SCHEME = "value-tiers"
"""Of all tests: cells are by the scheme whose tiers took effect first in the bank they share."""


@dataclass
class Campaign:
    """Facts of one campaign. `effect` is what being treated adds to the inflow of 30 days, in CNY."""

    effect: float = 500.0
    treated: int = 600
    held_out: int = 400
    days_ago: float = 40.0
    declared_hold_out: float = 0.4
    hold_out: bool = True
    seed: int = 1
    guardrails: tuple[str, ...] = ("complaints_30d", "opt_outs_30d")
    primary: str = "net_inflow_30d"
    orgs: tuple[str, ...] = ("hq",)
    id: UUID = field(default_factory=new_id)

    def __post_init__(self) -> None:
        self.assigned_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=self.days_ago)

    def launched(self) -> CampaignLaunched:
        hold_out = self.declared_hold_out if self.hold_out else 0.0
        return CampaignLaunched(
            campaign_id=self.id,
            campaign_key=f"c-{self.id.hex[-12:]}",
            name=LocalText(zh="财富客户提升", en="Wealth uplift"),
            launched_at=self.assigned_at,
            starts_on=self.assigned_at.date(),
            ends_on=(self.assigned_at + timedelta(days=5)).date(),
            owner="S0001",
            orgs=list(self.orgs),
            segments=list(SEGMENTS),
            registration=Registration.model_validate(
                {
                    "primary_metric": self.primary,
                    "guardrails": list(self.guardrails),
                    "target": "100000.00",
                    "arms": [
                        RegisteredArm(
                            key="call",
                            share=1 - hold_out,
                            offer="wealth",
                            channel="manager_task",
                            script="w@1",
                        )
                    ],
                    "hold_out": hold_out,
                    "salt": "s",
                }
            ),
        )

    def contacts(self) -> list[AssignedContact]:
        arms = ["call"] * self.treated + [None] * (self.held_out if self.hold_out else 0)
        return [
            AssignedContact(
                contact_id=new_id(),
                customer_id=new_id(),
                arm=arm,
                propensity=0.5,
                offer="wealth" if arm else None,
                channel="manager_task" if arm else None,
                manager="S0009",
                branch=BRANCHES[number % len(BRANCHES)],
                segment=SEGMENTS[number % len(SEGMENTS)],
            )
            for number, arm in enumerate(arms)
        ]

    def facts(self) -> list[EventData]:
        """Launch, assignments, calls with their cost, and transactions before and after."""
        rng, contacts = np.random.default_rng(self.seed), self.contacts()
        facts: list[EventData] = [self.launched()]
        facts += [
            ContactsAssigned(campaign_id=self.id, assigned_at=self.assigned_at, contacts=part)
            for part in _parts(contacts)
        ]
        facts += [self._called(contact) for contact in contacts if contact.arm]
        lived = [event for contact in contacts for event in self._transactions(contact, rng)]
        return facts + [CustomerEventsRecorded(events=part) for part in _parts(lived)]

    def completed(self) -> CampaignCompleted:
        return CampaignCompleted(
            campaign_id=self.id,
            completed_at=self.assigned_at + timedelta(days=5),
            ledger=LedgerTotals(
                audience=self.treated + self.held_out + 7,
                suppressed={"consent": 7},
                held_out=self.held_out,
                assigned=self.treated,
                open=0,
                done=self.treated,
                expired=0,
            ),
        )

    def _called(self, contact: AssignedContact) -> ContactRecorded:
        return ContactRecorded.model_validate(
            {
                "campaign_id": self.id,
                "contact_id": contact.contact_id,
                "customer_id": contact.customer_id,
                "version": 2,
                "state": "done",
                "disposition": "interested",
                "minutes": "4",
                "cost": "6.00",
                "recorded_at": self.assigned_at + timedelta(hours=5),
                "recorded_by": "user:m",
            }
        )

    def _transactions(self, contact: AssignedContact, rng: np.random.Generator) -> list[RecordedEvent]:
        habit = float(rng.lognormal(7, 0.6))
        return [
            self.event(contact.customer_id, -10, habit + float(rng.normal(0, 100))),
            self.event(contact.customer_id, 3, habit + self.lift(contact) + float(rng.normal(0, 100))),
        ]

    def lift(self, contact: AssignedContact) -> float:
        """What being treated adds."""
        return self.effect if contact.arm else 0.0

    def event(self, customer: UUID, days: float, amount: float) -> RecordedEvent:
        return RecordedEvent(
            seq=next(POSITIONS),
            event_id=str(new_id()),
            source="core-banking",
            type="transaction.posted",
            customer_id=customer,
            ordinal=1,
            time=self.assigned_at + timedelta(days=days),
            data={"amount": f"{abs(amount):.2f}", "direction": "in" if amount >= 0 else "out"},
        )


def _parts(items: list[Item]) -> list[list[Item]]:
    return [items[i : i + 500] for i in range(0, len(items), 500)]
