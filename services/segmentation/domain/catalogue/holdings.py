"""What the customer holds: balances now, on average and before, products, maturities."""

from services.segmentation.domain.catalogue.forms import mean_balance, summed_balance
from services.segmentation.domain.features import Dated, Feature, Missing, Source, Turn
from services.segmentation.domain.features import FeatureType as Type

_DEPOSITS = "category IN ('demand', 'time_deposit', 'payroll')"
_INVESTED = "category IN ('wealth', 'fund', 'insurance')"
ASSETS = "category IN ('demand', 'time_deposit', 'payroll', 'wealth', 'fund', 'insurance')"
_LOANS = "category = 'loan'"


def _held(key: str, zh: str, en: str, expression: str, unit: str) -> Feature:
    return Feature(key, zh, en, Type.integer, Source.holding, expression, unit, Missing.zero)


def _maturing(key: str, zh: str, en: str, days: int) -> Feature:
    """From today to so many days ahead."""
    condition = f"{ASSETS} AND matures_on BETWEEN $today AND $today + {days}"
    return Feature(
        key,
        zh,
        en,
        Type.money,
        Source.holding,
        f"sum(balance) FILTER ({condition})",
        "CNY",
        Missing.zero,
        dated=(Dated("holding_latest", "matures_on", Turn.passing, days=(-days, 1)),),
    )


HOLDINGS: tuple[Feature, ...] = (
    summed_balance("aum", "管理资产", "Assets under management", ASSETS),
    summed_balance("deposit_balance", "存款余额", "Deposit balance", _DEPOSITS),
    summed_balance("demand_balance", "活期余额", "Demand deposit balance", "category = 'demand'"),
    summed_balance("time_deposit_balance", "定期余额", "Time deposit balance", "category = 'time_deposit'"),
    summed_balance("wealth_balance", "投资理财余额", "Wealth, fund and insurance balance", _INVESTED),
    summed_balance("fund_balance", "基金余额", "Fund balance", "category = 'fund'"),
    summed_balance("insurance_balance", "保险余额", "Insurance balance", "category = 'insurance'"),
    summed_balance("loan_balance", "贷款余额", "Loan balance", _LOANS),
    _held("product_count", "持有产品数", "Products held", "count(DISTINCT product)", "products"),
    _held(
        "category_count",
        "持有产品类别数",
        "Product categories held",
        "count(DISTINCT category)",
        "categories",
    ),
    _held("account_count", "账户数", "Accounts", "count(*)", "accounts"),
    Feature(
        "largest_balance",
        "单户最大余额",
        "Largest balance in one account",
        Type.money,
        Source.holding,
        f"max(balance) FILTER ({ASSETS})",
        "CNY",
    ),
    Feature(
        "days_to_maturity",
        "最近到期天数",
        "Days to the next maturity",
        Type.integer,
        Source.holding,
        "date_diff('day', $today, min(matures_on) FILTER (matures_on >= $today))",
        "day",
        dated=(Dated("holding_latest", "matures_on", Turn.until),),
    ),
    _maturing("maturing_30d", "30天内到期金额", "Amount maturing within 30 days", 30),
    _maturing("maturing_90d", "90天内到期金额", "Amount maturing within 90 days", 90),
    Feature(
        "days_since_opening",
        "距最近开户天数",
        "Days since the newest account was opened",
        Type.integer,
        Source.holding,
        "date_diff('day', max(opened_on), $today)",
        "day",
        dated=(Dated("holding_latest", "opened_on", Turn.since),),
    ),
    summed_balance(
        "aum_90d_ago", "90天前管理资产", "Assets under management 90 days ago", ASSETS, Source.past
    ),
    summed_balance(
        "deposit_90d_ago", "90天前存款余额", "Deposit balance 90 days ago", _DEPOSITS, Source.past
    ),
    summed_balance("loan_90d_ago", "90天前贷款余额", "Loan balance 90 days ago", _LOANS, Source.past),
    mean_balance("avg_aum_30d", "30天日均管理资产", "Mean daily assets in 30 days", ASSETS, 30),
    mean_balance("avg_aum_90d", "90天日均管理资产", "Mean daily assets in 90 days", ASSETS, 90),
    mean_balance("avg_deposit_30d", "30天日均存款", "Mean daily deposits in 30 days", _DEPOSITS, 30),
    mean_balance("avg_deposit_90d", "90天日均存款", "Mean daily deposits in 90 days", _DEPOSITS, 90),
    mean_balance("avg_loan_90d", "90天日均贷款", "Mean daily loans in 90 days", _LOANS, 90),
)
