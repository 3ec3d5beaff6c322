"""The metrics every installation has."""

from __future__ import annotations

from shared.contracts.base import LocalText
from shared.contracts.metrics import (
    BalanceSource,
    Better,
    EventSource,
    MetricCreate,
    MetricKind,
    MetricSource,
    Winsorise,
)

NET_INFLOW = MetricCreate(
    key="net_inflow_30d",
    name=LocalText(zh="30天净流入", en="Net inflow, 30 days"),
    kind=MetricKind.SUM,
    window_days=30,
    source=MetricSource(
        events=[
            EventSource(type="transaction.posted", where={"direction": "in"}),
            EventSource(type="transaction.posted", sign=-1, where={"direction": "out"}),
        ]
    ),
    currency="CNY",
    covariate=True,
)
TRANSACTIONS = MetricCreate(
    key="txn_count_30d",
    name=LocalText(zh="30天交易笔数", en="Transactions, 30 days"),
    kind=MetricKind.COUNT,
    window_days=30,
    source=MetricSource(events=[EventSource(type="transaction.posted")]),
    covariate=True,
)
CONVERSION = MetricCreate(
    key="conversion",
    name=LocalText(zh="30天产品开通率", en="Opened a product, 30 days"),
    kind=MetricKind.PROPORTION,
    window_days=30,
    source=MetricSource(events=[EventSource(type="product.opened")]),
)
COMPLAINTS = MetricCreate(
    key="complaints_30d",
    name=LocalText(zh="30天投诉率", en="Complained, 30 days"),
    kind=MetricKind.PROPORTION,
    window_days=30,
    source=MetricSource(events=[EventSource(type="complaint.filed")]),
    better=Better.LOWER,
)
OPT_OUTS = MetricCreate(
    key="opt_outs_30d",
    name=LocalText(zh="30天退订率", en="Opted out of a channel, 30 days"),
    kind=MetricKind.PROPORTION,
    window_days=30,
    source=MetricSource(events=[EventSource(type="consent.changed", where={"granted": "false"})]),
    better=Better.LOWER,
)

AUM = MetricCreate(
    key="aum_30d",
    name=LocalText(zh="资产净增（30/60/90天）", en="Growth of assets, 30, 60 and 90 days"),
    kind=MetricKind.BALANCE,
    window_days=30,
    windows=[60, 90],
    source=MetricSource(balance=BalanceSource()),
    currency="CNY",
    covariate=True,
)
AUM_CAPPED = AUM.model_copy(
    update={
        "key": "aum_30d_capped",
        "name": LocalText(
            zh="资产净增（30/60/90天，截尾1%）", en="Growth of assets, 30, 60 and 90 days, 1 % capped"
        ),
        "winsorise": Winsorise(lower=0.01, upper=0.99),
    }
)
DEPOSITS = MetricCreate(
    key="deposits_30d",
    name=LocalText(zh="存款留存净增（30/60/90天）", en="Growth of deposits, 30, 60 and 90 days"),
    kind=MetricKind.BALANCE,
    window_days=30,
    windows=[60, 90],
    source=MetricSource(balance=BalanceSource(categories=["demand", "time_deposit"])),
    currency="CNY",
    covariate=True,
)
RETAINED = MetricCreate(
    key="retained_30d",
    name=LocalText(zh="资金留存率（30/60/90天）", en="Share of inflow retained after 30, 60 and 90 days"),
    kind=MetricKind.RETENTION,
    window_days=30,
    windows=[60, 90],
    source=MetricSource(
        events=[EventSource(type="transaction.posted", where={"direction": "in"})], balance=BalanceSource()
    ),
)
TICKET = MetricCreate(
    key="ticket_30d",
    name=LocalText(zh="30天笔均金额", en="Amount per transaction, 30 days"),
    kind=MetricKind.RATIO,
    window_days=30,
    source=MetricSource(
        events=[EventSource(type="transaction.posted")],
        denominator=[EventSource(type="transaction.posted")],
    ),
)

BUILT_IN = {
    metric.key: metric
    for metric in (
        NET_INFLOW,
        TRANSACTIONS,
        CONVERSION,
        COMPLAINTS,
        OPT_OUTS,
        AUM,
        AUM_CAPPED,
        DEPOSITS,
        RETAINED,
        TICKET,
    )
}
