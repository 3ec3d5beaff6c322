"""The whole circle through the public APIs, on real processes."""

import httpx
import pytest

from shared.auth import Role
from tests.conftest import Demonstration
from tests.e2e.books import settled_books

pytestmark = pytest.mark.xdist_group("demonstration")


def test_the_story_adds_up(demonstration: Demonstration) -> None:
    story = demonstration.story
    ledger = story["make_contacts"]["ledger"]
    assert story["make_contacts"]["balanced"]
    assert ledger["open"] == 0
    assert ledger["audience"] == sum(ledger["suppressed"].values()) + ledger["held_out"] + ledger["assigned"]
    assert ledger["assigned"] == ledger["done"] + ledger["expired"]
    books = settled_books(demonstration.stack)
    assert books.problems_before_stores() == []
    assert books.events == story["load_events"]["events"] + story["let_time_pass"]["events"]


def test_the_measured_effect_has_its_interval_and_the_recommendation_its_evidence(
    demonstration: Demonstration,
) -> None:
    campaign = demonstration.story["plan_campaign"]["id"]
    headers = {"Authorization": f"Bearer {demonstration.stack.token('strategist')}"}
    with httpx.Client(base_url=f"{demonstration.stack.base_url}/api", headers=headers, timeout=30) as api:
        result = api.get(f"/evaluation/v1/campaigns/{campaign}/result").raise_for_status().json()
        reviewed = api.get(f"/campaign/v1/campaigns/{campaign}").raise_for_status().json()
    arm = result["primary"]["arms"][0]
    low, high = map(float, arm["ci"])
    assert low < float(arm["difference"]) < high
    assert result["health"]["verdict"] == "ok"
    # The review has come back to the campaign by event.
    assert reviewed["evaluation"]["verdict"] == "ok"
    assert reviewed["recommendation"]["evidence"]


def test_an_event_posted_twice_through_the_gateway_changes_nothing(demonstration: Demonstration) -> None:
    key = demonstration.stack.keyring.ensure_key("e2e", roles=[Role.integrator], source="e2e")
    event = {
        "specversion": "1.0",
        "id": "e2e-1",
        "source": "e2e",
        "type": "login",
        "subject": "nobody-yet",
        "time": "2026-01-01T00:00:00Z",
        "data": {"channel": "mobile"},
    }
    headers = {"X-API-Key": key, "Content-Type": "application/cloudevents+json"}
    with httpx.Client(base_url=f"{demonstration.stack.base_url}/api/customer", headers=headers) as api:
        first = api.post("/v1/events", json=event)
        second = api.post("/v1/events", json=event)
    assert first.json()["parked"] == 1, first.text
    assert second.json()["duplicate"] == 1, second.text
