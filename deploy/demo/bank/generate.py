"""A whole bank from one seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa

from deploy.demo.bank import banking
from deploy.demo.bank.accounts import MONTHS, Accounts, holdings_batch, month_ends, open_accounts
from deploy.demo.bank.archetypes import NAMES
from deploy.demo.bank.columns import Ints, choose, join, padded
from deploy.demo.bank.customers import SOURCE, customers_table, source_ids
from deploy.demo.bank.happenings import TYPES, Happenings, gather, history, volume_scale
from deploy.demo.bank.ledger import Ledger, at_month_ends, keep
from deploy.demo.bank.organisation import Organisation, organise
from deploy.demo.bank.payloads import Background, payloads
from deploy.demo.bank.products import DEMAND, products_table
from deploy.demo.bank.relations import relations_table
from deploy.demo.bank.traits import Traits, draw_traits

BLOCK = 8_192
"""Customers whose holdings and events are drawn together: what one needs of memory at any bank size."""
HISTORY_DAYS = 365
ZONE = "Asia/Shanghai"
_UTC_OFFSET = 8 * 3600
_LEFT_BEHIND = 0.2


class Draw(IntEnum):
    """Independent random streams of one seed."""

    ORGANISATION = 1
    TRAITS = 2
    CUSTOMERS = 3
    RELATIONS = 4
    ACCOUNTS = 5
    HISTORY = 6
    BALANCES = 7
    ANSWERS = 8
    OUTCOMES = 9


@dataclass(frozen=True)
class Block:
    """Customers `first` to `last`, their accounts and what happened to them."""

    first: int
    accounts: Accounts
    found: Happenings
    ledger: Ledger


@dataclass(frozen=True, eq=False)
class Bank:
    """Tables of a synthetic bank as of the end of `business_date`.

    `truth` is for checking the product's findings and never enters the product. `traits` is what the
    tables were written from. Holdings and events come as batches: at a million customers they do not fit.
    """

    seed: int
    business_date: date
    events_per_customer: float
    organisation: Organisation
    traits: Traits
    products: pa.Table
    customers: pa.Table
    relationships: pa.Table
    truth: pa.Table

    name = "synthetic"
    source = SOURCE
    currency = "CNY"

    @property
    def orgs(self) -> pa.Table:
        return self.organisation.orgs

    @property
    def staff(self) -> pa.Table:
        return self.organisation.staff

    def rng(self, *stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *stream])

    def blocks(self) -> range:
        return range((len(self.traits) + BLOCK - 1) // BLOCK)

    def holdings(self, months: int = MONTHS) -> Iterator[pa.RecordBatch]:
        """Balances at the last `months` month-ends, a block of customers at a time."""
        ends = month_ends(self.business_date, months)
        for number in self.blocks():
            block = self.block(number)
            demand = at_month_ends(block.found, block.ledger, block.first, ends)
            yield holdings_batch(block.accounts, demand, ends, self.rng(Draw.BALANCES, number))

    def events(self, chunk: int = 100_000) -> Iterator[pa.RecordBatch]:
        """At most `chunk` events at a time, by customer, a customer's own in order of time.

        Columns: id, source, type, subject (the source_id), time, data (JSON text).
        """
        for number in self.blocks():
            block = self.block(number)
            batch = event_batch(self, block.found, block.ledger.after, block.ledger.position, "ev")
            for start in range(0, batch.num_rows, chunk):
                yield batch.slice(start, chunk)

    def block(self, number: int) -> Block:
        return _block(self, number)

    @cached_property
    def closing_balances(self) -> Ints:
        """Cents in every current account at the end of the business date."""
        return np.concatenate([self.block(number).ledger.closing for number in self.blocks()])


def generate(customers: int, seed: int, business_date: date, events_per_customer: float = 20.0) -> Bank:
    """The same arguments give the same bank."""
    if customers < 1:
        raise ValueError("a bank needs at least one customer")
    organisation = organise(customers, np.random.default_rng([seed, Draw.ORGANISATION]))
    staffing = [len(codes) for codes in organisation.managers]
    traits = draw_traits(customers, business_date, staffing, np.random.default_rng([seed, Draw.TRAITS]))
    return Bank(
        seed=seed,
        business_date=business_date,
        events_per_customer=events_per_customer,
        organisation=organisation,
        traits=traits,
        products=products_table(),
        customers=customers_table(traits, organisation, np.random.default_rng([seed, Draw.CUSTOMERS])),
        relationships=relations_table(traits, np.random.default_rng([seed, Draw.RELATIONS])),
        truth=_truth_table(traits),
    )


def _truth_table(traits: Traits) -> pa.Table:
    """One row per customer; the effect is of a conversation, in CNY."""
    return pa.table(
        {
            "source": pa.array(np.full(len(traits), SOURCE)),
            "source_id": source_ids(np.arange(len(traits))),
            "archetype": choose(NAMES, traits.archetype),
            "churned": pa.array(traits.churned),
            "response_probability": pa.array(traits.response.probability),
            "reach_probability": pa.array(traits.response.reach),
            "effect_net_inflow_30d": pa.array(traits.response.effect / 100),
        }
    )


# Holdings and events of one block follow from each other; keep the latest few to draw them once.
@lru_cache(maxsize=4)
def _block(bank: Bank, number: int) -> Block:
    here = slice(number * BLOCK, min((number + 1) * BLOCK, len(bank.traits)))
    today = np.datetime64(bank.business_date, "D")
    accounts = open_accounts(
        bank.traits, here.start, here.stop, bank.business_date, bank.rng(Draw.ACCOUNTS, number)
    )
    rng = bank.rng(Draw.HISTORY, number)
    span = history(HISTORY_DAYS, np.asarray(today), bank.traits, here)
    scale = volume_scale(bank.events_per_customer)
    current = accounts.closing[accounts.product == DEMAND]
    target = np.rint(current * 100 * np.where(bank.traits.churned[here], _LEFT_BEHIND, 1)).astype(np.int64)
    found = gather(
        [
            banking.money(bank.traits, span, scale, rng),
            banking.departures(bank.traits, span, target, rng),
            banking.contacts(bank.traits, span, scale, rng),
            banking.complaints(bank.traits, span, rng),
            banking.assessments(bank.traits, span, rng),
            banking.openings(accounts, span, rng),
            banking.arrears(accounts, span, rng),
        ]
    ).in_order()
    return Block(here.start, accounts, found, keep(found, here.start, target))


def event_batch(bank: Bank, found: Happenings, after: Ints, position: Ints, prefix: str) -> pa.RecordBatch:
    subject = source_ids(found.row)
    seconds = pa.array(found.second_of - _UTC_OFFSET, pa.int64())
    return pa.record_batch(
        {
            "id": join(f"{prefix}-", subject, "-", padded(position + 1, 4)),
            "source": pa.array(np.full(len(found), SOURCE)),
            "type": choose(TYPES, found.kind),
            "subject": subject,
            "time": seconds.cast(pa.timestamp("s", ZONE)),
            "data": payloads(found, after, _background(bank)),
        }
    )


def _background(bank: Bank) -> Background:
    managers = bank.customers.column("primary_manager").combine_chunks()
    branches = bank.customers.column("org").combine_chunks()
    return Background(lambda row: managers.take(pa.array(row)), lambda row: branches.take(pa.array(row)))
