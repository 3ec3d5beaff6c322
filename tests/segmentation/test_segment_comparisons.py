"""Segments against each other: combined, overlapping, and what changing one does to the others."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from pyroaring import BitMap

from services.segmentation.domain.contrast import share_contrasts
from services.segmentation.domain.overlap import combined, overlap
from shared import clock
from shared.auth import Role
from shared.contracts.base import LocalText
from shared.contracts.events import CampaignCompleted, CampaignLaunched
from shared.contracts.events.campaign import LedgerTotals, RegisteredArm, Registration
from shared.ids import new_id
from shared.pagination import encode_cursor
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually

PUXI = "hq.sh.puxi"


@pytest.fixture
async def client(segmentation: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with segmentation.client(Role.strategist) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(f"/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_overlap_by_hand() -> None:
    """A = {1, 2, 3}, B = {2, 3, 4, 5}, C empty, among 10."""
    found = overlap([BitMap([1, 2, 3]), BitMap([2, 3, 4, 5]), BitMap()], 10)
    assert found.counts == [[3, 2, 0], [2, 4, 0], [0, 0, 0]]
    assert found.jaccard == [[1.0, 0.4, 0.0], [0.4, 1.0, 0.0], [0.0, 0.0, None]]
    assert found.lift[0] == [10 / 3, pytest.approx(2 * 10 / 12), None]
    assert combined("difference", [BitMap([1, 2, 3]), BitMap([2]), BitMap([3])]) == BitMap([1])


async def test_combining_counts_and_keeps_a_segment(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    people = [
        bank.customer(occupation="mason", gender=gender, org=org)
        for gender, org in (("F", "hq.sh.pudong"), ("M", "hq.sh.pudong"), ("F", PUXI))
    ]
    await bank.tell(customers=people)
    await live("masons", "occupation = 'mason'")
    await live("masons-f", "occupation = 'mason' and gender = 'F'")
    both = ["masons", "masons-f"]
    ids = [str(each.customer_id) for each in people]
    counts = {
        operation: (await post(client, "segments:combine", operation=operation, segments=both))["count"]
        for operation in ("union", "intersection", "difference")
    }
    assert counts == {"union": 3, "intersection": 2, "difference": 1}
    kept = await post(
        client,
        "segments:combine",
        operation="difference",
        segments=both,
        save_as={"key": "masons-not-f", "name": {"zh": "男石匠", "en": "Masons, men"}},
    )
    assert (kept["sample"], kept["saved"]["state"]) == ([ids[1]], "draft")
    assert kept["sql"] == kept["saved"]["definition"]["sql"]
    await client.post("/v1/segments/masons-not-f:publish")

    async def evaluated() -> bool:
        return await members(segmentation, "masons-not-f") == {people[1].customer_id}

    await eventually(evaluated, what="the combination")
    async with segmentation.client(Role.branch_head, org=PUXI) as puxi:
        seen = await post(puxi, "segments:combine", operation="union", segments=both)
        assert (seen["count"], seen["sample"]) == (1, [ids[2]])
        body = {
            "operation": "union",
            "segments": both,
            "save_as": {"key": "x", "name": {"zh": "x", "en": "x"}},
        }
        assert (await puxi.post("/v1/segments:combine", json=body)).status_code == 403
    async with segmentation.client(Role.strategist, org=PUXI) as puxi:
        refused = await puxi.post("/v1/segments:combine", json=body)
        assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (403, "head-office-only")


async def test_overlap_is_of_the_callers_customers(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    people = [
        bank.customer(occupation=occupation, org=org, industry="oil")
        for occupation, org in (("miner", "hq.sh.pudong"), ("miner", PUXI), ("driller", PUXI))
    ]
    await bank.tell(customers=people)
    first = await live("oil-miners", "occupation = 'miner' and industry = 'oil'")
    await live("oil-all", "industry = 'oil'")
    found = await post(client, "segments:overlap", segments=[first["id"], "oil-all"])
    assert [each["key"] for each in found["segments"]] == ["oil-miners", "oil-all"]
    assert found["counts"] == [[2, 2], [2, 3]]
    assert found["jaccard"][0][1] == pytest.approx(2 / 3)
    assert found["lift"][0][1] == pytest.approx(found["of"] * 2 / (2 * 3))
    async with segmentation.client(Role.manager, org=PUXI) as puxi:
        here = await post(puxi, "segments:overlap", segments=["oil-miners", "oil-all"])
    assert here["counts"] == [[1, 1], [1, 2]]
    assert here["of"] < found["of"]


@pytest.mark.parametrize(
    ("segments", "pointer"),
    [
        (["ships", "nowhere"], "/segments/1"),
        (["ships", "ships"], "/segments/1"),
        (["ships"], "/segments"),
        (["ships", "a\x00b"], "/segments/1"),
        (["ships", "01900000-0000-7000-8000-000000000000"], "/segments/1"),
        (["ships"] * 51, "/segments"),
    ],
)
async def test_what_cannot_be_compared_is_named(
    live: Live, client: httpx.AsyncClient, segments: list[str], pointer: str
) -> None:
    if (await client.get("/v1/segments/ships")).status_code == 404:
        await live("ships", "industry = 'ships'")
    for path, more in (("segments:overlap", {}), ("segments:combine", {"operation": "union"})):
        answer = await client.post(f"/v1/{path}", json={"segments": segments, **more})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_the_impact_of_an_edit_reaches_whoever_leans_on_it(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    people = [
        bank.customer(occupation="deckhand", gender=gender, org=org)
        for gender, org in (("F", "hq.sh.pudong"), ("M", "hq.sh.pudong"), ("F", PUXI))
    ]
    await bank.tell(customers=people)
    await live("deckhands", "occupation = 'deckhand'")
    await live("deckhands-f", "in_segment('deckhands') and gender = 'F'")
    await live("deckhands-not-f", "in_segment('deckhands') and not in_segment('deckhands-f')")
    leaning = (await client.get("/v1/segments/deckhands/impact")).json()
    assert not leaning["archivable"]
    assert [(each["key"], each["direct"], each["size"]) for each in leaning["dependants"]] == [
        ("deckhands-f", True, 2),
        ("deckhands-not-f", True, 1),
    ]
    indirect = (await client.get("/v1/segments/deckhands-not-f/impact")).json()
    assert (indirect["archivable"], indirect["dependants"]) == (True, [])
    edit = {"sql": "occupation = 'deckhand' and gender = 'M'"}
    found = await post(client, "segments/deckhands:impact", definition=edit)
    assert [found[name] for name in ("before", "after", "joined", "left")] == [3, 1, 0, 2]
    assert set(found["left_sample"]) == {str(people[0].customer_id), str(people[2].customer_id)}
    moves = {each["key"]: (each["before"], each["after"], each["left"]) for each in found["dependants"]}
    assert moves == {"deckhands-f": (2, 0, 2), "deckhands-not-f": (1, 1, 0)}
    absent = await post(client, "segments/deckhands:impact")
    assert (absent["after"], [each["after"] for each in absent["dependants"]]) == (0, [0, 0])
    async with segmentation.client(Role.branch_head, org=PUXI) as puxi:
        here = await post(puxi, "segments/deckhands:impact", definition=edit)
    assert (here["before"], here["left"], here["left_sample"]) == (1, 1, [str(people[2].customer_id)])
    assert await members(segmentation, "deckhands") == {each.customer_id for each in people}
    for bad in ({"sql": "in_segment('deckhands-f')"}, {"sql": "nonsense ="}):
        refused = await client.post("/v1/segments/deckhands:impact", json={"definition": bad})
        assert refused.status_code == 422, bad


async def test_whoever_uses_a_segment_is_named(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    name = {"zh": "名", "en": "Name"}
    await bank.tell(customers=[bank.customer(occupation="cooper")])
    await live("coopers", "occupation = 'cooper'")
    await live("coopers-f", "in_segment('coopers') and gender = 'F'")
    assert (await client.get("/v1/segments/coopers/impact")).json()["users"] == []
    split = {"name": "money", "features": ["aum"], "k": 2}
    parameters = {"strategic": ["coopers-f"], "splits": [split]}
    made = {
        "model": ("models", {"key": "cooper-parts", "kind": "tactical", "parameters": parameters}),
        "target_profile": (
            "target-profiles",
            {
                "org": PUXI,
                "definition": {"sql": "in_segment('coopers')"},
                "tolerances": {"contacts": 0.5},
                "valid_from": "2020-01-01",
            },
        ),
    }
    ids = {}
    for kind, (path, body) in made.items():
        answer = await client.post(f"/v1/{path}", json={"name": name, **body})
        assert answer.status_code == 201, answer.text
        ids[kind] = answer.json()["id"]
    note = {"title": "Coopers", "text": "They stay.", "segment": "coopers", "org": "hq.sh.pudong"}
    ids["insight"] = (await client.post("/v1/insights", json=note)).json()["id"]
    campaign, over = new_id(), new_id()
    for each in (campaign, over):
        await segmentation.publish(_launched(each))
    await segmentation.publish(
        CampaignCompleted(campaign_id=over, completed_at=clock.now(), ledger=LedgerTotals(**_BOOKS))
    )
    ids["campaign"] = str(campaign)

    async def users(org: str = "hq") -> dict[str, tuple[str, str]]:
        async with segmentation.client(Role.strategist, org=org) as reader:
            found = (await reader.get("/v1/segments/coopers/impact")).json()
        return {each["kind"]: (each["id"], each["segment"]) for each in found["users"]}

    everything = {kind: (id_, "coopers-f" if kind == "model" else "coopers") for kind, id_ in ids.items()}

    async def told() -> bool:
        return await users() == everything

    await eventually(told, what="the campaigns")
    # Models are the bank's; a campaign counts for the units it is for, what a unit says for that unit.
    assert (await users(PUXI)).keys() == {"model", "target_profile", "campaign"}
    assert (await users("hq.sh.pudong")).keys() == {"model", "insight"}
    assert (await client.get("/v1/segments/coopers-f/impact")).json()["users"][0]["key"] == "cooper-parts"


_BOOKS: dict[str, Any] = {
    **dict.fromkeys(("audience", "held_out", "assigned", "open", "done", "expired"), 0),
    "suppressed": {},
}


def _launched(campaign_id: UUID) -> CampaignLaunched:
    registration = Registration(
        primary_metric="net-inflow",
        arms=[RegisteredArm(key="a", share=1.0, offer="o", channel="call", script="s")],
        hold_out=0.0,
        salt="x",
    )
    return CampaignLaunched(
        campaign_id=campaign_id,
        campaign_key=f"coopers-{campaign_id.hex[-6:]}",
        name=LocalText(zh="活动", en="Campaign"),
        launched_at=clock.now(),
        starts_on=clock.today(),
        ends_on=clock.today(),
        owner="rm-1",
        orgs=[PUXI],
        segments=["coopers", "others"],
        registration=registration,
    )


def test_shares_of_words_by_hand() -> None:
    """2 of 4 in the group are teachers, 3 of 12 of all: .5 against .25, √(.25 × .75) apart."""
    counts = {"teacher": (2, 3), "nurse": (2, 9), None: (5, 20)}
    found = {each.value: each for each in share_contrasts("occupation", counts)}
    teacher = found["teacher"]
    assert (teacher.share, teacher.share_all) == (0.5, 0.25)
    assert teacher.difference == pytest.approx(0.25 / 0.1875**0.5)
    assert found["nurse"].difference == pytest.approx(-teacher.difference)
    assert share_contrasts("occupation", {"teacher": (1, 5)}) == []
    assert share_contrasts("occupation", {"teacher": (0, 5), "nurse": (0, 5)}) == []


async def test_a_profile_tells_of_words_too(
    segmentation: Running, bank: Bank, live: Live, client: httpx.AsyncClient
) -> None:
    cellists = [bank.customer(occupation="cellist", org=org) for org in ("hq.sh.pudong", PUXI)]
    await bank.tell(customers=[*cellists, bank.customer(occupation="oboist", org=PUXI)])
    await live("cellists", "occupation = 'cellist'")
    async with segmentation.client(Role.strategist, org=PUXI) as puxi:
        found = (await puxi.get("/v1/segments/cellists/profile")).json()
    first = next(each for each in found["categories"] if each["value"] == "cellist")
    known = [each["share_all"] for each in found["categories"] if each["feature"] == "occupation"]
    assert (first["feature"], first["share"]) == ("occupation", 1.0)
    assert first["lift"] == pytest.approx(1 / first["share_all"])
    assert sum(known) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "segments/hostile:snapshot", {"json": {"purpose": "a\x00b"}}),
        ("POST", "segments/hostile:snapshot", {"json": {"purpose": "x" * 4001}}),
        ("GET", "snapshots", {"params": {"segment": "A;--"}}),
        ("GET", "snapshots/nothing", {}),
        ("GET", "segments/hostile/changes", {"params": {"cursor": encode_cursor([2**63 - 1, 2**63 - 1])}}),
        ("GET", "segments/hostile/changes", {"params": {"cursor": encode_cursor([-5, -5])}}),
        ("GET", "segments/hostile/changes", {"params": {"cause": "luck"}}),
        ("GET", "segments/hostile/members", {"params": {"cursor": encode_cursor([2**63 - 1])}}),
        ("GET", "segments/hostile/members", {"params": {"as_of": "0001-01-01T00:00:00+14:00"}}),
        ("GET", "segments/hostile/members", {"params": {"as_of": "yesterday"}}),
        ("GET", "segments/hostile/versions", {"params": {"cursor": encode_cursor([2**63 - 1])}}),
        ("GET", "segments/hostile/trend", {"params": {"step": "year"}}),
        ("GET", "segments/a%00b/trend", {}),
        ("POST", "segments:combine", {"json": {"operation": "xor", "segments": ["hostile", "b"]}}),
        ("POST", "segments/hostile:impact", {"json": {"sample": 10**30}}),
        ("POST", "segments/hostile:impact", {"json": {"definition": {"sql": "age > 1e999"}}}),
    ],
)
async def test_bad_input_is_the_callers_fault(
    live: Live, client: httpx.AsyncClient, method: str, path: str, given: dict[str, Any]
) -> None:
    if (await client.get("/v1/segments/hostile")).status_code == 404:
        await live("hostile", "industry = 'hostile'")
    answer = await client.request(method, f"/v1/{path}", **given)
    assert answer.status_code < 500, answer.text
