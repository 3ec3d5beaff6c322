"""What branches and managers did, as the campaign service tells it: kept with a scorecard, not compared."""

from datetime import date
from decimal import Decimal

import httpx
import pytest

from services.campaign.domain.activity import ACTIVITIES, days_of
from services.campaign.domain.activity import attained as beside
from services.evaluation.domain import indicators
from services.evaluation.usecases.scorecard_activity import activity_of, with_activity
from shared.contracts.campaign.activity_targets import ActivityAttainment, ManagerActivity
from shared.contracts.evaluation.scorecards import ScorecardWanted, SubjectCard
from shared.errors import Unavailable


def attained(request: httpx.Request) -> httpx.Response:
    """Branch a, and its manager in two branches, made 30 calls, of 40 that they should have made."""
    asked = request.url.params
    org, unit = asked["org"], request.url.path.rpartition("/")[2]
    assert request.url.path == f"/v1/activity-attainment/{unit}"
    first, last = days_of("month", date.fromisoformat(asked["on"]))
    where = {"branch": [(f"{org}.a", None)], "staff": [(f"{org}.{x}", f"M-{org[3:]}-a") for x in "ab"]}
    done = [
        ManagerActivity(
            manager=staff,
            org=branch,
            activities=[beside(each, 30, 40 if each == "calls" else None) for each in ACTIVITIES],
        )
        for branch, staff in where[unit]
    ]
    answer = ActivityAttainment(period="month", first_day=first, last_day=last, items=done, left_off=0)
    return httpx.Response(200, content=answer.model_dump_json())


def card(subject: str, org: str) -> SubjectCard:
    return SubjectCard(subject=subject, org=org, customers=Decimal(9), scores=[])


def wanted(**changes: object) -> ScorecardWanted:
    return ScorecardWanted.model_validate({"level": "branch", "period": "2026-09", "org": "hq.z", **changes})


def test_periods() -> None:
    assert indicators.days_of("2026-12") == (date(2026, 12, 1), date(2026, 12, 31))
    assert indicators.days_of("2028-02") == (date(2028, 2, 1), date(2028, 2, 29))
    assert indicators.days_of("2026-Q4") == (date(2026, 10, 1), date(2026, 12, 31))
    assert indicators.closes_on("2026-Q1") == date(2026, 5, 1)


def test_months_of_a_period() -> None:
    assert indicators.months_of("2026-12") == [date(2026, 12, 1)]
    assert indicators.months_of("2026-Q4") == [date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)]


async def test_every_card_says_what_was_done_in_each_month() -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(attained), base_url="http://c") as campaign:
        quarter = await activity_of(campaign, wanted(period="2026-Q3"))
        staff = await activity_of(campaign, wanted(level="staff"))
    busy, idle = with_activity([card("hq.z.a", "hq.z.a"), card("hq.z.b", "hq.z.b")], quarter)
    assert [each.month for each in busy.activity] == ["2026-07", "2026-08", "2026-09"]
    calls, *others = busy.activity[0].activities
    assert (calls.done, calls.target, calls.attainment) == (30, 40, 0.75)
    assert {each.target for each in others} == {None}
    assert [each.month for each in idle.activity] == ["2026-07", "2026-08", "2026-09"]
    nothing = idle.activity[0].activities
    assert [(each.activity, each.done, each.target) for each in nothing] == [
        (activity, 0, None) for activity in ACTIVITIES
    ]
    (manager,) = with_activity([card("M-z-a", "hq.z.a")], staff)
    assert [each.org for each in manager.activity] == ["hq.z.a", "hq.z.b"]
    # Of whom the answer had no room for, nothing is known: not even that nothing was done.
    cut = [each.model_copy(update={"left_off": 1}) for each in quarter]
    assert with_activity([idle], cut)[0].activity == []


async def test_without_the_campaign_service_there_is_no_scorecard() -> None:
    def down(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    async with httpx.AsyncClient(transport=httpx.MockTransport(down), base_url="http://c") as campaign:
        with pytest.raises(Unavailable, match="campaign service"):
            await activity_of(campaign, wanted())
