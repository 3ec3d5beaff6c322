"""A key-account plan's states, and how far its objectives are."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.contracts.campaign.account_plans import Objective, ObjectiveView, PlanStatus, PlanVerb, Unmeasured
from shared.errors import Conflict, FieldError, Unprocessable

VERBS: Mapping[PlanStatus, tuple[PlanVerb, ...]] = {
    "draft": ("edit", "activate"),
    "active": ("edit", "close"),
    "closed": (),
}


def require_verb(status: PlanStatus, verb: PlanVerb) -> None:
    if verb not in VERBS[status]:
        legal = ", ".join(VERBS[status]) or "none"
        raise Conflict(
            f"a plan that is {status} cannot {verb}; legal now: {legal}", slug="illegal-transition"
        )


def check_objectives(objectives: list[Objective]) -> None:
    """Each measure once."""
    seen: set[str] = set()
    errors: list[FieldError] = []
    for at, objective in enumerate(objectives):
        if objective.measure in seen:
            errors.append(FieldError(f"/objectives/{at}/measure", "is there twice"))
        seen.add(objective.measure)
    if errors:
        raise Unprocessable("a plan sets each objective once", errors=errors)


@dataclass(frozen=True)
class Measured:
    """What this service knows of the customer in the plan's year."""

    contribution: Decimal | None
    months: int
    won: Decimal


def measure(objective: Objective, measured: Measured, *, has_model: bool) -> ObjectiveView:
    """What is not known is said to be unknown, and why, and is never taken for nothing."""
    known: Decimal | None = None
    why: Unmeasured | None = "not_measured_here"
    months = None
    if objective.measure == "won":
        known, why = measured.won, None
    elif objective.measure == "contribution":
        months = measured.months
        known = measured.contribution if has_model and months else None
        why = None if known is not None else "no_figures" if has_model else "no_value_model"
    return ObjectiveView(
        measure=objective.measure,
        target=objective.target,
        measured=known,
        unmeasured=why,
        attainment=None if known is None else float(known / objective.target),
        months=months,
    )
