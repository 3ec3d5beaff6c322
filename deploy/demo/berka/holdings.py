"""Month-end balances: of accounts from their postings, of loans from their plan, of the rest nothing."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank.accounts import month_ends
from deploy.demo.bank.columns import Dates, Floats, Ints, dates
from deploy.demo.berka.clients import CURRENCY, SOURCE, Ownership, account_ids, client_ids, exact
from deploy.demo.berka.tables import Tables, days


def holdings(
    tables: Tables, owned: Ownership, shift: np.timedelta64, business_date: date, months: int
) -> Iterator[pa.RecordBatch]:
    ends = month_ends(business_date, months)
    yield _accounts(tables, owned, shift, ends)
    yield _loans(tables, owned, shift, ends)
    yield _cards(tables, owned, shift, ends)
    yield _orders(tables, owned, ends)


def _batch(
    client: Ints,
    account: pa.Array,
    product: pa.Array,
    balance: Floats,
    as_of: Dates,
    opened: Dates,
    matures: Dates,
) -> pa.RecordBatch:
    rows = len(client)
    return pa.record_batch(
        {
            "source": pa.array([SOURCE] * rows, pa.string()),
            "source_id": client_ids(client),
            "account": account,
            "product": product,
            "balance": exact(balance),
            "currency": pa.array([CURRENCY] * rows, pa.string()),
            "as_of": dates(as_of),
            "opened_on": dates(opened),
            "matures_on": dates(matures),
        }
    )


def _never(rows: int) -> Dates:
    return np.full(rows, np.datetime64("NaT", "D"))


def _named(name: str, rows: int) -> pa.Array:
    return pa.array([name] * rows, pa.string())


def _accounts(tables: Tables, owned: Ownership, shift: np.timedelta64, ends: Dates) -> pa.RecordBatch:
    """The balance after the last posting on or before each month-end."""
    trans = tables.trans.sort_by(
        [("account_id", "ascending"), ("date", "ascending"), ("trans_id", "ascending")]
    )
    key = trans["account_id"].to_numpy() * 1_000_000 + (days(trans["date"]) + shift).astype(np.int64)
    wanted = owned.account[:, None] * 1_000_000 + ends.astype("datetime64[D]").astype(np.int64)[None, :]
    at = np.searchsorted(key, wanted, side="right") - 1
    known = (at >= 0) & (trans["account_id"].to_numpy()[at] == owned.account[:, None])
    row, month = np.nonzero(known & (owned.opened[:, None] <= ends[None, :]))
    balance = trans["balance"].to_numpy().astype(np.float64)[at[row, month]]
    number = owned.account[row]
    return _batch(
        owned.client[row], account_ids("A", number), _named("current-account", len(row)), balance,
        ends[month], owned.opened[row], _never(len(row)),
    )  # fmt: skip


def _loans(tables: Tables, owned: Ownership, shift: np.timedelta64, ends: Dates) -> pa.RecordBatch:
    """What is left when every instalment is paid on time."""
    loan = tables.loan
    granted = days(loan["date"]) + shift
    client = owned.client_of(loan["account_id"].to_numpy())
    duration = loan["duration"].to_numpy()
    elapsed = (
        ends.astype("datetime64[M]").astype(np.int64)[None, :]
        - granted.astype("datetime64[M]").astype(np.int64)[:, None]
    )
    row, month = np.nonzero(
        (client >= 0)[:, None] & (granted[:, None] <= ends[None, :]) & (elapsed < duration[:, None])
    )
    left = loan["amount"].to_numpy()[row] * (1 - elapsed[row, month] / duration[row])
    matures = granted[row] + (duration[row] * 30.4375).astype("timedelta64[D]")
    return _batch(
        client[row], account_ids("L", loan["loan_id"].to_numpy()[row]), _named("loan", len(row)), left,
        ends[month], granted[row], matures,
    )  # fmt: skip


def _cards(tables: Tables, owned: Ownership, shift: np.timedelta64, ends: Dates) -> pa.RecordBatch:
    """Cards belong to the client whose right they were issued on."""
    card = tables.card.join(
        tables.disp.rename_columns(["disp_id", "client_id", "account_id", "right"]), "disp_id"
    )
    issued = days(card["issued"]) + shift
    known = owned.client_of(card["account_id"].to_numpy()) >= 0
    row, month = np.nonzero(known[:, None] & (issued[:, None] <= ends[None, :]))
    kinds = pa.array([f"card-{kind}" for kind in card["type"].to_pylist()])
    return _batch(
        card["client_id"].to_numpy()[row], account_ids("C", card["card_id"].to_numpy()[row]),
        kinds.take(pa.array(row)), np.zeros(len(row)), ends[month], issued[row], _never(len(row)),
    )  # fmt: skip


def _orders(tables: Tables, owned: Ownership, ends: Dates) -> pa.RecordBatch:
    """Standing orders carry no date: taken as old as their account, shown at the latest month-end."""
    account = tables.order["account_id"].to_numpy()
    order, account = np.flatnonzero(owned.client_of(account) >= 0), account[owned.client_of(account) >= 0]
    opened = owned.opened_of(account)
    before = opened <= ends[-1]
    row, opened = order[before], opened[before]
    client = owned.client_of(account[before])
    insured = pc.equal(tables.order["k_symbol"], "POJISTNE").to_numpy()[row]
    product = pc.if_else(pa.array(insured), "insurance-order", "standing-order")
    return _batch(
        client, account_ids("O", tables.order["order_id"].to_numpy()[row]), product, np.zeros(len(row)),
        np.full(len(row), ends[-1]), opened, _never(len(row)),
    )  # fmt: skip
