"""The `data` of each event type as JSON text, by the schemas registered in the customer service."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from deploy.demo.bank.accounts import account_numbers
from deploy.demo.bank.columns import Ints, choose, iso_dates, join, money
from deploy.demo.bank.customers import RISK_LEVELS, RISK_VALID_DAYS
from deploy.demo.bank.happenings import TYPE_NUMBER, TYPES, Happenings
from deploy.demo.bank.products import CODES, DEMAND

_CHANNELS = ("mobile", "web", "counter", "atm", "transfer")
_COUNTERPARTIES = ("self", "person", "company", "merchant", "government")
_SPENDING = ("groceries", "dining", "transport", "shopping", "travel", "health")
_DEVICES = ("mobile", "web", "wechat")
_VISITED = ("branch", "atm")
_INTERACTIONS = ("call", "visit", "im", "branch")
_TOPICS = ("fees", "service", "product", "channel")
_SEVERITIES = ("low", "medium", "high")
_HANDLED = ("answered", "appointment", "no_interest", "follow_up")


@dataclass(frozen=True)
class Background:
    """What payloads need to know beside the happening: who manages and which branch serves each row."""

    manager: Callable[[Ints], pa.Array]
    branch: Callable[[Ints], pa.Array]


def payloads(found: Happenings, balance_after: Ints, background: Background) -> pa.Array:
    """JSON text for each happening, in the order given."""
    order: list[npt.NDArray[np.intp]] = []
    texts: list[pa.Array] = []
    for name in TYPES:
        index = np.flatnonzero(found.kind == TYPE_NUMBER[name])
        if len(index):
            order.append(index)
            texts.append(_WRITERS[name](found.at(index), balance_after[index], background))
    if not texts:
        return pa.array([], pa.string())
    back = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_arrays(texts).take(pa.array(back))


def _account(found: Happenings, product: Ints | int = DEMAND) -> pa.Array:
    return account_numbers(found.row, product)


def _transaction(found: Happenings, balance: Ints, _: Background) -> pa.Array:
    return join(
        '{"account":"', _account(found), '","product":"', CODES[DEMAND], '","amount":"',
        money(np.abs(found.amount)), '","currency":"CNY","direction":"',
        choose(("out", "in"), (found.amount > 0).astype(np.int64)), '","channel":"',
        choose(_CHANNELS, found.first), '","counterparty_type":"', choose(_COUNTERPARTIES, found.second),
        '","balance_after":"', money(balance), '"}',
    )  # fmt: skip


def _salary(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"amount":"', money(found.amount), '","currency":"CNY","account":"', _account(found), '"}'
    )  # fmt: skip


def _card(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"amount":"', money(-found.amount), '","currency":"CNY","account":"', _account(found),
        '","category":"', choose(_SPENDING, found.first), '","channel":"pos"}',
    )  # fmt: skip


def _login(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join('{"channel":"', choose(_DEVICES, found.first), '"}')


def _visit(found: Happenings, _: Ints, background: Background) -> pa.Array:
    return join(
        '{"channel":"', choose(_VISITED, found.first), '","branch":"', background.branch(found.row),
        '","wait_minutes":', pa.array(found.second).cast(pa.string()), "}",
    )  # fmt: skip


def _interaction(found: Happenings, _: Ints, background: Background) -> pa.Array:
    return join(
        '{"kind":"', choose(_INTERACTIONS, found.first), '","direction":"',
        choose(("in", "out"), found.second % 2), '","by":"', background.manager(found.row), '","minutes":',
        pa.array(found.second).cast(pa.string()), ',"disposition":"', choose(_HANDLED, found.second % 4),
        '"}',
    )  # fmt: skip


def _complaint(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"category":"',
        choose(_TOPICS, found.first),
        '","severity":"',
        choose(_SEVERITIES, found.second),
        '"}',
    )


def _resolution(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"category":"',
        choose(_TOPICS, found.first),
        '","days":',
        pa.array(found.second).cast(pa.string()),
        "}",
    )


def _assessment(found: Happenings, _: Ints, __: Background) -> pa.Array:
    until = (found.second + RISK_VALID_DAYS).astype("datetime64[D]")
    return join('{"level":"', choose(RISK_LEVELS, found.first), '","valid_until":"', iso_dates(until), '"}')


def _overdue(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"days":', pa.array(found.first).cast(pa.string()), ',"amount":"', money(found.second),
        '","currency":"CNY"}',
    )  # fmt: skip


def _opening(found: Happenings, _: Ints, __: Background) -> pa.Array:
    return join(
        '{"account":"', _account(found, found.first), '","product":"', choose(CODES, found.first), '"}'
    )  # fmt: skip


_WRITERS: dict[str, Callable[[Happenings, Ints, Background], pa.Array]] = {
    "transaction.posted": _transaction,
    "salary.received": _salary,
    "card.spent": _card,
    "login": _login,
    "channel.visited": _visit,
    "interaction.recorded": _interaction,
    "complaint.filed": _complaint,
    "complaint.resolved": _resolution,
    "risk.assessed": _assessment,
    "loan.overdue": _overdue,
    "product.opened": _opening,
}
