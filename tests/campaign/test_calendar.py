"""The campaign calendar: waves on their days, what they bring, and who is asked twice."""

from datetime import date, timedelta
from typing import Any

from services.campaign.domain.calendar import days, overlaps
from shared import clock
from shared.auth import Role
from shared.contracts.campaign.calendar import CalendarCampaign, CalendarWave
from shared.ids import new_id
from tests.campaign.conftest import Bank, a_customer, a_scheme, an_arm, campaign_body
from tests.campaign.test_strategies import pointers

FIRST = date(2026, 12, 1)


def _campaign(start: int, end: int, *segments: str, waves: tuple[int, ...] = ()) -> CalendarCampaign:
    return CalendarCampaign(
        id=new_id(),
        key="any",
        name={"zh": "一", "en": "One"},
        status="draft",
        strategy=None,
        orgs=["hq"],
        start=FIRST + timedelta(days=start),
        end=FIRST + timedelta(days=end),
        channels=[],
        segments=list(segments),
        waves=[
            CalendarWave(wave=number, on=FIRST + timedelta(days=day), contacts=10, known_from="audience")
            for number, day in enumerate(waves, 1)
        ],
    )


def test_two_campaigns_meet_where_days_and_segments_do() -> None:
    long, short = _campaign(0, 30, "a", "b"), _campaign(10, 12, "b", "a", "c")
    after, apart = _campaign(31, 40, "a"), _campaign(30, 35, "d")
    found = list(overlaps([long, short, after, apart]))
    assert [(each.first, each.second, each.segments) for each in found] == [(long.id, short.id, ["a", "b"])]
    assert (found[0].start, found[0].end) == (short.start, short.end)
    touching = _campaign(40, 41, "a")
    assert [each.start for each in overlaps([after, touching])] == [touching.start]


def test_a_day_counts_what_is_due() -> None:
    found = days([_campaign(0, 9, waves=(0, 0, 3)), _campaign(0, 9, waves=(3,))])
    assert [(each.day.day, each.contacts, each.campaigns) for each in found] == [(1, 20, 1), (4, 20, 2)]


async def test_waves_bring_what_is_known_of_them(empty_bank: Bank) -> None:
    bank, today = empty_bank, clock.today()
    segment = f"g{new_id().hex}"
    await bank.add_customers([a_customer(number) for number in range(20)])
    await bank.add_segment(segment, [state.customer_id for state in bank.customers])
    window = {"start": today.isoformat(), "end": (today + timedelta(days=20)).isoformat()}
    waves: dict[str, Any] = {
        "schedule": {**window, "waves": 2, "wave_gap_minutes": 60 * 24 * 7},
        "audience": {"include": [segment]},
    }
    launched = await bank.launched(scheme=a_scheme(an_arm("call", 1.0), hold_out=0), **waves)
    async with bank.strategist() as author:
        made = [
            await author.post("/v1/campaigns", json=campaign_body(**waves)),
            await author.post("/v1/campaigns", json=campaign_body(**{**waves, "scheme": None})),
            await author.post("/v1/campaigns", json=campaign_body(**waves)),
        ]
        draft, bare, aborted = (answer.json()["id"] for answer in made)
        await author.post(f"/v1/campaigns/{aborted}:abort", json={"reason": "No"})
        parameters = {"from": today.isoformat(), "until": (today + timedelta(days=7)).isoformat()}
        answer = await author.get("/v1/calendar", params=parameters)
    assert answer.status_code == 200, answer.text
    calendar = answer.json()
    shown = {each["id"]: each for each in calendar["campaigns"]}
    assert set(shown) == {launched, draft, bare}
    tasks = await bank.all_of("/v1/tasks")
    first, second = shown[launched]["waves"]
    assert (first["on"], first["contacts"], first["known_from"]) == (today.isoformat(), len(tasks), "ledger")
    assert (second["on"], second["known_from"]) == ((today + timedelta(days=7)).isoformat(), "audience")
    members = await bank.all_of(f"/v1/campaigns/{launched}/audience")
    assert second["contacts"] == sum(member["wave"] == 2 for member in members)
    # Nine in ten of twenty, in two waves: at most.
    assert [(each["contacts"], each["known_from"]) for each in shown[draft]["waves"]] == [(9, "segments")] * 2
    assert [each["contacts"] for each in shown[bare]["waves"]] == [10, 10]
    assert shown[bare]["channels"] == []
    assert calendar["days"][0]["contacts"] == len(tasks) + 19
    assert len(calendar["overlaps"]) == 3
    assert {each["segments"][0] for each in calendar["overlaps"]} == {segment}


async def test_the_calendar_is_of_the_days_and_organisations_asked_for(empty_bank: Bank) -> None:
    today = clock.today()
    parameters = {"from": today.isoformat(), "until": today.isoformat()}
    async with empty_bank.strategist() as author:
        own = await author.post("/v1/campaigns", json=campaign_body())
        later = {
            "start": (today + timedelta(days=1)).isoformat(),
            "end": (today + timedelta(days=2)).isoformat(),
        }
        await author.post("/v1/campaigns", json=campaign_body(schedule=later))
        await author.post("/v1/campaigns", json=campaign_body(schedule=None))
        for org, expected in (("hq.sh.pudong", 1), ("hq", 1), ("hq.bj", 0)):
            answer = await author.get("/v1/calendar", params={**parameters, "org": org})
            assert [each["id"] for each in answer.json()["campaigns"]] == [own.json()["id"]] * expected
        for until in (today - timedelta(days=1), today + timedelta(days=366)):
            refused = await author.get("/v1/calendar", params={**parameters, "until": until.isoformat()})
            assert (refused.status_code, pointers(refused)) == (422, ["/query/until"])
        without = await author.get("/v1/calendar")
        assert (without.status_code, pointers(without)) == (422, ["/query/from", "/query/until"])
    async with empty_bank.client(Role.strategist, org="hq.bj", staff="S4") as far:
        assert (await far.get("/v1/calendar", params=parameters)).json()["campaigns"] == []
