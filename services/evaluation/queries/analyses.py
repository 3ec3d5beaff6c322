"""Channels, products and funds of the whole bank as their pages draw them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

import duckdb

from services.evaluation.store import analyses as store
from services.evaluation.store.analyses import Flowed, Months
from services.evaluation.store.quantities import DEBTS, HUNDREDTHS
from shared.contracts.evaluation.analyses import (
    CategoryFlow,
    CategoryPenetration,
    ChannelAnalysis,
    ChannelFlow,
    ChannelMigration,
    ChannelMonth,
    ChannelMove,
    ChannelOrigin,
    ChannelUse,
    CrossSale,
    Flow,
    FundsAnalysis,
    FundsMonth,
    PenetrationMonth,
    ProductAnalysis,
    ProductsHeld,
)

TREND_MONTHS = 12
_CENT = Decimal(1).scaleb(-2)


def channel_analysis(cursor: duckdb.DuckDBPyConnection, months: Months, at: datetime) -> ChannelAnalysis:
    """One consistent reading of the store."""
    uses = store.channel_uses(cursor, months)
    moves = store.channel_moves(cursor, months) if months.first != months.last else None
    return ChannelAnalysis(
        as_of=at,
        first=_name(months.first),
        last=_name(months.last),
        months=[
            _channel_month(month, [use for use in uses if use.month == month]) for month in months.each()
        ],
        migration=None if moves is None else _migration(moves),
    )


def _channel_month(month: date, uses: Sequence[store.Use]) -> ChannelMonth:
    whole = next((use for use in uses if use.channel is None), None)
    if whole is None:
        return ChannelMonth(month=_name(month), customers=0, transactions=0, channels=[])
    return ChannelMonth(
        month=_name(month),
        customers=whole.customers,
        transactions=whole.transactions,
        channels=[
            ChannelUse(
                channel=use.channel,
                customers=use.customers,
                customer_share=use.customers / whole.customers,
                transactions=use.transactions,
                transaction_share=use.transactions / whole.transactions,
            )
            for use in uses
            if use.channel is not None
        ],
    )


def _migration(moves: Sequence[store.Move]) -> ChannelMigration:
    counts = {(move.before, move.after): move.customers for move in moves}
    after = _in_order(move.after for move in moves)
    rows = []
    for before in _in_order(move.before for move in moves):
        cells = {channel: counts.get((before, channel), 0) for channel in after}
        customers = sum(cells.values())
        moved = [
            ChannelMove(channel=channel, customers=n, share=n / customers) for channel, n in cells.items()
        ]
        rows.append(ChannelOrigin(channel=before, customers=customers, moved_to=moved))
    return ChannelMigration(customers=sum(row.customers for row in rows), rows=rows)


def _in_order(channels: Iterable[str | None]) -> list[str | None]:
    return sorted(set(channels), key=lambda channel: (channel is None, channel or ""))


def product_analysis(
    cursor: duckdb.DuckDBPyConnection, month: date, minimum: int, at: datetime
) -> ProductAnalysis:
    """One consistent reading of the store."""
    trend = store.months_before(month, TREND_MONTHS)
    held: defaultdict[date, dict[str | None, int]] = defaultdict(dict)
    for row in store.holders(cursor, trend):
        held[row.month][row.category] = row.customers
    customers = held[month].get(None, 0)
    by_category = _categories(held[month])
    products = store.products_held(cursor, month)
    pairs = _cross_sales(by_category, store.held_together(cursor, month), customers, minimum)
    return ProductAnalysis(
        as_of=at,
        month=_name(month),
        customers=customers,
        categories=_penetrations(by_category, store.turnover(cursor, month), customers),
        products_held=[ProductsHeld(products=k, customers=n, share=n / customers) for k, n in products],
        mean_products=sum(k * n for k, n in products) / customers if customers else None,
        minimum=minimum,
        cross_sales=pairs,
        withheld=sum(pair.share is None or pair.lift is None for pair in pairs),
        trend=[_penetration_month(each, held[each]) for each in trend.each()],
    )


def _categories(held: dict[str | None, int]) -> dict[str, int]:
    return {category: n for category, n in held.items() if category is not None}


def _penetration_month(month: date, held: dict[str | None, int]) -> PenetrationMonth:
    customers = held.get(None, 0)
    penetration = {category: n / customers for category, n in sorted(_categories(held).items())}
    return PenetrationMonth(month=_name(month), customers=customers, penetration=penetration)


def _penetrations(
    held: dict[str, int], turnover: Sequence[store.Turnover], customers: int
) -> list[CategoryPenetration]:
    """Also of categories that nobody holds, when something of them was opened or closed."""
    turned = {row.category: row for row in turnover}
    categories: dict[str | None, None] = {**dict.fromkeys(held), **dict.fromkeys(turned)}
    found = [
        CategoryPenetration(
            category=category,
            holders=held.get(category or "", 0),
            penetration=held.get(category or "", 0) / customers
            if customers and category is not None
            else None,
            opened=turned[category].opened if category in turned else 0,
            closed=turned[category].closed if category in turned else 0,
        )
        for category in categories
    ]
    return sorted(found, key=lambda each: (each.category is None, -each.holders, each.category or ""))


def _cross_sales(
    held: dict[str, int], together: Sequence[store.Both], customers: int, minimum: int
) -> list[CrossSale]:
    both = {(row.held, row.also): row.customers for row in together}
    names = sorted(held)
    return [
        _cross_sale(a, b, (held[a], held[b], both.get((a, b), 0)), customers, minimum)
        for a in names
        for b in names
        if a != b
    ]


def _cross_sale(a: str, b: str, counts: tuple[int, int, int], customers: int, minimum: int) -> CrossSale:
    n, others, both = counts
    told = n >= minimum
    lift = both * customers / (n * others) if told and others >= minimum else None
    return CrossSale(
        held=a, also=b, n=n, both=both if told else None, share=both / n if told else None, lift=lift
    )


def funds_analysis(
    cursor: duckdb.DuckDBPyConnection, months: Months, currency: str, at: datetime
) -> FundsAnalysis:
    """One consistent reading of the store."""
    flows: defaultdict[date, list[Flowed]] = defaultdict(list)
    for row in store.flows(cursor, months, currency):
        flows[row.month].append(row)
    stand: defaultdict[date, dict[str, store.Balance]] = defaultdict(dict)
    for each in store.balances(cursor, Months(store.next_month(months.first, -1), months.last), currency):
        stand[each.month][each.category] = each
    return FundsAnalysis(
        as_of=at,
        first=_name(months.first),
        last=_name(months.last),
        currency=currency,
        currencies=store.currencies(cursor, months),
        months=[
            _funds_month(month, flows[month], stand[store.next_month(month, -1)], stand[month])
            for month in months.each()
        ],
    )


def _funds_month(
    month: date,
    flows: Sequence[Flowed],
    before: dict[str, store.Balance],
    after: dict[str, store.Balance],
) -> FundsMonth:
    posted = [flow for flow in flows if flow.type == store.TRANSACTION]
    channels = sorted({flow.channel for flow in posted})
    categories = {*before, *after, *(flow.category for flow in posted)}
    return FundsMonth(
        month=_name(month),
        **dict(_flow(posted)),
        salaries=_money(sum(flow.undirected for flow in flows if flow.type == store.SALARY)),
        card_spending=_money(sum(flow.undirected for flow in flows if flow.type == store.SPENT)),
        channels=[
            ChannelFlow(channel=channel, **dict(_flow(flow for flow in posted if flow.channel == channel)))
            for channel in channels
        ],
        categories=[
            _category(category, [flow for flow in posted if flow.category == category], before, after)
            for category in sorted(categories, key=lambda each: (each is None, each or ""))
        ],
    )


def _flow(flows: Iterable[Flowed]) -> Flow:
    those = list(flows)
    inflow, outflow = sum(flow.inflow for flow in those), sum(flow.outflow for flow in those)
    return Flow(
        inflow=_money(inflow),
        outflow=_money(outflow),
        net=_money(inflow - outflow),
        undirected=_money(sum(flow.undirected for flow in those)),
        transactions=sum(flow.events for flow in those),
    )


def _category(
    category: str | None,
    flows: Sequence[Flowed],
    before: dict[str, store.Balance],
    after: dict[str, store.Balance],
) -> CategoryFlow:
    opened, closed = (stand.get(category or "") for stand in (before, after))
    opening, closing = opened.closing if opened else 0, closed.closing if closed else 0
    inflow, outflow = sum(flow.inflow for flow in flows), sum(flow.outflow for flow in flows)
    debt = category in DEBTS
    explained = outflow - inflow if debt else inflow - outflow
    return CategoryFlow(
        category=category,
        debt=debt,
        opening=_money(opening),
        inflow=_money(inflow),
        outflow=_money(outflow),
        closing=_money(closing),
        # What names no product is of some category's balance, but not of one that is known.
        unexplained=_money(closing - opening - explained) if category is not None else None,
        first_told=_money(closed.first_told if closed else 0),
    )


def _name(month: date) -> str:
    return f"{month:%Y-%m}"


def _money(minor: int) -> Decimal:
    return (Decimal(minor) / HUNDREDTHS).quantize(_CENT)
