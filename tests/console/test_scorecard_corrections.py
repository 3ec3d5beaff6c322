"""What the page says of scorecards that took another's place, and whose place a draft would take."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from services.console.api import Api
from services.console.i18n import Texts
from services.console.pages.scorecards import Found, corrections
from services.console.pages.words import Names
from services.console.session import User
from services.console.view import View
from shared.auth import Role
from shared.contracts.evaluation.scorecards import ScorecardHead

USER = User("token", "user:x", "X", frozenset({Role.strategist}), "hq", "S1")
NOBODY = Names("en", {}, {}, {})
AT = datetime(2026, 11, 2, 1, tzinfo=UTC)


def head(at: int, **changes: Any) -> ScorecardHead:
    return ScorecardHead.model_validate(
        {
            "id": UUID(int=at),
            "state": "draft",
            "level": "branch",
            "depth": 2,
            "period": "2026-09",
            "first_day": date(2026, 9, 1),
            "last_day": date(2026, 9, 30),
            "org": "hq",
            "minimum": 30,
            "as_of": AT,
            "complete": 1.0,
            "shared": 0,
            "comparisons": [],
            "method": {"name": "m", "alpha": 0.05, "draws": 1, "code_version": "1", "input_hash": "x"},
            "reading": {"zh": "读法", "en": "Reading"},
            **changes,
        }
    )


def test_a_draft_would_take_the_place_of_what_holds_of_its_kind() -> None:
    draft, other = head(1), head(2, state="published", number=1, period="2026-08")
    former = head(3, state="superseded", number=1, superseded_by=UUID(int=4), superseded_at=AT)
    holds = head(4, state="published", number=2, supersedes=UUID(int=3), reason="Wrong branch")
    assert Found([draft, other, former, holds], None, NOBODY).holds(draft) == holds
    assert Found([draft, other, former], None, NOBODY).holds(draft) is None


def test_each_says_what_it_superseded_and_what_superseded_it() -> None:
    view = View(Texts("en"), USER, Api({}, "t"))
    assert corrections(view, head(1)) == []
    (hint,) = corrections(view, head(2, state="published", number=1))
    assert hint == view.t("scorecards.correct")
    second = head(3, state="superseded", number=2, reason="Wrong branch", superseded_at=AT)
    said = corrections(view, second)
    assert said[0] == "supersedes No. 1: Wrong branch"
    assert said[1].startswith("superseded 2026-11-02")
    assert said[1].endswith("by No. 3")
