"""What moves: transactions, card spending, salary; by window and channel."""

from services.segmentation.domain.catalogue.forms import (
    LOCAL_DATE,
    aggregated,
    counted,
    days_since,
    summed,
    within,
)
from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type

_POSTED = "transaction.posted"
_SPENT = "card.spent"
_SALARY = "salary.received"
_SIGNED = "CASE direction WHEN 'in' THEN amount WHEN 'out' THEN -amount END"
_DIGITAL = "channel IN ('mobile', 'web', 'wechat')"
_SALARY_WINDOW = 180


def _to_salary_day() -> str:
    """Days to the next date with the usual (median) day of the month, which short months end before."""
    condition = f"type = '{_SALARY}' AND {within(_SALARY_WINDOW)}"
    usual = f"quantile_disc(day({LOCAL_DATE}), 0.5) FILTER ({condition})"
    last, last_of_next = "day(last_day($today))", "day(last_day($today + INTERVAL 1 MONTH))"
    this = f"least({usual}, {last})"
    following = f"{last} - day($today) + least({usual}, {last_of_next})"
    return (
        f"CASE WHEN {usual} IS NOT NULL THEN "
        f"CASE WHEN {this} >= day($today) THEN {this} - day($today) ELSE {following} END END"
    )


FLOWS: tuple[Feature, ...] = (
    counted("txn_count_7d", "7天交易笔数", "Transactions in 7 days", _POSTED, 7),
    counted("txn_count_30d", "30天交易笔数", "Transactions in 30 days", _POSTED, 30),
    counted("txn_count_90d", "90天交易笔数", "Transactions in 90 days", _POSTED, 90),
    counted("txn_count_180d", "180天交易笔数", "Transactions in 180 days", _POSTED, 180),
    counted(
        "mobile_txn_count_30d",
        "30天手机交易笔数",
        "Mobile transactions in 30 days",
        _POSTED,
        30,
        "channel = 'mobile'",
    ),
    counted(
        "digital_txn_count_90d", "90天线上交易笔数", "Digital transactions in 90 days", _POSTED, 90, _DIGITAL
    ),
    counted(
        "counter_txn_count_90d",
        "90天柜面交易笔数",
        "Counter transactions in 90 days",
        _POSTED,
        90,
        "channel = 'counter'",
    ),
    summed("inflow_30d", "30天流入", "Inflow in 30 days", _POSTED, 30, "direction = 'in'"),
    summed("inflow_90d", "90天流入", "Inflow in 90 days", _POSTED, 90, "direction = 'in'"),
    summed("outflow_30d", "30天流出", "Outflow in 30 days", _POSTED, 30, "direction = 'out'"),
    summed("outflow_90d", "90天流出", "Outflow in 90 days", _POSTED, 90, "direction = 'out'"),
    summed("net_inflow_30d", "30天净流入", "Net inflow in 30 days", _POSTED, 30, value=_SIGNED),
    summed("net_inflow_90d", "90天净流入", "Net inflow in 90 days", _POSTED, 90, value=_SIGNED),
    summed(
        "digital_amount_90d", "90天线上交易额", "Digital transaction amount in 90 days", _POSTED, 90, _DIGITAL
    ),
    aggregated(
        "avg_txn_amount_90d",
        "90天笔均金额",
        "Mean transaction in 90 days",
        Type.number,
        "CNY",
        "avg(amount)",
        _POSTED,
        90,
    ),
    aggregated(
        "max_txn_amount_90d",
        "90天单笔最大金额",
        "Largest transaction in 90 days",
        Type.money,
        "CNY",
        "max(amount)",
        _POSTED,
        90,
    ),
    aggregated(
        "txn_channel_count_90d",
        "90天交易渠道数",
        "Channels of transactions in 90 days",
        Type.integer,
        "channels",
        "count(DISTINCT channel)",
        _POSTED,
        90,
        Missing.zero,
    ),
    days_since("last_txn_days", "距上次交易天数", "Days since the last transaction", _POSTED),
    counted("card_count_30d", "30天卡消费笔数", "Card payments in 30 days", _SPENT, 30),
    summed("card_spend_30d", "30天卡消费", "Card spending in 30 days", _SPENT, 30),
    summed("card_spend_90d", "90天卡消费", "Card spending in 90 days", _SPENT, 90),
    days_since("last_card_days", "距上次刷卡天数", "Days since the last card payment", _SPENT),
    Feature(
        "salary_flag",
        "代发工资客户",
        "Salary received in 45 days",
        Type.boolean,
        Source.event,
        f"bool_or(type = '{_SALARY}' AND {within(45)})",
        None,
        Missing.false,
        (_SALARY,),
        45,
    ),
    summed("salary_90d", "90天工资", "Salary in 90 days", _SALARY, 90),
    Feature(
        "days_to_salary_day",
        "距发薪日天数",
        "Days to the usual salary day",
        Type.integer,
        Source.event,
        _to_salary_day(),
        "day",
        types=(_SALARY,),
        days=_SALARY_WINDOW,
        dated=(Dated("event", "time", Turn.any),),
    ),
)
