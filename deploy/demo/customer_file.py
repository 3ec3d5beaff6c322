"""The customer file: who belongs to whom, what each brings, how good the files are, who is there twice."""

from datetime import date, timedelta

from deploy.demo.api import Json
from deploy.demo.errors import DemoError
from deploy.demo.load import import_table
from deploy.demo.memory import Result
from deploy.demo.scene import Scene, until
from shared.clock import ZONE

MONTHS = 3
"""Of those the demonstration has balances for."""
MODEL = "default"


_DEFAULT_RATES = {"C1": "0.004", "C2": "0.006", "C3": "0.010", "C4": "0.016", "C5": "0.025"}
"""Probability of default of a loan in a year, by the customer's risk level."""


def value_model(currency: str, products: dict[str, str]) -> Json:
    """A plausible bank's: margins are the catalogue's; fees on card spending, losses by risk level.

    `products`: one product for each category, by category.
    """
    loans = [
        {"category": "loan", "band": band, "pd": rate, "lgd": "0.45"} for band, rate in _DEFAULT_RATES.items()
    ]
    fee = {"event_type": "card.spent", "field": "amount", "rate": "0.0045", "book_to": products["card"]}
    posting = {"event_type": "transaction.posted", "fixed": "0.08", "book_to": products["demand"]}
    return {
        "name": {"zh": "综合贡献度", "en": "Contribution"},
        "currency": currency,
        "fees": [fee],
        "losses": [
            *loans,
            {"category": "loan", "pd": "0.012", "lgd": "0.45"},
            {"category": "card", "pd": "0.020", "lgd": "0.65"},
        ],
        "account_costs": [{"monthly": "1.50"}, {"category": "loan", "monthly": "12.00"}],
        "event_costs": [posting],
        "capital": [
            {"category": "loan", "risk_weight": "0.75"},
            {"category": "card", "risk_weight": "0.75"},
        ],
        "capital_ratio": "0.105",
        "hurdle": "0.11",
        "schedule": True,
    }


async def relate_customers(scene: Scene) -> Result:
    """Supply chains, groups, employment and households, as a file."""
    return await import_table(scene, "relations", iter(scene.world.data.relationships.to_batches()))


async def calculate_value(scene: Scene) -> Result:
    """Contribution of every customer for the last complete months."""
    data, path = scene.world.data, f"customer/v1/value-models/{MODEL}"
    products = {str(row["category"]): str(row["code"]) for row in reversed(data.products.to_pylist())}
    await scene.admin.put(path, value_model(data.currency, products))
    months = last_months(scene.now().astimezone(ZONE).date(), MONTHS)
    totals: Json = {}
    with scene.narrator.counting("months of value", len(months)) as advance:
        for month in months:
            key = scene.memory.key(f"value {month}")
            # The model's own schedule may have been faster, after an interruption.
            body = {"month": month, "reason": "the demonstration"}
            run = await scene.admin.post(f"{path}:run", body, key=key)
            await _until_done(scene, run["job_id"])
            found = await scene.admin.get(f"customer/v1/value-runs/{run['id']}")
            totals[month] = found["totals"]["contribution"]
            advance(1)
    return {"months": totals, "currency": data.currency}


async def look_over(scene: Scene) -> Result:
    """Judge the quality of every file and compare all of them for duplicates."""
    jobs = [
        await scene.admin.post("customer/v1/quality:run", {}, key=scene.memory.key("quality")),
        await scene.admin.post("customer/v1/duplicates:find", key=scene.memory.key("duplicates")),
    ]
    with scene.narrator.counting("files looked over", len(jobs)) as advance:
        for job in jobs:
            await _until_done(scene, job["id"])
            advance(1)
    summary = await scene.admin.get("customer/v1/quality/summary", by="org")
    return {
        "score": summary["score"],
        "failing": [[one["name"], one["customers"]] for one in summary["failing"]],
    }


async def _until_done(scene: Scene, job_id: str) -> Json:
    async def ended() -> Json | None:
        job = await scene.admin.get(f"customer/v1/jobs/{job_id}")
        if job["state"] in {"failed", "cancelled"}:
            raise DemoError(f"{job['task']} has {job['state']}: {job['problem']}")
        return job if job["state"] == "succeeded" else None

    return await until("the job", ended, seconds=3_600)


def last_months(today: date, count: int) -> list[str]:
    """The complete months before `today`, oldest first, as YYYY-MM."""
    months = []
    first = today.replace(day=1)
    for _ in range(count):
        first = (first - timedelta(days=1)).replace(day=1)
        months.append(f"{first:%Y-%m}")
    return months[::-1]
