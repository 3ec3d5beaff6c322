"""An opportunity's states, what it is worth, and what a funnel of them says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shared.contracts.campaign.opportunities import OpportunityStatus, OpportunityVerb, Rad, Stage
from shared.errors import Conflict, FieldError, Unprocessable

_CENT = Decimal("0.01")
OUTCOMES = ("won", "lost")
"""Where an opportunity goes from its stages; no stage is called so."""

VERBS: Mapping[OpportunityStatus, tuple[OpportunityVerb, ...]] = {
    "open": ("edit", "move", "win", "lose", "assign"),
    "won": ("reopen",),
    "lost": ("reopen",),
}
SHRINKING = Decimal("0.8")
"""Whoever contributes less than this share of what they did three months before is to be retained."""


def require_verb(status: OpportunityStatus, verb: OpportunityVerb) -> None:
    if verb not in VERBS[status]:
        legal = ", ".join(VERBS[status])
        raise Conflict(
            f"an opportunity that is {status} cannot {verb}; legal now: {legal}", slug="illegal-transition"
        )


def check_stages(stages: Sequence[Stage]) -> None:
    """A key once, none that is an outcome, and no stage less likely to win than the one before."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for at, stage in enumerate(stages):
        if stage.key in seen:
            errors.append(FieldError(f"/stages/{at}/key", "is there twice"))
        if stage.key in OUTCOMES:
            errors.append(FieldError(f"/stages/{at}/key", "is an outcome, not a stage"))
        if at and stage.probability < stages[at - 1].probability:
            errors.append(FieldError(f"/stages/{at}/probability", "is lower than that of the stage before"))
        seen.add(stage.key)
    if errors:
        raise Unprocessable("these are no stages on one way", errors=errors)


def stage_named(stages: Sequence[Stage], key: str | None) -> Stage:
    """The stage of this key, or the first."""
    if key is None:
        return stages[0]
    found = next((stage for stage in stages if stage.key == key), None)
    if found is None:
        known = ", ".join(stage.key for stage in stages)
        raise Unprocessable("no such stage", errors=[FieldError("/stage", f"is not one of {known}")])
    return found


def probability(stages: Sequence[Stage], status: OpportunityStatus, stage: str) -> Decimal:
    if status != "open":
        return Decimal(1) if status == "won" else Decimal(0)
    # A stage that the list has had only since it was read counts as the first.
    return next((each.probability for each in stages if each.key == stage), stages[0].probability)


def weighted(amount: Decimal, likely: Decimal) -> Decimal:
    """To the cent, halves up."""
    return (amount * likely).quantize(_CENT, ROUND_HALF_UP)


def rate(yes: int, no: int) -> float | None:
    """Of what is decided; nothing while nothing is."""
    return yes / (yes + no) if yes + no else None


@dataclass(frozen=True)
class Passage:
    reached: int
    advanced: int
    lost: int

    @property
    def conversion(self) -> float | None:
        return rate(self.advanced, self.lost)


def passages(furthest: Sequence[int], lost_at: Sequence[int], won: int) -> list[Passage]:
    """Through each stage. `furthest[i]`: how many came as far as stage i and were not won; `lost_at[i]`: how
    many of them were lost. Whoever was won has passed every stage.
    """
    result: list[Passage] = []
    beyond = won
    for here, lost in zip(reversed(furthest), reversed(lost_at), strict=True):
        result.append(Passage(reached=beyond + here, advanced=beyond, lost=lost))
        beyond += here
    return result[::-1]


def rad_of(months: int, won: int, recent: Decimal | None, before: Decimal | None) -> Rad:
    """Acquire: measured in no month, and nothing won. Retain: the mean of the newest three full months is
    below 80 % of what the three before brought. Develop: everybody else.
    """
    if months == 0 and won == 0:
        return "acquire"
    if recent is not None and before is not None and before > 0 and recent < before * SHRINKING:
        return "retain"
    return "develop"
