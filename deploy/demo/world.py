"""The world behind a bank's tables: how customers answer, and what happens after."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from deploy.demo.bank import Answers, Bank, answers, outcomes, true_effect
from deploy.demo.bank.datasets import Datasets
from deploy.demo.berka import BerkaBank


class World(Protocol):
    @property
    def data(self) -> Datasets: ...
    def answers(self, source_ids: pa.Array) -> Answers: ...
    def outcomes(self, contacts: pa.Table, campaign_start: datetime) -> pa.Table: ...
    def true_effect(self, audience: pa.Array) -> float | None: ...


@dataclass(frozen=True)
class SyntheticWorld:
    data: Bank

    def answers(self, source_ids: pa.Array) -> Answers:
        return answers(self.data, source_ids)

    def outcomes(self, contacts: pa.Table, campaign_start: datetime) -> pa.Table:
        return outcomes(self.data, contacts, campaign_start, self.data.seed)

    def true_effect(self, audience: pa.Array) -> float | None:
        return true_effect(self.data, audience)


@dataclass(frozen=True)
class BerkaWorld:
    data: BerkaBank

    def answers(self, source_ids: pa.Array) -> Answers:
        return self.data.answers(source_ids)

    def outcomes(self, contacts: pa.Table, campaign_start: datetime) -> pa.Table:
        return self.data.outcomes(contacts, campaign_start)

    def true_effect(self, audience: pa.Array) -> float | None:
        return self.data.true_effect(audience)
