"""A price list with one product of each kind and one bundle, and quotes by it."""

from typing import Any

PRICES: dict[str, Any] = {
    "key": "corporate",
    "name": {"zh": "对公价目", "en": "Corporate prices"},
    "capital_ratio": "0.105",
    "hurdle": "0.12",
    "value_model": "standard",
    "subsidy_share": "0.3",
    "quote_days": 30,
    "products": [
        {
            "product": "LOAN-WC",
            "name": {"zh": "流动资金贷款", "en": "Working capital loan"},
            "kind": "loan",
            "list_price": "0.0435",
            "funding_rate": "0.021",
            "pd": "0.012",
            "lgd": "0.45",
            "risk_weight": "0.75",
            "account_cost": "150.00",
        },
        {
            "product": "TD-1Y",
            "name": {"zh": "一年定期", "en": "One year deposit"},
            "kind": "deposit",
            "list_price": "0.015",
            "funding_rate": "0.023",
            "account_cost": "10.00",
        },
        {
            "product": "TRANSFER",
            "name": {"zh": "汇款", "en": "Transfer"},
            "kind": "fee",
            "list_price": "5",
            "unit_cost": "1.2",
        },
    ],
    "bundles": [
        {
            "key": "settlement",
            "name": {"zh": "结算套餐", "en": "Settlement package"},
            "prices": [
                {"product": "LOAN-WC", "price": "0.0435"},
                {"product": "TRANSFER", "price": "2.5"},
            ],
            "monthly_fee": "200.00",
        }
    ],
    "authority": [
        {"role": "manager", "discount": "0.05"},
        {"role": "branch_head", "discount": "0.15", "reach": "floor"},
        {"role": "approver", "discount": "1", "reach": "any"},
    ],
}


def a_line(product: str, volume: str, price: str | None = None) -> dict[str, Any]:
    return {"product": product, "volume": volume, "price": price}
