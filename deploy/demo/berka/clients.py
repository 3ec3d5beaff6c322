"""Clients, who owns which account, and what they hold."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from deploy.demo.bank.columns import Dates, Ints, choose, dates, join, padded
from deploy.demo.berka.organisation import Organisation
from deploy.demo.berka.tables import Tables, births, days

SOURCE = "core-banking"
CURRENCY = "CZK"
_MONEY = pa.decimal128(18, 2)
# code, Chinese, English, category, risk, margin
PRODUCTS = (
    ("current-account", "活期账户", "Current account", "demand", "R1", "0.0200"),
    ("loan", "贷款", "Loan", "loan", "R1", "0.0300"),
    ("card-junior", "青年卡", "Junior card", "card", "R1", "0.0000"),
    ("card-classic", "普通卡", "Classic card", "card", "R1", "0.0000"),
    ("card-gold", "金卡", "Gold card", "card", "R1", "0.0000"),
    ("insurance-order", "保险定期缴费", "Insurance by standing order", "insurance", "R1", "0.0000"),
    # Regular payments: the nearest category the catalogue has.
    ("standing-order", "定期付款委托", "Standing order", "payroll", "R1", "0.0000"),
)


@dataclass(frozen=True)
class Ownership:
    """The owner of each account that was open by the business date, and when it was opened (shifted)."""

    account: Ints
    client: Ints
    opened: Dates

    def client_of(self, accounts: Ints) -> Ints:
        """Owner of each account; −1 where the account was not open yet."""
        at = np.searchsorted(self.account, accounts).clip(max=len(self.account) - 1)
        return np.where(self.account[at] == accounts, self.client[at], -1)

    def opened_of(self, accounts: Ints) -> Dates:
        return np.asarray(self.opened[np.searchsorted(self.account, accounts)])


def products_table() -> pa.Table:
    names = ("code", "name_zh", "name_en", "category", "risk", "margin")
    table = pa.Table.from_pylist([dict(zip(names, product, strict=True)) for product in PRODUCTS])
    return table.add_column(5, "currency", pa.array([CURRENCY] * len(PRODUCTS)))


def client_ids(clients: Ints) -> pa.Array:
    return join("K", padded(clients, 5))


def account_ids(prefix: str, numbers: Ints) -> pa.Array:
    return join(prefix, padded(numbers, 5))


def ownership(tables: Tables, last: np.datetime64, shift: np.timedelta64) -> Ownership:
    """Accounts opened by `last` (unshifted), by account number."""
    owner = tables.disp.filter(pc.field("type") == "OWNER").sort_by("account_id")
    account = tables.account.sort_by("account_id")
    opened = days(account["date"])
    open_by_then = opened <= last
    return Ownership(
        account=account["account_id"].to_numpy()[open_by_then],
        client=owner["client_id"].to_numpy()[open_by_then],
        opened=opened[open_by_then] + shift,
    )


def customers_table(
    tables: Tables, owned: Ownership, organisation: Organisation, shift: np.timedelta64, last_day: date
) -> pa.Table:
    """Clients with a right to one of those accounts.

    The source has no names, consents or risk levels: these are invented, the same for everybody.
    """
    rights = tables.disp.filter(pc.is_in(pc.field("account_id"), pa.array(owned.account)))
    clients = tables.client.filter(pc.is_in(pc.field("client_id"), rights["client_id"])).sort_by("client_id")
    born, female = births(clients["birth_number"])
    number = clients["client_id"].to_numpy()
    district = clients["district_id"].to_numpy()
    places = dict(zip(tables.district["A1"].to_pylist(), tables.district["A2"].to_pylist(), strict=True))
    team = [organisation.managers[int(d)] for d in district]
    rights = rights.sort_by("client_id")
    since = owned.opened_of(rights["account_id"].to_numpy())
    rows = len(number)
    nothing = pa.nulls(rows, pa.string())
    return pa.table(
        {
            "source": pa.array([SOURCE] * rows),
            "source_id": client_ids(number),
            "kind": pa.array(["person"] * rows),
            "name": join("Client ", pa.array(number).cast(pa.string())),
            "id_number": nothing,
            "phone": nothing,
            "email": nothing,
            "address": pa.array([places[int(d)] for d in district]),
            "gender": choose(("M", "F"), female),
            "birth_date": dates(born + shift),
            "occupation": nothing,
            "industry": nothing,
            "org": pa.array([organisation.branch[int(d)] for d in district]),
            "primary_manager": pa.array([codes[n % 2] for codes, n in zip(team, number, strict=True)]),
            "backup_manager": pa.array([codes[1 - n % 2] for codes, n in zip(team, number, strict=True)]),
            "risk_level": pa.array(["C2"] * rows),
            "risk_valid_until": pa.array(
                [last_day.replace(year=last_day.year + 1, day=1)] * rows, pa.date32()
            ),
            "customer_since": dates(since),
            "consent_call": pa.array([True] * rows),
            "consent_sms": pa.array([False] * rows),
            "consent_email": pa.array([False] * rows),
        }
    )


def relationships_table(tables: Tables, owned: Ownership) -> pa.Table:
    """Who may use an account and who owns it share a household, as far as the source tells."""
    other = tables.disp.filter(pc.field("type") == "DISPONENT")
    account = other["account_id"].to_numpy()
    owner = owned.client_of(account)
    known = owner >= 0
    count = int(known.sum())
    return pa.table(
        {
            "source": pa.array([SOURCE] * count),
            "from_id": client_ids(owner[known]),
            "to_id": client_ids(other["client_id"].to_numpy()[known]),
            "kind": pa.array(["household"] * count),
            "valid_from": dates(owned.opened_of(account[known])),
            "valid_to": pa.nulls(count, pa.date32()),
            "share": pa.nulls(count, pa.string()),
            "strength": pa.nulls(count, pa.string()),
        }
    )


def exact(values: object) -> pa.Array:
    """Amounts with two places as decimal(18, 2)."""
    return pa.array([Decimal(f"{v:.2f}") for v in np.asarray(values).tolist()], _MONEY)
