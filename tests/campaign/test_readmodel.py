"""What events make of the read model: newest wins, in any order, once."""

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import select

from services.campaign.models import Customer, SegmentMember
from services.campaign.usecases.readmodel import store_customers, store_members
from shared.contracts.base import LocalText
from shared.contracts.events import (
    ArmEffect,
    CampaignEvaluated,
    CustomersChanged,
    RecommendationIssued,
    SegmentPublished,
    SegmentUpdated,
)
from shared.ids import new_id
from tests.campaign.conftest import SEGMENT, Bank, a_customer
from tests.support import eventually

T0 = datetime(2026, 11, 1, tzinfo=UTC)


async def test_older_versions_do_not_come_back(empty_bank: Bank) -> None:
    states = [a_customer(number) for number in range(3)]
    newer = states[0].model_copy(
        update={"version": 7, "org": "hq.bj", "consents": {"call": False, "sms": True}}
    )
    async with empty_bank.campaign.runtime.db.transaction() as session:
        # The same customer twice in one batch, the older one last.
        await store_customers(session, CustomersChanged(customers=[*states[1:], newer, states[0]]))
        await store_customers(session, CustomersChanged(customers=states))
        rows = {row.id: row for row in await session.scalars(select(Customer))}
    assert len(rows) == 3
    kept = rows[newer.customer_id]
    assert (kept.version, kept.org_path, kept.consents) == (7, "hq.bj", ["sms"])
    assert rows[states[1].customer_id].risk_level == 5
    assert rows[states[1].customer_id].risk_valid_until == states[1].risk_valid_until


def _update(
    segment_id: UUID, at: datetime, joined: list[UUID], left: list[UUID], part: int = 1
) -> SegmentUpdated:
    return SegmentUpdated(
        segment_id=segment_id,
        key=SEGMENT,
        version=1,
        run_id=new_id(),
        cause="events",
        evaluated_at=at,
        size=1,
        joined=joined,
        left=left,
        part=part,
        parts=2,
    )


async def test_members_are_the_same_in_whatever_order_the_runs_arrive(empty_bank: Bank) -> None:
    random = Random(3)
    customers = [new_id() for _ in range(20)]
    members: set[UUID] = set()
    runs: list[tuple[datetime, list[UUID], list[UUID]]] = []
    for step in range(30):
        joined = [c for c in customers if c not in members and random.random() < 0.3]
        left = [c for c in members if random.random() < 0.3]
        members = members.difference(left).union(joined)
        runs.append((T0 + timedelta(minutes=step), joined, left))
    for seed in range(5):
        segment_id = new_id()
        events = [_update(segment_id, *run) for run in runs]
        # Late, early and twice.
        shuffled = Random(seed).sample(events, len(events)) + events[::7]
        async with empty_bank.campaign.runtime.db.transaction() as session:
            for event in shuffled:
                await store_members(session, event)
            found = await session.scalars(
                select(SegmentMember.customer_id).where(
                    SegmentMember.segment_id == segment_id, SegmentMember.member
                )
            )
            assert set(found) == members


async def test_events_arrive_over_the_broker(empty_bank: Bank) -> None:
    state = a_customer(0)
    segment_id, campaign_id = new_id(), new_id()
    await empty_bank.campaign.publish(
        # Members first: the customer is not known yet.
        SegmentPublished(
            segment_id=segment_id, key="live", version=1, kind="rule", name=LocalText(zh="在", en="Live")
        ),
        _update(segment_id, T0, [state.customer_id], []).model_copy(update={"key": "live"}),
        CustomersChanged(customers=[state]),
    )

    async def arrived() -> bool:
        async with empty_bank.campaign.runtime.db.transaction() as session:
            found = await session.scalar(
                select(Customer.id)
                .join(SegmentMember, SegmentMember.customer_id == Customer.id)
                .where(SegmentMember.segment_id == segment_id)
            )
            return found == state.customer_id

    await eventually(arrived, what="customer and membership")
    async with empty_bank.strategist() as author:
        body = {"key": f"r{campaign_id.hex}", "name": {"zh": "评", "en": "Reviewed"}}
        created = (await author.post("/v1/campaigns", json=body)).json()
    path, reviewed = f"/v1/campaigns/{created['id']}", UUID(created["id"])
    effect = ArmEffect.model_validate(
        {"arm": "call", "n": 900, "n_hold_out": 100, "difference": "12.5", "ci": ["1", "24"], "p_value": 0.03}
    )
    await empty_bank.campaign.publish(
        *(
            CampaignEvaluated(
                campaign_id=reviewed,
                result_id=new_id(),
                verdict="ok",
                metric="net_inflow_30d",
                effects=[effect],
                matured=matured,
                evaluated_at=T0 + timedelta(days=day),
            )
            for day, matured in ((2, 1.0), (1, 0.5))
        ),
        RecommendationIssued(
            campaign_id=reviewed,
            recommendation_id=new_id(),
            action="extend",
            outcome="act",
            title=LocalText(zh="扩大", en="Extend"),
            evidence={"roi": 1.8},
            issued_at=T0 + timedelta(days=3),
        ),
    )

    async def reviews() -> bool:
        return len((await empty_bank.get(f"{path}/reviews"))["items"]) == 3

    await eventually(reviews, what="the reviews")
    view = await empty_bank.get(path)
    assert view["evaluation"]["matured"] == 1.0
    assert view["evaluation"]["effects"][0]["difference"] == "12.5"
    assert view["recommendation"]["action"] == "extend"
    kinds = [item["kind"] for item in (await empty_bank.get(f"{path}/reviews"))["items"]]
    assert kinds == ["recommendation", "evaluation", "evaluation"]
