"""Campaigns that compete for contacts: from audiences and terms to a plan in words and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.campaign.domain.contact_problem import Integers, Problem, Progress, Singles
from services.campaign.domain.contact_reasons import CODES, REASONS, reasons_of
from services.campaign.domain.optimise import Plan, optimise
from services.campaign.domain.price_words import sentence
from shared.contracts.campaign.optimisations import (
    CampaignShare,
    CampaignTerms,
    ChannelShare,
    LimitKind,
    OptimisationResult,
    OptimisationWrite,
    ShadowPrice,
)

_LEAST_PRICE = 0.005


@dataclass(frozen=True)
class Competitor:
    """A campaign with its audience by ascending ordinal (`Members` of the query say what the columns mean).

    worth: of one acceptance, over the arms by their shares; who is held out brings nothing.
    """

    terms: CampaignTerms
    key: str
    content_hash: str
    channel: str
    minutes: float
    worth: float
    currency: str
    budget: float | None
    cap: int
    ordinal: Integers
    reason: Integers
    recent: Integers
    rate: Integers


@dataclass(frozen=True)
class Pool:
    """All that is weighed: campaigns, and the customers whom any of them may contact."""

    request: OptimisationWrite
    competitors: Sequence[Competitor]
    ordinal: Integers
    customer: Sequence[UUID]
    manager: Sequence[str]
    org: Sequence[str]
    cost_per_minute: float

    @staticmethod
    def ordinals_of(competitors: Sequence[Competitor]) -> Integers:
        """Customers whom a campaign's rules let pass, ascending."""
        passing = [each.ordinal[each.reason == 0] for each in competitors]
        return np.unique(np.concatenate(passing)) if passing else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Outcome:
    """`why` and `value` have a row for each of `ordinal`: everybody in any audience. value: -1 where the
    policy refuses.
    """

    result: OptimisationResult
    contacts: list[dict[str, Any]]
    managers: list[dict[str, Any]]
    ordinal: Integers
    why: NDArray[np.uint8]
    value: Singles


def settle(pool: Pool, seed: int, progress: Progress) -> Outcome:
    """`seed` orders customers who are worth the same; equal seeds give equal plans."""
    shuffled = np.random.default_rng(seed).permutation(pool.ordinal.size)
    names, manager = np.unique(np.array(pool.manager, dtype=str), return_inverse=True)
    problem = _problem(pool, manager.astype(np.int64), names.size, shuffled)
    plan = optimise(problem, progress)
    back = np.argsort(shuffled)
    why, value = reasons_of(problem, plan)[back], problem.value[back]
    ordinal, all_why, all_value = _everybody(pool, why, value)
    rows, options = np.nonzero(plan.chosen[back])
    contacts = [
        {
            "campaign_id": pool.competitors[option].terms.campaign_id,
            "customer_id": pool.customer[row],
            "manager": pool.manager[row],
            "org_path": pool.org[row],
            "value": float(value[row, option]),
        }
        for row, option in zip(rows.tolist(), options.tolist(), strict=True)
    ]
    managers = _managers(problem, plan, names.tolist())
    return Outcome(
        _result(pool, problem, plan, ordinal.size), contacts, managers, ordinal, all_why, all_value
    )


def _problem(pool: Pool, manager: Integers, managers: int, shuffled: Integers) -> Problem:
    request, campaigns = pool.request, pool.competitors
    channels = sorted({each.channel for each in campaigns})
    cap = min(each.cap for each in campaigns)
    most = min(cap, request.contacts_per_customer or cap)
    recent = np.zeros(pool.ordinal.size, dtype=np.int64)
    value = np.zeros((pool.ordinal.size, len(campaigns)), dtype=np.float32)
    for option, each in enumerate(campaigns):
        passing = each.reason == 0
        at, known = _places(pool.ordinal, each.ordinal[passing])
        rates = np.array([each.terms.response_rate, *(one.response_rate for one in each.terms.by_segment)])
        value[at, option] = (each.worth * rates[each.rate[passing]])[known]
        np.maximum.at(recent, at, each.recent[passing][known])
    minutes = np.array([each.minutes for each in campaigns])
    cost = minutes * pool.cost_per_minute
    return Problem(
        value=value[shuffled],
        manager=manager[shuffled],
        places=np.maximum(most - recent, 0)[shuffled],
        minutes=minutes,
        cost=cost,
        channel=np.array([channels.index(each.channel) for each in campaigns]),
        offer=np.arange(len(campaigns)),
        manager_minutes=np.full(managers, request.minutes_per_manager),
        channel_capacity=np.array([float(request.channel_capacity.get(each, np.inf)) for each in channels]),
        minimum=np.array([float(each.terms.minimum) for each in campaigns]),
        maximum=np.array([_maximum(each, price) for each, price in zip(campaigns, cost, strict=True)]),
        budget=np.inf if request.budget is None else float(request.budget),
    )


