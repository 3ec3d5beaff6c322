"""Referrals, opportunities and feedback in the store: each fact once, in numbers worked out by hand."""

import asyncio
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.evaluation.domain.credit import credited
from services.evaluation.store import DeskFeed, Store, open_store
from services.evaluation.store.desks import DeskQuestion, feedback, opportunities, referrals
from shared.contracts.evaluation.review import (
    JudgedSubject,
    OpportunityBy,
    OpportunityGroup,
    ReferralCounts,
    ReferralPair,
)
from shared.contracts.events import (
    EventData,
    FeedbackGiven,
    OpportunityMoved,
    ReferralAnswered,
    ReferralMade,
)
from shared.ids import new_id
from tests.evaluation.test_merges import erased, merged, unmerged
from tests.evaluation.test_store import CAMPAIGN, START, apply, assigned, called, deliver, store

__all__ = ["store"]


def told(store: Store, *facts: EventData) -> None:
    feed = DeskFeed(store)
    start = feed.watermark("CAMPAIGN")
    deliveries = [deliver(fact, start + i + 1, "CAMPAIGN") for i, fact in enumerate(facts)]
    asyncio.run(feed.apply("CAMPAIGN", deliveries, start + len(facts)))


def after(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def made(referral: UUID, customer: UUID, hours: float = 0, **fields: Any) -> ReferralMade:
    return ReferralMade.model_validate(
        {
            "referral_id": referral,
            "customer_id": customer,
            "version": 1,
            "from_line": "corporate",
            "from_org": "hq.a",
            "referrer": "S1",
            "to_line": "personal",
            "to_org": "hq.b",
            "offer": None,
            "category": "payroll",
            "referrer_share": "0.4",
            "receiver_share": "0.6",
            "to_manager": None,
            "contact_id": None,
            "linked": False,
            "due_at": after(hours + 48),
            "made_at": after(hours),
            "made_by": "user:s1",
            **fields,
        }
    )


def answered(of: ReferralMade, state: str, hours: float, version: int = 2, **fields: Any) -> ReferralAnswered:
    kept = of.model_dump(include=set(ReferralAnswered.model_fields))
    return ReferralAnswered.model_validate(
        {
            **kept,
            "state": state,
            "version": version,
            "receiver": "S2",
            "answered_at": after(hours),
            "answered_by": "user:s2",
            **fields,
        }
    )


def won(of: ReferralMade, hours: float, amount: str, currency: str = "CNY") -> ReferralAnswered:
    return answered(of, "won", hours, 3, amount=amount, currency=currency)


def results(store: Store, **asked: Any) -> tuple[ReferralCounts, list[ReferralPair]]:
    return asyncio.run(store.read(lambda cursor: referrals(cursor, DeskQuestion(**asked))))


def moved(
    opportunity: UUID, customer: UUID, version: int, way: tuple[str | None, str], hours: float, **fields: Any
) -> OpportunityMoved:
    return OpportunityMoved.model_validate(
        {
            "opportunity_id": opportunity,
            "customer_id": customer,
            "version": version,
            "org": "hq.a",
            "manager": "S1",
            "from_stage": way[0],
            "to_stage": way[1],
            "rad": "develop",
            "source": "hand",
            "amount": "1000.00",
            "currency": "CNY",
            "moved_at": after(hours),
            "moved_by": "user:s1",
            **fields,
        }
    )


def walked(
    customer: UUID, *stages: str, hours: float = 0, every: float = 24, **fields: Any
) -> list[EventData]:
    """Opened in the first of `stages`, then moved to each in turn; `fields` of the last are its outcome's."""
    opportunity, steps = new_id(), list(zip((None, *stages), stages, strict=False))
    outcome = {name: fields.pop(name) for name in ("won_amount", "lost_reason") if name in fields}
    return [
        moved(
            opportunity,
            customer,
            number,
            way,
            hours + every * (number - 1),
            **fields,
            **(outcome if number == len(steps) else {}),
        )
        for number, way in enumerate(steps, start=1)
    ]


def history(
    store: Store, by: OpportunityBy = "all", currency: str = "CNY", **asked: Any
) -> list[OpportunityGroup]:
    return asyncio.run(store.read(lambda cursor: opportunities(cursor, DeskQuestion(**asked), by, currency)))


@pytest.mark.parametrize(
    ("amount", "share", "parts"),
    [
        ("100.00", "0.4", ("40.00", "60.00")),
        ("0.01", "0.5", ("0.01", "0.00")),
        ("33.33", "0.3333", ("11.11", "22.22")),
    ],
)
def test_the_two_parts_of_a_credit_are_the_whole(amount: str, share: str, parts: tuple[str, str]) -> None:
    assert credited(Decimal(amount), Decimal(share)) == tuple(map(Decimal, parts))


def test_referrals_are_counted_by_what_became_of_them(store: Store) -> None:
    people = [new_id() for _ in range(7)]
    first, second, third, fourth, fifth, sixth = (
        made(new_id(), person, number, linked=number == 0) for number, person in enumerate(people[:6])
    )
    back = made(
        new_id(), people[6], from_org="hq.b", to_org="hq.a", referrer_share="0.5", receiver_share="0.5"
    )
    told(store, first, second, third, fourth, fifth, sixth, back)
    told(
        store,
        answered(first, "accepted", 2),
        won(first, 100, "100.01"),
        answered(second, "accepted", 5),
        answered(second, "lost", 90, 3),
        answered(third, "rejected", 8),
        answered(fourth, "lapsed", 60),
        answered(fifth, "withdrawn", 5),
        answered(back, "accepted", 12),
        won(back, 20, "7.00", "USD"),
    )
    total, pairs = results(store)
    assert (total.made, total.customers, total.linked, total.waiting) == (7, 7, 1, 1)
    assert (total.accepted, total.rejected, total.lapsed, total.withdrawn) == (3, 1, 1, 1)
    assert total.made == total.waiting + total.accepted + total.rejected + total.lapsed + total.withdrawn
    assert (total.won, total.lost) == (2, 1)
    assert total.acceptance == pytest.approx(3 / 5)
    assert total.win_rate == pytest.approx(2 / 3)
    # Answered after 2, 4, 6 and 12 hours; what lapsed or was withdrawn was not answered.
    assert total.hours_to_answer == (3.5, 5.0, 7.5)
    money = [(part.currency, part.amount, part.referrer, part.receiver) for part in total.credited]
    assert money == [
        ("CNY", Decimal("100.01"), Decimal("40.00"), Decimal("60.01")),
        ("USD", Decimal("7.00"), Decimal("3.50"), Decimal("3.50")),
    ]
    assert [(pair.from_org, pair.to_org, pair.made, pair.won) for pair in pairs] == [
        ("hq.a", "hq.b", 6, 1),
        ("hq.b", "hq.a", 1, 1),
    ]
    assert [[part.currency for part in pair.credited] for pair in pairs] == [["CNY"], ["USD"]]


def test_the_same_fact_counts_once_and_in_any_order(store: Store, tmp_path: Path) -> None:
    person = new_id()
    start, referral = walked(person, "lead", "offer", "won", won_amount="9.00"), made(new_id(), person)
    facts = [referral, answered(referral, "accepted", 2), won(referral, 9, "10.00"), *start]
    told(store, *facts)
    once = results(store), history(store)
    told(store, *facts)
    assert (results(store), history(store)) == once
    assert once[1][0].won_amount == Decimal("9.00")
    backwards = open_store(tmp_path / "backwards.duckdb", memory="256MB", threads=1)
    told(backwards, *reversed(facts))
    assert (results(backwards), history(backwards)) == once
    backwards.close()


def test_referrals_and_opportunities_of_a_campaign_are_those_of_its_contacts(store: Store) -> None:
    inside, outside = new_id(), new_id()
    task, further = new_id(), new_id()
    apply(
        store,
        "CAMPAIGN",
        assigned([inside], "call"),
        called(inside, task, disposition="referred", minutes="2"),
        called(inside, further, disposition="interested", minutes="2"),
    )
    mine, other = made(new_id(), inside, contact_id=task), made(new_id(), outside, 30)
    told(store, mine, other)
    told(store, *walked(inside, "lead", source="task", contact_id=further))
    told(store, *walked(inside, "lead", source="referral", referral_id=mine.referral_id, hours=40))
    told(store, *walked(outside, "lead"))
    assert [results(store, campaign_id=key)[0].made for key in (CAMPAIGN, new_id())] == [1, 0]
    (group,) = history(store, campaign_id=CAMPAIGN)
    assert (group.opened, group.customers) == (2, 1)
    assert history(store, campaign_id=new_id()) == []
    # By the bank's days: START is nine in the morning there.
    day = date(2026, 6, 1)
    assert results(store, until=day)[0].made == 1
    assert results(store, since=day + timedelta(days=1))[0].made == 1
    assert history(store, since=day, until=day)[0].opened == 2


def test_the_history_of_a_funnel_knows_stays_moves_and_conversion(store: Store) -> None:
    people = [new_id() for _ in range(5)]
    told(
        store,
        *walked(people[0], "lead", "offer", "won", won_amount="500.00"),
        *walked(people[1], "lead", "offer", "lead", "lost", every=48, lost_reason="price"),
        *walked(people[2], "lead", "lost", every=96, lost_reason="price"),
        *walked(people[3], "offer"),
        *walked(people[3], "lead", "won", "offer", org="hq.b", won_amount="70.00"),
        *walked(people[4], "lead", "won", currency="USD", won_amount="1.00"),
    )
    (group,) = history(store)
    assert (group.opened, group.customers, group.open, group.won, group.lost) == (5, 4, 2, 1, 2)
    # Won and reopened is not won.
    assert (group.won_amount, group.win_rate) == (Decimal("500.00"), pytest.approx(1 / 3))
    assert (group.days_to_win, group.lost_reasons) == ((2.0, 2.0, 2.0), {"price": 2})
    lead, offer = group.stages
    assert (lead.key, lead.reached, lead.open, lead.won, lead.lost) == ("lead", 4, 0, 1, 2)
    assert (offer.key, offer.reached, offer.open, offer.won, offer.lost) == ("offer", 4, 2, 1, 1)
    # Days of stays as a lead: 1, 2, 2, 4 and 1; with an offer 1 and 2, and two stand there still.
    assert (lead.stays, lead.days) == (5, (1.0, 2.0, 2.0))
    assert (offer.stays, offer.days) == (2, (1.25, 1.5, 1.75))
    assert lead.conversion == pytest.approx(1 / 3)
    moves = {(move.from_stage, move.to_stage): (move.moves, move.share) for move in group.moves}
    assert moves == {
        (None, "lead"): (4, 0.8),
        (None, "offer"): (1, 0.2),
        ("lead", "offer"): (2, 0.4),
        ("lead", "lost"): (2, 0.4),
        ("lead", "won"): (1, 0.2),
        ("offer", "won"): (1, 0.5),
        ("offer", "lead"): (1, 0.5),
        ("won", "offer"): (1, 1.0),
    }
    assert [(each.group, each.opened) for each in history(store, "org")] == [("hq.a", 4), ("hq.b", 1)]
    assert [(each.group, each.won) for each in history(store, currency="USD")] == [(None, 1)]


def test_months_are_those_of_opening_and_newest_first(store: Store) -> None:
    person = new_id()
    # The last evening of June by UTC is July where the bank is.
    for hours in (0, 24 * 29 + 16, 24 * 31):
        told(store, *walked(person, "lead", "lost", hours=hours, lost_reason="other"))
    assert [(each.group, each.lost) for each in history(store, "month")] == [("2026-07", 2), ("2026-06", 1)]


def test_a_reader_counts_what_touches_his_branches(store: Store) -> None:
    told(store, made(new_id(), new_id()), made(new_id(), new_id(), from_org="hq.c", to_org="hq.b.1"))
    told(store, *walked(new_id(), "lead"), *walked(new_id(), "lead", org="hq.ab"))
    assert [results(store, scope=scope)[0].made for scope in ("*", "hq.b", "hq.a", "hq.b.1")] == [2, 2, 1, 1]
    assert [sum(g.opened for g in history(store, scope=scope)) for scope in ("*", "hq.a", "hq.b")] == [
        2,
        1,
        0,
    ]


def test_what_is_known_of_people_follows_merges_and_ends_with_erasure(store: Store, tmp_path: Path) -> None:
    survivor, loser, other = new_id(), new_id(), new_id()
    facts = [
        made(new_id(), survivor),
        made(new_id(), loser, 1),
        made(new_id(), other, 2),
        *walked(survivor, "lead"),
        *walked(loser, "lead", "won", won_amount="3.00"),
        *walked(other, "lead"),
    ]
    told(store, *facts)
    merge, gone = merged(survivor, loser), erased(survivor, loser)
    apply(store, "CUSTOMER", merge)
    (group,) = history(store)
    assert (results(store)[0].customers, group.customers, group.opened) == (2, 2, 3)
    apply(store, "CUSTOMER", unmerged(merge))
    assert (results(store)[0].customers, history(store)[0].customers) == (3, 3)
    apply(store, "CUSTOMER", gone)
    # Told of the erasure first, and of a withdrawal after it.
    late = open_store(tmp_path / "late.duckdb", memory="256MB", threads=1)
    apply(late, "CUSTOMER", gone)
    told(late, *facts)
    for each in (store, late):
        told(each, answered(made(new_id(), survivor), "withdrawn", 9))
        (group,) = history(each)
        assert (results(each)[0].made, group.opened, group.won) == (1, 1, 0)
    late.close()


def test_feedback_is_counted_by_what_was_judged(store: Store) -> None:
    def said(rating: int, kind: str, branch: str = "hq.a", **judged: str) -> FeedbackGiven:
        return FeedbackGiven.model_validate(
            {
                "feedback_id": new_id(),
                "campaign_id": CAMPAIGN,
                "kind": kind,
                "rating": rating,
                "branch": branch,
                "given_at": START,
                **judged,
            }
        )

    again = said(1, "script", script="w@2")
    told(
        store,
        said(5, "script", script="w@1"),
        again,
        again,
        said(4, "script", "hq.b", script="w@2"),
        said(3, "offer", offer="fund"),
        said(2, "list"),
        said(2, "list").model_copy(update={"campaign_id": new_id()}),
    )
    found = asyncio.run(store.read(lambda cursor: feedback(cursor, CAMPAIGN, "*")))
    assert found == [
        JudgedSubject(kind="list", subject=None, given=1, mean=2.0, ratings=[0, 1, 0, 0, 0]),
        JudgedSubject(kind="offer", subject="fund", given=1, mean=3.0, ratings=[0, 0, 1, 0, 0]),
        JudgedSubject(kind="script", subject="w@1", given=1, mean=5.0, ratings=[0, 0, 0, 0, 1]),
        JudgedSubject(kind="script", subject="w@2", given=2, mean=2.5, ratings=[1, 0, 0, 1, 0]),
    ]
    below = asyncio.run(store.read(lambda cursor: feedback(cursor, CAMPAIGN, "hq.b")))
    assert [(each.subject, each.given) for each in below] == [("w@2", 1)]
