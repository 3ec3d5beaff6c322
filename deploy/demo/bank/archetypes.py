"""The kinds of customers hidden in the synthetic bank. The product never sees them: it must find them."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["person", "company"]


@dataclass(frozen=True)
class Archetype:
    """Parameters of one kind. Rates are per year; money is CNY; pairs are (mean, standard deviation).

    `pairs`: money that comes in and moves on within hours, median size `pair_size`.
    `singles`: one-way postings, median size `single_size`, as often in as out.
    """

    name: str
    share: float
    kind: Kind
    age: tuple[float, float]
    tenure: tuple[float, float]
    assets: tuple[float, float]
    products: dict[str, float]
    demand_share: float
    occupations: tuple[str, ...] = ()
    pairs: float = 0.0
    pair_size: float = 0.0
    singles: float = 0.0
    single_size: float = 0.0
    logins: float = 0.0
    cards: float = 0.0
    salary: float = 0.0
    visits: float = 0.2
    interactions: float = 0.2
    response: float = 0.05
    effect: float = 0.0
    churn: float = 0.04
    risk_levels: tuple[float, ...] = field(default=(0.2, 0.3, 0.3, 0.15, 0.05))


ARCHETYPES = (
    Archetype(
        "dormant", 0.20, "person", (46, 5), (9, 1.5), (700, 0.6), {"demand-deposit": 1.0}, 1.0,
        occupations=("self_employed", "driver", "sales"), singles=0.8, single_size=150, logins=0.4,
        response=0.03, effect=150, churn=0.02,
    ),
    Archetype(
        "saver", 0.20, "person", (69, 4), (18, 2.5), (220_000, 0.4),
        {"demand-deposit": 1.0, "time-1y": 0.9, "time-3y": 0.75, "annuity": 0.15, "wealth-steady": 0.1}, 0.12,
        occupations=("retired",), singles=4, single_size=1_800, logins=0.6, visits=2.0, interactions=0.6,
        response=0.22, effect=4_500, churn=0.03, risk_levels=(0.12, 0.6, 0.28, 0.0, 0.0),
    ),
    Archetype(
        "payroll", 0.24, "person", (35, 3.5), (6, 1.2), (48_000, 0.4),
        {"demand-deposit": 1.0, "payroll": 1.0, "credit-card": 0.75, "wealth-steady": 0.3, "mortgage": 0.2},
        0.55,
        occupations=("teacher", "engineer", "civil_servant", "nurse", "accountant"),
        singles=1, single_size=2_000, logins=3, salary=11_000, response=0.12, effect=900,
    ),
    Archetype(
        "digital", 0.14, "person", (23, 2), (1.6, 0.6), (8_000, 0.45),
        {"demand-deposit": 1.0, "credit-card": 0.9, "fund-bond": 0.2}, 0.8,
        occupations=("student", "sales", "engineer"), singles=3, single_size=400, logins=20, cards=12,
        response=0.1, effect=200, churn=0.08, risk_levels=(0.05, 0.15, 0.35, 0.3, 0.15),
    ),
    Archetype(
        "affluent", 0.12, "person", (55, 4.5), (13, 2), (1_150_000, 0.35),
        {"demand-deposit": 1.0, "time-1y": 0.6, "large-cd": 0.7, "wealth-steady": 0.55, "wealth-growth": 0.65,
         "fund-bond": 0.6, "fund-equity": 0.35, "annuity": 0.6, "mortgage": 0.3}, 0.15,
        occupations=("executive", "doctor", "self_employed"), pairs=17, pair_size=85_000, logins=9,
        interactions=1.5, response=0.35, effect=16_000, risk_levels=(0.05, 0.2, 0.4, 0.25, 0.1),
    ),
    Archetype(
        "company", 0.10, "company", (0, 0), (8, 2), (3_500_000, 0.5),
        {"demand-deposit": 1.0, "large-cd": 0.6, "business-loan": 0.6, "payroll": 0.6}, 0.45,
        pairs=13, pair_size=260_000, logins=3, interactions=0.8, response=0.18, effect=20_000, churn=0.03,
    ),
)  # fmt: skip
NAMES = tuple(a.name for a in ARCHETYPES)
