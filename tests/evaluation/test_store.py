"""The store counts each fact once and reduces outcomes exactly as a loop over customers would."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from services.evaluation.domain.breakdown import control_of, group_of
from services.evaluation.domain.catalogue import BUILT_IN, COMPLAINTS, CONVERSION, NET_INFLOW
from services.evaluation.domain.exposure import Exposures, FunnelCounts
from services.evaluation.domain.moments import merged, of_values
from services.evaluation.store import Store, StoreFeed, open_store
from services.evaluation.store.cells import cell_moments
from services.evaluation.store.contacts import efforts, exposures, funnel
from services.evaluation.store.outcomes import Question
from shared.bus import Delivery
from shared.contracts.events import (
    AssignedContact,
    ContactRecorded,
    ContactsAssigned,
    CustomerEventsRecorded,
    EventData,
    RecordedEvent,
)
from shared.contracts.metrics import EventSource, MetricCreate, MetricKind, MetricSource
from shared.ids import new_id
from tests.evaluation.bank import POSITIONS

START = datetime(2026, 6, 1, 1, tzinfo=UTC)
CAMPAIGN = new_id()
LATER = START + timedelta(days=31)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "evaluation.duckdb", memory="512MB", threads=2)
    yield opened
    opened.close()


def assigned(
    customers: list[UUID], arm: str | None, segment: str = "s1", branch: str = "hq.a"
) -> ContactsAssigned:
    return ContactsAssigned(
        campaign_id=CAMPAIGN,
        assigned_at=START,
        contacts=[
            AssignedContact(
                contact_id=new_id(),
                customer_id=customer,
                arm=arm,
                propensity=0.5,
                branch=branch,
                segment=segment,
                manager="S1",
            )
            for customer in customers
        ],
    )


def happened(customer: UUID, type_: str, days: float, **data: object) -> RecordedEvent:
    return RecordedEvent.model_validate(
        {
            "seq": next(POSITIONS),
            "event_id": str(new_id()),
            "source": "core-banking",
            "type": type_,
            "customer_id": customer,
            "ordinal": 1,
            "time": START + timedelta(days=days),
            "data": data,
        }
    )


def recorded(*events: RecordedEvent) -> CustomerEventsRecorded:
    return CustomerEventsRecorded(events=list(events))


def called(customer: UUID, contact: UUID, version: int = 1, **fields: object) -> ContactRecorded:
    return ContactRecorded.model_validate(
        {
            "campaign_id": CAMPAIGN,
            "contact_id": contact,
            "customer_id": customer,
            "version": version,
            "state": "done",
            "recorded_at": START + timedelta(days=1),
            "recorded_by": "user:m",
            **fields,
        }
    )


def deliver(data: EventData, seq: int, stream: str, event_id: UUID | None = None) -> Delivery:
    return Delivery(str(event_id or new_id()), data.type_name(), data, START, stream, seq, "x")


def apply(store: Store, stream: str, *facts: EventData) -> None:
    start = store.watermark(stream)
    deliveries = [deliver(fact, start + i + 1, stream) for i, fact in enumerate(facts)]
    asyncio.run(StoreFeed(store).apply(stream, deliveries, start + len(facts)))


def ask(store: Store, metrics: list[MetricCreate], until: datetime = LATER, scope: str = "*"):
    question = Question(CAMPAIGN, until, scope)
    return asyncio.run(store.read(lambda cursor: cell_moments(cursor, question, metrics)))


def random_bank(store: Store, seed: int) -> dict[tuple[str, str, str], tuple[list[float], list[float]]]:
    """Three hundred customers with transactions around the window's edges; returns outcomes per cell."""
    rng = np.random.default_rng(seed)
    expected: dict[tuple[str, str, str], tuple[list[float], list[float]]] = {}
    for arm in ("call", "sms", None):
        for segment in ("s1", "s2"):
            for branch in ("hq.a", "hq.b"):
                customers = [new_id() for _ in range(25)]
                apply(store, "CAMPAIGN", assigned(customers, arm, segment, branch))
                facts, outcomes, covariates = [], [], []
                for customer in customers:
                    days = rng.uniform(-35, 35, rng.integers(0, 6))
                    amounts = np.round(rng.lognormal(7, 1.5, days.size), 2)
                    inward = rng.random(days.size) < 0.6
                    facts += [
                        happened(
                            customer,
                            "transaction.posted",
                            day,
                            amount=f"{amount:.2f}",
                            direction="in" if i else "out",
                        )
                        for day, amount, i in zip(days, amounts, inward, strict=True)
                    ]
                    signed = np.where(inward, amounts, -amounts)
                    outcomes.append(float(signed[(days >= 0) & (days < 30)].sum()))
                    covariates.append(float(signed[(days < 0) & (days >= -30)].sum()))
                apply(store, "CUSTOMER", recorded(*facts))
                expected[arm or "", segment, branch] = (outcomes, covariates)
    return expected


