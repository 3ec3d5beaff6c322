"""Which value of an attribute the survivor of a merge has: a rule per attribute, as data."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.customer.domain.vault import FIELDS, normal_id, normal_phone

RULES: Mapping[str, str] = {
    "name": "survivor_first",
    "id_number": "survivor_first",
    "phone": "most_recent",
    "email": "most_recent",
    "address": "most_complete",
    "gender": "survivor_first",
    "birth_date": "survivor_first",
    "occupation": "most_recent",
    "industry": "most_recent",
    "customer_since": "earliest",
}
"""What does not change in a life is the survivor's; what changes is as told last; the rest, as told best."""

PLAIN = tuple(attribute for attribute in RULES if attribute not in FIELDS)

_SAME: Mapping[str, Callable[[str], str]] = {"id_number": normal_id, "phone": normal_phone}


@dataclass(frozen=True, slots=True)
class Profile:
    """One customer's attributes as text (dates as ISO); absent ones are null."""

    customer_id: UUID
    updated_at: datetime
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Choice:
    """`distinct` counts different values, not null."""

    attribute: str
    rule: str
    origin: UUID | None
    value: str | None
    distinct: int


def choose(survivor: Profile, others: Sequence[Profile], overrides: Mapping[str, UUID]) -> list[Choice]:
    """One choice per attribute, in the order of RULES. Depends on the profiles, not on their order."""
    return [
        _choice(attribute, rule, [survivor, *others], overrides.get(attribute))
        for attribute, rule in RULES.items()
    ]


def _choice(attribute: str, rule: str, profiles: Sequence[Profile], override: UUID | None) -> Choice:
    """The survivor's comes first in `profiles`."""
    told = [(profile, value) for profile in profiles if (value := profile.values.get(attribute)) is not None]
    distinct = len({same_form(attribute, value) for _profile, value in told})
    if override is not None:
        value = next((value for profile, value in told if profile.customer_id == override), None)
        return Choice(attribute, "override", override, value, distinct)
    if not told:
        return Choice(attribute, rule, None, None, 0)
    profile, value = _PICK[rule](told, profiles[0])
    own = profiles[0].values.get(attribute)
    if own is not None and same_form(attribute, own) == same_form(attribute, value):
        profile, value = profiles[0], own
    return Choice(attribute, rule, profile.customer_id, value, distinct)


def same_form(attribute: str, value: str) -> str:
    """Equal for two ways of writing one value."""
    form = _SAME.get(attribute)
    return form(value) if form else value


_Told = Sequence[tuple[Profile, str]]


def _recency(one: tuple[Profile, str]) -> tuple[datetime, UUID]:
    return one[0].updated_at, one[0].customer_id


def _survivor_first(told: _Told, survivor: Profile) -> tuple[Profile, str]:
    own = [one for one in told if one[0] is survivor]
    return own[0] if own else max(told, key=_recency)


def _most_recent(told: _Told, _survivor: Profile) -> tuple[Profile, str]:
    return max(told, key=_recency)


def _most_complete(told: _Told, _survivor: Profile) -> tuple[Profile, str]:
    return max(told, key=lambda one: (len(one[1]), *_recency(one)))


def _earliest(told: _Told, survivor: Profile) -> tuple[Profile, str]:
    return min(told, key=lambda one: (one[1], one[0] is not survivor, one[0].customer_id))


_PICK: Mapping[str, Callable[[_Told, Profile], tuple[Profile, str]]] = {
    "survivor_first": _survivor_first,
    "most_recent": _most_recent,
    "most_complete": _most_complete,
    "earliest": _earliest,
}


def take_back(
    before: Mapping[str, str | None],
    after: Mapping[str, str | None],
    now: Mapping[str, str | None],
    touched: Collection[str],
) -> tuple[dict[str, str | None], list[str]]:
    """What the survivor gets back when a merge is undone, and what it keeps because it was set since."""
    merged_in = [name for name in RULES if before.get(name) != after.get(name)]
    restored = {
        name: before.get(name)
        for name in merged_in
        if now.get(name) == after.get(name) and name not in touched
    }
    return restored, [name for name in merged_in if name not in restored]
