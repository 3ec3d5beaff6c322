"""Changes, shares and trends of other features; unknown where they would divide by zero."""

from services.segmentation.domain.catalogue.forms import derived
from services.segmentation.domain.features import Feature
from services.segmentation.domain.features import FeatureType as Type


def _share(key: str, zh: str, en: str, part: str, whole: str) -> Feature:
    return derived(
        key, zh, en, Type.number, f"{{{part}}}::DOUBLE / nullif({{{whole}}}::DOUBLE, 0)", (part, whole)
    )


def _change(key: str, zh: str, en: str, now: str, then: str) -> Feature:
    return derived(key, zh, en, Type.money, f"{{{now}}} - {{{then}}}", (now, then), "CNY")


DERIVED: tuple[Feature, ...] = (
    _change("aum_change_90d", "90天管理资产变化", "Change of assets in 90 days", "aum", "aum_90d_ago"),
    _change(
        "deposit_change_90d",
        "90天存款变化",
        "Change of deposits in 90 days",
        "deposit_balance",
        "deposit_90d_ago",
    ),
    _change("loan_change_90d", "90天贷款变化", "Change of loans in 90 days", "loan_balance", "loan_90d_ago"),
    _share(
        "aum_growth_90d", "90天管理资产增长率", "Growth of assets in 90 days", "aum_change_90d", "aum_90d_ago"
    ),
    _share("aum_trend", "管理资产走势", "Mean assets, 30 days by 90 days", "avg_aum_30d", "avg_aum_90d"),
    _share("wealth_share", "投资理财占比", "Share of assets invested", "wealth_balance", "aum"),
    _share("deposit_share", "存款占比", "Share of assets in deposits", "deposit_balance", "aum"),
    _share("demand_share", "活期占比", "Share of deposits on demand", "demand_balance", "deposit_balance"),
    _share(
        "digital_share_90d",
        "线上交易占比",
        "Share of transactions on digital channels",
        "digital_txn_count_90d",
        "txn_count_90d",
    ),
    _share("txn_trend", "交易活跃走势", "Transactions, 30 days by 90 days", "txn_count_30d", "txn_count_90d"),
    _share("outflow_ratio_30d", "30天流出率", "Outflow in 30 days by assets", "outflow_30d", "aum"),
    _share(
        "spend_to_salary_90d",
        "消费工资比",
        "Card spending by salary in 90 days",
        "card_spend_90d",
        "salary_90d",
    ),
)
