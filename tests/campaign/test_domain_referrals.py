"""The states of a referral, who may move it, its credit and its time, with numbers."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.domain import referrals as rules
from services.campaign.domain.office_hours import OfficeHours
from services.campaign.domain.suitability import suitable_risks
from shared.contracts.campaign.referrals import ReferralNeed, ReferralState, ReferralVerb
from shared.errors import Conflict, Forbidden

SHANGHAI = ZoneInfo("Asia/Shanghai")
CUSTOMER = UUID(int=1)
STATES, VERBS = get_args(ReferralState), get_args(ReferralVerb)
TO_ANYBODY = rules.Parties("user:a", "A", None, None)
TO_B = rules.Parties("user:a", "A", "B", "B")


def caller(staff: str | None, *, head: bool = False, belongs: bool = True) -> rules.Caller:
    return rules.Caller(f"user:{staff}".lower(), staff, head, belongs, oversees=head)


def test_every_state_is_reached_and_ends_stay_ends() -> None:
    assert set(rules.TRANSITIONS) == set(STATES)
    reached = {"made"} | {to for moves in rules.TRANSITIONS.values() for to in moves.values()}
    assert reached == set(STATES) - {"lapsed"}
    for state in set(STATES) - rules.OPEN:
        for verb in VERBS:
            with pytest.raises(Conflict, match="legal now: none"):
                rules.next_state(state, verb)
    assert rules.next_state("made", "accept") == "accepted"
    assert rules.next_state("accepted", "win") == "won"
    with pytest.raises(Conflict, match="assign, win, lose"):
        rules.next_state("accepted", "withdraw")


@pytest.mark.parametrize(
    ("parties", "who", "standing"),
    [
        (TO_B, caller("A", head=True), {"maker"}),
        (TO_B, caller("B"), {"receiver"}),
        (TO_B, caller("C"), set()),
        (TO_B, caller("H", head=True), {"head"}),
        (TO_B, caller("B", belongs=False), set()),
        (TO_B, caller("H", head=True, belongs=False), set()),
        (TO_B, caller(None, head=True), set()),
        (TO_ANYBODY, caller("C"), {"receiver"}),
        (TO_ANYBODY, caller("C", belongs=False), set()),
        (TO_ANYBODY, caller("A"), {"maker"}),
    ],
)
def test_who_somebody_is_to_a_referral(
    parties: rules.Parties, who: rules.Caller, standing: set[rules.Standing]
) -> None:
    assert rules.standings(parties, who) == standing


def test_makers_do_not_answer_and_others_do_not_withdraw() -> None:
    for verb in ("assign", "accept", "reject", "win", "lose"):
        with pytest.raises(Forbidden, match="made a referral"):
            rules.require_standing(verb, frozenset({"maker"}))
    with pytest.raises(Forbidden):
        rules.require_standing("withdraw", frozenset({"receiver", "head"}))
    with pytest.raises(Forbidden):
        rules.require_standing("assign", frozenset({"receiver"}))
    assert rules.verbs("made", frozenset({"receiver"})) == ["accept", "reject"]
    assert rules.verbs("made", frozenset({"maker"})) == ["withdraw"]
    assert rules.verbs("accepted", frozenset({"head"})) == ["assign", "win", "lose"]
    assert rules.verbs("accepted", frozenset({"maker"})) == []


def test_who_came_second_may_know_and_who_had_nothing_to_do_with_it_may_not() -> None:
    taken = rules.Parties("user:a", "A", None, "C")
    assert rules.may_know(taken, caller("D"))
    assert not rules.may_know(TO_B, caller("D"))
    assert not rules.may_know(taken, caller("D", belongs=False))
    assert rules.may_know(TO_B, caller("A", belongs=False))


def test_what_is_late_has_lapsed_before_it_is_written() -> None:
    due = datetime(2026, 12, 1, tzinfo=UTC)
    assert rules.state_at("made", due, due) == "lapsed"
    assert rules.state_at("made", due, due - timedelta(seconds=1)) == "made"
    assert rules.state_at("accepted", due, due + timedelta(days=9)) == "accepted"


def need(**changes: Any) -> ReferralNeed:
    body = {"from_line": "corporate", "to": {"line": "personal", "org": "hq.a"}, "category": "payroll"}
    return ReferralNeed.model_validate({**body, **changes})


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({}, []),
        ({"category": None, "note": " "}, ["/note"]),
        ({"category": None, "note": "salaries"}, []),
        ({"credit": {"referrer": "0.3", "receiver": "0.6999"}}, ["/credit"]),
        ({"credit": {"referrer": "0.3333", "receiver": "0.6667"}}, []),
        ({"to": {"line": "personal", "org": "hq.b", "manager": "A"}}, ["/to/manager"]),
        ({"to": {"line": "corporate", "org": "hq.a"}}, ["/to"]),
        ({"to": {"line": "corporate", "org": "hq.a", "manager": "B"}}, []),
        ({"to": {"line": "corporate", "org": "hq.b"}}, []),
        ({"lead": {"core_customer_id": str(CUSTOMER), "role": "supplier"}}, ["/lead/core_customer_id"]),
        ({"lead": {"core_customer_id": str(UUID(int=2)), "role": "supplier"}}, []),
    ],
)
def test_a_need_names_what_is_wrong_with_it(changes: dict[str, Any], pointers: list[str]) -> None:
    errors = rules.need_errors(need(**changes), CUSTOMER, org="hq.a", staff="A")
    assert [error.pointer for error in errors] == pointers


def test_the_bank_shares_the_credit_unless_somebody_says_otherwise() -> None:
    split = rules.split_of(need(), Decimal("0.3"))
    assert (split.referrer, split.receiver) == (Decimal("0.3"), Decimal("0.7"))
    own = need(credit={"referrer": "1", "receiver": "0"})
    assert rules.split_of(own, Decimal("0.3")).receiver == 0


@given(st.decimals(0, 10**12, places=2), st.decimals(0, 1, places=4))
def test_the_parts_are_the_whole_to_the_cent(amount: Decimal, share: Decimal) -> None:
    parts = rules.credited(amount, share)
    assert parts.referrer + parts.receiver == amount
    assert abs(parts.referrer - amount * share) <= Decimal("0.005")
    assert min(parts.referrer, parts.receiver) >= 0


OFFICE = OfficeHours(
    time(9), time(17), closed_on=frozenset({date(2026, 10, 1)}), open_on=frozenset({date(2026, 10, 10)})
)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-23T10:00", 4, "2026-11-23T14:00"),
        ("2026-11-23T10:00", 7, "2026-11-23T17:00"),
        ("2026-11-23T10:00", 8, "2026-11-24T10:00"),
        ("2026-11-23T05:00", 16, "2026-11-24T17:00"),
        ("2026-11-20T16:00", 2, "2026-11-23T10:00"),  # over a weekend
        ("2026-11-21T12:00", 1, "2026-11-23T10:00"),
        ("2026-11-23T20:00", 1, "2026-11-24T10:00"),
        ("2026-09-30T16:00", 2, "2026-10-02T10:00"),  # over a holiday
        ("2026-10-09T16:00", 2, "2026-10-10T10:00"),  # into a Saturday that is worked
    ],
)
def test_time_passes_while_the_office_is_open(start: str, hours: int, due: str) -> None:
    begun = datetime.fromisoformat(start).replace(tzinfo=SHANGHAI)
    assert OFFICE.after(begun.astimezone(UTC), hours, SHANGHAI) == datetime.fromisoformat(due).replace(
        tzinfo=SHANGHAI
    )


def test_a_customer_is_sold_what_their_assessment_bears() -> None:
    assert suitable_risks(3) == ["R1", "R2", "R3"]
    assert suitable_risks(5) == ["R1", "R2", "R3", "R4", "R5"]
