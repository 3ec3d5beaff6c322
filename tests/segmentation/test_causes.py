"""Why members moved: what triggers fire on, and in which order it is written."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from pyroaring import BitMap

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.queries.kept_members import Kept
from services.segmentation.queries.live_segments import LiveSegment
from services.segmentation.usecases import differences as module
from services.segmentation.usecases.differences import differences
from services.segmentation.usecases.engine import Engine
from services.segmentation.usecases.passes import EVERYBODY, NOBODY, Pass, Seen, Touched
from services.segmentation.usecases.standing import Live as LiveRule
from services.segmentation.usecases.standing import Stand
from shared.ids import new_id
from tests.segmentation.conftest import Bank, Live, members
from tests.support import Running, eventually

AT = datetime(2026, 3, 2, tzinfo=UTC)
TOUCHED = Touched(regrouped=BitMap([1]), facts=BitMap([1, 2]), own=BitMap([2, 3]), expired=BitMap([3, 4]))


def _moves(
    touched: Touched, *, again: bool, evaluated: int | None = 1
) -> Sequence[tuple[str, BitMap, BitMap]]:
    """Of a segment of customers 5 to 9, found to be 1 to 7: cause, joined, left."""
    segment = LiveSegment(new_id(), "probe", "rule", "realtime", 1, 1, evaluated, AT, "age >= 18")
    live = LiveRule(segment, stored_rule("age >= 18"), incremental=True, in_step=True)
    kept = {segment.id: Kept(1, BitMap(range(5, 10)), None)}
    stand = Stand(None, Catalogue([]), {"probe": live}, {"probe": segment.id}, kept, {}, [])
    found = Pass(Seen(1, AT), {"probe": BitMap(range(1, 8))}, touched)
    changes = list(differences(stand, {"probe"} if again else (), found, NOBODY))
    assert changes[-1].after == BitMap(range(1, 8))
    assert [each.before for each in changes[1:]] == [each.after for each in changes[:-1]]
    return [(each.cause, each.joined, each.left) for each in changes]


def test_each_move_has_one_cause() -> None:
    assert _moves(TOUCHED, again=False) == [
        ("events", BitMap([2]), BitMap([8, 9])),
        ("expiry", BitMap([4]), NOBODY),
        ("profile", BitMap([3]), NOBODY),
        ("merge", BitMap([1]), NOBODY),
    ]


def test_evaluated_for_everybody_facts_still_move_whom_they_are_about() -> None:
    """A trigger fires on moves of customers, also of those that an evaluation for everybody finds first."""
    assert _moves(TOUCHED, again=True) == [
        ("events", BitMap([2]), NOBODY),
        ("expiry", BitMap([4]), NOBODY),
        ("profile", BitMap([3]), NOBODY),
        ("full", NOBODY, BitMap([8, 9])),
        ("merge", BitMap([1]), NOBODY),
    ]
    assert _moves(EVERYBODY, again=True) == [("full", BitMap(range(1, 5)), BitMap([8, 9]))]


def test_a_new_version_moves_everybody_itself() -> None:
    assert _moves(TOUCHED, again=True, evaluated=None) == [("edit", BitMap(range(1, 5)), BitMap([8, 9]))]


async def test_bitmaps_hold_all_that_one_pass_moved(
    segmentation: Running, bank: Bank, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when another segment, written before, moved for one of the causes only."""
    monkeypatch.setattr(module, "_folds", lambda *_: True)
    cook, waiter, guest = (bank.customer(occupation=each) for each in ("cook", "waiter", "guest"))
    await bank.tell(customers=[guest])
    await live("cooks", "occupation = 'cook'")
    await live("waiters", "occupation = 'waiter' or (occupation = 'guest' and count_events('login', 3) >= 1)")
    async with segmentation.runtime.resource(Engine).passing:
        await bank.tell(customers=[cook, waiter], events=[bank.event(guest, "login")])

    async def served() -> bool:
        return await members(segmentation, "waiters") == {waiter.customer_id, guest.customer_id}

    await eventually(served, what="both in the bitmap")
