"""Segments against real servers: facts come in by events, members go out."""

import io
from uuid import UUID

import pyarrow as pa
from sqlalchemy import select

from shared.auth import Role
from shared.columnar import ARROW
from shared.contracts.events import CustomersChanged
from shared.db import Outbox
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually


async def test_rule_finds_members_and_follows_facts(segmentation: Running, bank: Bank, live: Live) -> None:
    rich, poor = bank.customer(occupation="heir"), bank.customer(occupation="heir")
    await bank.tell(
        customers=[rich, poor], holdings=[bank.holding(rich, "800000.00"), bank.holding(poor, "10.00")]
    )
    segment = await live("rich-follow", "aum >= 500000 and occupation = 'heir'")
    assert segment["size"] == 1
    assert await members(segmentation, "rich-follow") == {rich.customer_id}

    await bank.tell(holdings=[bank.holding(poor, "900000.00", account="B")])

    async def joined() -> bool:
        return await members(segmentation, "rich-follow") == {rich.customer_id, poor.customer_id}

    await eventually(joined, what="the second member")
    async with segmentation.client(Role.strategist) as client:
        changes = (await client.get("/v1/segments/rich-follow/changes")).json()["items"]
    assert [(change["customer_id"], change["change"]) for change in changes] == [
        (str(poor.customer_id), "joined"),
        (str(rich.customer_id), "joined"),
    ]


async def test_updates_are_published_with_joined_and_left(
    bank: Bank, live: Live, segmentation: Running
) -> None:
    customer = bank.customer()
    await bank.tell(customers=[customer], events=[bank.event(customer, "complaint.filed")])
    segment = await live("complainers", "complaint_count_180d >= 1")
    async with segmentation.runtime.db.transaction() as session:
        payloads = [
            bytes(each) for each in await session.scalars(select(Outbox.payload).order_by(Outbox.seq))
        ]
    published = [each for each in payloads if b'"key":"complainers"' in each]
    assert b"segmentation.segment_published" in published[0]
    assert b"segmentation.segment_updated" in published[1]
    assert f'"joined":["{customer.customer_id}"]'.encode() in published[1]
    assert segment["evaluated_version"] == 1


async def test_closed_customers_leave(segmentation: Running, bank: Bank, live: Live) -> None:
    customer = bank.customer(occupation="astronaut")
    await bank.tell(customers=[customer])
    await live("astronauts", "occupation = 'astronaut'")
    assert await members(segmentation, "astronauts") == {customer.customer_id}
    await bank.tell(customers=[customer.model_copy(update={"version": 2, "status": "closed"})])

    async def left() -> bool:
        return not await members(segmentation, "astronauts")

    await eventually(left, what="the exit")


