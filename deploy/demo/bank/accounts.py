"""Which accounts a customer has and what lies in them at each month's end."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank.columns import Dates, Floats, Ints, choose, dates, join, padded
from deploy.demo.bank.customers import SOURCE, source_ids
from deploy.demo.bank.products import CODES, DEMAND, PRODUCTS, number
from deploy.demo.bank.traits import Traits, by_archetype

MONTHS = 12
# Share of the money that those who leave still have at the last three month-ends.
_LEAVING = (0.7, 0.45, 0.2)
_OWED = {"mortgage": 600_000.0, "business-loan": 1_800_000.0, "credit-card": 2_500.0}
_MONEY = pa.decimal128(18, 2)
_CENT = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))


@dataclass(frozen=True)
class Accounts:
    """One row per account. `closing` is its balance in CNY when the customer had stayed; `churned` left."""

    row: Ints
    product: Ints
    opened: Dates
    matures: Dates
    closing: Floats
    churned: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


def month_ends(business_date: date, months: int = MONTHS) -> Dates:
    """The last `months` month-ends on or before the business date, oldest first."""
    day = np.datetime64(business_date, "D")
    complete = (day + np.timedelta64(1, "D")).astype("datetime64[M]")
    firsts = complete - np.arange(months - 1, -1, -1).astype("timedelta64[M]")
    return np.asarray(firsts.astype("datetime64[D]") - np.timedelta64(1, "D"))


def account_numbers(row: Ints, product: Ints | int) -> pa.Array:
    return join("A", padded(row + 1, 9), "-", padded(np.broadcast_to(product, row.shape), 2))


def open_accounts(traits: Traits, first: int, last: int, today: date, rng: np.random.Generator) -> Accounts:
    """Accounts of customers `first` to `last` (exclusive), by customer and product."""
    here = slice(first, last)
    balances = _balances(traits, here, rng)
    local, product = np.nonzero(traits.held[here])
    row = local + first
    opened, matures = _terms(traits.since[row], product, np.datetime64(today, "D"), rng)
    return Accounts(row, product, opened, matures, balances[local, product], traits.churned[row])


def _balances(traits: Traits, here: slice, rng: np.random.Generator) -> Floats:
    """Customers × products: assets split over what is held, debts drawn, payroll agreements empty."""
    held = traits.held[here]
    invested = held & np.array([p.in_assets for p in PRODUCTS])
    invested[:, DEMAND] = False
    weights = np.where(invested, rng.uniform(0.5, 1.5, held.shape), 0.0)
    total = weights.sum(axis=1)
    share = by_archetype(traits.archetype[here], lambda a: a.demand_share)
    in_demand = np.where(total > 0, share, 1.0)
    balances: Floats = weights / np.where(total > 0, total, 1.0)[:, None] * (1 - in_demand)[:, None]
    balances[:, DEMAND] = in_demand
    balances *= traits.assets[here, None]
    for code, median in _OWED.items():
        owed = median * np.exp(0.5 * rng.standard_normal(len(held)))
        balances[:, number(code)] = np.where(held[:, number(code)], owed, 0.0)
    return balances


def _terms(
    since: Dates, product: Ints, today: np.datetime64, rng: np.random.Generator
) -> tuple[Dates, Dates]:
    """Opening and maturity dates: a current account is as old as the customer, a deposit runs now."""
    term = np.array([p.term_days for p in PRODUCTS])[product]
    age = (today - since).astype(np.int64)
    longest = np.where(term > 0, np.minimum(term - 1, age), age)
    back = np.where(product == DEMAND, age, rng.random(len(age)) * longest).astype("timedelta64[D]")
    opened = today - back
    return opened, np.where(term > 0, opened + term.astype("timedelta64[D]"), np.datetime64("NaT"))


def holdings_batch(accounts: Accounts, demand: Ints, ends: Dates, rng: np.random.Generator) -> pa.RecordBatch:
    """One row per account and month-end at which it was open.

    `demand`: cents, customers of the block × month-ends, what their postings left in the current account.
    """
    months = len(ends)
    account, month = np.nonzero(accounts.opened[:, None] <= ends[None, :])
    cents = np.rint(_path(accounts, months, rng) * 100).astype(np.int64)
    current = accounts.product == DEMAND
    cents[current] = demand[accounts.row[current] - accounts.row[0]]
    row, product = accounts.row[account], accounts.product[account]
    return pa.record_batch(
        {
            "source": pa.array(np.full(len(row), SOURCE)),
            "source_id": source_ids(row),
            "account": account_numbers(row, product),
            "product": choose(CODES, product),
            "balance": _decimal(cents[account, month]),
            "currency": pa.array(np.full(len(row), "CNY")),
            "as_of": dates(ends[month]),
            "opened_on": dates(accounts.opened[account]),
            "matures_on": dates(accounts.matures[account]),
        }
    )


def _path(accounts: Accounts, months: int, rng: np.random.Generator) -> Floats:
    """Balances at month-ends: steady for deposits, drifting for the rest, draining for those who leave."""
    trend = rng.normal(0.006, 0.01, len(accounts))
    steps = np.arange(months) - (months - 1)
    drift = np.maximum(1 + trend[:, None] * steps, 0.05) * rng.normal(1, 0.01, (len(accounts), months))
    fixed = np.array([p.category in {"time_deposit", "payroll"} for p in PRODUCTS])[accounts.product]
    path = np.where(fixed[:, None], 1.0, drift)
    fade = np.ones(months)
    tail = min(months, len(_LEAVING))
    fade[months - tail :] = _LEAVING[len(_LEAVING) - tail :]
    kept = np.array([p.in_assets for p in PRODUCTS])[accounts.product] & accounts.churned
    return np.asarray(accounts.closing[:, None] * path * np.where(kept[:, None], fade, 1.0))


def _decimal(cents: Ints) -> pa.Array:
    return pc.multiply(pa.array(cents, pa.int64()).cast(pa.decimal128(19, 0)), _CENT).cast(_MONEY)
