"""The bank moves in: branches, people and products one by one, customers and balances as files."""

from collections.abc import Iterator
from functools import partial
from itertools import groupby

import pyarrow as pa

from deploy.demo.api import Caller, Json, Raw
from deploy.demo.bank.storage import write_batches
from deploy.demo.errors import DemoError
from deploy.demo.memory import Result
from deploy.demo.narration import Advance
from deploy.demo.scene import Scene, side_by_side, until

PUTS_AT_ONCE = 8
HOLDING_MONTHS = 4
"""Enough for every built-in feature: assets now and 90 days ago."""
PARQUET = "application/vnd.apache.parquet"


async def load_organisation(scene: Scene) -> Result:
    """Orgs level by level (a parent must exist), then staff and products."""
    data, admin = scene.world.data, scene.admin
    orgs = sorted(data.orgs.to_pylist(), key=lambda row: str(row["code"]).count("."))
    with scene.narrator.counting("organisations", len(orgs)) as advance:
        for _, level in groupby(orgs, key=lambda row: str(row["code"]).count(".")):
            calls = [partial(_put, admin, f"orgs/{row['code']}", _org(row)) for row in level]
            advance(len(await side_by_side(calls, PUTS_AT_ONCE)))
    staff, products = data.staff.to_pylist(), data.products.to_pylist()
    with scene.narrator.counting("staff", len(staff)) as advance:
        calls = [partial(_put, admin, f"staff/{row['code']}", _without_code(row)) for row in staff]
        advance(len(await side_by_side(calls, PUTS_AT_ONCE)))
    with scene.narrator.counting("products", len(products)) as advance:
        calls = [partial(_put, admin, f"products/{row['code']}", _product(row)) for row in products]
        advance(len(await side_by_side(calls, PUTS_AT_ONCE)))
    return {"orgs": len(orgs), "staff": len(staff), "products": len(products)}


async def _put(caller: Caller, path: str, body: Json) -> bool:
    return await caller.put(f"customer/v1/{path}", body)


def _org(row: Json) -> Json:
    return {"level": row["level"], "name": _name(row)}


def _product(row: Json) -> Json:
    kept = {name: row[name] for name in ("category", "risk", "currency", "margin")}
    return {"name": _name(row), **kept}


def _name(row: Json) -> Json:
    return {"zh": row["name_zh"], "en": row["name_en"]}


def _without_code(row: Json) -> Json:
    return {name: value for name, value in row.items() if name != "code"}


async def load_customers(scene: Scene) -> Result:
    return await import_table(scene, "customers", iter(scene.world.data.customers.to_batches()))


async def load_holdings(scene: Scene) -> Result:
    return await import_table(scene, "holdings", scene.world.data.holdings(HOLDING_MONTHS))


async def import_table(scene: Scene, dataset: str, batches: Iterator[pa.RecordBatch]) -> Result:
    """Hand the file over, then watch the job until it has ended."""
    file = scene.data_dir / f"demo-{dataset}.parquet"
    rows = write_batches(batches, file)
    content = Raw(file.read_bytes(), PARQUET)
    file.unlink()
    begun = await scene.admin.post(
        "customer/v1/imports", content, key=scene.memory.key(dataset), dataset=dataset, filename=file.name
    )
    with scene.narrator.counting(dataset, rows) as advance:
        counts = await _watch(scene, str(begun["id"]), advance)
    if counts["rejected"]:
        raise DemoError(
            f"{counts['rejected']} rows of {dataset} were rejected: {await _why(scene, begun['id'])}"
        )
    return counts


async def _watch(scene: Scene, import_id: str, advance: Advance) -> Result:
    seen = 0

    async def ended() -> Result | None:
        nonlocal seen
        found = await scene.admin.get(f"customer/v1/imports/{import_id}")
        advance(found["counts"]["rows"] - seen)
        seen = found["counts"]["rows"]
        if found["state"] in {"failed", "cancelled"}:
            raise DemoError(f"the import has {found['state']}: {await _why(scene, import_id)}")
        return dict(found["counts"]) if found["state"] == "succeeded" else None

    return await until("the import", ended, seconds=3_600)


async def _why(scene: Scene, import_id: str) -> str:
    page = await scene.admin.get(f"customer/v1/imports/{import_id}/errors", limit=5)
    return "; ".join(f"row {e['row']} {e['column'] or ''} {e['detail']}" for e in page["items"])
