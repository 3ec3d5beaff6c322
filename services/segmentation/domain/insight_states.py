"""How an insight moves from an idea to something known."""

from collections.abc import Mapping

from services.segmentation.domain.hypothesis import Verdict
from shared.contracts.segmentation.insights import InsightState
from shared.errors import Conflict

S = InsightState

NEXT: Mapping[InsightState, tuple[InsightState, ...]] = {
    S.proposed: (S.discussed, S.archived),
    S.discussed: (S.testing, S.archived),
    S.testing: (S.discussed, S.validated, S.refuted, S.archived),
    S.validated: (S.testing, S.archived),
    S.refuted: (S.testing, S.archived),
    S.archived: (),
}
_NEEDS: Mapping[InsightState, Verdict] = {S.validated: "supported", S.refuted: "contradicted"}


def check_move(state: InsightState, to: InsightState, newest: Verdict | None) -> None:
    """Raises `Conflict` for an illegal move, or where the newest test does not say what is claimed."""
    if to not in NEXT[state]:
        raise illegal(state, f"An insight that is {state} cannot become {to}.")
    needed = _NEEDS.get(to)
    if needed is not None and newest != needed:
        said = "there is no test" if newest is None else f"the newest test is {newest}"
        raise Conflict(f"It can become {to} when its newest test is {needed}; {said}.")


def illegal(state: InsightState, detail: str) -> Conflict:
    legal = ", ".join(NEXT[state]) or "none"
    return Conflict(f"{detail} From {state} the legal next states are: {legal}.")
