"""Retained balances by tier, manager and every other dimension, through the API."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest

from shared.auth import Role
from shared.contracts.events import (
    AssignedContact,
    ContactsAssigned,
    EventData,
    HoldingsChanged,
    HoldingState,
)
from shared.contracts.events.tier import TierChanged
from shared.ids import new_id
from tests.evaluation.bank import BRANCHES, SCHEME, Campaign
from tests.evaluation.test_loop import result_of
from tests.support import Running

LIFT = 500.0


def balances(campaign: Campaign, contacts: list[AssignedContact]) -> list[EventData]:
    """What customers hold before and three weeks after; the treated gain `LIFT`."""
    rng, day = np.random.default_rng(11), campaign.assigned_at.date()
    states = []
    for contact in contacts:
        before = round(float(rng.lognormal(10, 0.5)), 2)
        after = round(before * 1.01 + float(rng.normal(0, 100)) + (LIFT if contact.arm else 0), 2)
        for days, balance in ((-5, before), (21, after)):
            states.append(
                HoldingState(
                    customer_id=contact.customer_id,
                    ordinal=1,
                    account="a",
                    product="P1",
                    category="demand",
                    balance=Decimal(f"{balance:.2f}"),
                    as_of=day + timedelta(days=days),
                )
            )
    return [HoldingsChanged(holdings=states[i : i + 500]) for i in range(0, len(states), 500)]


def gold(campaign: Campaign, contacts: list[AssignedContact]) -> TierChanged:
    return TierChanged(
        scheme_id=new_id(),
        scheme_key=SCHEME,
        kind="value",
        list_id=new_id(),
        cause="applied",
        from_tier=None,
        to_tier="gold",
        effective_at=campaign.assigned_at - timedelta(days=100),
        customers=[contact.customer_id for contact in contacts],
    )


@pytest.fixture(scope="module")
async def campaign(evaluation: Running) -> Campaign:
    """Evaluated, seventy days after the assignment; every second customer was gold then."""
    told = Campaign(primary="aum_30d", treated=360, held_out=240, days_ago=70, guardrails=("ticket_30d",))
    launched, *others = [fact for fact in told.facts() if not isinstance(fact, HoldingsChanged)]
    assigned = [fact for fact in others if isinstance(fact, ContactsAssigned)]
    contacts = [contact for fact in assigned for contact in fact.contacts]
    # A customer's manager is known of who is held out as well.
    facts = [
        fact.model_copy(
            update={
                "contacts": [
                    contact.model_copy(update={"primary_manager": f"S{BRANCHES.index(contact.branch)}"})
                    for contact in fact.contacts
                ]
            }
        )
        if isinstance(fact, ContactsAssigned)
        else fact
        for fact in others
    ]
    await evaluation.publish(launched, gold(told, contacts[::4] + contacts[1::4]), *balances(told, contacts))
    await evaluation.publish(*facts, told.completed())
    async with evaluation.client(Role.strategist) as client:
        await result_of(client, told.id)
    return told


async def asked(client: httpx.AsyncClient, campaign: Campaign, by: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/campaigns/{campaign.id}/breakdown", params={"by": by})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def surest(client: httpx.AsyncClient, campaign: Campaign, top: int) -> dict[str, Any]:
    path = f"/v1/campaigns/{campaign.id}/breakdown"
    found: dict[str, Any] = (await client.get(path, params={"by": "branch", "top": top})).json()
    return found


async def test_a_retained_balance_is_told_in_each_window(evaluation: Running, campaign: Campaign) -> None:
    async with evaluation.client(Role.strategist) as client:
        result = await result_of(client, campaign.id)
    overall = result["primary"]["overall"]
    assert overall["method"] == "welch+cuped"
    assert float(overall["ci"][0]) < LIFT < float(overall["ci"][1])
    windows = {window["days"]: window for window in result["windows"]}
    assert list(windows) == [30, 60, 90]
    assert [window["matured"] for window in windows.values()] == [1.0, 1.0, 0.0]
    assert windows[60]["overall"]["difference"] == overall["difference"]
    assert windows[90]["overall"] is None
    assert windows[90]["error"]
    # A ratio is a guardrail like any other.
    assert result["guardrails"][0]["overall"]["method"] == "delta"


async def test_effects_are_told_by_any_list_of_dimensions(evaluation: Running, campaign: Campaign) -> None:
    async with evaluation.client(Role.strategist) as client:
        by_tier = await asked(client, campaign, "tier")
        by_branch = await asked(client, campaign, "branch")
        every = await asked(client, campaign, "segment,tier,channel,script,branch,manager")
    assert [row["values"]["tier"] for row in by_tier["rows"]] == ["(none)", "gold"]
    for row in by_tier["rows"]:
        assert row["cuped"]["applied"]
        assert float(row["ci"][0]) < LIFT < float(row["ci"][1])
        assert row["q_value"] < 0.05
    assert by_branch["heterogeneity"]["df"] == len(BRANCHES) - 1
    assert all(row["shrunk"] for row in by_branch["rows"])
    assert sum(row["n"] for row in every["rows"]) == campaign.treated
    for row in every["rows"]:
        assert row["values"]["manager"] == f"S{BRANCHES.index(row['values']['branch'])}"
        assert (row["values"]["channel"], row["values"]["script"]) == ("manager_task", "w@1")
        assert row["difference"] or row["error"]
    assert any(row["difference"] for row in every["rows"])
    assert every["cells"] == len(every["rows"])


async def test_the_surest_cells_alone_and_how_many_there_are(evaluation: Running, campaign: Campaign) -> None:
    async with evaluation.client(Role.strategist) as client:
        whole, (row,) = await asked(client, campaign, "branch"), (await surest(client, campaign, 1))["rows"]
        refused = await client.get(f"/v1/campaigns/{campaign.id}/breakdown", params={"top": 0})
    assert whole["cells"] == len(BRANCHES)
    assert row == min(whole["rows"], key=lambda each: each["p_value"])
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/query/top"


async def test_channels_share_the_hold_out_and_are_not_pooled(
    evaluation: Running, campaign: Campaign
) -> None:
    async with evaluation.client(Role.strategist) as client:
        found = await asked(client, campaign, "channel")
    (row,) = found["rows"]
    assert (row["n"], row["n_hold_out"]) == (campaign.treated, campaign.held_out)
    assert found["heterogeneity"] is None
    assert "share" in found["not_pooled"]


async def test_a_branch_reads_its_own_cells_only(evaluation: Running, campaign: Campaign) -> None:
    async with evaluation.client(Role.branch_head, org="hq.sh") as client:
        found = await asked(client, campaign, "manager,branch")
    assert {row["values"]["branch"] for row in found["rows"]} == set(BRANCHES[:2])


@pytest.mark.parametrize("by", ["age", "segment,segment", "", "segment,,branch", "arm"])
async def test_other_dimensions_are_refused(evaluation: Running, campaign: Campaign, by: str) -> None:
    async with evaluation.client(Role.strategist) as client:
        answer = await client.get(f"/v1/campaigns/{campaign.id}/breakdown", params={"by": by})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/by"
