"""Who belongs to whom: suppliers of core enterprises, employers, parent companies, households."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deploy.demo.bank.archetypes import NAMES
from deploy.demo.bank.columns import Ints, choose, dates, money, nulled
from deploy.demo.bank.customers import SOURCE, source_ids
from deploy.demo.bank.traits import Traits

KINDS = ("supplies", "household", "employs", "parent")
CORE_SHARE, SUPPLIER_SHARE = 0.04, 0.6
COUPLE_SHARE, EMPLOYED_SHARE, DAUGHTER_SHARE = 0.15, 0.3, 0.06

Pairs = tuple[Ints, Ints]


def relations_table(traits: Traits, rng: np.random.Generator) -> pa.Table:
    """Columns of the import data set; `a supplies b`, `a employs b`, `a parent b`.

    A parent holds the majority; of supplies the share is the core company's of the supplier's sales.
    """
    companies = np.flatnonzero(traits.company)
    drawn = (_supplies(traits, companies, rng), _households(traits, rng), _employs(traits, companies, rng),
             _parents(traits, companies, rng))  # fmt: skip
    start = np.concatenate([a for a, _ in drawn])
    end = np.concatenate([b for _, b in drawn])
    kind = np.repeat(np.arange(len(KINDS)), [len(a) for a, _ in drawn])
    return pa.table(
        {
            "source": pa.array(np.full(len(start), SOURCE)),
            "from_id": source_ids(start),
            "to_id": source_ids(end),
            "kind": choose(KINDS, kind),
            "valid_from": dates(np.maximum(traits.since[start], traits.since[end])),
            "valid_to": pa.nulls(len(start), pa.date32()),
            "share": _shares(kind, rng),
            "strength": pa.nulls(len(start), pa.string()),
        }
    )


def _cores(traits: Traits, companies: Ints) -> Ints:
    """The largest companies: what the others supply."""
    largest = companies[np.argsort(-traits.assets[companies], kind="stable")]
    return largest[: max(1, round(len(companies) * CORE_SHARE))]


def _supplies(traits: Traits, companies: Ints, rng: np.random.Generator) -> Pairs:
    return _to_cores(traits, companies, SUPPLIER_SHARE, rng)


def _parents(traits: Traits, companies: Ints, rng: np.random.Generator) -> Pairs:
    daughters, cores = _to_cores(traits, companies, DAUGHTER_SHARE, rng)
    return cores, daughters


def _to_cores(traits: Traits, companies: Ints, share: float, rng: np.random.Generator) -> Pairs:
    if len(companies) < 2:
        return _nobody()
    cores = _cores(traits, companies)
    others = np.setdiff1d(companies, cores)
    chosen = others[rng.random(len(others)) < share]
    return chosen, rng.choice(cores, len(chosen))


def _households(traits: Traits, rng: np.random.Generator) -> Pairs:
    """Neighbours in the list of one sub-branch, so a couple shares its branch."""
    persons = np.flatnonzero(~traits.company)
    persons = persons[np.argsort(traits.branch[persons], kind="stable")]
    left, right = persons[0 : len(persons) - 1 : 2], persons[1::2]
    together = (traits.branch[left] == traits.branch[right]) & (rng.random(len(left)) < COUPLE_SHARE)
    return left[together], right[together]


def _employs(traits: Traits, companies: Ints, rng: np.random.Generator) -> Pairs:
    earners = np.flatnonzero(traits.archetype == NAMES.index("payroll"))
    if not len(companies):
        return _nobody()
    employed = earners[rng.random(len(earners)) < EMPLOYED_SHARE]
    return rng.choice(companies, len(employed)), employed


def _shares(kind: Ints, rng: np.random.Generator) -> pa.Array:
    """Hundredths as text: a parent holds 51 to 100, a supplier sells 5 to 60 to its core company."""
    percent = np.where(
        kind == KINDS.index("parent"), rng.integers(51, 101, len(kind)), rng.integers(5, 61, len(kind))
    )
    known = np.isin(kind, [KINDS.index("parent"), KINDS.index("supplies")])
    return nulled(money(percent.astype(np.int64)), known)


def _nobody() -> Pairs:
    empty: npt.NDArray[np.int64] = np.empty(0, np.int64)
    return empty, empty
