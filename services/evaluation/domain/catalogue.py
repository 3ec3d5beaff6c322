"""The metrics every installation has."""

from __future__ import annotations

from shared.contracts.base import LocalText
from shared.contracts.metrics import Better, EventSource, MetricCreate, MetricKind, MetricSource

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

BUILT_IN = {metric.key: metric for metric in (NET_INFLOW, TRANSACTIONS, CONVERSION, COMPLAINTS, OPT_OUTS)}
