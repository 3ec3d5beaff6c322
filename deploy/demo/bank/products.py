"""What the bank sells."""

from typing import NamedTuple

import pyarrow as pa

DEMAND = 0


class Product(NamedTuple):
    """`term_days` 0: no maturity. `in_assets`: the balance is the customer's money, not a debt."""

    code: str
    name_zh: str
    name_en: str
    category: str
    risk: str
    margin: str
    term_days: int
    in_assets: bool


PRODUCTS = (
    Product("demand-deposit", "活期存款", "Demand deposit", "demand", "R1", "0.0185", 0, True),
    Product("time-1y", "一年定期", "One-year time deposit", "time_deposit", "R1", "0.0095", 365, True),
    Product("time-3y", "三年定期", "Three-year time deposit", "time_deposit", "R1", "0.0060", 1095, True),
    Product("large-cd", "大额存单", "Certificate of deposit", "time_deposit", "R1", "0.0040", 730, True),
    Product("wealth-steady", "稳健理财", "Steady wealth plan", "wealth", "R2", "0.0060", 180, True),
    Product("wealth-growth", "成长理财", "Growth wealth plan", "wealth", "R3", "0.0090", 365, True),
    Product("fund-bond", "债券基金", "Bond fund", "fund", "R2", "0.0075", 0, True),
    Product("fund-equity", "股票基金", "Equity fund", "fund", "R4", "0.0120", 0, True),
    Product("annuity", "年金保险", "Annuity insurance", "insurance", "R2", "0.0150", 3650, True),
    Product("mortgage", "住房贷款", "Mortgage", "loan", "R1", "0.0110", 7300, False),
    Product("business-loan", "经营贷款", "Business loan", "loan", "R2", "0.0210", 365, False),
    Product("credit-card", "信用卡", "Credit card", "card", "R1", "0.0450", 0, False),
    Product("payroll", "代发工资", "Payroll service", "payroll", "R1", "0.0020", 0, False),
)
CODES = [p.code for p in PRODUCTS]


def number(code: str) -> int:
    return CODES.index(code)


def products_table() -> pa.Table:
    """code, name_zh, name_en, category, risk, currency, margin."""
    return pa.Table.from_pylist(
        [
            {
                "code": p.code,
                "name_zh": p.name_zh,
                "name_en": p.name_en,
                "category": p.category,
                "risk": p.risk,
                "currency": "CNY",
                "margin": p.margin,
            }
            for p in PRODUCTS
        ]
    )
