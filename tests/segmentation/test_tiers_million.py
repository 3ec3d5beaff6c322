"""A million customers put into tiers through the API: proposed, approved, effective, counted."""

import time
from collections.abc import Callable

import pytest

from services.segmentation.store.store import Store
from shared.auth import Role
from tests.segmentation.test_tiers_live import scheme
from tests.support import Running, eventually

pytestmark = pytest.mark.slow

CUSTOMERS = 1_000_000

_CUSTOMERS = """
INSERT INTO customer BY NAME
SELECT range::INTEGER AS ordinal, uuid() AS customer_id, 1 AS version, 'person' AS kind, 'active' AS status,
  'hq.b' || (range % 40) || '.s' || (range % 1000) AS org FROM range(1, $count + 1)
"""

_HOLDINGS = """
INSERT INTO {table} BY NAME
SELECT range::INTEGER AS home, range::INTEGER AS ordinal, 'A' || range AS account, 'demand' AS product,
  'demand' AS category, (hash(range) % 10_000_000)::DECIMAL(20, 2) AS balance, 'CNY' AS currency,
  DATE '2026-01-01' AS as_of, false AS closed FROM range(1, $count + 1)
"""


async def test_a_million_customers_move_in_seconds(
    segmentation: Running, record_property: Callable[[str, object], None]
) -> None:
    with segmentation.runtime.resource(Store).write() as cursor:
        cursor.execute(_CUSTOMERS, {"count": CUSTOMERS})
        for table in ("holding", "holding_latest"):
            cursor.execute(_HOLDINGS.format(table=table), {"count": CUSTOMERS})
    async with (
        segmentation.client(Role.strategist, staff="maker") as maker,
        segmentation.client(Role.approver, staff="checker") as checker,
    ):
        assert (await maker.post("/v1/tier-schemes", json=scheme("million"))).status_code == 201
        asked = (await maker.post("/v1/tier-schemes/million:apply", json={})).json()
        path = f"/v1/tier-lists/{asked['id']}"

        async def until(state: str) -> float:
            started = time.perf_counter()

            async def reached() -> bool:
                found = (await maker.get(path)).json()
                assert found["state"] != "failed", found
                return bool(found["state"] == state)

            await eventually(reached, seconds=240, what=state)
            return time.perf_counter() - started

        record_property("tiers, 1,000,000 customers: seconds to propose", round(await until("proposed"), 1))
        assert (await checker.post(f"{path}:approve", json={})).status_code == 202
        record_property(
            "tiers, 1,000,000 customers: seconds to take effect", round(await until("effective"), 1)
        )
        started = time.perf_counter()
        counts = (await maker.get("/v1/tier-schemes/million/counts")).json()
        record_property(
            "tiers, 1,000,000 customers: seconds to count", round(time.perf_counter() - started, 2)
        )
        assert sum(counts["tiers"].values()) == CUSTOMERS
        assert len(counts["orgs"]) == 40
        started = time.perf_counter()
        page = (
            await maker.get("/v1/tier-changes", params={"list_id": asked["id"], "to_tier": "gold"})
        ).json()
        record_property("tiers, a page of a million moves: seconds", round(time.perf_counter() - started, 2))
        assert len(page["items"]) == 100
