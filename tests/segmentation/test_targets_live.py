"""Target profiles through the HTTP API: declared, adhered to, drifted from, told of once."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.segmentation.domain.drift import Period
from services.segmentation.usecases.targets import check_due
from shared import clock
from shared.auth import Role
from shared.contracts.events import (
    CustomerErased,
    CustomerRef,
    CustomersMerged,
)
from shared.ids import new_id
from tests.segmentation.conftest import Live
from tests.segmentation.target_town import EAST, RULE, WEST, Town, body, declared, periods, town
from tests.support import Running, eventually

__all__ = ["periods", "town"]


@pytest.fixture
async def strategist(segmentation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with segmentation.client(Role.strategist) as client:
        yield client


def series(drift: dict[str, Any], org: str, measure: str) -> list[dict[str, Any]]:
    (found,) = [one for one in drift["series"] if (one["org"], one["measure"]) == (org, measure)]
    points: list[dict[str, Any]] = found["points"]
    return points


async def test_months_are_judged_at_their_end(
    town: Town, strategist: httpx.AsyncClient, periods: list[Period]
) -> None:
    profile = await declared(strategist)
    path = f"/v1/target-profiles/{profile['id']}/drift"
    drift = (await strategist.get(path, params={"months": 3})).json()
    assert drift["series"][0]["org"] == "hq.td"
    assert {one["org"] for one in drift["series"]} == {"hq.td", EAST, WEST}
    earlier, last, present = series(drift, EAST, "new_customers")
    assert [each["period"] for each in (earlier, last, present)] == [p.first.isoformat() for p in periods]
    assert (earlier["inside"], earlier["total"], earlier["evidence"]) == (12, 12, None)
    # Those whose money is gone since were inside when their month ended.
    assert (last["inside"], last["total"], last["share"]) == (3, 20, 0.15)
    assert (round(last["low"], 4), round(last["high"], 4)) == (0.0524, 0.3604)
    assert last["evidence"] == "interval"
    assert (present["complete"], present["total"], present["share"]) == (False, 0, None)
    assert series(drift, "hq.td", "new_customers")[1]["inside"] == 15
    # 17 contacts with 17 outside, 60 with 3 inside: what customers began does not count.
    contacts = series(drift, EAST, "contacts")[1]
    assert (contacts["inside"], contacts["total"]) == (60, 77)
    assert contacts["effective_n"] == pytest.approx(77**2 / (17 + 3 * 400))
    minutes = series(drift, EAST, "minutes")[1]
    assert (minutes["inside"], minutes["total"]) == (60, 60 + 17 * 30)
    assert minutes["evidence"] is None, "no tolerance was declared for it"
    attempts = series(drift, EAST, "campaign_contacts")[1]
    assert (attempts["inside"], attempts["total"]) == (6, 40)
    assert attempts["effective_n"] == pytest.approx(40**2 / (20 * 2**2))
    spent = series(drift, EAST, "campaign_cost")[1]
    assert (spent["inside"], spent["total"]) == (120, 460)
    assert series(drift, WEST, "new_customers")[1]["total"] == 12
    assert not [one for one in drift["series"] if (one["org"], one["measure"]) == (WEST, "campaign_cost")]
    # The last hour of the month in the bank's zone belongs to it.
    assert series(drift, WEST, "contacts")[1]["total"] == 12
    narrowed = (await strategist.get(path, params={"months": 3, "org": EAST})).json()
    assert {one["org"] for one in narrowed["series"]} == {EAST}
    assert series(narrowed, EAST, "new_customers") == series(drift, EAST, "new_customers")
    assert (await strategist.get(path, params={"org": "hq.elsewhere"})).status_code == 404
    assert (await strategist.get(path, params={"months": 99})).status_code == 422


async def test_months_before_the_facts_are_not_judged(town: Town, strategist: httpx.AsyncClient) -> None:
    profile = await declared(strategist)
    path = f"/v1/target-profiles/{profile['id']}/drift"
    drift = (await strategist.get(path, params={"months": 8})).json()
    known = {point["period"]: point["known"] for point in series(drift, "hq.td", "contacts")}
    since = date.fromisoformat(drift["facts_since"])
    assert {date.fromisoformat(each) >= since for each, known in known.items() if known} == {True}
    assert False in known.values()
    by_file = await declared(strategist, definition={"sql": "occupation = 'engineer'"})
    path = f"/v1/target-profiles/{by_file['id']}/drift"
    assert (await strategist.get(path)).json()["facts_since"] is None


async def test_adherence_now_and_who_comes_instead(town: Town, strategist: httpx.AsyncClient) -> None:
    profile = await declared(strategist)
    path = f"/v1/target-profiles/{profile['id']}"
    now = (await strategist.get(f"{path}/adherence")).json()
    assert (now["customers"], now["inside"], now["unknown"]) == (45, 25, 0)
    assert (now["aum"], now["aum_inside"]) == ("210000.00", "125000.00")
    assert now["share"] == pytest.approx(25 / 45)
    assert now["stream_position"] > 0
    instead = (await strategist.get(f"{path}/profile", params={"months": 2, "org": EAST})).json()
    # Of the 20 who came 3 have no money any more.
    assert (instead["newcomers"], instead["outsiders"], instead["target"]) == (20, 20, 12)
    gaps = {each["outsiders"]["feature"]: each["gap"] for each in instead["contrasts"]}
    assert gaps["contact_count_90d"] > 0
    assert [abs(each["gap"]) for each in instead["contrasts"]] == sorted(
        (abs(gap) for gap in gaps.values()), reverse=True
    )


async def test_a_unit_is_told_once_of_a_month(
    town: Town, strategist: httpx.AsyncClient, segmentation: Running, periods: list[Period]
) -> None:
    profile = await declared(strategist)
    first = (await strategist.post(f"/v1/target-profiles/{profile['id']}:check")).json()
    assert [(each["org"], each["period"]) for each in first["alerts"]] == [
        (EAST, periods[1].first.isoformat())
    ]
    (share,) = first["alerts"][0]["shares"]
    assert (share["measure"], share["share"], share["evidence"]) == ("new_customers", 0.15, "interval")
    again = (await strategist.post(f"/v1/target-profiles/{profile['id']}:check")).json()
    assert (again["alerts"], again["judged"]) == ([], first["judged"])
    listed = (await strategist.get(f"/v1/target-profiles/{profile['id']}/alerts")).json()["items"]
    assert listed == first["alerts"]
    told = await _told(segmentation, profile["id"])
    assert [(each["org"], each["shares"][0]["measure"]) for each in told] == [(EAST, "new_customers")]
    async with segmentation.client(Role.branch_head, org=WEST) as west:
        assert (await west.get(f"/v1/target-profiles/{profile['id']}/alerts")).json()["items"] == []
        assert (await west.get(f"/v1/target-profiles/{profile['id']}")).json()["alerts"] == 0


async def test_contacts_of_campaigns_follow_merges_and_are_forgotten(
    town: Town, strategist: httpx.AsyncClient, segmentation: Running, periods: list[Period]
) -> None:
    profile = await declared(strategist, org="hq.tn.north", tolerances={"campaign_contacts": 0.9})
    path = f"/v1/target-profiles/{profile['id']}"
    north = Town(town.bank)
    poets = north.came(12, date(2020, 1, 1), "hq.tn.north", inside=False)
    (survivor,) = north.came(1, date(2020, 1, 1), "hq.tn.north", inside=True)
    await north.settle()
    await north.campaigned(poets, periods[1].start + timedelta(days=3), cost="1.00")

    async def attempts() -> tuple[float, float]:
        drift = (await strategist.get(f"{path}/drift", params={"months": 3})).json()
        point = series(drift, "hq.tn.north", "campaign_contacts")[1]
        return point["inside"], point["total"]

    async def are(inside: float, total: float) -> None:
        async def so() -> bool:
            return await attempts() == (inside, total)

        await eventually(so, what=f"{inside} of {total}")

    await are(0, 12)
    alerts = (await strategist.post(f"{path}:check")).json()["alerts"]
    assert [each["shares"][0]["measure"] for each in alerts] == ["campaign_contacts"]
    refs = [CustomerRef(customer_id=each.customer_id, ordinal=each.ordinal) for each in [survivor, *poets]]
    merged = CustomersMerged(
        merge_id=new_id(), survivor=refs[0], merged=[refs[1]], merged_at=clock.now(), merged_by="x"
    )
    await segmentation.publish(merged)
    await are(1, 12)
    await segmentation.publish(
        CustomerErased(receipt_id=new_id(), customers=refs[2:3], erased_at=clock.now())
    )
    await are(1, 11)
    await north.campaigned([poets[1], poets[2]], periods[1].start + timedelta(days=4), cost="1.00")
    await are(1, 12)


async def _told(segmentation: Running, profile_id: str) -> list[dict[str, Any]]:
    async with segmentation.runtime.db.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT convert_from(payload, 'UTF8')::jsonb -> 'data' FROM outbox"
                " WHERE subject LIKE 'segmentation.target_drift_detected.%'"
            )
        )
        return [data for (data,) in rows if data["profile_id"] == profile_id]


async def test_the_worker_checks_each_profile_once_a_day(
    town: Town, strategist: httpx.AsyncClient, segmentation: Running
) -> None:
    valid = await declared(strategist)
    over = await declared(strategist, valid_until="2020-12-31")
    assert await check_due(segmentation.runtime) >= 1
    assert await check_due(segmentation.runtime) == 0
    assert len(await _told(segmentation, valid["id"])) == 1
    for profile, checked in ((valid, True), (over, False)):
        view = (await strategist.get(f"/v1/target-profiles/{profile['id']}")).json()
        assert (view["checked_at"] is not None, view["alerts"]) == (checked, int(checked))


async def test_changes_are_versions(strategist: httpx.AsyncClient) -> None:
    created = await strategist.post("/v1/target-profiles", json=body())
    profile, etag = created.json(), created.headers["ETag"]
    path = f"/v1/target-profiles/{profile['id']}"
    assert created.headers["Location"] == path
    renamed = {"name": {"zh": "新", "en": "New"}, "valid_until": "2031-01-01"}
    assert (await strategist.patch(path, json=renamed)).status_code == 428
    first = await strategist.patch(path, json=renamed, headers={"If-Match": etag})
    assert (first.json()["version"], first.json()["valid_until"]) == (1, "2031-01-01")
    assert (await strategist.patch(path, json=renamed, headers={"If-Match": etag})).status_code == 412
    wider = {
        "definition": {"feature": "occupation", "op": "in", "value": ["engineer", "poet"]},
        "tolerances": {"contacts": 0.9},
        "valid_until": None,
    }
    second = await strategist.patch(path, json=wider, headers={"If-Match": first.headers["ETag"]})
    assert second.status_code == 200, second.text
    assert (second.json()["version"], second.json()["valid_until"]) == (2, None)
    versions = (await strategist.get(f"{path}/versions")).json()["items"]
    assert [each["definition"]["sql"] for each in versions] == ["occupation in ('engineer', 'poet')", RULE]
    assert versions[1]["tolerances"]["new_customers"] == 0.6
    wrong = {"valid_until": "2019-01-01"}
    answer = await strategist.patch(path, json=wrong, headers={"If-Match": second.headers["ETag"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/valid_until"


async def test_bad_declarations_are_problems_with_a_place(strategist: httpx.AsyncClient) -> None:
    for change, pointer in (
        ({"definition": {"sql": "aumm > 1"}}, "/definition/sql"),
        ({"definition": {"segment": "no-such-segment"}}, "/definition"),
        ({"tolerances": {}}, "/tolerances"),
        ({"tolerances": {"contacts": 1.5}}, "/tolerances/contacts"),
        ({"rationale": "a\0b"}, "/rationale"),
        ({"valid_from": "2026-02-30"}, "/valid_from"),
        ({"org": "HQ; drop"}, "/org"),
    ):
        answer = await strategist.post("/v1/target-profiles", json=body(**change))
        assert answer.status_code == 422, (change, answer.text)
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await strategist.get("/v1/target-profiles/nonsense")).status_code == 422


async def test_who_may_see_and_change_what(
    town: Town, strategist: httpx.AsyncClient, segmentation: Running
) -> None:
    profile = await declared(strategist, name={"zh": "总行", "en": "From above"})
    path = f"/v1/target-profiles/{profile['id']}"
    async with segmentation.client(Role.branch_head, org=EAST) as head:
        seen = await head.get(path)
        assert seen.status_code == 200
        drift = (await head.get(f"{path}/drift", params={"months": 2})).json()
        assert {one["org"] for one in drift["series"]} == {EAST}
        assert (await head.get(f"{path}/drift", params={"org": WEST})).status_code == 404
        headers = {"If-Match": seen.headers["ETag"]}
        assert (await head.patch(path, json={"rationale": "x"}, headers=headers)).status_code == 403
        assert (await head.post(f"{path}:check")).status_code == 403
        assert (await head.post("/v1/target-profiles", json=body())).status_code == 403
        own = await declared(head, org=EAST)
    async with segmentation.client(Role.branch_head, org=WEST) as other:
        assert (await other.get(f"/v1/target-profiles/{own['id']}")).status_code == 404
        listed = (await other.get("/v1/target-profiles")).json()["items"]
        assert profile["id"] in {each["id"] for each in listed}
        assert own["id"] not in {each["id"] for each in listed}
    async with segmentation.client(Role.manager, org=EAST) as manager:
        assert (await manager.post("/v1/target-profiles", json=body(org=EAST))).status_code == 403


async def test_a_segment_counts_as_it_was(
    segmentation: Running, strategist: httpx.AsyncClient, live: Live, town: Town
) -> None:
    """Members joined today: at the end of past months the segment was empty."""
    await live("td-engineers", "occupation = 'engineer'")

    async def filled() -> bool:
        return bool((await strategist.get("/v1/segments/td-engineers")).json()["size"])

    await eventually(filled, what="the members")
    profile = await declared(strategist, definition={"sql": "in_segment('td-engineers')"})
    path = f"/v1/target-profiles/{profile['id']}"
    assert (await strategist.get(f"{path}/adherence")).json()["inside"] == 28
    drift = (await strategist.get(f"{path}/drift", params={"months": 3})).json()
    assert series(drift, "hq.td", "new_customers")[1]["inside"] == 0
    etag = (await strategist.get("/v1/segments/td-engineers")).headers["ETag"]
    archived = await strategist.request("DELETE", "/v1/segments/td-engineers", headers={"If-Match": etag})
    assert archived.status_code == 200, archived.text
    answer = await strategist.get(f"{path}/drift")
    assert answer.status_code == 409
    assert "td-engineers" in answer.json()["detail"]
