"""Verdicts, burn-downs and the order of the strategy board."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.console.i18n import Texts
from services.console.pages.board_campaigns import Chosen, matching, verdict_shown
from services.console.pages.review_burn import remaining
from shared.contracts.evaluation import BoardCampaign
from shared.contracts.metrics import Better
from shared.ids import new_id
from shared.verdict_words import check_name, headline, meaning, what_to_do
from shared.verdicts import TONES, Verdict, verdict_by

LOCAL = Texts("zh").local


def campaign(name: str, **changes: Any) -> BoardCampaign:
    return BoardCampaign.model_validate(
        {
            "campaign_id": new_id(),
            "key": f"key-{name.lower()}",
            "name": {"zh": f"活动{name}", "en": f"Campaign {name}"},
            "state": "running",
            "orgs": ["hq.sh"],
            "starts_on": "2026-03-01",
            "ends_on": "2026-03-31",
            "primary_metric": "net_inflow_30d",
            "metric_name": {"zh": "净流入", "en": "Net inflow"},
            "currency": "CNY",
            "target": "100.00",
            "progress": {
                "assigned": 10,
                "hold_out": 5,
                "contacted": 3,
                "share": 0.3,
                "minutes": "4",
                "contact_cost": None,
            },
            "effect": None,
            "recommendation": None,
            **changes,
        }
    )


def effect(incremental: str, low: str, high: str) -> dict[str, Any]:
    return {
        "verdict": "ok",
        "difference": "1.00",
        "ci": [low, high],
        "incremental": incremental,
        "incremental_ci": [low, high],
        "matured": 1.0,
        "evaluated_at": "2026-04-01T00:00:00Z",
    }


A = campaign("A", effect=effect("50.00", "-5.00", "105.00"), target_reached=0.5)
B = campaign("B", effect=effect("-20.00", "-30.00", "-10.00"), state="completed", orgs=["hq.bj"])
C = campaign("C")
D = campaign("D", effect=effect("90.00", "80.00", "100.00"), target_reached=0.9)


def order(**chosen: str) -> list[str]:
    return [each.name.en[-1] for each in matching([A, B, C, D], Chosen(**chosen), {}, LOCAL)]


@pytest.mark.parametrize(
    ("sort", "names"),
    [("newest", "ABCD"), ("incremental", "DABC"), ("reached", "DABC"), ("verdict", "BDAC")],
)
def test_campaigns_stand_in_the_order_asked_for(sort: str, names: str) -> None:
    assert "".join(order(sort=sort)) == names


def test_filters_hold_together() -> None:
    assert order(state="completed") == ["B"]
    assert order(org="hq.sh", text=" 活动c ") == ["C"]
    assert order(text="KEY-d") == ["D"]
    assert order(text="净流入", org="hq.bj", state="running") == []


def test_a_verdict_needs_an_interval_and_knows_which_side_is_better() -> None:
    assert [verdict_shown(each, {}) for each in (A, B, C, D)] == [
        Verdict.UNDECIDED,
        Verdict.WORSE,
        Verdict.NOT_EVALUATED,
        Verdict.BETTER,
    ]
    withheld = {**effect("1.00", "0.00", "2.00"), "verdict": "withheld", "difference": None, "ci": None}
    assert verdict_shown(campaign("E", effect=withheld), {}) is Verdict.WITHHELD
    early = {**effect("1.00", "0.50", "2.00"), "readable": False}
    assert verdict_shown(campaign("F", effect=early), {}) is Verdict.EARLY
    assert verdict_by((Decimal(1), Decimal(2)), Better.LOWER) is Verdict.WORSE


def test_every_verdict_has_words_in_both_languages() -> None:
    for verdict in Verdict:
        assert TONES[verdict]
        assert headline(verdict, "zh") != headline(verdict, "en")
        assert meaning(verdict, "zh") != meaning(verdict, "en")
    assert check_name("srm", "en") == "Split of the groups"
    assert (check_name("new-check", "zh"), what_to_do("new-check", "zh")) == ("new-check", "")


def test_what_was_left_is_counted_backwards_from_now() -> None:
    first = date(2026, 3, 1)
    left = remaining(40.0, [(first + timedelta(days=n), used) for n, used in enumerate((30.0, 0.0, 30.0))])
    assert [each.amount for each in left] == [100.0, 70.0, 70.0, 40.0]
    assert [left[0].day, left[-1].day] == [date(2026, 2, 28), date(2026, 3, 3)]
    assert remaining(40.0, []) == []
