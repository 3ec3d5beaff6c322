"""What is told about each bank: its segments, its offer, its campaign."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from deploy.demo.bank.outcomes import OFFERED

Json = dict[str, Any]
POLICY = "considerate"
"""Key of the contact policy that campaigns name."""


@dataclass(frozen=True)
class Plot:
    """`segments` in the order they are published; the first `targets` of `include` are the audience."""

    segments: tuple[Json, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    features: tuple[str, ...]
    offer: Json
    script: Json
    name: Json
    campaign: str
    target: str
    currency: str
    metric: Json | None
    amount: str
    simulated_contacts: bool


def text(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def segment(key: str, zh: str, en: str, sql: str) -> Json:
    return {
        "key": key,
        "name": text(zh, en),
        "kind": "rule",
        "refresh": "realtime",
        "definition": {"sql": sql},
    }


SYNTHETIC = Plot(
    segments=(
        segment(
            "recent-complaint", "近期投诉客户", "Complained in the last 60 days",
            "count_events('complaint.filed', 60) >= 1",
        ),
        segment(
            "affluent-50plus-active", "50岁以上活跃财富客户", "Active affluent 50+",
            "aum >= 500000 and age between 50 and 65 and "
            "count_events('transaction.posted', 30, amount >= 50000) >= 2 "
            "and not in_segment('recent-complaint')",
        ),
        segment(
            "savers-60plus", "60岁以上储蓄客户", "Savers 60+ without a wealth plan",
            "age >= 60 and aum >= 200000 and not has_product('wealth-steady')",
        ),
        segment(
            "young-digital", "年轻数字客户", "Young and digital",
            "age < 30 and login_count_30d >= 1 and card_spend_90d > 0",
        ),
    ),
    include=("affluent-50plus-active", "savers-60plus"),
    exclude=("recent-complaint",),
    features=(
        "aum", "product_count", "txn_count_90d", "max_txn_amount_90d", "tenure_months", "age",
    ),
    offer={
        "key": "wealth-steady-r2",
        "name": text("稳健理财 180 天", "Steady wealth plan, 180 days"),
        "product": OFFERED,
        "risk": "R2",
        "terms": {
            "text": text("年化 2.85%，5 万元起", "2.85 % a year, from 50,000"),
            "rate": "0.0285",
            "minimum": "50000.00",
            "tenor_days": 180,
        },
        "value": "860.00",
        "currency": "CNY",
    },
    script={
        "key": "wealth-50plus",
        "name": text("财富客户电话话术", "Call to wealth clients"),
        "steps": [
            {
                "key": "open",
                "text": text(
                    "{{ customer.salutation | default('您') }}，您好，"
                    "我是客户经理{{ manager.name }}，现在方便通话吗？",
                    "Good day {{ customer.salutation | default('') }}, {{ manager.name }} of your bank. "
                    "Is this a good moment?",
                ),
                "answers": [
                    {"key": "yes", "label": text("方便", "It is"), "next": "need"},
                    {"key": "later", "label": text("改天再打", "Call me another day"), "end": "call_back"},
                    {"key": "never", "label": text("别再打", "Never again"), "end": "do_not_contact"},
                ],
            },
            {
                "key": "need",
                "text": text(
                    "近期资金有什么安排，半年内会用到吗？", "Will you need your money within half a year?"
                ),
                "answers": [
                    {"key": "free", "label": text("暂时不用", "I will not"), "next": "offer"},
                    {"key": "needed", "label": text("随时要用", "I may"), "end": "refused"},
                ],
            },
            {
                "key": "offer",
                "text": text(
                    "{{ offer.name }}：{{ offer.terms }}，{{ offer.minimum | money }}起，"
                    "期限{{ offer.tenor_days }}天，风险等级{{ offer.risk }}，收益会随市场变化。",
                    "{{ offer.name }}: {{ offer.terms }}, from {{ offer.minimum | money }}, for "
                    "{{ offer.tenor_days }} days, risk {{ offer.risk }}; its yield moves with the market.",
                ),
                "answers": [
                    {"key": "buys", "label": text("愿意办理", "I take it"), "end": "accepted"},
                    {"key": "thinks", "label": text("考虑一下", "I think about it"), "end": "interested"},
                    {"key": "no", "label": text("不需要", "No, thank you"), "end": "refused"},
                ],
            },
        ],
        "minutes": 8,
    },
    name=text("四季度稳健理财", "Steady wealth plan, fourth quarter"),
    campaign="wealth-50plus",
    target="8000000.00",
    currency="CNY",
    metric=None,
    amount="60000.00",
    simulated_contacts=False,
)  # fmt: skip

BERKA = Plot(
    segments=(
        segment("funded", "余额充足客户", "Balance of 15,000 and more", "aum >= 15000"),
        segment(
            "paying", "活跃结算客户", "Three and more postings in 30 days",
            "count_events('transaction.posted', 30) >= 3 and aum < 15000",
        ),
        segment("borrowers", "贷款客户", "Borrowers", "loan_balance > 0"),
    ),
    include=("funded", "paying"),
    exclude=("borrowers",),
    features=("aum", "product_count", "txn_count_90d", "max_txn_amount_90d", "tenure_months", "age"),
    offer={
        "key": "current-account-bonus",
        "name": text("活期账户优惠", "Bonus on the current account"),
        "product": "current-account",
        "risk": "R1",
        "terms": {"text": text("新增存款奖励", "A bonus on new deposits"), "rate": "0.0200"},
        "value": "120.00",
        "currency": "CZK",
    },
    script={
        "key": "bonus-call",
        "name": text("活期优惠话术", "Call about the bonus"),
        "steps": [{"key": "offer", "text": text("介绍优惠", "Present the bonus")}],
        "minutes": 5,
    },
    name=text("活期账户优惠", "Bonus on the current account"),
    campaign="current-account-bonus",
    target="500000.00",
    currency="CZK",
    metric={
        "key": "net_inflow_czk_30d",
        "name": text("30天净流入（克朗）", "Net inflow in CZK, 30 days"),
        "kind": "sum",
        "window_days": 30,
        "source": {
            "events": [
                {"type": "transaction.posted", "where": {"direction": "in", "currency": "CZK"}},
                {"type": "transaction.posted", "sign": -1, "where": {"direction": "out", "currency": "CZK"}},
            ]
        },
        "currency": "CZK",
        "covariate": True,
    },
    amount="10000.00",
    simulated_contacts=True,
)  # fmt: skip


def campaign(plot: Plot, script: str, owner: str, accountable: str, org: list[str], start: date) -> Json:
    """The campaign with its five fixes; `owner` and `accountable` are staff codes."""
    return {
        "key": plot.campaign,
        "name": plot.name,
        "objective": {
            "primary_metric": plot.metric["key"] if plot.metric else "net_inflow_30d",
            "target": plot.target,
            "guardrails": ["complaints_30d", "opt_outs_30d"],
        },
        "scheme": {
            "scenario": {"kind": "life_cycle", "detail": {}},
            "arms": [
                {
                    "key": "call",
                    "share": 0.8,
                    "offer": plot.offer["key"],
                    "channel": "manager_task",
                    "script": script,
                }
            ],
            "hold_out": 0.2,
            "contact_policy": POLICY,
        },
        "people": {"owner": owner, "assign": "primary_manager", "use_backup": True, "orgs": org},
        "schedule": {"start": start.isoformat(), "end": (start + timedelta(days=14)).isoformat()},
        "responsibility": {
            "accountable": accountable,
            "measures": [{"org": "hq", "target": plot.target}],
        },
        "audience": {"include": list(plot.include), "exclude": list(plot.exclude)},
        "budget": {"amount": "200000.00", "currency": plot.currency},
    }
