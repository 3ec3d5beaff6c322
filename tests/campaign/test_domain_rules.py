"""Pure decisions: fixes, life cycle, approval, ledger, tasks, power, notes."""

from datetime import UTC, date, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaign.domain import fixes, ledger, lifecycle, tasks
from services.campaign.domain.approval import content_hash, require_other_eyes
from services.campaign.domain.notes import blot
from services.campaign.domain.power import minimum_detectable_effect, weekdays_between
from services.campaign.domain.suitability import required_rating
from shared.contracts.campaign import (
    CampaignContent,
    CampaignStatus,
    LedgerState,
    SuppressionReason,
    TaskRecord,
    TaskState,
)
from shared.contracts.events import Disposition
from shared.errors import Conflict, Forbidden, Unprocessable
from tests.campaign.conftest import a_scheme, an_arm, campaign_body

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 12, 1, 2, tzinfo=UTC)


def content(**changes: Any) -> CampaignContent:
    body = campaign_body(**changes)
    del body["key"]
    return CampaignContent.model_validate(body)


def test_each_missing_fix_is_named() -> None:
    assert [
        error.pointer
        for error in fixes.missing(CampaignContent.model_validate({"name": {"zh": "空", "en": "Empty"}}))
    ] == [
        "/objective",
        "/scheme",
        "/people",
        "/schedule",
        "/responsibility",
        "/audience",
    ]
    assert [error.pointer for error in fixes.missing(content(people=None))] == ["/people"]
    assert fixes.missing(content()) == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"scheme": a_scheme(an_arm("call", 0.8))}, "/scheme/arms"),
        ({"scheme": a_scheme(an_arm("a", 0.45), an_arm("a", 0.45))}, "/scheme/arms"),
        ({"schedule": {"start": "2026-12-02", "end": "2026-12-01"}}, "/schedule/end"),
        ({"schedule": {"start": "2026-11-01", "end": "2026-11-30"}}, "/schedule/end"),
        (
            {"responsibility": {"accountable": "S1", "measures": [{"org": "hq.shx", "target": "1.00"}]}},
            "/responsibility/measures/0/org",
        ),
        ({"audience": {"include": ["a"], "exclude": ["b", "a"]}}, "/audience/exclude/1"),
    ],
)
def test_contradictions_are_found(changes: dict[str, Any], pointer: str) -> None:
    window = {"schedule": {"start": "2026-12-01", "end": "2026-12-31"}}
    found = fixes.contradictions(content(**{**window, **changes}), date(2026, 12, 1))
    assert [error.pointer for error in found] == [pointer]


def test_three_thirds_and_a_hold_out_of_a_tenth_add_up() -> None:
    scheme = a_scheme(*(an_arm(key, 0.3) for key in "abc"))
    assert fixes.contradictions(content(scheme=scheme), date(2000, 1, 1)) == []


def test_illegal_transitions_name_the_legal_ones() -> None:
    with pytest.raises(Conflict, match="legal now: edit, submit, abort") as caught:
        lifecycle.next_status("draft", "launch")
    assert caught.value.type == "/problems/illegal-transition"
    with pytest.raises(Conflict, match="legal now: none"):
        lifecycle.next_status("completed", "resume")


def test_no_way_leads_to_running_past_an_approval() -> None:
    """Every path from draft to running goes through in_review and approved."""
    reached: set[CampaignStatus] = {"draft"}
    while True:
        new = {
            to
            for status in reached
            for verb, to in lifecycle.TRANSITIONS[status].items()
            if verb != "approve" and to not in reached
        }
        if not new:
            break
        reached |= new
    assert reached == {"draft", "in_review", "aborted"}
    assert set(lifecycle.TRANSITIONS) == set(get_args(CampaignStatus))


def test_any_edit_changes_the_hash_and_order_does_not() -> None:
    first = content()
    base = content_hash("k", first, {}, {}, {}, {"a": 1, "b": 2})
    assert base == content_hash("k", first, {}, {}, {}, {"b": 2, "a": 1})
    assert len(base) == 64
    assert base != content_hash("k", first, {}, {}, {}, {"a": 1, "b": 3})
    dearer = first.model_copy(update={"budget": None})
    assert base != content_hash("k", dearer, {}, {}, {}, {"a": 1, "b": 2})


def test_the_author_cannot_check() -> None:
    for checker in ("maker", "editor"):
        with pytest.raises(Forbidden):
            require_other_eyes(checker, submitted_by="maker", edited_by="editor")
    require_other_eyes("checker", submitted_by="maker", edited_by="editor")


REASONS = get_args(SuppressionReason)
DISPOSITIONS = get_args(Disposition)


