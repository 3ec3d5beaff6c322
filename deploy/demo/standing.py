"""Where customers stand: tiers, the key accounts' matrix, the bank's target, what the team believes."""

from datetime import date
from typing import Any

from deploy.demo.api import Json
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.plot import text
from deploy.demo.scene import Scene, until

TIERS = (
    ("standard", text("普通客户", "Standard"), None),
    ("gold", text("金卡客户", "Gold"), 50_000),
    ("platinum", text("白金客户", "Platinum"), 500_000),
    ("private", text("私行客户", "Private"), 3_000_000),
)
"""Assets from which a tier is reached; it is lost a fifth below."""

_AT_ONCE = 1_000


async def set_tiers(scene: Scene) -> Result:
    """A scheme by assets, its list of moves, and the second person's approval."""
    who, remembered = scene.strategist, scene.memory.key
    scheme = await who.post("segmentation/v1/tier-schemes", tier_scheme(), key=remembered("tiers"))
    path = f"segmentation/v1/tier-schemes/{scheme['id']}"
    asked = await who.post(f"{path}:apply", {}, key=remembered("apply tiers"))
    with scene.narrator.counting("tiers", 1) as advance:
        await until("the list of tier moves", lambda: _list_in(scene, asked["id"], "proposed"))
        await scene.approver.post(
            f"segmentation/v1/tier-lists/{asked['id']}:approve", {}, key=remembered("approve tiers")
        )
        await until("the tiers", lambda: _list_in(scene, asked["id"], "effective"))
        advance(1)
    counts = await who.get(f"{path}/counts")
    names = {code: name["en"] for code, name, _ in TIERS}
    return {names[code]: customers for code, customers in counts["tiers"].items()}


def tier_scheme() -> Json:
    def tier(code: str, name: Json, threshold: int | None) -> Json:
        if threshold is None:
            return {"code": code, "name": name}
        return {"code": code, "name": name, "upgrade_at": threshold, "downgrade_below": threshold * 0.8}

    return {
        "key": "value",
        "name": text("价值分层", "Value tiers"),
        "kind": "value",
        "feature": "aum",
        "tiers": [tier(*each) for each in TIERS],
        "minimum_stay_days": 90,
    }


async def _list_in(scene: Scene, list_id: str, state: str) -> Json | None:
    found = await scene.strategist.get(f"segmentation/v1/tier-lists/{list_id}")
    if found["state"] == "failed":
        raise DemoError(f"the tiers were not computed: {found['problem']}")
    return found if found["state"] == state else None


async def place_key_accounts(scene: Scene) -> Result:
    """The bank's companies in the nine cells, factors weighed by AHP and scored from their features."""
    who, remembered = scene.strategist, scene.memory.key
    kinds = scene.world.data.customers["kind"].to_pylist()
    ids = (await scene.customer_ids())["customer_id"].to_pylist()
    companies = [each for each, kind in zip(ids, kinds, strict=True) if kind == "company"]
    if not companies:
        return {"customers": 0, "classes": {}}
    matrix = await who.post("segmentation/v1/ge-matrices", ge_matrix(), key=remembered("key accounts"))
    path = f"segmentation/v1/ge-matrices/{matrix['id']}"
    weighed = await who.post(f"{path}:weigh", _SIZE_COUNTS_MOST, key=remembered("weigh"))
    with scene.narrator.counting("key accounts", len(companies)) as advance:
        for start in range(0, len(companies), _AT_ONCE):
            part = [{"customer_id": each} for each in companies[start : start + _AT_ONCE]]
            await scene.admin.post(f"{path}:score", {"items": part}, key=remembered(f"score {start}"))
            advance(len(part))
    cells = await who.get(f"{path}/cells")
    ratio = weighed["consistency_ratio"]
    return {"customers": cells["customers"], "classes": cells["classes"], "consistency_ratio": ratio}


def ge_matrix() -> Json:
    return {
        "key": "key-accounts",
        "name": text("重点对公客户", "Key accounts"),
        "attractiveness": [
            _factor("size", "资产规模", "Assets", "aum", 50_000, 200_000, 800_000, 3_000_000),
            _factor("growth", "资金净流入", "Net inflow", "net_inflow_90d", -50_000, 0, 50_000, 250_000),
            _factor("activity", "交易活跃度", "Activity", "txn_count_90d", 5, 15, 30, 60),
        ],
        "competitiveness": [
            _factor("breadth", "产品覆盖", "Products held", "product_count", 2, 3, 4, 5),
            _factor("tenure", "合作年限", "Years with us", "tenure_months", 12, 36, 60, 120),
        ],
    }


def _factor(key: str, zh: str, en: str, feature: str, *cutoffs: float) -> Json:
    return {"key": key, "name": text(zh, en), "bands": {"feature": feature, "cutoffs": list(cutoffs)}}


_SIZE_COUNTS_MOST: Json = {
    "group": "attractiveness",
    "method": "ahp",
    "comparisons": [[1, 3, 2], [1 / 3, 1, 1 / 2], [1 / 2, 2, 1]],
}


async def declare_target(scene: Scene) -> Result:
    """Whom the bank says it serves, and how much of what it has is inside."""
    who, remembered = scene.strategist, scene.memory.key
    begun = scene.now().date()
    body: dict[str, Any] = {
        "name": text("目标客户：有资产或年轻活跃", "Customers with assets, or young and active"),
        "rationale": "A regional bank for families and their companies",
        "org": "hq",
        "definition": {"sql": "aum >= 50000 or (age < 35 and txn_count_90d >= 3)"},
        "tolerances": {"new_customers": 0.3, "contacts": 0.3},
        "valid_from": date(begun.year, 1, 1).isoformat(),
    }
    profile = await who.post("segmentation/v1/target-profiles", body, key=remembered("target"))
    found = await who.get(f"segmentation/v1/target-profiles/{profile['id']}/adherence")
    return {name: found[name] for name in ("customers", "inside", "share", "aum_share")}


async def test_belief(scene: Scene) -> Result:
    """What the team believes of customers, put to the data."""
    who, remembered = scene.strategist, scene.memory.key
    body = {
        "title": "Customers with a salary account hold more products",
        "text": "Branches say so. If it holds, the salary account is the product to begin with.",
        "tags": ["salary", "cross-selling"],
        "group": {"sql": "salary_flag = true"},
    }
    note = await who.post("segmentation/v1/insights", body, key=remembered("insight"))
    path = f"segmentation/v1/insights/{note['id']}"
    for state in ("discussed", "testing"):
        await who.post(f"{path}:move", {"to": state}, key=remembered(f"to {state}"))
    claim = {"metric": "product_count", "direction": "higher"}
    found = await who.post(f"{path}:test", claim, key=remembered("test insight"))
    return {
        "title": note["title"],
        **{name: found[name] for name in ("verdict", "difference", "low", "high", "p_adjusted")},
    }
