"""What a strategy still lacks, what contradicts itself, and what it lets a campaign do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args

from services.campaign.domain.fixes import within
from shared.contracts.base import Schema
from shared.contracts.campaign import Budget, CampaignContent
from shared.contracts.campaign.strategies import (
    PartFilled,
    StrategyContent,
    StrategyPart,
    StrategyState,
    StrategyVerb,
)
from shared.errors import Conflict, FieldError

CHECKLISTS: tuple[StrategyPart, ...] = ("four_p", "four_c", "four_r")
_NEEDED: tuple[StrategyPart, ...] = ("objective", "stp", "means")
_MEANS = ("segments", "scenario", "channels", "offers", "scripts")
TRANSITIONS: Mapping[StrategyState, Mapping[StrategyVerb, StrategyState]] = {
    "draft": {"edit": "draft", "activate": "active", "close": "closed"},
    "active": {"edit": "active", "close": "closed"},
    "closed": {},
}


def verbs(state: StrategyState) -> list[StrategyVerb]:
    return [verb for verb in get_args(StrategyVerb) if verb in TRANSITIONS[state]]


def next_state(state: StrategyState, verb: StrategyVerb) -> StrategyState:
    """The state after `verb`; Conflict names the legal verbs when it is not one of them."""
    try:
        return TRANSITIONS[state][verb]
    except KeyError:
        legal = ", ".join(verbs(state)) or "none"
        raise Conflict(
            f"a strategy that is {state} cannot {verb}; legal now: {legal}", slug="illegal-transition"
        ) from None


def parts(content: StrategyContent) -> list[PartFilled]:
    """Every part with what is not written of it. Materials are a means that not every strategy needs."""
    written = {
        "objective": {"/objective": content.objective is not None},
        "stp": _items("stp", content.stp),
        **{name: _items(name, getattr(content, name)) for name in CHECKLISTS},
        "means": {f"/{name}": bool(getattr(content, name)) for name in _MEANS},
        "budget": {"/budget": content.budget is not None},
    }
    return [_filled(part, written[part]) for part in get_args(StrategyPart)]


def _items(part: str, items: Schema) -> dict[str, bool]:
    return {f"/{part}/{name}": getattr(items, name) is not None for name in type(items).model_fields}


def _filled(part: StrategyPart, written: Mapping[str, bool]) -> PartFilled:
    lacking = [pointer for pointer, there in written.items() if not there]
    return PartFilled(part=part, filled=len(written) - len(lacking), of=len(written), open=lacking)


def completeness(filled: list[PartFilled]) -> float:
    """The share of everything a strategy may say that is written."""
    return sum(part.filled for part in filled) / sum(part.of for part in filled)


def missing(filled: list[PartFilled]) -> list[FieldError]:
    """What an active strategy cannot lack: objective, STP, means, and one of the three checklists in full.

    A budget may be left out: then nothing bounds the campaigns' budgets.
    """
    by_part = {part.part: part for part in filled}
    errors = [
        FieldError(pointer, "is required before activation")
        for name in _NEEDED
        for pointer in by_part[name].open
    ]
    lists = [by_part[name] for name in CHECKLISTS]
    if all(each.open for each in lists):
        nearest = max(lists, key=lambda each: each.filled)
        detail = "is required: one of 4P, 4C and 4R is written in full"
        errors += [FieldError(pointer, detail) for pointer in nearest.open]
    return errors


def contradictions(content: StrategyContent) -> Iterator[FieldError]:
    objective = content.objective
    if objective is not None and objective.end < objective.start:
        yield FieldError("/objective/end", "is before the start")
    for name in ("segments", "channels", "offers", "scripts", "materials"):
        named: list[str] = getattr(content, name)
        for index, key in enumerate(named):
            if key in named[:index]:
                yield FieldError(f"/{name}/{index}", f"{key} is named twice")


@dataclass(frozen=True)
class Terms:
    """What a strategy at a version holds its campaigns to."""

    key: str
    version: int
    state: StrategyState
    content: StrategyContent
    committed: Decimal
    """What its other campaigns take of the budget."""

    @property
    def ref(self) -> str:
        return f"{self.key}@{self.version}"


def breaches(campaign: CampaignContent, terms: Terms) -> Iterator[FieldError]:
    """Where a campaign leaves what its strategy allows."""
    if terms.state != "active":
        yield FieldError("/strategy", f"{terms.key} is {terms.state}: only an active strategy is carried out")
    objective = terms.content.objective
    if objective is not None and campaign.schedule is not None:
        start = campaign.schedule.start
        if not objective.start <= start <= objective.end:
            period = f"{objective.start} to {objective.end}"
            yield FieldError("/schedule/start", f"is outside the period of {terms.key}, {period}")
    for index, org in enumerate(campaign.people.orgs if campaign.people else []):
        if not within(org, terms.content.org):
            yield FieldError(f"/people/orgs/{index}", f"is not within {terms.content.org} of {terms.key}")
    if terms.content.budget is not None:
        yield from _beyond(campaign.budget, terms.content.budget, terms)


def _beyond(asked: Budget | None, granted: Budget, terms: Terms) -> Iterator[FieldError]:
    left = granted.amount - terms.committed
    if asked is None:
        yield FieldError("/budget", f"is required: {terms.key} has a budget, and it takes part in it")
    elif asked.currency != granted.currency:
        yield FieldError("/budget/currency", f"{terms.key} counts in {granted.currency}")
    elif asked.amount > left:
        yield FieldError(
            "/budget/amount",
            f"{terms.key} has {max(left, Decimal(0))} {granted.currency} left of {granted.amount}",
        )