def test_moments_equal_those_of_a_loop_over_customers(store: Store) -> None:
    expected = random_bank(store, 11)
    cells = ask(store, [COMPLAINTS, NET_INFLOW])["net_inflow_30d"]
    assert len(cells) == 12
    for cell in cells:
        truth = of_values(*expected[cell.arm, cell.segment, cell.branch])
        assert cell.moments.n == 25
        for name in ("mean_y", "m2_y", "mean_x", "m2_x", "c_xy"):
            assert getattr(cell.moments, name) == pytest.approx(getattr(truth, name), rel=1e-9)
    whole = merged(cell.moments for cell in cells)
    everything = [value for outcomes, _ in expected.values() for value in outcomes]
    assert whole.variance == pytest.approx(float(np.var(everything, ddof=1)), rel=1e-9)


def test_large_balances_keep_their_small_variance(store: Store) -> None:
    amounts = np.concatenate([[10_000_000.2], np.tile([10_000_000.1, 10_000_000.3], 500)])
    customers = [new_id() for _ in amounts]
    for part in np.array_split(np.arange(amounts.size), 3):
        apply(store, "CAMPAIGN", assigned([customers[i] for i in part], "call"))
        events = [
            happened(customers[i], "transaction.posted", 1, amount=str(amounts[i]), direction="in")
            for i in part
        ]
        apply(store, "CUSTOMER", recorded(*events))
    (cell,) = ask(store, [NET_INFLOW])["net_inflow_30d"]
    assert cell.moments.mean_y == pytest.approx(10_000_000.2, rel=1e-12)
    assert cell.moments.variance**0.5 == pytest.approx(0.1, rel=1e-7)


def test_an_outcome_counts_only_once_its_window_has_passed(store: Store) -> None:
    apply(store, "CAMPAIGN", assigned([new_id() for _ in range(4)], "call"))
    assert ask(store, [NET_INFLOW], START + timedelta(days=29)) == {"net_inflow_30d": []}
    question = Question(CAMPAIGN, START + timedelta(days=29))
    seen = asyncio.run(store.read(lambda cursor: exposures(cursor, question, 30)))
    assert seen == Exposures({"call": 4}, 0, START + timedelta(days=30))


def test_the_same_message_twice_counts_once(store: Store) -> None:
    customer, feed, envelope = new_id(), StoreFeed(store), new_id()
    apply(store, "CAMPAIGN", assigned([customer], "call"), assigned([new_id()], None))
    fact = recorded(happened(customer, "transaction.posted", 1, amount="100.00", direction="in"))
    first, again = deliver(fact, 1, "CUSTOMER", envelope), deliver(fact, 2, "CUSTOMER", envelope)
    for batch, last in (([first], 1), ([first], 1), ([first, again], 2), ([again], 2)):
        asyncio.run(feed.apply("CUSTOMER", batch, last))
    assert store.watermark("CUSTOMER") == 2
    assert group_of(ask(store, [NET_INFLOW])["net_inflow_30d"]).mean_y == 100.0


def test_a_batch_that_fails_leaves_neither_rows_nor_watermark(store: Store) -> None:
    good = deliver(assigned([new_id()], "call"), 1, "CAMPAIGN")
    bad = deliver(assigned([new_id()], "call"), 2, "CAMPAIGN", event_id=None)
    broken = Delivery("not-a-uuid", bad.type, bad.data, START, "CAMPAIGN", 2, "x")
    with pytest.raises(ValueError, match="badly formed"):
        asyncio.run(StoreFeed(store).apply("CAMPAIGN", [good, broken], 2))
    assert store.watermark("CAMPAIGN") == 0
    assert ask(store, [NET_INFLOW])["net_inflow_30d"] == []


