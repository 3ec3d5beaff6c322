"""What would have happened: thirty days with and without a conversation."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank import banking
from deploy.demo.bank.columns import Bools, Ints
from deploy.demo.bank.generate import BLOCK, ZONE, Bank, Draw, event_batch
from deploy.demo.bank.happenings import DAY, TYPE_NUMBER, Happenings, Span, gather, happen, volume_scale
from deploy.demo.bank.ledger import running
from deploy.demo.bank.products import number
from deploy.demo.bank.truth import REACHED, dispositions

OFFERED = "wealth-steady"
"""What the demonstration campaign sells."""

WINDOW_DAYS = 30
_REACTION = 2 * 3600


@dataclass(frozen=True)
class Answers:
    """How first calls end: a disposition and the minutes each took."""

    disposition: npt.NDArray[np.str_]
    minutes: Ints


def rows_of(source_ids: pa.Array | pa.ChunkedArray) -> Ints:
    """Row numbers of customers by their id in core banking."""
    numbers = pc.cast(pc.utf8_slice_codeunits(source_ids, 1), pa.int64())
    return (
        np.asarray(
            numbers.to_numpy(zero_copy_only=False) if isinstance(numbers, pa.Array) else numbers, np.int64
        )
        - 1
    )


def answers(bank: Bank, source_ids: pa.Array) -> Answers:
    """What a manager who calls these customers would note down."""
    rows = rows_of(source_ids)
    found = dispositions(bank.traits.response, rows, bank.rng(Draw.ANSWERS))
    minutes = bank.rng(Draw.ANSWERS, 1).integers(3, 16, len(bank.traits))[rows]
    return Answers(found, np.where(np.isin(found, REACHED), minutes, 1))


def true_effect(bank: Bank, audience: pa.Array) -> float:
    """Mean change in net inflow (CNY in 30 days) of calling each of `audience` once: intention to treat.

    Who does not pick up is not changed, so each effect counts with its chance of a conversation.
    """
    rows = rows_of(audience)
    response = bank.traits.response
    return float(np.mean(response.reach[rows] * response.effect[rows])) / 100


def outcomes(bank: Bank, contacts: pa.Table, campaign_start: datetime, seed: int) -> pa.Table:
    """What the whole bank's customers do in the 30 days from `campaign_start`, columns as `Bank.events`.

    `contacts`: source_id, disposition, time (aware) of each contact. Every customer's own transactions
    are the same whatever the contacts; who was reached has one more, of exactly the hidden effect, and
    who accepted opens the product that was offered.
    """
    start = _local_second(campaign_start)
    caused = _caused(bank, contacts, start, bank.rng(Draw.OUTCOMES, seed))
    balance = bank.closing_balances
    prefix = f"tx-{campaign_start.astimezone(ZoneInfo(ZONE)):%Y%m%d}"
    batches = []
    for block in bank.blocks():
        here = slice(block * BLOCK, min((block + 1) * BLOCK, len(bank.traits)))
        mine = caused.at((caused.row >= here.start) & (caused.row < here.stop))
        found = gather([_own(bank, here, start, bank.rng(Draw.OUTCOMES, seed, block)), mine]).in_order()
        since, position, _ = running(found, here.start, here.stop - here.start)
        batches.append(event_batch(bank, found, balance[found.row] + since, position, prefix))
    return pa.Table.from_batches(batches)


def _local_second(moment: datetime) -> int:
    return int(moment.timestamp()) + 8 * 3600


def _own(bank: Bank, here: slice, start: int, rng: np.random.Generator) -> Happenings:
    """What the customers would have done anyway, on whole days: nothing precedes the start."""
    count = here.stop - here.start
    row = np.arange(here.start, here.stop)
    days = np.where(bank.traits.churned[here], 0.0, WINDOW_DAYS - 1.0)
    span = Span(row, np.full(count, start // DAY + 1), days)
    moved = banking.money(bank.traits, span, volume_scale(bank.events_per_customer), rng)
    return moved.at(moved.kind == TYPE_NUMBER["transaction.posted"])


def _caused(bank: Bank, contacts: pa.Table, start: int, rng: np.random.Generator) -> Happenings:
    rows = rows_of(contacts.column("source_id"))
    reached: Bools = np.isin(contacts.column("disposition").to_numpy(), REACHED)
    seconds = contacts.column("time").cast(pa.timestamp("s", "UTC"), safe=False)
    called = seconds.cast(pa.int64()).to_numpy() + 8 * 3600
    effect = bank.traits.response.effect[rows]
    opened = _opened(bank, rows, called, contacts)
    rows, called, effect = (values[reached & (effect != 0)] for values in (rows, called, effect))
    latest = start + (WINDOW_DAYS - 1) * DAY
    room = np.maximum(latest - called - _REACTION, 1)
    when = called + _REACTION + (rng.random(len(rows)) * room * 0.7).astype(np.int64)
    return gather([happen("transaction.posted", rows, when, amount=effect), opened])


def _opened(bank: Bank, rows: Ints, called: Ints, contacts: pa.Table) -> Happenings:
    product = number(OFFERED)
    accepted = contacts.column("disposition").to_numpy() == "accepted"
    new = accepted & ~bank.traits.held[rows, product]
    return happen("product.opened", rows[new], called[new] + _REACTION // 2, first=product)
