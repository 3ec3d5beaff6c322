"""When a result may be read, as the campaign's page and its changes put it."""

from typing import Any

import pytest

from services.console.i18n import Texts
from services.console.pages.campaign_changes import _Words, changed_ways, fields_of
from services.console.pages.campaign_fixes import _guard, stop_words
from services.console.pages.words import Names
from shared.contracts.campaign.fixes import Objective
from tests.console.test_studio_steps import COMPLAINTS

KNOWN = {COMPLAINTS.key: COMPLAINTS}
PLANNED = {"kind": "group_sequential", "looks": [0.25, 0.555, 1.0], "spending": "pocock", "customers": 12000}
EN = Texts("en")


def objective(**rules: Any) -> Objective:
    return Objective(primary_metric="net_inflow_30d", guardrails=["complaints_30d", "other"], **rules)


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        ({"kind": "fixed"}, "When all windows have closed"),
        ({"kind": "always_valid", "tuned_for": 12000}, "Always valid, tuned for 12,000 customers"),
        (
            PLANNED,
            "Planned looks (group sequential): 25%, 55.5%, 100% (Pocock), of 12,000 customers planned",
        ),
    ],
)
def test_a_rule_says_what_was_agreed(stop: dict[str, Any], said: str) -> None:
    assert stop_words(EN, objective(stop=stop).stop) == said


def test_a_guardrail_says_its_margin_in_its_own_unit() -> None:
    agreed = objective(margins={"complaints_30d": "0.002"})
    assert _guard(EN, agreed, KNOWN, "complaints_30d") == "Complained (may give way by 0.20%)"
    assert _guard(EN, agreed, KNOWN, "other") == "other"


def test_an_approver_reads_a_changed_rule_in_words() -> None:
    words = _Words(EN, KNOWN, Names("en", {}, {}, {}))
    before, after = (
        fields_of({"objective": each.model_dump(mode="json")})
        for each in (objective(), objective(stop=PLANNED, margins={"complaints_30d": "0.002"}))
    )
    assert {
        words.label(way): words.value(way, after[way]) for way in changed_ways(before, after) if way in after
    } == {
        "Objective · when to conclude · kind": "Planned looks (group sequential)",
        "Objective · when to conclude · how error is spread": "Pocock",
        "Objective · when to conclude · looks": "25.00%, 55.50%, 100.00%",
        "Objective · when to conclude · customers planned": "12000",
        "Objective · margins · Complained": "0.002",
    }
