"""A campaign that draws managers by lot: evaluated by manager, from the events to the answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest

from shared.auth import Role
from shared.contracts.events import AssignedContact, CampaignLaunched, RecordedEvent
from shared.ids import new_id
from tests.evaluation.bank import BRANCHES, SEGMENTS, Campaign
from tests.evaluation.test_loop import run
from tests.support import Running

TREATED, HELD_OUT = 18, 12
"""Managers; with so many customers each:"""
EACH, EACH_HELD_OUT = 20, 10


@dataclass
class ByManager(Campaign):
    """Of thirty managers eighteen are treated, with all their customers, of whom those of one are alike. That
    they have more than the others is no fault of the lot.
    """

    treated: int = TREATED * EACH
    held_out: int = HELD_OUT * EACH_HELD_OUT

    def launched(self) -> CampaignLaunched:
        told = super().launched()
        registration = told.registration.model_copy(update={"unit": "manager"})
        return told.model_copy(update={"registration": registration})

    def contacts(self) -> list[AssignedContact]:
        """In the order of their managers, of whom the first are treated."""
        sizes = [EACH] * TREATED + [EACH_HELD_OUT] * HELD_OUT
        managers = [manager for manager, size in enumerate(sizes) for _ in range(size)]
        return [
            AssignedContact(
                contact_id=new_id(),
                customer_id=new_id(),
                arm="call" if number < self.treated else None,
                propensity=0.6 if number < self.treated else 0.4,
                primary_manager=f"S{manager:04}",
                branch=BRANCHES[manager % len(BRANCHES)],
                segment=SEGMENTS[number % len(SEGMENTS)],
            )
            for number, manager in enumerate(managers)
        ]

    def _transactions(self, contact: AssignedContact, rng: np.random.Generator) -> list[RecordedEvent]:
        manager = int((contact.primary_manager or "S0")[1:])
        alike = float(np.random.default_rng([self.seed, manager]).normal(0, 150))
        lift = self.effect if contact.arm else 0.0
        amount = 3000 + lift + alike + float(rng.normal(0, 300))
        return [self.event(contact.customer_id, 3, amount)]


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


async def test_managers_that_were_drawn_are_the_evidence(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = ByManager(seed=3)
    result = await run(evaluation, strategist, campaign)
    assert result["health"]["verdict"] == "ok", result["health"]
    overall = result["primary"]["overall"]
    assert (overall["n"], overall["n_hold_out"]) == (360, 120)
    low, high = (Decimal(end) for end in overall["ci"])
    assert low <= 500 <= high
    assert overall["method"] == "cr2"
    assert result["primary"]["post_stratified"] is None
    clustering = overall["clustering"]
    assert (clustering["clusters"], clustering["clusters_hold_out"]) == (18, 12)
    # Of clusters that are equal in each group: (1/n + 1/m)² ÷ (1/n²/17 + 1/m²/11).
    assert clustering["df"] == pytest.approx((1 / 360 + 1 / 120) ** 2 / (1 / 360**2 / 17 + 1 / 120**2 / 11))
    assert 0.1 < clustering["icc"] < 0.4
    assert clustering["design_effect"] == pytest.approx(1 + 16.5 * clustering["icc"])
    # Counted as customers, the same difference would pretend to hardly more than half the error.
    assert float(overall["se"]) > 1.5 * 335 * (1 / 360 + 1 / 120) ** 0.5
    (srm,) = (check for check in result["health"]["checks"] if check["check"] == "srm")
    # 18 and 12 managers are what was declared; 360 and 120 customers would not be.
    assert srm["p_value"] == 1.0
    registered = (await strategist.get(f"/v1/campaigns/{campaign.id}/registration")).json()
    assert registered["unit"] == "manager"
    await _breaks_down_by_manager_drawn(strategist, campaign, overall)


async def _breaks_down_by_manager_drawn(
    strategist: httpx.AsyncClient, campaign: Campaign, overall: dict[str, Any]
) -> None:
    path = f"/v1/campaigns/{campaign.id}/breakdown"
    segments = (await strategist.get(path, params={"by": "segment"})).json()["rows"]
    assert [(row["n"], row["n_hold_out"]) for row in segments] == [(180, 60)] * 2
    for row in segments:
        low, high = (Decimal(end) for end in row["ci"])
        # Half the customers of all the managers: hardly less certain than all of them.
        assert high - low < Decimal("1.5") * (Decimal(overall["ci"][1]) - Decimal(overall["ci"][0]))
        assert float(high - low) > 4 * 335 * (1 / 180 + 1 / 60) ** 0.5
    managers = (await strategist.get(path, params={"by": "manager"})).json()["rows"]
    assert len(managers) == TREATED + HELD_OUT
    assert all(row["difference"] is None and row["error"] for row in managers)
