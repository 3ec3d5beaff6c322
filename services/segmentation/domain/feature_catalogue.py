"""The built-in features of a bank's customer."""

from services.segmentation.domain.features import Catalogue, Feature, Freshness, Missing, Source
from services.segmentation.domain.features import FeatureType as Type

_DEPOSITS = "category IN ('demand', 'time_deposit', 'payroll')"
_INVESTED = "category IN ('wealth', 'fund', 'insurance')"
_ASSETS = "category IN ('demand', 'time_deposit', 'payroll', 'wealth', 'fund', 'insurance')"
_POSTED = "type = 'transaction.posted'"


def _within(days: int) -> str:
    return f"time > $t - INTERVAL {days} DAY"


def _attribute(key: str, zh: str, en: str, kind: Type, expression: str | None = None) -> Feature:
    return Feature(key, zh, en, kind, Source.customer, expression or key)


def _balance(key: str, zh: str, en: str, condition: str, source: Source = Source.holding) -> Feature:
    return Feature(key, zh, en, Type.money, source, f"sum(balance) FILTER ({condition})", "CNY", Missing.zero)


def _counted(key: str, zh: str, en: str, event: str, days: int) -> Feature:
    return Feature(
        key,
        zh,
        en,
        Type.integer,
        Source.event,
        f"count(*) FILTER (type = '{event}' AND {_within(days)})",
        "times",
        Missing.zero,
        (event,),
        days,
    )


def _summed(
    key: str, zh: str, en: str, event: str, days: int, condition: str = "", value: str = "amount"
) -> Feature:
    extra = f" AND {condition}" if condition else ""
    return Feature(
        key,
        zh,
        en,
        Type.money,
        Source.event,
        f"sum({value}) FILTER (type = '{event}' AND {_within(days)}{extra})",
        "CNY",
        Missing.zero,
        (event,),
        days,
    )


def _since(key: str, zh: str, en: str, event: str) -> Feature:
    last = f"max(time) FILTER (type = '{event}')"
    return Feature(
        key,
        zh,
        en,
        Type.integer,
        Source.event,
        f"date_sub('day', {last}, $t)",
        "day",
        types=(event,),
    )


_SIGNED = "CASE direction WHEN 'in' THEN amount WHEN 'out' THEN -amount END"

PROFILE = (
    _attribute("kind", "客户类型", "Person or company", Type.text),
    _attribute("org", "所属机构", "Organisation unit", Type.text),
    _attribute("gender", "性别", "Gender", Type.text),
    _attribute("occupation", "职业", "Occupation", Type.text),
    _attribute("industry", "行业", "Industry", Type.text),
    _attribute("risk_level", "风险等级", "Risk level", Type.text),
    _attribute("primary_manager", "主办客户经理", "Primary manager", Type.text),
    Feature(
        "age",
        "年龄",
        "Age",
        Type.integer,
        Source.customer,
        "date_sub('year', birth_date, $today)",
        "year",
        freshness=Freshness.daily,
    ),
    Feature(
        "tenure_months",
        "开户月数",
        "Months as a customer",
        Type.integer,
        Source.customer,
        "date_sub('month', customer_since, $today)",
        "month",
        freshness=Freshness.daily,
    ),
    _attribute("birth_date", "出生日期", "Date of birth", Type.date),
    _attribute("customer_since", "开户日期", "Customer since", Type.date),
    _attribute("risk_valid_until", "风险评估有效期", "Risk level valid until", Type.date),
    _attribute("consent_call", "同意电话营销", "May be called", Type.boolean),
    _attribute("consent_sms", "同意短信营销", "May be sent SMS", Type.boolean),
    _attribute("consent_email", "同意邮件营销", "May be sent e-mail", Type.boolean),
)