async def test_older_versions_and_repeated_events_change_nothing(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    customer = bank.customer(version=5, industry="space")
    posted = bank.event(customer, "card.spent", {"amount": "10.00"})
    await bank.tell(customers=[customer], events=[posted])
    await bank.tell(
        customers=[customer.model_copy(update={"version": 4, "industry": "sea"})], events=[posted, posted]
    )
    await live("space-once", "industry = 'space' and count_events('card.spent', 30) = 1")
    assert await members(segmentation, "space-once") == {customer.customer_id}


async def test_edit_is_a_version_that_counts_after_publishing(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    first, second = bank.customer(occupation="baker"), bank.customer(occupation="miller")
    await bank.tell(customers=[first, second])
    await live("bread", "occupation = 'baker'")
    async with segmentation.client(Role.strategist) as client:
        etag = (await client.get("/v1/segments/bread")).headers["ETag"]
        change = {"definition": {"sql": "occupation in ('baker', 'miller')"}}
        assert (await client.patch("/v1/segments/bread", json=change)).status_code == 428
        edited = await client.patch("/v1/segments/bread", json=change, headers={"If-Match": etag})
        assert edited.status_code == 200, edited.text
        assert (edited.json()["version"], edited.json()["live_version"]) == (2, 1)
        stale = await client.patch("/v1/segments/bread", json=change, headers={"If-Match": etag})
        assert stale.status_code == 412
        assert await members(segmentation, "bread") == {first.customer_id}
        await client.post("/v1/segments/bread:publish")

        async def both() -> bool:
            return await members(segmentation, "bread") == {first.customer_id, second.customer_id}

        await eventually(both, what="the new version's members")


async def test_segment_of_segment_and_cycles(segmentation: Running, bank: Bank, live: Live) -> None:
    inner, outer = (
        bank.customer(occupation="pilot", gender="F"),
        bank.customer(occupation="pilot", gender="M"),
    )
    await bank.tell(customers=[inner, outer])
    await live("pilots", "occupation = 'pilot'")
    await live("zz-men", "in_segment('pilots') and gender = 'M'")
    await live("aa-not-men", "in_segment('pilots') and not in_segment('zz-men')")
    assert await members(segmentation, "zz-men") == {outer.customer_id}
    assert await members(segmentation, "aa-not-men") == {inner.customer_id}
    async with segmentation.client(Role.strategist) as client:
        etag = (await client.get("/v1/segments/pilots")).headers["ETag"]
        circle = await client.patch(
            "/v1/segments/pilots",
            json={"definition": {"segment": "aa-not-men"}},
            headers={"If-Match": etag},
        )
        assert circle.status_code == 422
        assert "circle" in circle.json()["detail"]
        archived = await client.request("DELETE", "/v1/segments/pilots", headers={"If-Match": etag})
        assert archived.status_code == 409
        assert "aa-not-men, zz-men" in archived.json()["detail"]
        unknown = await client.post(
            "/v1/segments",
            json={"key": "x", "name": {"zh": "x", "en": "x"}, "definition": {"segment": "nowhere"}},
        )
        assert unknown.status_code == 422


async def test_on_demand_segments_move_only_on_refresh(segmentation: Running, bank: Bank, live: Live) -> None:
    first, second = bank.customer(industry="wine"), bank.customer(industry="beer")
    await bank.tell(customers=[first, second])
    await live("wine", "industry = 'wine'", refresh="on_demand")
    await live("wine-now", "industry = 'wine'")
    await bank.tell(customers=[second.model_copy(update={"version": 2, "industry": "wine"})])
    both = {first.customer_id, second.customer_id}

    async def realtime() -> bool:
        return await members(segmentation, "wine-now") == both

    await eventually(realtime, what="the realtime segment")
    assert await members(segmentation, "wine") == {first.customer_id}
    async with segmentation.client(Role.strategist) as client:
        job = await client.post("/v1/segments/wine:refresh")
        assert job.status_code == 202

    async def refreshed() -> bool:
        return await members(segmentation, "wine") == both

    await eventually(refreshed, what="the refresh")


async def test_only_customers_of_the_own_organisation_are_shown(
    segmentation: Running, bank: Bank, live: Live
) -> None:
    near = bank.customer(org="hq.bj.haidian", occupation="poet")
    far = bank.customer(org="hq.sh.pudong", occupation="poet")
    alike = bank.customer(org="hq.bj.haidian2", occupation="poet")
    await bank.tell(customers=[near, far, alike])
    await live("poets", "occupation = 'poet'")
    assert await members(segmentation, "poets") == {each.customer_id for each in (near, far, alike)}
    assert await members(segmentation, "poets", org="hq.bj.haidian") == {near.customer_id}
    async with segmentation.client(Role.manager, org="hq.bj.haidian") as client:
        changes = (await client.get("/v1/segments/poets/changes")).json()["items"]
        assert [change["customer_id"] for change in changes] == [str(near.customer_id)]
        assert (await client.get(f"/v1/segments/poets/explain/{far.customer_id}")).status_code == 404
        assert (await client.get(f"/v1/customers/{far.customer_id}/segments")).status_code == 404
        profile = (await client.get("/v1/segments/poets/profile")).json()
        assert (profile["size"], profile["of"]) == (1, 1)
        body = {"definition": {"sql": "occupation = 'poet'"}}
        preview = (await client.post("/v1/segments:preview", json=body)).json()
        assert (preview["count"], preview["of"], preview["sample"]) == (1, 1, [str(near.customer_id)])
        arrow = await client.get("/v1/segments/poets/members", headers={"Accept": ARROW})
        table = pa.ipc.open_stream(io.BytesIO(arrow.content)).read_all()
        assert table["customer_id"].to_pylist() == [str(near.customer_id)]
        assert (await client.post("/v1/segments/poets:publish")).status_code == 403


async def test_pages_of_members_and_changes(segmentation: Running, bank: Bank, live: Live) -> None:
    many = [bank.customer(occupation="page") for _ in range(7)]
    await segmentation.publish(CustomersChanged(customers=many))
    await bank.tell(customers=many[:1])
    await live("pages", "occupation = 'page'")
    for path in ("members", "changes"):
        seen: list[UUID] = []
        async with segmentation.client(Role.auditor) as client:
            cursor = None
            while True:
                query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
                page = (await client.get(f"/v1/segments/pages/{path}", params=query)).json()
                seen += [UUID(item["customer_id"]) for item in page["items"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            wrong = await client.get(f"/v1/segments/pages/{path}", params={"cursor": "nonsense"})
            assert wrong.status_code == 400
        assert seen == [each.customer_id for each in many]


async def test_preview_counts_each_condition(segmentation: Running, bank: Bank) -> None:
    both, one = bank.customer(occupation="cook", gender="F"), bank.customer(occupation="cook", gender="M")
    await bank.tell(customers=[both, one])
    async with segmentation.client(Role.strategist) as client:
        body = {
            "definition": {
                "all": [
                    {"feature": "occupation", "op": "eq", "value": "cook"},
                    {"not": {"feature": "gender", "op": "eq", "value": "M"}},
                ]
            }
        }
        preview = (await client.post("/v1/segments:preview", json=body)).json()
    assert preview["count"] == 1
    assert preview["sample"] == [str(both.customer_id)]
    assert preview["sql"] == "occupation = 'cook' and not (gender = 'M')"
    assert preview["tree"] == body["definition"]
    assert preview["leaves"][0] == {"text": "occupation = 'cook'", "freshness": "realtime", "passing": 2}


async def test_bad_rules_are_problems_with_a_place(segmentation: Running) -> None:
    async with segmentation.client(Role.strategist) as client:
        for definition, pointer, text in (
            ({"sql": "aumm > 1"}, "/definition/sql", "did you mean 'aum'? (line 1, column 1)"),
            (
                {"sql": "age > 1 and percentile(gender) > 90"},
                "/definition/sql",
                "only numbers have a rank (line 1, column 24)",
            ),
            (
                {"all": [{"feature": "gender", "op": "gt", "value": "F"}]},
                "/definition/all/0/value",
                "no order",
            ),
        ):
            answer = await client.post("/v1/segments:preview", json={"definition": definition})
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()["errors"][0]
            assert problem["pointer"] == pointer
            assert text in problem["detail"]


async def test_explain_names_values_and_evidence(segmentation: Running, bank: Bank, live: Live) -> None:
    customer = bank.customer(occupation="judge")
    recent = bank.event(customer, "transaction.posted", {"amount": "60000.00", "direction": "in"}, days_ago=2)
    older = bank.event(customer, "transaction.posted", {"amount": "70000.00", "direction": "in"}, days_ago=20)
    small = bank.event(customer, "transaction.posted", {"amount": "1.00", "direction": "in"})
    await bank.tell(customers=[customer], events=[recent, older, small])
    await live(
        "big-judges",
        "occupation = 'judge' and count_events('transaction.posted', 30, amount >= 50000) >= 2 and aum < 5",
    )
    async with segmentation.client(Role.auditor) as client:
        answer = await client.get(f"/v1/segments/big-judges/explain/{customer.customer_id}")
        listed = (await client.get(f"/v1/customers/{customer.customer_id}/segments")).json()
    explained = answer.json()
    assert (explained["member"], explained["holds_now"], explained["version"]) == (True, True, 1)
    assert explained["since"] is not None
    occupation, count, aum = explained["leaves"]
    assert (occupation["value"], occupation["holds"]) == ("judge", True)
    assert (count["value"], count["holds"]) == (2.0, True)
    assert count["evidence"] == [f"core-banking/{recent.event_id}", f"core-banking/{older.event_id}"]
    assert count["until"].startswith(str((older.time.date()).fromordinal(older.time.toordinal() + 30)))
    assert aum["value"] == 0.0
    assert "big-judges" in {each["key"] for each in listed["segments"]}


async def test_catalogue_and_feed(segmentation: Running) -> None:
    async with segmentation.client(Role.manager) as client:
        features = (await client.get("/v1/features")).json()["items"]
        assert len(features) >= 25
        inflow = (await client.get("/v1/features/net_inflow_30d")).json()
        assert inflow["lineage"] == ["event:transaction.posted"]
        assert (await client.get("/v1/features/nothing")).status_code == 404
        feed = (await client.get("/v1/feed")).json()
    assert feed["lag"] == 0
    assert feed["evaluated_at"] is not None
