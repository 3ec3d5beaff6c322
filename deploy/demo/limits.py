"""What the bank binds itself to: how often customers are contacted, what products cost, how much is sold."""

from deploy.demo.api import Json
from deploy.demo.customer_file import MODEL
from deploy.demo.memory import Result
from deploy.demo.plot import POLICY, text
from deploy.demo.scene import Scene

CONTACT_POLICY: Json = {
    "key": POLICY,
    "name": text("节制联系", "Considerate"),
    "cap": {"contacts": 2, "days": 30},
    "cool_down_days": 14,
}
"""Without quiet hours: the story is told at whatever hour it is."""

PRICES: dict[str, Json] = {
    "CNY": {
        "key": "companies",
        "name": text("对公价目", "Prices for companies"),
        "currency": "CNY",
        "capital_ratio": "0.105",
        "hurdle": "0.12",
        "subsidy_share": "0.3",
        "products": [
            {
                "product": "business-loan",
                "name": text("经营贷款", "Business loan"),
                "kind": "loan",
                "list_price": "0.0435",
                "funding_rate": "0.021",
                "pd": "0.012",
                "lgd": "0.45",
                "risk_weight": "0.75",
                "account_cost": "150.00",
            },
            {
                "product": "time-1y",
                "name": text("一年定期", "One-year time deposit"),
                "kind": "deposit",
                "list_price": "0.015",
                "funding_rate": "0.023",
                "account_cost": "10.00",
            },
            {
                "product": "payroll",
                "name": text("代发工资", "Payroll service"),
                "kind": "fee",
                "list_price": "2",
                "unit_cost": "0.8",
            },
        ],
        "bundles": [
            {
                "key": "company-start",
                "name": text("企业起步套餐", "Company start package"),
                "prices": [
                    {"product": "business-loan", "price": "0.0415"},
                    {"product": "payroll", "price": "1"},
                ],
                "monthly_fee": "120.00",
            }
        ],
        "authority": [
            {"role": "manager", "discount": "0.05"},
            {"role": "branch_head", "discount": "0.15", "reach": "floor"},
            {"role": "approver", "discount": "1", "reach": "any"},
        ],
    },
    "CZK": {
        "key": "households",
        "name": text("个人价目", "Prices for households"),
        "currency": "CZK",
        "capital_ratio": "0.08",
        "hurdle": "0.12",
        "subsidy_share": "0.2",
        "products": [
            {
                "product": "loan",
                "name": text("贷款", "Loan"),
                "kind": "loan",
                "list_price": "0.129",
                "funding_rate": "0.08",
                "pd": "0.02",
                "lgd": "0.5",
                "risk_weight": "0.75",
                "account_cost": "40.00",
            },
            {
                "product": "current-account",
                "name": text("活期账户", "Current account"),
                "kind": "deposit",
                "list_price": "0.02",
                "funding_rate": "0.06",
                "account_cost": "25.00",
            },
        ],
        "authority": [
            {"role": "manager", "discount": "0.03"},
            {"role": "branch_head", "discount": "0.1", "reach": "floor"},
            {"role": "approver", "discount": "1", "reach": "any"},
        ],
    },
}
"""By the currency of the bank."""


async def bind_the_bank(scene: Scene) -> Result:
    """The contact policy that campaigns name, and the price list that quotes are made by, once approved."""
    who, remembered = scene.strategist, scene.memory.key
    policy = await who.post("campaign/v1/contact-policies", CONTACT_POLICY, key=remembered("contact policy"))
    prices = {**PRICES[scene.plot.currency], "value_model": MODEL}
    written = await who.post("campaign/v1/price-lists", prices, key=remembered("prices"))
    approval = f"campaign/v1/price-lists/{written['ref']}:approve"
    await scene.approver.post(approval, {}, key=remembered("prices-approval"))
    return {"contact_policy": policy["key"], "price_list": written["ref"]}


async def limit_sales(scene: Scene) -> Result:
    """The offer is sold to everybody in the campaign's audience at most, over all campaigns to come."""
    units = scene.result("plan_campaign")["simulation"]["audience"]
    body = {"offer": scene.plot.offer["key"], "units": units}
    quota = await scene.strategist.post("campaign/v1/quotas", body, key=scene.memory.key("quota"))
    return {"offer": quota["offer"], "units": quota["units"]}
