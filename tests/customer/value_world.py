"""Value models, runs and figures for the tests of value."""

from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from tests.customer.conftest import Bank, number, source_id
from tests.support import eventually

D = Decimal


OCTOBER = date(2026, 10, 1)


FIGURES = (
    "average_balance",
    "ftp_margin",
    "fees",
    "expected_loss",
    "operating_cost",
    "capital",
    "capital_charge",
    "contribution",
)


MODEL: dict[str, Any] = {
    "name": {"zh": "综合贡献", "en": "Contribution"},
    "curve": [{"days": 30, "rate": "0.0150"}, {"days": 1825, "rate": "0.0350"}],
    "funding": [
        {"category": "demand", "side": "liability", "customer_rate": "0.0025", "tenor_days": 30},
        {
            "category": "loan",
            "side": "asset",
            "customer_rate": "0.0410",
            "tenor_days": 1825,
            "day_count": 360,
        },
    ],
    "fees": [
        {"event_type": "card.spent", "field": "amount", "rate": "0.0055", "book_to": "wealth-steady"},
        {
            "event_type": "transaction.posted",
            "fixed": "0.50",
            "product": "demand-deposit",
            "book_to": "home-loan",
        },
    ],
    "losses": [
        {"category": "loan", "pd": "0.0200", "lgd": "0.4500"},
        {"category": "loan", "band": "C1", "pd": "0.0050", "lgd": "0.4500"},
    ],
    "account_costs": [{"monthly": "2.50"}, {"product": "home-loan", "monthly": "12.00"}],
    "event_costs": [
        {"event_type": "transaction.posted", "fixed": "0.12", "book_to": "demand-deposit"},
        {"event_type": "interaction.recorded", "field": "minutes", "rate": "1.5", "book_to": "wealth-steady"},
    ],
    "capital": [{"category": "loan", "risk_weight": "0.5"}],
    "capital_ratio": "0.115",
    "hurdle": "0.12",
    "rates": [{"month": "2026-10", "currency": "USD", "rate": "7.1234"}],
    "peers": {"minimum": 1, "aum_bands": ["50000", "1000000"]},
}


def code() -> str:
    return f"m{number()}"


async def put_model(bank: Bank, name: str, **changes: Any) -> None:
    answer = await bank.strategist.put(f"/v1/value-models/{name}", json={**MODEL, **changes})
    assert answer.status_code == 200, answer.text


async def run(bank: Bank, name: str, month: str = "2026-10", **body: Any) -> dict[str, Any]:
    answer = await bank.strategist.post(f"/v1/value-models/{name}:run", json={"month": month, **body})
    assert answer.status_code == 202, answer.text
    return await ended(bank, answer)


async def ended(bank: Bank, answer: httpx.Response) -> dict[str, Any]:
    run_id, job = answer.json()["id"], answer.headers["Location"]

    async def done() -> bool:
        return (await bank.strategist.get(job)).json()["state"] in {"succeeded", "failed", "cancelled"}

    await eventually(done, what="the run", seconds=60)
    found = await bank.strategist.get(f"/v1/value-runs/{run_id}")
    assert found.status_code == 200, found.text
    return dict(found.json())


async def hold(
    bank: Bank, customer: dict[str, Any], *items: tuple[str, str, str, str], currency: str = "CNY"
) -> None:
    """(account, product, balance, as of)."""
    body = [
        {
            "source": "core",
            "source_id": source_id(customer),
            "account": account,
            "product": product,
            "balance": balance,
            "as_of": day,
            "currency": currency,
        }
        for account, product, balance, day in items
    ]
    answer = await bank.core.post("/v1/holdings", json={"items": body})
    assert answer.status_code == 200, answer.text


async def value_of(bank: Bank, customer: dict[str, Any] | str, model: str, **params: Any) -> dict[str, Any]:
    id_ = customer if isinstance(customer, str) else customer["id"]
    answer = await bank.admin.get(f"/v1/customers/{id_}/value", params={"model": model, **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def runs_of(bank: Bank, name: str) -> list[dict[str, Any]]:
    answer = await bank.strategist.get(f"/v1/value-models/{name}/runs")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])
