"""What the simulation says of channels, money and value."""

from typing import Any

import httpx
import pytest

from services.console.api import Api
from services.console.i18n import Texts
from services.console.pages.campaign_simulation import _by_rule, _outcome
from services.console.session import User
from services.console.view import View
from shared.contracts.campaign import CampaignView, Simulation
from tests.console.test_studio_steps import VIEW

COUNTED = {
    "audience": 9,
    "eligible": 9,
    "suppressed": {},
    "arms": {"sms": 9},
    "hold_out": 0,
    "managers": 0,
    "manager_minutes": {"needed": 0, "available": 0},
    "minimum_detectable_effect": None,
}
NEED = {
    "channel": "sms",
    "name": {"zh": "短信 <1>", "en": "Text <1>"},
    "enabled": True,
    "messages": 9,
    "waiting": 0,
    "per_minute": 60,
    "daily_capacity": 3,
    "per_day": 3,
    "days": 2,
    "days_needed": 3,
    "beyond_capacity": 3,
    "cost": "0.45",
    "currency": "CNY",
}
COST = {"amount": "0.45", "currency": "CNY", "budget": "0.40", "over": "0.05"}


SIZE = {
    "effect": 1.2922,
    "units": 100,
    "treated": 90,
    "hold_out": 10,
    "design_effect": 1.0,
    "deviation": 1.0,
    "alpha": 0.05,
    "power": 0.8,
    "method": "t test",
}


def _said_to() -> User:
    return User(token="t", id="u", name="n", roles=frozenset(), org="hq", staff=None)


def _said(**more: Any) -> dict[str, str]:
    view = View(Texts("en"), _said_to(), Api({}, "t"))
    pairs = _outcome(view, Simulation.model_validate({**COUNTED, **more}))
    return {name: str(cell) for name, cell in pairs}


def test_each_channel_says_whether_the_schedule_is_long_enough() -> None:
    said = _said(channels=[NEED], cost=COST)
    assert "9 messages at 3 a day (60 a minute): 3 of 2 days, ¥0.45" in said["Channel Text <1>"]
    assert "3 would not be sent" in said["Channel Text <1>"]
    fits = {**NEED, "beyond_capacity": 0, "waiting": 5, "enabled": False}
    said = _said(channels=[fits], cost=COST)
    assert "would not be sent" not in said["Channel Text <1>"]
    assert "5 of other campaigns go before" in said["Channel Text <1>"]
    assert "Disabled" in said["Channel Text <1>"]


def test_cost_and_value_are_said_or_why_they_are_not() -> None:
    assert "¥0.45 of a budget of ¥0.40" in _said(cost=COST)["Expected cost"]
    assert "¥0.05 short" in _said(cost=COST)["Expected cost"]
    assert _said(cost={**COST, "budget": None, "over": None})["Expected cost"] == "¥0.45, without a budget"
    assert "currencies" in _said()["Expected cost"]
    assert _said()["Expected value"].startswith("unknown")
    value = {"amount": "120.50", "currency": "CNY", "customers": 7}
    assert _said(expected_value=value)["Expected value"] == "¥120.50 from 7 customers the optimisation chose"


PLANNED = {"kind": "always_valid", "tuned_for": 100}


@pytest.mark.parametrize(
    ("stop", "asked"),
    [
        (
            PLANNED,
            {"kind": "mean", "deviation": 1, "units": 100, "hold_out": 0.1, "stop": PLANNED},
        ),
        ({"kind": "fixed"}, None),
    ],
)
async def test_the_smallest_effect_is_said_by_the_stop_rule_too(
    stop: dict[str, Any], asked: dict[str, Any] | None
) -> None:
    bodies = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(httpx.Response(200, content=request.content).json())
        return httpx.Response(200, json=SIZE)

    evaluation = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://x")
    objective = {"primary_metric": "net_inflow_30d", "stop": stop}
    campaign = CampaignView.model_validate({**VIEW, "objective": objective})
    counted = {
        **COUNTED,
        "arms": {"sms": 90, "call": 300},
        "hold_out": 10,
        "minimum_detectable_effect": 0.934,
    }
    found = Simulation.model_validate(counted)
    view = View(Texts("en"), _said_to(), Api({"evaluation": evaluation}, "t"))
    effect = await _by_rule(view, campaign, found)
    said = dict(_outcome(view, found, effect))["Smallest effect it can show"]
    assert bodies == ([asked] if asked else [])
    assert "0.93 standard deviations" in str(said)
    assert ("by the stop rule: 1.29 standard deviations" in str(said)) == (asked is not None)
