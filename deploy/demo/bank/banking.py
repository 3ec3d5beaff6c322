"""Money moving and people calling: the draws behind the events, one function per habit."""

import numpy as np

from deploy.demo.bank.accounts import Accounts
from deploy.demo.bank.columns import Ints
from deploy.demo.bank.happenings import (
    DAY,
    PAIR_DAYS,
    Happenings,
    Span,
    day_number,
    gather,
    happen,
    lognormal_cents,
    moments,
    occurrences,
)
from deploy.demo.bank.products import PRODUCTS
from deploy.demo.bank.traits import Traits, by_archetype

COMPLAINTS_A_YEAR, RESOLVED = 0.03, 0.65
OVERDUE_SHARE = 0.04
_PAYDAY = 9 * 3600
# How much of a pair a customer of thrift 1 keeps back.
_THRIFT = 0.1


def money(traits: Traits, span: Span, scale: float, rng: np.random.Generator) -> Happenings:
    """Everything that moves the current account."""
    return gather(
        [
            _pairs(traits, span, scale, rng),
            _singles(traits, span, scale, rng),
            _salaries(traits, span, rng),
            _cards(traits, span, scale, rng),
        ]
    )


def _pairs(traits: Traits, span: Span, scale: float, rng: np.random.Generator) -> Happenings:
    """Money that comes in and moves on within hours, a little more or less of it."""
    at = occurrences(traits, span, lambda a: a.pairs, scale, rng)
    at = at[span.days[at] > PAIR_DAYS]
    size = lognormal_cents(by_archetype(traits.archetype[span.row[at]], lambda a: a.pair_size), 0.45, rng)
    when = moments(span, at, rng, PAIR_DAYS)
    later = when + rng.integers(3600, 4 * 3600, len(at))
    row = span.row[at]
    kept = _THRIFT * traits.thrift[row]
    moved_on = np.rint(size * (rng.uniform(0.9, 1.1, len(at)) - kept)).astype(np.int64)
    return gather(
        [
            _posting(row, when, size, rng),
            _posting(row, later, -moved_on, rng),
        ]
    )


def _singles(traits: Traits, span: Span, scale: float, rng: np.random.Generator) -> Happenings:
    at = occurrences(traits, span, lambda a: a.singles, scale, rng)
    size = lognormal_cents(by_archetype(traits.archetype[span.row[at]], lambda a: a.single_size), 0.6, rng)
    comes_in = 0.5 + 2 * _THRIFT * traits.thrift[span.row[at]]
    sign = np.where(rng.random(len(at)) < comes_in, 1, -1)
    return _posting(span.row[at], moments(span, at, rng), sign * size, rng)


def _posting(row: Ints, when: Ints, amount: Ints, rng: np.random.Generator) -> Happenings:
    channel, counterparty = rng.integers(0, 5, (2, len(row)))
    return happen("transaction.posted", row, when, amount=amount, first=channel, second=counterparty)


def _salaries(traits: Traits, span: Span, rng: np.random.Generator) -> Happenings:
    """Pay on the same day of each month, most of it gone within days."""
    earns = np.flatnonzero(by_archetype(traits.archetype[span.row], lambda a: a.salary) > 0)
    payday = rng.integers(4, 15, len(earns))
    first = span.start[earns].astype("datetime64[D]").astype("datetime64[M]")
    months = int(np.ceil((span.days.max() if len(span.days) else 0) / 28)) + 1
    day = day_number(first[:, None] + np.arange(months).astype("timedelta64[M]")) + payday[:, None]
    inside = (day >= span.start[earns, None]) & (day < (span.start + span.days)[earns, None])
    who, _ = np.nonzero(inside)
    day, row = day[inside], span.row[earns[who]]
    pay = traits.salary[row]
    paid = happen("salary.received", row, day * DAY + _PAYDAY, amount=pay)
    spent_on = day + rng.integers(1, 5, len(day))
    keeps = spent_on < (span.start + span.days)[earns[who]]
    spent = np.rint(pay * rng.uniform(0.85, 1.12, len(day))).astype(np.int64)
    when = spent_on * DAY + rng.integers(9 * 3600, 20 * 3600, len(day))
    return gather([paid, _posting(row[keeps], when[keeps], -spent[keeps], rng)])


