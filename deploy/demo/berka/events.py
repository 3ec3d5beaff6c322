"""Postings, openings of loans and cards, as business events."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank.columns import Dates, Ints, cents, choose, join, money, padded
from deploy.demo.bank.generate import ZONE
from deploy.demo.berka.clients import CURRENCY, SOURCE, Ownership, account_ids, client_ids
from deploy.demo.berka.tables import Tables, days

# The source knows the day alone: postings of one account on one day follow each other by a minute from nine.
_MORNING = 9 * 3600 - 8 * 3600
_CHANNEL = {
    "VKLAD": "counter",
    "VYBER": "counter",
    "VYBER KARTOU": "card",
    "PREVOD Z UCTU": "transfer",
    "PREVOD NA UCET": "transfer",
}
_CATEGORY = {
    "POJISTNE": "insurance",
    "SLUZBY": "fee",
    "UROK": "interest",
    "SANKC. UROK": "penalty",
    "SIPO": "household",
    "DUCHOD": "pension",
    "UVER": "loan",
}


def event_table(tables: Tables, owned: Ownership, shift: np.timedelta64) -> pa.Table:
    """All of them in order of time; columns id, source, type, subject, time, data."""
    return pa.concat_tables([_postings(tables, owned, shift), _openings(tables, owned, shift)]).sort_by(
        [("time", "ascending"), ("id", "ascending")]
    )


def _table(ids: pa.Array, kind: str, client: Ints, seconds: Ints, data: pa.Array) -> pa.Table:
    rows = len(client)
    return pa.table(
        {
            "id": ids,
            "source": pa.array([SOURCE] * rows, pa.string()),
            "type": pa.array([kind] * rows, pa.string()),
            "subject": client_ids(client),
            "time": pa.array(seconds, pa.int64()).cast(pa.timestamp("s", ZONE)),
            "data": data,
        }
    )


def _seconds(day: Dates) -> Ints:
    return day.astype("datetime64[D]").astype(np.int64) * 86_400 + _MORNING


def _turn(account: Ints, day: Dates) -> Ints:
    """0 for the first posting of an account on a day, 1 for the next; rows are ordered by account and day."""
    first = np.r_[True, (account[1:] != account[:-1]) | (day[1:] != day[:-1])]
    start = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    return np.arange(len(first)) - start


def _postings(tables: Tables, owned: Ownership, shift: np.timedelta64) -> pa.Table:
    trans = tables.trans.sort_by(
        [("account_id", "ascending"), ("date", "ascending"), ("trans_id", "ascending")]
    )
    account = trans["account_id"].to_numpy()
    day = days(trans["date"]) + shift
    comes_in = pc.equal(trans["type"], "PRIJEM").to_numpy().astype(np.int64)
    data = join(
        '{"account":"', account_ids("A", account), '","product":"current-account","amount":"',
        money(_cents(trans["amount"])), f'","currency":"{CURRENCY}","direction":"',
        choose(("out", "in"), comes_in),
        '","channel":"', _word(trans["operation"], _CHANNEL, "system"), '","category":"',
        _word(trans["k_symbol"], _CATEGORY, "other"), '","balance_after":"',
        money(_cents(trans["balance"])), '"}',
    )  # fmt: skip
    seconds = _seconds(day) + _turn(account, day) * 60
    ids = join("tx-", padded(trans["trans_id"].to_numpy(), 7))
    return _table(ids, "transaction.posted", owned.client_of(account), seconds, data)


def _cents(column: pa.ChunkedArray) -> Ints:
    return cents(column.to_numpy())


def _word(column: pa.ChunkedArray, words: dict[str, str], otherwise: str) -> pa.Array:
    return pa.array([words.get(value, otherwise) for value in column.to_pylist()], pa.string())


def _openings(tables: Tables, owned: Ownership, shift: np.timedelta64) -> pa.Table:
    loan, card = (
        tables.loan,
        tables.card.join(tables.disp.rename_columns(["disp_id", "client_id", "account_id", "r"]), "disp_id"),
    )
    loans = _table(
        account_ids("loan-", loan["loan_id"].to_numpy()),
        "product.opened",
        owned.client_of(loan["account_id"].to_numpy()),
        _seconds(days(loan["date"]) + shift),
        join('{"account":"', account_ids("L", loan["loan_id"].to_numpy()), '","product":"loan"}'),
    )
    kinds = pa.array(card["type"].to_pylist())
    cards = _table(
        account_ids("card-", card["card_id"].to_numpy()),
        "product.opened",
        card["client_id"].to_numpy(),
        _seconds(days(card["issued"]) + shift),
        join('{"account":"', account_ids("C", card["card_id"].to_numpy()), '","product":"card-', kinds, '"}'),
    )
    last = (days(tables.trans["date"]).max() + shift).astype("datetime64[s]").astype(np.int64) + 86_400
    return pa.concat_tables([loans, cards]).filter(
        pc.field("time") < pa.scalar(last).cast(pa.timestamp("s", ZONE))
    )
