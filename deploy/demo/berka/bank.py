"""The Czech bank put where the demo stands: its last transaction falls on the run's date."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank.accounts import MONTHS
from deploy.demo.bank.outcomes import Answers
from deploy.demo.bank.truth import REACHED
from deploy.demo.berka import clients, events, holdings
from deploy.demo.berka.organisation import Organisation, organise
from deploy.demo.berka.tables import Tables, days, read_tables

OUTCOME_DAYS = 31
"""The last days of the file are kept back: the real outcomes of a campaign that begins before them."""
_ANSWERS = ("accepted", "interested", "refused", "call_back", "no_answer", "wrong_number")
_CHANCES = (0.08, 0.1, 0.5, 0.07, 0.22, 0.03)


@dataclass(frozen=True, eq=False)
class BerkaBank:
    """Datasets as of the end of `business_date`; `later` holds what really came after.

    Nobody called these customers. Answers are invented, so a campaign on them has no effect to find.
    """

    seed: int
    last_day: date
    shift: np.timedelta64
    tables: Tables
    organisation: Organisation
    owned: clients.Ownership

    name = "berka"
    source = clients.SOURCE
    currency = clients.CURRENCY
    truth = None

    @property
    def business_date(self) -> date:
        return self.last_day - timedelta(days=OUTCOME_DAYS)

    @property
    def orgs(self) -> pa.Table:
        return self.organisation.orgs

    @property
    def staff(self) -> pa.Table:
        return self.organisation.staff

    @property
    def products(self) -> pa.Table:
        return clients.products_table()

    @cached_property
    def customers(self) -> pa.Table:
        return clients.customers_table(self.tables, self.owned, self.organisation, self.shift, self.last_day)

    @property
    def relationships(self) -> pa.Table:
        return clients.relationships_table(self.tables, self.owned)

    @cached_property
    def _events(self) -> pa.Table:
        known = pc.is_in(pc.field("subject"), self.customers["source_id"].combine_chunks())
        return events.event_table(self.tables, self.owned, self.shift).filter(known)

    @property
    def _turning_point(self) -> pc.Expression:
        midnight = datetime.combine(self.business_date + timedelta(days=1), datetime.min.time())
        moment = pa.scalar(midnight, pa.timestamp("s"))
        return pc.local_timestamp(pc.field("time")) < moment

    def holdings(self, months: int = MONTHS) -> Iterator[pa.RecordBatch]:
        return holdings.holdings(self.tables, self.owned, self.shift, self.business_date, months)

    def events(self, chunk: int = 100_000) -> Iterator[pa.RecordBatch]:
        """Up to the business date; columns id, source, type, subject, time, data."""
        yield from self._events.filter(self._turning_point).combine_chunks().to_batches(chunk)

    def answers(self, source_ids: pa.Array) -> Answers:
        """Invented: what managers might have heard, independent of everything in the file."""
        rng = np.random.default_rng(self.seed)
        found = rng.choice(_ANSWERS, len(self.customers), p=_CHANCES)
        minutes = np.where(np.isin(found, REACHED), rng.integers(3, 16, len(found)), 1)
        rows = pc.index_in(source_ids, self.customers["source_id"].combine_chunks()).to_numpy()
        return Answers(found[rows], minutes[rows])

    def outcomes(self, contacts: pa.Table, campaign_start: datetime) -> pa.Table:  # noqa: ARG002
        """What the file says came after the business date, whoever was called."""
        return self._events.filter(~self._turning_point)

    def true_effect(self, audience: pa.Array) -> float | None:  # noqa: ARG002
        """Unknown: there was no campaign."""
        return None


def read_bank(directory: Path, last_day: date, seed: int = 1) -> BerkaBank:
    """Raises BerkaError when tables are missing.

    Every date moves by the same number of days, birth dates too, so ages and intervals stay what they were.
    """
    tables = read_tables(directory)
    end = days(tables.trans["date"]).max()
    shift = np.datetime64(last_day, "D") - end
    known = end - np.timedelta64(OUTCOME_DAYS, "D")
    return BerkaBank(seed, last_day, shift, tables, organise(tables), clients.ownership(tables, known, shift))