def test_a_customer_is_exposed_once_by_the_first_assignment(store: Store) -> None:
    customer = new_id()
    apply(store, "CAMPAIGN", assigned([customer], None))
    apply(store, "CAMPAIGN", assigned([customer], "call"))
    cells = ask(store, [NET_INFLOW])["net_inflow_30d"]
    assert (group_of(cells).n, control_of(cells).n) == (0, 1)


def test_a_restart_resumes_at_the_watermark(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.duckdb"
    first = open_store(file, memory="512MB", threads=2)
    apply(first, "CAMPAIGN", assigned([new_id()], "call"))
    first.close()
    second = open_store(file, memory="512MB", threads=2)
    assert second.watermark("CAMPAIGN") == 1
    assert len(ask(second, [NET_INFLOW])["net_inflow_30d"]) == 1
    second.close()


def test_scope_restricts_to_the_branches_of_an_organisation(store: Store) -> None:
    for branch in ("hq.sh", "hq.sh.pudong", "hq.shx"):
        apply(store, "CAMPAIGN", assigned([new_id()], "call", branch=branch))
    cells = ask(store, [NET_INFLOW], scope="hq.sh")["net_inflow_30d"]
    assert [cell.branch for cell in cells] == ["hq.sh", "hq.sh.pudong"]


def test_funnel_and_effort_count_customers_not_records(store: Store) -> None:
    customers, control = [new_id() for _ in range(4)], [new_id() for _ in range(3)]
    contact = new_id()
    apply(
        store,
        "CAMPAIGN",
        assigned(customers, "call"),
        assigned(control, None),
        called(
            customers[0], contact, 1, state="call_back", disposition="call_back", minutes="3", cost="4.50"
        ),
        called(customers[0], contact, 2, disposition="accepted", minutes="6", cost="9.00"),
        called(
            customers[1], contact_of_second := new_id(), disposition="no_answer", minutes="1", cost="1.50"
        ),
        # Withdrawn, brought back and expired: told with the disposition it had, but no attempt.
        called(customers[1], contact_of_second, 2, state="expired", disposition="no_answer"),
        called(customers[1], contact_of_second, 3, state="call_back", disposition="no_answer"),
        called(customers[2], new_id(), state="expired"),
    )
    opened = [happened(c, "product.opened", 2, product="fund-a") for c in (customers[0], control[1])]
    apply(
        store, "CUSTOMER", recorded(*opened, happened(customers[3], "product.opened", 30.5, product="fund-a"))
    )
    stages = funnel_of(store).by_arm
    assert vars_of(stages["call"]) == (4, 2, 1, 1, 1)
    assert vars_of(stages[""]) == (3, 0, 0, 0, 1)
    effort = asyncio.run(store.read(lambda cursor: efforts(cursor, "*", LATER)))[CAMPAIGN]
    assert (effort.assigned, effort.held_out, effort.contacted, effort.contacts) == (4, 3, 2, 3)
    assert (effort.minutes, effort.cost) == (Decimal("10.0"), Decimal("15.00"))


def funnel_of(store: Store, until: datetime = LATER, windows: Sequence[int] = ()) -> FunnelCounts:
    question = Question(CAMPAIGN, until)
    return asyncio.run(store.read(lambda cursor: funnel(cursor, question, CONVERSION, windows)))


def vars_of(stages) -> tuple[int, int, int, int, int]:
    return stages.assigned, stages.contacted, stages.reached, stages.responded, stages.converted


def test_a_message_reaches_whom_it_was_delivered_to(store: Store) -> None:
    outcomes = {
        "sent": ["sent"],
        "delivered": ["sent", "delivered"],
        "late": ["unknown", "delivered"],
        "bounced": ["sent", "undelivered"],
        "lost": ["unknown"],
        "failed": ["undelivered"],
    }
    customers = {name: new_id() for name in outcomes}
    apply(store, "CAMPAIGN", assigned([*customers.values(), new_id()], "sms"))
    for name, told in outcomes.items():
        contact = new_id()
        for version, outcome in enumerate(told, start=2):
            cost = "0.05" if version == 2 else None
            fact = called(customers[name], contact, version, disposition=outcome, cost=cost)
            apply(store, "CAMPAIGN", fact)
    spoken = {"refused": True, "no_answer": False, "wrong_number": False, "referred": True}
    talked = {disposition: new_id() for disposition in spoken}
    apply(store, "CAMPAIGN", assigned(list(talked.values()), "call"))
    for disposition, customer in talked.items():
        apply(store, "CAMPAIGN", called(customer, new_id(), disposition=disposition, minutes="1"))
    stages = funnel_of(store).by_arm
    assert vars_of(stages["sms"]) == (7, 6, 2, 0, 0)
    assert vars_of(stages["call"]) == (4, 4, 2, 0, 0)
    effort = asyncio.run(store.read(lambda cursor: efforts(cursor, "*", LATER)))[CAMPAIGN]
    assert (effort.contacts, effort.cost) == (10, Decimal("0.30"))


def followed_up(customer: UUID, contact: UUID, days: float = 5) -> ContactsAssigned:
    """One more contact, announced by the journey of the customer's arm."""
    told = assigned([customer], "call")
    further = told.contacts[0].model_copy(update={"contact_id": contact, "step": "remind"})
    return told.model_copy(update={"contacts": [further], "assigned_at": START + timedelta(days=days)})


def test_a_second_contact_is_no_second_exposure_and_its_effort_is_the_customers(store: Store) -> None:
    customer, held_out = new_id(), new_id()
    first, second = new_id(), new_id()
    apply(
        store,
        "CAMPAIGN",
        assigned([customer], "call"),
        assigned([held_out], None),
        called(customer, first, disposition="no_answer", minutes="3", cost="4.50"),
        followed_up(customer, second),
        called(customer, second, 2, disposition="accepted", minutes="6", cost="9.00"),
    )
    apply(
        store, "CUSTOMER", recorded(happened(customer, "transaction.posted", 2, amount="8", direction="in"))
    )

    def counted() -> tuple[object, ...]:
        question = Question(CAMPAIGN, LATER)
        seen = asyncio.run(store.read(lambda cursor: exposures(cursor, question, 30)))
        stages = asyncio.run(store.read(lambda cursor: funnel(cursor, question, CONVERSION))).by_arm
        effort = asyncio.run(store.read(lambda cursor: efforts(cursor, "*", LATER)))[CAMPAIGN]
        moments = group_of(ask(store, [NET_INFLOW])["net_inflow_30d"])
        return (
            seen.by_arm,
            seen.window_closes,
            vars_of(stages["call"]),
            (effort.assigned, effort.contacted, effort.contacts, effort.minutes, effort.cost),
            (moments.n, moments.mean_y),
        )

    expected = (
        {"call": 1, "": 1},
        START + timedelta(days=30),
        (1, 1, 1, 1, 0),
        (1, 1, 2, Decimal("9.0"), Decimal("13.50")),
        (1, 8.0),
    )
    assert counted() == expected
    # Told under another of the person's files, and before the first: still no exposure of its own.
    apply(store, "CAMPAIGN", followed_up(new_id(), new_id(), days=-1))
    assert counted() == expected


def test_every_built_in_metric_and_one_with_all_conditions_run(store: Store) -> None:
    every = MetricCreate.model_validate(
        {
            **NET_INFLOW.model_dump(),
            "key": "picky",
            "kind": MetricKind.COUNT,
            "window_days": 7,
            "source": MetricSource(
                events=[
                    EventSource(
                        type="card.spent",
                        where={"channel": "mobile", "product": "it's", "currency": "CNY", "direction": "out"},
                    ),
                    EventSource(type="consent.changed", where={"granted": "false"}),
                ]
            ),
        }
    )
    customer = new_id()
    apply(store, "CAMPAIGN", assigned([customer], "call"))
    apply(store, "CUSTOMER", recorded(happened(customer, "consent.changed", 3, channel="sms", granted=False)))
    answer = ask(store, [*BUILT_IN.values(), every])
    assert answer["opt_outs_30d"][0].moments.mean_y == 1.0
    assert answer["picky"][0].moments.mean_y == 1.0
    assert answer["complaints_30d"][0].moments.mean_y == 0.0
