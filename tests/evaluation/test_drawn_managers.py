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

MANAGERS, EACH = 30, 16
TREATED = 18


@dataclass
class ByManager(Campaign):
    """Of thirty managers eighteen are treated with all their sixteen customers. Those of one are alike."""

    treated: int = TREATED * EACH
    held_out: int = (MANAGERS - TREATED) * EACH

    def launched(self) -> CampaignLaunched:
        told = super().launched()
        registration = told.registration.model_copy(update={"unit": "manager"})
        return told.model_copy(update={"registration": registration})

    def contacts(self) -> list[AssignedContact]:
        """In the order of their managers, of whom the first are treated."""
        return [
            AssignedContact(
                contact_id=new_id(),
                customer_id=new_id(),
                arm="call" if number < self.treated else None,
                propensity=0.6 if number < self.treated else 0.4,
                primary_manager=f"S{number // EACH:04}",
                branch=BRANCHES[number // EACH % len(BRANCHES)],
                segment=SEGMENTS[number % len(SEGMENTS)],
            )
            for number in range(self.treated + self.held_out)
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
    assert (overall["n"], overall["n_hold_out"]) == (288, 192)
    low, high = (Decimal(end) for end in overall["ci"])
    assert low <= 500 <= high
    assert overall["method"] == "cr2"
    assert result["primary"]["post_stratified"] is None
    clustering = overall["clustering"]
    assert (clustering["clusters"], clustering["clusters_hold_out"]) == (18, 12)
    # Of equal clusters: (1/18 + 1/12)² ÷ (1/18²/17 + 1/12²/11).
    assert clustering["df"] == pytest.approx(23.731, abs=0.001)
    assert 0.1 < clustering["icc"] < 0.4
    assert clustering["design_effect"] == pytest.approx(1 + 15 * clustering["icc"])
    # Counted as customers, the same difference would pretend to hardly more than half the error.
    assert float(overall["se"]) > 1.5 * 335 * (1 / 288 + 1 / 192) ** 0.5
    (srm,) = (check for check in result["health"]["checks"] if check["check"] == "srm")
    assert srm["p_value"] == 1.0
    registered = (await strategist.get(f"/v1/campaigns/{campaign.id}/registration")).json()
    assert registered["unit"] == "manager"
    await _breaks_down_by_manager_drawn(strategist, campaign, overall)


async def _breaks_down_by_manager_drawn(
    strategist: httpx.AsyncClient, campaign: Campaign, overall: dict[str, Any]
) -> None:
    path = f"/v1/campaigns/{campaign.id}/breakdown"
    segments = (await strategist.get(path, params={"by": "segment"})).json()["rows"]
    assert [(row["n"], row["n_hold_out"]) for row in segments] == [(144, 96)] * 2
    for row in segments:
        low, high = (Decimal(end) for end in row["ci"])
        # Half the customers of all the managers: hardly less certain than all of them.
        assert high - low < Decimal("1.5") * (Decimal(overall["ci"][1]) - Decimal(overall["ci"][0]))
        assert float(high - low) > 4 * 335 * (1 / 144 + 1 / 96) ** 0.5
    managers = (await strategist.get(path, params={"by": "manager"})).json()["rows"]
    assert len(managers) == MANAGERS
    assert all(row["difference"] is None and row["error"] for row in managers)
