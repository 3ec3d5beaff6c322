"""Feedback goes from open to answered to closed; whoever gave it may also take it back by closing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.contracts.events.feedback import FeedbackKind, FeedbackState
from shared.errors import Conflict, FieldError, Unprocessable

FeedbackVerb = Literal["answer", "close"]
ALLOWED: Mapping[FeedbackVerb, frozenset[FeedbackState]] = {
    "answer": frozenset({"open", "answered"}),
    "close": frozenset({"open", "answered"}),
}


def require_legal(state: FeedbackState, verb: FeedbackVerb) -> None:
    if state not in ALLOWED[verb]:
        raise Conflict(f"feedback that is {state} cannot be changed", slug="illegal-transition")


@dataclass(frozen=True)
class JudgedArm:
    """An arm of a campaign, with what may be judged of it."""

    key: str
    script: str
    offer: str


def judged_arm(kind: FeedbackKind, arm: str | None, arms: Sequence[JudgedArm]) -> JudgedArm | None:
    """Whose script or offer is meant: the arm that is named, or the only one. A list is everybody's.

    Unprocessable when no arm or no single one is meant.
    """
    if arm is not None:
        named = next((each for each in arms if each.key == arm), None)
        if named is None:
            raise Unprocessable(
                "the campaign has no such arm", errors=[FieldError("/arm", "is no arm of it")]
            )
        return named
    if kind == "list":
        return None
    if len({getattr(each, kind) for each in arms}) != 1:
        errors = [FieldError("/arm", f"is required: its arms differ in the {kind}")]
        raise Unprocessable(f"say which {kind} is meant", errors=errors)
    return arms[0] if len(arms) == 1 else JudgedArm("", arms[0].script, arms[0].offer)
