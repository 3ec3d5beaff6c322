"""Channels, products and funds of the whole bank, in numbers worked out by hand."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import duckdb
import pytest

from services.evaluation.queries.analyses import channel_analysis, funds_analysis, product_analysis
from services.evaluation.store import Store
from services.evaluation.store.analyses import Months, next_month
from shared import clock
from shared.auth import Role
from shared.contracts.evaluation.analyses import CategoryFlow, CrossSale, FundsMonth, ProductAnalysis
from shared.contracts.events import HoldingsChanged, HoldingState, RecordedEvent
from shared.ids import new_id
from tests.evaluation.bank import POSITIONS
from tests.evaluation.test_merges import erased, merged, unmerged
from tests.evaluation.test_store import apply, recorded, store
from tests.support import Running

__all__ = ["store"]

T = TypeVar("T")
AT = datetime(2026, 7, 1, tzinfo=UTC)
APRIL, MAY, JUNE = (date(2026, month, 1) for month in (4, 5, 6))
SPRING = Months(APRIL, JUNE)


def read(store: Store, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    return asyncio.run(store.read(work))


def happened(customer: UUID, when: str, type_: str = "transaction.posted", **data: object) -> RecordedEvent:
    """`when`: a local time of 2026."""
    return RecordedEvent.model_validate(
        {
            "seq": next(POSITIONS),
            "event_id": str(new_id()),
            "source": "core",
            "type": type_,
            "customer_id": customer,
            "ordinal": 1,
            "time": datetime.fromisoformat(f"2026-{when}").replace(tzinfo=clock.ZONE),
            "data": data,
        }
    )


def posted(customer: UUID, *told: tuple[str, str | None]) -> list[RecordedEvent]:
    """Transactions by time and channel."""
    return [
        happened(customer, when, amount="1.00", direction="in", channel=channel) for when, channel in told
    ]


def held(customer: UUID, day: str, category: str, balance: str = "10.00", **more: object) -> HoldingState:
    """`day` of 2026."""
    return HoldingState.model_validate(
        {
            "customer_id": customer,
            "ordinal": 1,
            "account": f"{category}-1",
            "product": category.upper(),
            "category": category,
            "balance": balance,
            "as_of": date.fromisoformat(f"2026-{day}"),
            **more,
        }
    )


def told(store: Store, *states: HoldingState) -> None:
    apply(store, "CUSTOMER", HoldingsChanged(holdings=list(states)))


def moves(store: Store, months: Months = SPRING) -> dict[tuple[str | None, str | None], int]:
    found = read(store, lambda cursor: channel_analysis(cursor, months, AT)).migration
    assert found is not None
    for row in found.rows:
        assert sum(cell.customers for cell in row.moved_to) == row.customers
        assert sum(cell.share for cell in row.moved_to) == pytest.approx(1)
    assert sum(row.customers for row in found.rows) == found.customers
    return {
        (row.channel, cell.channel): cell.customers
        for row in found.rows
        for cell in row.moved_to
        if cell.customers
    }


def products(store: Store, month: date = JUNE, minimum: int = 1) -> ProductAnalysis:
    return read(store, lambda cursor: product_analysis(cursor, month, minimum, AT))


def funds(store: Store, months: Months = SPRING, currency: str = "CNY") -> dict[str, FundsMonth]:
    found = read(store, lambda cursor: funds_analysis(cursor, months, currency, AT))
    return {month.month: month for month in found.months}


# ── channels ──────────────────────────────────────────────────────────────────────────────────────────────


def test_channels_are_counted_by_the_months_of_the_bank(store: Store) -> None:
    a, b = new_id(), new_id()
    apply(
        store,
        "CUSTOMER",
        recorded(
            *posted(a, ("03-31T23:59", "atm"), ("04-01T00:00", "web"), ("04-02T09:00", "mobile")),
            *posted(a, ("04-30T23:59", "mobile"), ("05-01T00:00", "web")),
            *posted(b, ("04-07T10:00", None), ("07-01T00:00", "atm")),
            happened(b, "04-08T10:00", "login", channel="web"),
        ),
    )
    found = read(store, lambda cursor: channel_analysis(cursor, SPRING, AT))
    april, may, june = found.months
    assert (april.month, april.customers, april.transactions) == ("2026-04", 2, 4)
    uses = {use.channel: use for use in april.channels}
    assert {name: (use.customers, use.transactions) for name, use in uses.items()} == {
        "mobile": (1, 2),
        "web": (1, 1),
        "": (1, 1),
    }
    assert (uses["mobile"].customer_share, uses["mobile"].transaction_share) == (0.5, 0.5)
    assert [(use.channel, use.transactions) for use in may.channels] == [("web", 1)]
    assert (june.month, june.customers, june.channels) == ("2026-06", 0, [])


def test_customers_move_between_the_channels_of_most_of_their_transactions(store: Store) -> None:
    a, b, c, d, e = (new_id() for _ in range(5))
    apply(
        store,
        "CUSTOMER",
        recorded(
            # Two to one; in June one each, and the web was used last.
            *posted(a, ("04-01T09:00", "counter"), ("04-02T09:00", "counter"), ("04-09T09:00", "web")),
            *posted(a, ("06-01T09:00", "counter"), ("06-02T09:00", "web")),
            *posted(b, ("04-03T09:00", "counter"), ("06-03T09:00", "mobile")),
            *posted(c, ("04-03T09:00", "counter")),
            *posted(d, ("06-30T23:59", None)),
            # Neither in the first month nor in the last.
            *posted(e, ("05-03T09:00", "atm")),
        ),
    )
    expected = {("counter", "web"): 1, ("counter", "mobile"): 1, ("counter", None): 1, (None, ""): 1}
    assert moves(store) == expected
    assert read(store, lambda cursor: channel_analysis(cursor, Months(MAY, MAY), AT)).migration is None


def test_a_merged_family_is_one_customer_until_it_is_parted(store: Store) -> None:
    a, b = new_id(), new_id()
    apply(
        store,
        "CUSTOMER",
        recorded(*posted(a, ("04-01T09:00", "web")), *posted(b, ("06-01T09:00", "atm"))),
    )
    told(store, held(a, "06-01", "deposit"), held(b, "06-01", "fund"), held(b, "06-01", "deposit"))
    apart = {("web", None): 1, (None, "atm"): 1}
    assert (moves(store), products(store).customers) == (apart, 2)
    merge = merged(a, b)
    apply(store, "CUSTOMER", merge)
    assert moves(store) == {("web", "atm"): 1}
    together = products(store)
    assert together.customers == 1
    assert [(each.products, each.customers) for each in together.products_held] == [(2, 1)]
    # Two accounts all the same, though they have one name.
    assert {each.category: each.closing for each in funds(store)["2026-06"].categories if each.category} == {
        "deposit": Decimal("20.00"),
        "fund": Decimal("10.00"),
    }
    apply(store, "CUSTOMER", unmerged(merge))
    assert (moves(store), products(store).customers) == (apart, 2)
    apply(store, "CUSTOMER", erased(b))
    assert (moves(store), products(store).customers) == ({("web", None): 1}, 1)


# ── products ──────────────────────────────────────────────────────────────────────────────────────────────


def _of(found: ProductAnalysis, held: str, also: str) -> CrossSale:
    return next(each for each in found.cross_sales if (each.held, each.also) == (held, also))


def test_penetration_and_cross_sales_are_of_those_with_any_account(store: Store) -> None:
    people = [new_id() for _ in range(5)]
    told(
        store,
        # Four hold deposits, two of them a fund as well, one a loan only; a closed card is nobody's.
        *(held(customer, "04-10", "deposit") for customer in people[:4]),
        held(people[0], "06-30", "fund"),
        held(people[0], "06-30", "fund", account="fund-2", product="FUND2"),
        held(people[1], "05-31", "fund"),
        held(people[2], "06-15", "fund"),
        held(people[2], "06-16", "fund", "0.00", closed=True),
        held(people[4], "05-01", "loan"),
        held(people[4], "07-01", "deposit"),
    )
    found = products(store, minimum=2)
    assert found.customers == 5
    assert [(each.category, each.holders, each.penetration) for each in found.categories] == [
        ("deposit", 4, 0.8),
        ("fund", 2, 0.4),
        ("loan", 1, 0.2),
    ]
    # A: deposit, fund, fund 2; B: deposit, fund; C, D: a deposit; E: a loan.
    assert [(each.products, each.customers) for each in found.products_held] == [(1, 3), (2, 1), (3, 1)]
    assert found.mean_products == pytest.approx((3 * 1 + 2 + 3) / 5)
    forth, back = _of(found, "deposit", "fund"), _of(found, "fund", "deposit")
    assert (forth.n, forth.both, forth.share) == (4, 2, 0.5)
    assert (back.n, back.both, back.share) == (2, 2, 1)
    assert forth.lift == pytest.approx(0.5 / 0.4)
    assert back.lift == pytest.approx(1 / 0.8)
    # One borrower is too few to tell of, as A for a share and as B for a lift.
    of_loan, to_loan = _of(found, "loan", "deposit"), _of(found, "deposit", "loan")
    assert (of_loan.n, of_loan.both, of_loan.share, of_loan.lift) == (1, None, None, None)
    assert (to_loan.share, to_loan.lift) == (0, None)
    assert (len(found.cross_sales), found.withheld) == (6, 4)
    assert len(found.trend) == 12
    assert [(month.month, month.customers, month.penetration) for month in found.trend[-4:]] == [
        ("2026-03", 0, {}),
        ("2026-04", 4, {"deposit": 1}),
        ("2026-05", 5, {"deposit": 0.8, "fund": 0.2, "loan": 0.2}),
        ("2026-06", 5, {"deposit": 0.8, "fund": 0.4, "loan": 0.2}),
    ]


def test_openings_and_closings_are_of_the_month_they_were_told_of(store: Store) -> None:
    a, b = new_id(), new_id()
    told(store, held(a, "05-01", "deposit"))
    apply(
        store,
        "CUSTOMER",
        recorded(
            happened(a, "06-01T00:00", "product.opened", product="DEPOSIT"),
            happened(b, "06-30T23:59", "product.opened", product="DEPOSIT"),
            happened(b, "07-01T00:00", "product.closed", product="DEPOSIT"),
            happened(b, "06-15T12:00", "product.closed", product="NEW"),
        ),
    )
    found = [(each.category, each.holders, each.opened, each.closed) for each in products(store).categories]
    assert found == [("deposit", 1, 2, 0), (None, 0, 0, 1)]


# ── funds ─────────────────────────────────────────────────────────────────────────────────────────────────


def _flow(customer: UUID, when: str, direction: str | None, amount: str, **more: str) -> RecordedEvent:
    return happened(customer, when, direction=direction, amount=amount, **more)


def _told(each: CategoryFlow) -> tuple[str, ...]:
    amounts = (each.opening, each.inflow, each.outflow, each.closing, each.unexplained, each.first_told)
    return tuple(str(amount) for amount in amounts)


def test_what_transactions_do_not_explain_of_a_balance_is_told(store: Store) -> None:
    a, b = new_id(), new_id()
    told(
        store,
        held(a, "03-31", "deposit", "100.00"),
        held(a, "04-10", "deposit", "130.05"),
        held(a, "06-20", "deposit", "0.00", closed=True),
        held(b, "04-20", "deposit", "7.00"),
        held(a, "03-01", "loan", "900.00"),
        held(a, "04-30", "loan", "850.00"),
        held(a, "04-30", "deposit", "5.00", account="usd", currency="USD"),
    )
    apply(
        store,
        "CUSTOMER",
        recorded(
            _flow(a, "04-05T10:00", "in", "50.10", product="DEPOSIT", channel="mobile"),
            _flow(a, "04-06T10:00", "out", "20.05", product="DEPOSIT", channel="mobile"),
            _flow(a, "04-07T10:00", "in", "40.00", product="LOAN", channel="counter"),
            _flow(a, "04-08T10:00", "in", "3.00"),
            _flow(a, "04-09T10:00", None, "1.00", product="DEPOSIT", channel="mobile"),
            _flow(a, "04-10T10:00", "in", "5.00", product="DEPOSIT", currency="USD"),
            happened(a, "04-15T10:00", "salary.received", amount="30.00"),
            happened(a, "04-16T10:00", "card.spent", amount="9.00", channel="pos"),
            happened(a, "04-17T10:00", "card.spent", amount="-2.00", channel="pos"),
        ),
    )
    found = funds(store)
    april = found["2026-04"]
    assert (april.inflow, april.outflow, april.net) == (Decimal("93.10"), Decimal("20.05"), Decimal("73.05"))
    assert (april.undirected, april.transactions) == (Decimal("1.00"), 5)
    assert (april.salaries, april.card_spending) == (Decimal("30.00"), Decimal("7.00"))
    assert [(each.channel, str(each.net), each.transactions) for each in april.channels] == [
        ("", "3.00", 1),
        ("counter", "40.00", 1),
        ("mobile", "30.05", 3),
    ]
    deposit, loan, unknown = april.categories
    # 137.05 − 100.00 − 50.10 + 20.05: what B had when it was first told of.
    assert _told(deposit) == ("100.00", "50.10", "20.05", "137.05", "7.00", "7.00")
    # 50.00 less is owed, of which 40.00 were paid in.
    assert _told(loan) == ("900.00", "40.00", "0.00", "850.00", "-10.00", "0.00")
    assert (loan.debt, deposit.debt, unknown.category, unknown.unexplained) == (True, False, None, None)
    assert _told(found["2026-05"].categories[0]) == ("137.05", "0.00", "0.00", "137.05", "0.00", "0.00")
    assert _told(found["2026-06"].categories[0]) == ("137.05", "0.00", "0.00", "7.00", "-130.05", "0.00")
    (usd,) = funds(store, Months(APRIL, APRIL), "USD")["2026-04"].categories
    assert _told(usd) == ("0.00", "5.00", "0.00", "5.00", "0.00", "5.00")
    named = [
        read(store, lambda cursor, of=months: funds_analysis(cursor, of, "EUR", AT)).currencies
        for months in (SPRING, Months(date(2025, 1, 1), date(2025, 1, 1)))
    ]
    assert named == [["CNY", "USD"], []]


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_store_has_months_and_nothing_in_them(store: Store) -> None:
    channels = read(store, lambda cursor: channel_analysis(cursor, SPRING, AT))
    assert [month.transactions for month in channels.months] == [0, 0, 0]
    assert channels.migration is not None
    assert (channels.migration.customers, channels.migration.rows) == (0, [])
    found = products(store)
    assert (found.customers, found.categories, found.cross_sales, found.mean_products) == (0, [], [], None)
    assert len(found.trend) == 12
    assert {month.net for month in funds(store).values()} == {Decimal(0)}


async def test_head_office_reads_the_last_twelve_months(evaluation: Running) -> None:
    last = next_month(clock.today().replace(day=1), -1)
    async with evaluation.client(Role.strategist) as client:
        for kind in ("channels", "funds"):
            answer = await client.get(f"/v1/analyses/{kind}")
            assert answer.status_code == 200
            body = answer.json()
            assert (body["first"], body["last"]) == (f"{next_month(last, -11):%Y-%m}", f"{last:%Y-%m}")
            assert len(body["months"]) == 12
        answer = await client.get("/v1/analyses/products")
        assert (answer.status_code, answer.json()["month"]) == (200, f"{last:%Y-%m}")


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ("channels?from=2026-06&until=2026-05", "/query/until"),
        ("funds?from=2022-01&until=2025-01", "/query/from"),
        ("channels?until=2098-01", "/query/until"),
        ("products?month=2098-01", "/query/month"),
        ("products?month=2026-13", "/query/month"),
        ("products?minimum=0", "/query/minimum"),
        ("funds?currency=yuan", "/query/currency"),
        ("channels?from=May", "/query/from"),
    ],
)
async def test_what_cannot_be_asked_is_named(evaluation: Running, asked: str, pointer: str) -> None:
    async with evaluation.client(Role.auditor) as client:
        answer = await client.get(f"/v1/analyses/{asked}")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_branch_is_told_nothing_of_the_whole_bank(evaluation: Running) -> None:
    async with evaluation.client(Role.branch_head, org="hq.sh") as client:
        for kind in ("channels", "products", "funds"):
            answer = await client.get(f"/v1/analyses/{kind}")
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/head-office-only")