@given(
    st.dictionaries(st.sampled_from(REASONS), st.integers(1, 1000)),
    st.dictionaries(st.sampled_from(DISPOSITIONS), st.integers(1, 1000)),
    *(st.integers(0, 1000) for _ in range(3)),
)
def test_books_balance_exactly_when_nothing_is_missing(
    suppressed: dict[SuppressionReason, int],
    dispositions: dict[str, int],
    held_out: int,
    open_: int,
    expired: int,
) -> None:
    states: dict[LedgerState, int] = {
        "suppressed": sum(suppressed.values()),
        "held_out": held_out,
        "assigned": open_,
        "done": sum(dispositions.values()),
        "expired": expired,
    }
    books = ledger.Books(sum(states.values()), states, suppressed, dispositions, open_)
    assert ledger.imbalances(books) == []
    totals = books.totals()
    assert totals.audience == sum(totals.suppressed.values()) + totals.held_out + totals.assigned
    assert totals.assigned == totals.open + totals.done + totals.expired
    if open_:
        with pytest.raises(Conflict, match=f"{open_} contacts are still open"):
            ledger.require_closed(books)
    else:
        ledger.require_closed(books)
    for broken in (
        ledger.Books(books.audience + 1, states, suppressed, dispositions, open_),
        ledger.Books(books.audience, states, suppressed, dispositions, open_ + 1),
        ledger.Books(books.audience, states, suppressed, {**dispositions, "x": 1}, open_),
        ledger.Books(
            books.audience, states, {**suppressed, "cap": suppressed.get("cap", 0) + 1}, dispositions, open_
        ),
    ):
        assert len(ledger.imbalances(broken)) == 1


def test_finished_contacts_stay_finished() -> None:
    assert {"suppressed", "held_out", "done", "expired"} == ledger.TERMINAL
    assert ledger.move("assigned", "done") == "done"
    for state in ledger.TERMINAL:
        for to in get_args(LedgerState):
            with pytest.raises(Conflict):
                ledger.move(state, to)


def record(disposition: str, **changes: Any) -> tasks.Recorded:
    attempt = TaskRecord.model_validate({"disposition": disposition, "minutes": 6, **changes})
    return tasks.record(attempt, now=NOW, ends_on=date(2026, 12, 31), zone=SHANGHAI, offer="o")


@pytest.mark.parametrize(
    ("disposition", "changes", "state", "effect"),
    [
        ("accepted", {"outcome": {"offer": "o", "amount": "100.00"}}, "done", None),
        ("refused", {}, "done", None),
        ("interested", {}, "done", None),
        ("interested", {"next_at": "2026-12-03T10:00:00+08:00"}, "call_back", None),
        ("no_answer", {}, "done", None),
        ("no_answer", {"next_at": "2026-12-31T23:00:00+08:00"}, "call_back", None),
        ("wrong_number", {}, "done", None),
        ("call_back", {"next_at": "2026-12-03T10:00:00+08:00"}, "call_back", None),
        ("do_not_contact", {}, "done", "do_not_contact"),
        ("complaint", {}, "done", "complaint"),
    ],
)
def test_what_an_attempt_leads_to(
    disposition: str, changes: dict[str, Any], state: TaskState, effect: tasks.Effect | None
) -> None:
    recorded = record(disposition, **changes)
    assert (recorded.state, recorded.effect) == (state, effect)
    assert recorded.closes == (recorded.next_at is None)


@pytest.mark.parametrize(
    ("disposition", "changes", "pointer"),
    [
        ("call_back", {}, "/next_at"),
        ("call_back", {"next_at": "2026-11-30T10:00:00+08:00"}, "/next_at"),
        ("call_back", {"next_at": "2027-01-01T00:00:00+08:00"}, "/next_at"),
        ("refused", {"next_at": "2026-12-03T10:00:00+08:00"}, "/next_at"),
        ("refused", {"outcome": {"offer": "o", "amount": "1.00"}}, "/outcome"),
        ("accepted", {"outcome": {"offer": "other", "amount": "1.00"}}, "/outcome/offer"),
    ],
)
def test_records_that_contradict_themselves(disposition: str, changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        record(disposition, **changes)
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_finished_tasks_take_no_verb() -> None:
    for state in get_args(TaskState):
        assert (tasks.verbs(state) == []) == (state not in tasks.OPEN)
    with pytest.raises(Conflict, match="legal now: reassign"):
        tasks.require_legal("returned", "record")


def test_power_matches_the_tables() -> None:
    # Cohen's d of 0.2, 0.5 and 0.8 needs 393.41, 63.77 and 25.52 per arm exactly; the normal
    # approximation without the t correction needs a little less.
    for n, d in ((393, 0.2), (63, 0.5), (25, 0.8)):
        assert minimum_detectable_effect(n, n) == pytest.approx(d, rel=0.01)
    assert minimum_detectable_effect(100, 0) is None


def test_weekdays() -> None:
    def days(start: date, end: date) -> int:
        return weekdays_between(start.toordinal(), end.toordinal())

    assert days(date(2026, 12, 1), date(2026, 12, 31)) == 23
    assert days(date(2026, 12, 5), date(2026, 12, 6)) == 0
    assert days(date(2026, 12, 4), date(2026, 12, 7)) == 2
    assert days(date(2026, 12, 4), date(2026, 12, 3)) == 0


def test_the_strictest_arm_decides_suitability() -> None:
    assert required_rating(["R1", "R4", "R2"]) == 4


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("call 13812345678 tomorrow", "call ▇▇▇ tomorrow"),
        ("138 1234 5678", "▇▇▇"),
        ("zhang.san@example.com wrote", "▇▇▇ wrote"),
        ("身份证31010119900101123X", "身份证▇▇▇"),
        ("wants 100000 on 2026-12-03 at 10:30", "wants 100000 on 2026-12-03 at 10:30"),
        (None, None),
    ],
)
def test_notes_lose_what_identifies(note: str | None, kept: str | None) -> None:
    assert blot(note) == kept