def _cards(traits: Traits, span: Span, scale: float, rng: np.random.Generator) -> Happenings:
    at = occurrences(traits, span, lambda a: a.cards, scale, rng)
    size = lognormal_cents(np.full(len(at), 90.0), 0.7, rng)
    return happen(
        "card.spent", span.row[at], moments(span, at, rng), amount=-size, first=rng.integers(0, 6, len(at))
    )


def departures(traits: Traits, span: Span, target: Ints, rng: np.random.Generator) -> Happenings:
    """Those who leave take most of the account with them on their last day. `target`: cents they leave."""
    gone = np.flatnonzero(traits.churned[span.row] & (span.days > 1))
    when = (span.start + span.days).astype(np.int64)[gone] * DAY - DAY + _PAYDAY
    taken = target[gone] * 4 + 100
    return _posting(span.row[gone], when, -taken, rng)


def contacts(traits: Traits, span: Span, scale: float, rng: np.random.Generator) -> Happenings:
    """Log-ins, visits to a branch and calls with the manager."""
    logins = occurrences(traits, span, lambda a: a.logins, scale, rng)
    visits = occurrences(traits, span, lambda a: a.visits, scale, rng)
    calls = occurrences(traits, span, lambda a: a.interactions, scale, rng)
    return gather(
        [
            happen(
                "login", span.row[logins], moments(span, logins, rng), first=rng.integers(0, 3, len(logins))
            ),
            happen(
                "channel.visited",
                span.row[visits],
                moments(span, visits, rng),
                first=rng.integers(0, 2, len(visits)),
                second=rng.integers(1, 40, len(visits)),
            ),
            happen(
                "interaction.recorded",
                span.row[calls],
                moments(span, calls, rng),
                first=rng.integers(0, 4, len(calls)),
                second=rng.integers(2, 25, len(calls)),
            ),
        ]
    )


def complaints(traits: Traits, span: Span, rng: np.random.Generator) -> Happenings:
    """Complaints, most of them settled within ten days; `first` is the topic, `second` the days it took."""
    at = occurrences(traits, span, lambda _: COMPLAINTS_A_YEAR, 1.0, rng)
    filed, topic = moments(span, at, rng), rng.integers(0, 4, len(at))
    days = rng.integers(1, 11, len(at))
    settled = filed + days * DAY
    end = (span.start + span.days).astype(np.int64)[at] * DAY
    done = (rng.random(len(at)) < RESOLVED) & (settled < end)
    row = span.row[at]
    return gather(
        [
            happen("complaint.filed", row, filed, first=topic, second=rng.integers(0, 3, len(at))),
            happen("complaint.resolved", row[done], settled[done], first=topic[done], second=days[done]),
        ]
    )


def assessments(traits: Traits, span: Span, rng: np.random.Generator) -> Happenings:
    """The assessment that the customer file shows, where it was made in the span; `second` is its day."""
    day = np.where(np.isnat(traits.assessed[span.row]), -1, day_number(traits.assessed[span.row]))
    made = (day >= span.start) & (day < span.start + span.days)
    row, day = span.row[made], day[made]
    when = day * DAY + rng.integers(9 * 3600, 17 * 3600, len(row))
    return happen("risk.assessed", row, when, first=traits.risk[row], second=day)


def openings(accounts: Accounts, span: Span, rng: np.random.Generator) -> Happenings:
    """Accounts opened in the span; `first` is the product."""
    local = accounts.row - span.row[0]
    day = day_number(accounts.opened)
    inside = (day >= span.start[local]) & (day < (span.start + span.days)[local]) & (accounts.product > 0)
    when = day[inside] * DAY + rng.integers(9 * 3600, 17 * 3600, int(inside.sum()))
    return happen("product.opened", accounts.row[inside], when, first=accounts.product[inside])


def arrears(accounts: Accounts, span: Span, rng: np.random.Generator) -> Happenings:
    """Some borrowers miss an instalment; `first` is days, `second` the amount in cents."""
    loan = np.array([p.category == "loan" for p in PRODUCTS])[accounts.product]
    late = np.flatnonzero(loan & (rng.random(len(accounts)) < OVERDUE_SHARE))
    at = (accounts.row[late] - span.row[0]).astype(np.intp)
    late, at = late[span.days[at] > 0], at[span.days[at] > 0]
    amount = np.maximum(np.rint(accounts.closing[late]), 100).astype(np.int64)
    days = rng.integers(1, 60, len(at))
    return happen("loan.overdue", accounts.row[late], moments(span, at, rng), first=days, second=amount)
