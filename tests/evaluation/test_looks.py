"""Early verdicts, the daily series and the health gate, from events on the streams to what the API tells."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest

from services.evaluation.models import Registration
from services.evaluation.store import Store
from services.evaluation.usecases.evaluations import gather, keep
from shared.auth import Role
from shared.contracts.events import (
    AssignedContact,
    CampaignLaunched,
    CampaignPaused,
    CampaignResumed,
    ContactsAssigned,
    CustomerEventsRecorded,
    EventData,
)
from shared.ids import new_id
from tests.evaluation.bank import Campaign
from tests.support import Running, eventually


@pytest.fixture
async def strategist(evaluation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with evaluation.client(Role.strategist) as client:
        yield client


@dataclass
class TwoWaves(Campaign):
    """The second wave, as large as the first, has not lived through its window when the campaign ends."""

    stop: dict[str, Any] = field(default_factory=lambda: {"kind": "fixed"})
    margins: dict[str, str] = field(default_factory=dict)

    def launched(self) -> CampaignLaunched:
        told = super().launched()
        plan = told.registration.model_dump() | {"stop": self.stop, "margins": self.margins}
        return told.model_copy(update={"registration": type(told.registration).model_validate(plan)})

    def facts(self) -> list[EventData]:
        later = self.contacts()
        second = ContactsAssigned(
            campaign_id=self.id,
            wave=2,
            assigned_at=self.assigned_at + timedelta(days=20),
            contacts=later,
        )
        rng = np.random.default_rng(self.seed + 1)
        lived = [self._moved(contact, rng) for contact in later]
        return [*super().facts(), second, CustomerEventsRecorded(events=lived)]

    def _moved(self, contact: AssignedContact, rng: np.random.Generator) -> Any:
        amount = 2000 + float(rng.normal(0, 100)) + (self.effect if contact.arm else 0)
        return self.event(contact.customer_id, 22, amount)


async def outcome(
    evaluation: Running, client: httpx.AsyncClient, campaign: Campaign, *changes: EventData
) -> dict[str, Any]:
    await evaluation.publish(*campaign.facts(), *changes, campaign.completed())

    async def there() -> bool:
        return (await client.get(f"/v1/campaigns/{campaign.id}/result")).status_code == 200

    await eventually(there, what="a result")
    result: dict[str, Any] = (await client.get(f"/v1/campaigns/{campaign.id}/result")).json()
    return result


async def test_an_early_verdict_is_given_by_the_registered_rule_only(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    planned = {"kind": "group_sequential", "looks": [0.5, 1.0]}
    campaign = TwoWaves(treated=90, held_out=60, stop=planned, margins={"complaints_30d": "0.2"})
    early = await outcome(evaluation, strategist, campaign)
    await read_as(strategist, early, "effect-positive", readable=True)
    stopping, overall = early["stopping"], early["primary"]["overall"]
    assert (stopping["look"], stopping["information"]) == (1, 0.5)
    # O'Brien–Fleming's bound at half of the information, by Lan and DeMets.
    assert round(stopping["bound"], 3) == 2.963
    assert Decimal(stopping["ci"][0]) < Decimal(overall["ci"][0])
    assert Decimal(overall["always_valid_ci"][0]) < Decimal(overall["ci"][0])
    assert overall["always_valid_p"] < 0.05
    complaints = next(each for each in early["guardrails"] if each["metric"] == "complaints_30d")
    assert (complaints["method"], complaints["margin"], complaints["harmed"]) == (
        "non_inferiority",
        "0.2",
        False,
    )
    registered = (await strategist.get(f"/v1/campaigns/{campaign.id}/registration")).json()
    assert (registered["stop"]["looks"], registered["margins"]) == ([0.5, 1.0], {"complaints_30d": "0.2"})


async def read_as(client: httpx.AsyncClient, result: dict[str, Any], rule: str, *, readable: bool) -> None:
    assert (result["matured"], result["stopping"]["final"]) == (0.5, False)
    assert (result["stopping"]["readable"], result["stopping"]["crossed"]) == (readable, readable)
    advice = await client.get(f"/v1/recommendations?campaign_id={result['campaign_id']}")
    assert advice.json()["items"][0]["evidence"]["rule"] == rule


async def test_the_series_has_days_a_band_and_marks_and_no_verdict_before_its_time(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = TwoWaves(treated=90, held_out=60)
    paused, resumed = (campaign.assigned_at + timedelta(days=days) for days in (2, 4))
    changes = [
        CampaignPaused(campaign_id=campaign.id, at=paused),
        CampaignResumed(campaign_id=campaign.id, at=resumed),
    ]
    result = await outcome(evaluation, strategist, campaign, *changes)
    await read_as(strategist, result, "window-open", readable=False)
    series: dict[str, Any] = {}

    async def there() -> bool:
        answer = await strategist.get(f"/v1/campaigns/{campaign.id}/series")
        series.update(answer.json())
        return answer.status_code == 200 and series["assigned"] == 180 and len(series["markers"]) == 6

    await eventually(there, what="the series")
    assert (series["verdict"], series["hold_out"], series["tuned_for"]) == ("ok", 120, 300)
    assert [day["day"] for day in series["days"]] == list(range(1, 31))
    complete, immature = series["days"][18], series["days"][25]
    assert (complete["n"], complete["n_hold_out"], complete["immature"]) == (180, 120, False)
    assert (immature["n"], immature["n_hold_out"], immature["matured"]) == (90, 60, 0.5)
    assert immature["immature"]
    assert "error" not in complete or complete["error"] is None
    last = series["days"][29]
    assert Decimal(last["ci"][0]) <= 500 <= Decimal(last["ci"][1])
    assert Decimal(last["always_valid_ci"][0]) < Decimal(last["ci"][0])
    marks = [(mark["kind"], round(mark["day"])) for mark in series["markers"]]
    assert marks == [("launch", 0), ("wave", 0), ("pause", 2), ("resume", 4), ("complete", 5), ("wave", 20)]


@dataclass
class Leaking(Campaign):
    """One in ten of those held out is called all the same."""

    def facts(self) -> list[EventData]:
        facts = super().facts()
        held = [
            contact
            for fact in facts
            if isinstance(fact, ContactsAssigned)
            for contact in fact.contacts
            if contact.arm is None
        ]
        return [*facts, *(self._called(contact) for contact in held[: len(held) // 10])]


async def test_a_leaking_hold_out_withholds_the_verdict_and_says_what_to_do(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Leaking(treated=90, held_out=60)
    result = await outcome(evaluation, strategist, campaign)
    assert (result["health"]["verdict"], result["primary"], result["stopping"]) == ("withheld", None, None)
    assert [error["at"] for error in result["errors"]] == ["health/contamination"]
    health = (await strategist.get(f"/v1/campaigns/{campaign.id}/health")).json()
    checks = {check["check"]: check for check in health["checks"]}
    assert len(checks) == 11
    assert checks["contamination"]["observed"] == {"contacted": 6}
    assert "Find out who contacted them" in checks["contamination"]["reading"]["en"]
    assert not checks["other_campaigns"]["withholds"]
    assert not checks["store_lag"]["withholds"]
    board = (await strategist.get(f"/v1/boards/campaigns/{campaign.id}")).json()
    advice = board["recommendation"]
    assert advice["evidence"]["rule"] == "verdict-withheld"
    # The split is as it was declared: it is not what failed.
    assert (advice["title"]["en"], advice["title"]["zh"]) == (
        "No conclusion: a health check failed",
        "健康检查未通过，暂不下结论",
    )
    series = (await strategist.get(f"/v1/campaigns/{campaign.id}/series")).json()
    assert series["verdict"] == "withheld"
    assert all(day["difference"] is None and day["n"] for day in series["days"])


async def test_of_two_evaluations_at_once_the_one_that_read_more_stands(
    evaluation: Running, strategist: httpx.AsyncClient
) -> None:
    campaign = Campaign(treated=60, held_out=40)
    await outcome(evaluation, strategist, campaign)
    runtime = evaluation.runtime
    async with runtime.db.transaction() as session:
        registration = await session.get_one(Registration, campaign.id)
    less, more = [await gather(runtime.resource(Store), registration) for _ in range(2)]
    kept = []
    for seen in (more, less):
        async with runtime.db.transaction() as session:
            kept.append(await keep(session, new_id(), campaign.id, seen, timedelta()))
    stands = (await strategist.get(f"/v1/campaigns/{campaign.id}/result")).json()
    assert stands["data_until"] == kept[0].model_dump(mode="json")["data_until"]
    assert [str(each.id) for each in kept] == [stands["id"]] * 2
