"""What happens to customers in a span of days, before it is written down as events.

One row per happening. `amount` is what it does to the current account, in cents. `first` and `second` are
details whose meaning depends on the type; `payloads` turns them into the event's data.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from deploy.demo.bank.archetypes import ARCHETYPES, Archetype
from deploy.demo.bank.columns import Bools, Dates, Floats, Ints
from deploy.demo.bank.traits import YEAR, Traits, by_archetype

TYPES = (
    "transaction.posted",
    "salary.received",
    "card.spent",
    "login",
    "channel.visited",
    "interaction.recorded",
    "complaint.filed",
    "complaint.resolved",
    "risk.assessed",
    "loan.overdue",
    "product.opened",
)
TYPE_NUMBER = {name: k for k, name in enumerate(TYPES)}
DAY = 86_400
_OPENING, _CLOSING = 8 * 3600, 21 * 3600
# A pair's second leg follows within this many days; the first leg leaves room for it.
PAIR_DAYS = 1


@dataclass(frozen=True)
class Happenings:
    """`row`: the customer. `second_of`: local wall-clock seconds since 1970."""

    row: Ints
    kind: npt.NDArray[np.int8]
    second_of: Ints
    amount: Ints
    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.row)

    def at(self, index: npt.NDArray[np.intp] | Bools) -> "Happenings":
        return Happenings(*(getattr(self, f.name)[index] for f in fields(self)))

    def in_order(self) -> "Happenings":
        """By customer, then time."""
        return self.at(np.lexsort((self.kind, self.second_of, self.row)))


@dataclass(frozen=True)
class Span:
    """Per customer of a block: the days in which something may happen, `[start, start + days)`."""

    row: Ints
    start: Ints
    days: Floats

    def years(self) -> Floats:
        return self.days / YEAR


def gather(parts: list[Happenings]) -> Happenings:
    return Happenings(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Happenings)))


def happen(
    kind: str,
    row: Ints,
    second_of: Ints,
    *,
    amount: Ints | int = 0,
    first: Ints | int = 0,
    second: Ints | int = 0,
) -> Happenings:
    def full(value: Ints | int) -> Ints:
        return np.broadcast_to(np.asarray(value, np.int64), row.shape)

    number = np.full(len(row), TYPE_NUMBER[kind], np.int8)
    return Happenings(row, number, second_of, full(amount), full(first), full(second))


def history(days: int, today: npt.NDArray[np.datetime64], traits: Traits, here: slice) -> Span:
    """The last `days` days up to and including `today`, no earlier than the customer's first day.

    Those who leave fall silent two and a half months before the end.
    """
    end = today.astype("datetime64[D]").astype(np.int64) + 1 - np.where(traits.churned[here], 75, 0)
    first = today.astype("datetime64[D]").astype(np.int64) + 1 - days
    start = np.minimum(np.maximum(traits.since[here].astype("datetime64[D]").astype(np.int64), first), end)
    return Span(np.arange(here.start, here.stop), start, (end - start).astype(np.float64))


def occurrences(
    traits: Traits, span: Span, rate: Callable[[Archetype], float], scale: float, rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Positions in the span, each as often as it happens: Poisson with `rate` a year times `scale`."""
    expected = by_archetype(traits.archetype[span.row], rate) * scale * span.years()
    return np.repeat(np.arange(len(span.row)), rng.poisson(expected))


def moments(span: Span, at: npt.NDArray[np.intp], rng: np.random.Generator, spare_days: int = 0) -> Ints:
    """A second of the working day on a uniform day of the span, `spare_days` before its end at the latest."""
    room = np.maximum(span.days[at] - spare_days, 0)
    day = span.start[at] + (rng.random(len(at)) * room).astype(np.int64)
    return day * DAY + rng.integers(_OPENING, _CLOSING, len(at))


def lognormal_cents(median: Floats, sigma: float, rng: np.random.Generator) -> Ints:
    return np.maximum(np.rint(median * np.exp(sigma * rng.standard_normal(len(median))) * 100), 1).astype(
        np.int64
    )


def expected_per_year(archetype: Archetype) -> tuple[float, float]:
    """Events a year that scale with the wanted volume, and those that come with every month."""
    free = 2 * archetype.pairs + archetype.singles + archetype.logins + archetype.cards
    free += archetype.visits + archetype.interactions
    return free, 24.0 if archetype.salary else 0.0


def volume_scale(events_per_customer: float) -> float:
    """Factor on every rate so that the bank as a whole has that many events per customer and year."""
    free = sum(a.share * expected_per_year(a)[0] for a in ARCHETYPES)
    monthly = sum(a.share * expected_per_year(a)[1] for a in ARCHETYPES)
    rare = 1.0
    return max(0.05, (events_per_customer - monthly - rare) / free)


def day_number(days: Dates) -> Ints:
    return days.astype("datetime64[D]").astype(np.int64)