def _places(ordinal: Integers, wanted: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """Where those of `wanted` that are known stand in `ordinal`, and which are known."""
    at = np.minimum(np.searchsorted(ordinal, wanted), max(ordinal.size - 1, 0))
    known = ordinal[at] == wanted if ordinal.size else np.zeros(wanted.size, dtype=bool)
    return at[known], known


def _maximum(campaign: Competitor, cost: float) -> float:
    """The least of what was declared and what the campaign's own budget pays for."""
    declared = np.inf if campaign.terms.maximum is None else float(campaign.terms.maximum)
    if campaign.budget is None or cost <= 0:
        return declared
    return min(declared, float(np.floor(campaign.budget / cost + 1e-9)))


def _everybody(
    pool: Pool, why: NDArray[np.uint8], value: Singles
) -> tuple[Integers, NDArray[np.uint8], Singles]:
    """Those whom the policy refuses beside those who were weighed."""
    audiences = [each.ordinal for each in pool.competitors]
    ordinal = np.unique(np.concatenate(audiences)) if audiences else np.zeros(0, dtype=np.int64)
    all_why = np.zeros((ordinal.size, len(pool.competitors)), dtype=np.uint8)
    all_value = np.full(all_why.shape, -1, dtype=np.float32)
    codes = np.array([0, *(CODES[word] for word in REASONS)], dtype=np.uint8)
    for option, each in enumerate(pool.competitors):
        at, _ = _places(ordinal, each.ordinal)
        all_why[at, option] = codes[each.reason]
        passing = each.ordinal[each.reason == 0]
        inside, known = _places(pool.ordinal, passing)
        at, _ = _places(ordinal, passing[known])
        all_why[at, option] = why[inside, option]
        all_value[at, option] = value[inside, option]
    return ordinal, all_why, all_value


def _managers(problem: Problem, plan: Plan, names: Sequence[str]) -> list[dict[str, Any]]:
    def sums(of_customer: NDArray[Any]) -> list[float]:
        found = np.bincount(problem.manager, weights=of_customer, minlength=len(names))
        return [float(each) for each in found]

    figures = zip(
        names,
        sums(plan.chosen.sum(axis=1)),
        sums(plan.chosen @ problem.minutes),
        sums(np.where(plan.chosen, problem.value, 0).sum(axis=1, dtype=np.float64)),
        plan.prices.minutes.tolist(),
        strict=True,
    )
    return [
        {"manager": name, "contacts": int(contacts), "minutes": minutes, "value": value, "price": price}
        for name, contacts, minutes, value, price in figures
    ]


def _result(pool: Pool, problem: Problem, plan: Plan, customers: int) -> OptimisationResult:
    counts = plan.chosen.sum(axis=0)
    channels = sorted({each.channel for each in pool.competitors})
    worth = np.where(plan.chosen, problem.value, 0).sum(axis=0, dtype=np.float64)
    return OptimisationResult(
        customers=customers,
        options=sum(int((each.reason == 0).sum()) for each in pool.competitors),
        contacts=int(counts.sum()),
        value=plan.value,
        bound=plan.bound,
        gap=plan.gap,
        currency=pool.competitors[0].currency,
        minutes=float(counts @ problem.minutes),
        cost=float(counts @ problem.cost),
        campaigns=[
            CampaignShare(
                campaign_id=each.terms.campaign_id,
                key=each.key,
                content_hash=each.content_hash,
                audience=each.ordinal.size,
                contactable=int((each.reason == 0).sum()),
                contacts=int(counts[option]),
                value=float(worth[option]),
                minimum=each.terms.minimum,
                maximum=None if np.isinf(problem.maximum[option]) else int(problem.maximum[option]),
                missing=int(plan.missing[option]),
            )
            for option, each in enumerate(pool.competitors)
        ],
        channels=[
            ChannelShare(
                channel=name,
                contacts=int(counts[problem.channel == index].sum()),
                capacity=pool.request.channel_capacity.get(name),
            )
            for index, name in enumerate(channels)
        ],
        prices=_prices(pool, problem, plan, channels),
        managers=problem.manager_minutes.size,
        managers_full=int((plan.prices.minutes > 0).sum()),
    )


def _prices(pool: Pool, problem: Problem, plan: Plan, channels: Sequence[str]) -> list[ShadowPrice]:
    keys = [each.key for each in pool.competitors]
    currency = pool.competitors[0].currency
    counts = plan.chosen.sum(axis=0)
    used = problem.needs @ counts
    kinds: list[tuple[LimitKind, str | None]] = [
        *(("channel_capacity", name) for name in channels),
        *(("quota_maximum", key) for key in keys),
        ("budget", None),
        *(("quota_minimum", key) for key in keys),
        ("manager_minutes", None),
    ]
    minutes = plan.prices.minutes
    figures = zip(
        kinds,
        [*problem.limits, *problem.minimum, problem.manager_minutes.sum()],
        [*used, *(problem.of_offer @ counts), counts @ problem.minutes],
        [*plan.prices.limits, *plan.prices.minimum, minutes.mean() if minutes.size else 0.0],
        strict=True,
    )
    found = [
        ShadowPrice(
            kind=kind,
            key=key,
            limit=float(limit),
            used=float(spent),
            price=float(price),
            sentence=sentence(kind, key or "", float(price), currency),
        )
        for (kind, key), limit, spent, price in figures
        if price >= _LEAST_PRICE and np.isfinite(limit)
    ]
    return sorted(found, key=lambda each: -each.price)