HOLDINGS = (
    _balance("aum", "管理资产", "Assets under management", _ASSETS),
    _balance("deposit_balance", "存款余额", "Deposit balance", _DEPOSITS),
    _balance("wealth_balance", "投资理财余额", "Wealth, fund and insurance balance", _INVESTED),
    _balance("loan_balance", "贷款余额", "Loan balance", "category = 'loan'"),
    Feature(
        "product_count",
        "持有产品数",
        "Products held",
        Type.integer,
        Source.holding,
        "count(DISTINCT product)",
        "products",
        Missing.zero,
    ),
    Feature(
        "days_to_maturity",
        "最近到期天数",
        "Days to the next maturity",
        Type.integer,
        Source.holding,
        "date_diff('day', $today, min(matures_on) FILTER (matures_on >= $today))",
        "day",
        freshness=Freshness.daily,
    ),
    _balance("aum_90d_ago", "90天前管理资产", "Assets under management 90 days ago", _ASSETS, Source.past),
)

FLOWS = (
    _counted("txn_count_30d", "30天交易笔数", "Transactions in 30 days", "transaction.posted", 30),
    _counted("txn_count_90d", "90天交易笔数", "Transactions in 90 days", "transaction.posted", 90),
    _summed("inflow_30d", "30天流入", "Inflow in 30 days", "transaction.posted", 30, "direction = 'in'"),
    _summed("outflow_30d", "30天流出", "Outflow in 30 days", "transaction.posted", 30, "direction = 'out'"),
    _summed("net_inflow_30d", "30天净流入", "Net inflow in 30 days", "transaction.posted", 30, value=_SIGNED),
    _summed("net_inflow_90d", "90天净流入", "Net inflow in 90 days", "transaction.posted", 90, value=_SIGNED),
    Feature(
        "avg_txn_amount_90d",
        "90天笔均金额",
        "Mean transaction in 90 days",
        Type.number,
        Source.event,
        f"avg(amount) FILTER ({_POSTED} AND {_within(90)})",
        "CNY",
        types=("transaction.posted",),
        days=90,
    ),
    Feature(
        "max_txn_amount_90d",
        "90天单笔最大金额",
        "Largest transaction in 90 days",
        Type.money,
        Source.event,
        f"max(amount) FILTER ({_POSTED} AND {_within(90)})",
        "CNY",
        types=("transaction.posted",),
        days=90,
    ),
    _since("last_txn_days", "距上次交易天数", "Days since the last transaction", "transaction.posted"),
    _summed("card_spend_30d", "30天卡消费", "Card spending in 30 days", "card.spent", 30),
    _summed("card_spend_90d", "90天卡消费", "Card spending in 90 days", "card.spent", 90),
)

DERIVED = (
    Feature(
        "aum_change_90d",
        "90天管理资产变化",
        "Change of assets in 90 days",
        Type.money,
        Source.derived,
        "{aum} - {aum_90d_ago}",
        "CNY",
        uses=("aum", "aum_90d_ago"),
    ),
    Feature(
        "wealth_share",
        "投资理财占比",
        "Share of assets invested",
        Type.number,
        Source.derived,
        "{wealth_balance} / nullif({aum}, 0)",
        None,
        uses=("wealth_balance", "aum"),
    ),
)

ACTIVITY = (
    _counted("login_count_30d", "30天登录次数", "Logins in 30 days", "login", 30),
    _since("last_login_days", "距上次登录天数", "Days since the last login", "login"),
    _counted("complaint_count_180d", "180天投诉次数", "Complaints in 180 days", "complaint.filed", 180),
    _counted("contact_count_90d", "90天接触次数", "Contacts in 90 days", "interaction.recorded", 90),
    _counted("branch_visit_count_90d", "90天到店次数", "Channel visits in 90 days", "channel.visited", 90),
    Feature(
        "salary_flag",
        "代发工资客户",
        "Salary received in 45 days",
        Type.boolean,
        Source.event,
        f"bool_or(type = 'salary.received' AND {_within(45)})",
        None,
        Missing.false,
        ("salary.received",),
        45,
    ),
    Feature(
        "max_days_overdue_180d",
        "180天最长逾期天数",
        "Longest overdue in 180 days",
        Type.integer,
        Source.event,
        f"max(TRY_CAST(data ->> '$.days' AS INTEGER)) FILTER (type = 'loan.overdue' AND {_within(180)})",
        "day",
        Missing.zero,
        ("loan.overdue",),
        180,
    ),
)

BUILT_IN = Catalogue((*PROFILE, *HOLDINGS, *FLOWS, *DERIVED, *ACTIVITY))
