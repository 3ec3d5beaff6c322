"""What every customer is like: one array per trait, one row per customer. Partly hidden from the product."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from deploy.demo.bank.archetypes import ARCHETYPES, Archetype
from deploy.demo.bank.columns import Bools, Dates, Floats, Ints
from deploy.demo.bank.products import CODES
from deploy.demo.bank.truth import Response, respond

COMPANY = next(i for i, a in enumerate(ARCHETYPES) if a.kind == "company")
YEAR = 365.25
ASSESSED = 0.93


@dataclass(frozen=True)
class Traits:
    """`assets` in CNY at the business date had the customer not left; `held` is customers × products.

    `thrift` −2…2: how much more comes in than goes out, before and after any campaign.
    `risk` 0–4 is C1–C5 as last assessed on `assessed`; both mean nothing where `assessed` is NaT.
    """

    archetype: npt.NDArray[np.int8]
    company: Bools
    female: Bools
    born: Dates
    since: Dates
    assets: Floats
    salary: Ints
    held: Bools
    branch: Ints
    manager: Ints
    backup: Ints
    churned: Bools
    thrift: Floats
    risk: Ints
    assessed: Dates
    response: Response

    def __len__(self) -> int:
        return len(self.archetype)


def by_archetype(kinds: npt.NDArray[np.int8], value: Callable[[Archetype], float]) -> Floats:
    """The archetype's parameter for each customer."""
    return np.array([value(a) for a in ARCHETYPES], np.float64)[kinds]


def draw_traits(customers: int, business_date: date, staffing: list[int], rng: np.random.Generator) -> Traits:
    """`staffing[k]`: how many managers sub-branch k has."""
    kinds = rng.choice(len(ARCHETYPES), customers, p=[a.share for a in ARCHETYPES]).astype(np.int8)
    company = kinds == COMPANY
    today = np.datetime64(business_date, "D")
    age = np.clip(_normal(kinds, lambda a: a.age, rng), 17.5, 92)
    tenure = np.clip(_normal(kinds, lambda a: a.tenure, rng), 0.15, np.where(company, 40, age - 16.5))
    assets = by_archetype(kinds, lambda a: a.assets[0]) * np.exp(
        by_archetype(kinds, lambda a: a.assets[1]) * rng.standard_normal(customers)
    )
    branch = rng.integers(len(staffing), size=customers)
    crew = np.array(staffing)[branch]
    manager = rng.integers(0, crew)
    risk, assessed = _risk(kinds, company, today, rng)
    salary = by_archetype(kinds, lambda a: a.salary) * np.exp(0.3 * rng.standard_normal(customers))
    return Traits(
        archetype=kinds,
        company=company,
        female=rng.random(customers) < 0.5,
        born=np.where(company, np.datetime64("NaT"), today - _days(age)),
        since=today - _days(tenure),
        assets=assets,
        salary=np.rint(salary).astype(np.int64) * 100,
        held=_holdings(kinds, rng),
        branch=branch,
        manager=manager,
        backup=(manager + rng.integers(1, crew)) % crew,
        churned=rng.random(customers) < by_archetype(kinds, lambda a: a.churn),
        thrift=np.clip(rng.standard_normal(customers), -2, 2),
        risk=risk,
        assessed=assessed,
        response=respond(
            by_archetype(kinds, lambda a: a.response), by_archetype(kinds, lambda a: a.effect), rng
        ),
    )


def _normal(
    kinds: npt.NDArray[np.int8],
    parameters: Callable[[Archetype], tuple[float, float]],
    rng: np.random.Generator,
) -> Floats:
    mean = by_archetype(kinds, lambda a: parameters(a)[0])
    deviation = by_archetype(kinds, lambda a: parameters(a)[1])
    return mean + deviation * rng.standard_normal(len(kinds))


def _days(years: Floats) -> npt.NDArray[np.timedelta64]:
    return (years * YEAR).astype("timedelta64[D]")


def _holdings(kinds: npt.NDArray[np.int8], rng: np.random.Generator) -> Bools:
    chance = np.array([[a.products.get(code, 0.0) for code in CODES] for a in ARCHETYPES])
    return rng.random((len(kinds), len(CODES))) < chance[kinds]


def _risk(
    kinds: npt.NDArray[np.int8], company: Bools, today: np.datetime64, rng: np.random.Generator
) -> tuple[Ints, Dates]:
    """Most persons were assessed during the last year or a little before; companies are not."""
    cumulative = np.cumsum([a.risk_levels for a in ARCHETYPES], axis=1)[kinds]
    level = (rng.random(len(kinds))[:, None] > cumulative).sum(axis=1).clip(max=4)
    assessed = today - rng.integers(1, 385, len(kinds)).astype("timedelta64[D]")
    skipped = company | (rng.random(len(kinds)) > ASSESSED)
    return level, np.where(skipped, np.datetime64("NaT"), assessed)
