"""Absences and capacity with numbers."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.domain.absences import Away, StandIn, period_errors, stand_ins, state_of, working_days
from services.campaign.domain.capacity import Sending, beyond, day_of, sending, slots
from services.campaign.domain.contact_rules import ContactRules
from services.campaign.domain.feedback import JudgedArm, judged_arm, require_legal
from shared.errors import Conflict, Unprocessable

MONDAY = date(2026, 11, 23)
WEEK = [MONDAY + timedelta(days=offset) for offset in range(5)]


def _weekdays(day: date) -> bool:
    return day.weekday() < 5


def test_working_days_leave_out_what_is_not_worked() -> None:
    holiday = WEEK[2]
    days = working_days(MONDAY, MONDAY + timedelta(days=7), lambda day: _weekdays(day) and day != holiday)
    assert days == [WEEK[0], WEEK[1], WEEK[3], WEEK[4], MONDAY + timedelta(days=7)]
    saturday, sunday = MONDAY + timedelta(days=5), MONDAY + timedelta(days=6)
    assert working_days(saturday, sunday, _weekdays) == [saturday, sunday]


def _away(manager: str, first: int, last: int, substitute: str | None = None) -> Away:
    return Away(manager, "hq.a", MONDAY + timedelta(days=first), MONDAY + timedelta(days=last), substitute)


@pytest.mark.parametrize(
    ("absences", "expected"),
    [
        ([], {}),
        # Two of five days, half at most: the work waits.
        ([_away("A", 0, 1)], {}),
        ([_away("A", 0, 2)], {"A": StandIn()}),
        ([_away("A", 0, 2, "S")], {"A": StandIn("hq.a", "S")}),
        # Two absences of two and one days make three; the longer one names the substitute.
        ([_away("A", 0, 0, "T"), _away("A", 3, 4, "S")], {"A": StandIn("hq.a", "S")}),
        # Days outside the window count nothing.
        ([_away("A", -9, 1)], {}),
        # Who stands in must be there.
        ([_away("A", 0, 4, "S"), _away("S", 0, 4)], {"A": StandIn(), "S": StandIn()}),
        ([_away("A", 0, 4, "S"), _away("S", 0, 1)], {"A": StandIn("hq.a", "S")}),
    ],
)
def test_who_is_away_for_most_of_the_days_has_a_stand_in(
    absences: list[Away], expected: dict[str, StandIn]
) -> None:
    assert stand_ins(absences, WEEK, 0.5) == expected


def test_an_absence_comes_is_and_goes() -> None:
    first, last = WEEK[1], WEEK[2]
    states = [state_of(first, last, day, cancelled=False) for day in WEEK]
    assert states == ["coming", "now", "now", "over", "over"]
    assert state_of(first, last, WEEK[0], cancelled=True) == "cancelled"
    assert [error.detail for error in period_errors(last, first, MONDAY)] == ["is before the first day"]
    assert [error.detail for error in period_errors(MONDAY, last, WEEK[3])] == ["has passed"]
    assert period_errors(MONDAY, last, last) == []


@pytest.mark.parametrize(
    ("minutes", "taken", "each", "expected"),
    [
        ("60", "0", "6", 10),
        ("60", "7", "6", 8),
        ("60", "60", "6", 0),
        ("5", "0", "6", 0),
        ("60", "90", "6", 0),
    ],
)
def test_a_day_has_room_for_whole_contacts(minutes: str, taken: str, each: str, expected: int) -> None:
    assert slots(Decimal(minutes), Decimal(taken), Decimal(each)) == expected


@given(st.lists(st.integers(0, 4), max_size=8), st.integers(1, 40))
def test_contacts_fill_the_days_in_their_order(room: list[int], contacts: int) -> None:
    days = [day_of(number, room) for number in range(1, contacts + 1)]
    placed = [day for day in days if day is not None]
    assert placed == sorted(placed)
    assert all(placed.count(index) <= size for index, size in enumerate(room))
    assert len(placed) == min(contacts, sum(room))
    assert days[len(placed) :] == [None] * beyond(contacts, room)


ARMS = [JudgedArm("call", "hello@1", "fund"), JudgedArm("visit", "hello@1", "bond")]


def test_feedback_says_which_arm_it_means_where_they_differ() -> None:
    assert judged_arm("list", None, ARMS) is None
    assert judged_arm("offer", "visit", ARMS) == ARMS[1]
    shared = judged_arm("script", None, ARMS)
    assert shared is not None
    assert (shared.key, shared.script) == ("", "hello@1")
    assert judged_arm("offer", None, ARMS[:1]) == ARMS[0]
    for kind, arm in (("offer", None), ("script", "letter")):
        with pytest.raises(Unprocessable) as refused:
            judged_arm(kind, arm, ARMS)  # type: ignore[arg-type]
        assert [error.pointer for error in refused.value.errors or []] == ["/arm"]


def test_closed_feedback_stays_closed() -> None:
    require_legal("open", "answer")
    require_legal("answered", "close")
    with pytest.raises(Conflict):
        require_legal("closed", "answer")


@pytest.mark.parametrize(
    ("arrivals", "room", "late", "expected"),
    [
        ([8, 0, 0], [3, 3, 3], 0, Sending(3, 0)),
        ([8, 0, 0], [3, 0, 3], 0, Sending(3, 2)),
        ([2, 0, 2], [3, 3, 3], 0, Sending(3, 0)),
        ([0, 0, 0], [3, 3, 3], 0, Sending(0, 0)),
        ([9, 0], [3, 3], 4, Sending(5, 7)),
        ([], [], 0, Sending(0, 0)),
    ],
)
def test_messages_are_sent_day_by_day(
    arrivals: list[int], room: list[int], late: int, expected: Sending
) -> None:
    assert sending(arrivals, room, late=late, per_day=3) == expected


def test_a_channel_that_takes_nothing_never_ends() -> None:
    assert sending([5], [0], late=0, per_day=0) == Sending(None, 5)


@pytest.mark.parametrize(
    ("quiet", "since", "expected"),
    [
        (None, time(0), 1440),
        ((time(21), time(8)), time(0), 13 * 60),
        ((time(21), time(8)), time(20, 30), 30),
        ((time(12), time(14)), time(13), 10 * 60),
        ((time(8), time(8)), time(0), 0),
    ],
)
def test_minutes_in_which_contacts_may_begin(
    quiet: tuple[time, time] | None, since: time, expected: int
) -> None:
    rules = ContactRules("p@1", cap=1, cap_days=1, quiet=quiet, rest_days=frozenset({MONDAY}))
    assert rules.open_minutes(MONDAY + timedelta(days=1), since) == expected
    assert rules.open_minutes(MONDAY) == 0
