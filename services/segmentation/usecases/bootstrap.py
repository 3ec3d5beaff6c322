"""Filling an empty feature store from the customer service's exports."""

import asyncio
import tempfile
from functools import partial
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import structlog

from services.segmentation.store import schema, touched
from services.segmentation.store.exports import load_customers, load_events, load_holdings
from services.segmentation.store.relations import load_relations
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.store.values import load_values
from shared.columnar import ARROW

logger = structlog.get_logger()

DATASETS = ("customers", "holdings", "events", "relations", "values")


async def bootstrap(store: Store, customer: httpx.AsyncClient, stream: str, sequence: int) -> None:
    """Replace everything by the present exports, in one transaction, at stream position `sequence`.

    `sequence` was read before the exports were asked for, so what the stream says later is
    at most said twice, and every merge takes a repetition. Raises `httpx.HTTPError` when an
    export cannot be had; the store is then unchanged.
    """
    with tempfile.TemporaryDirectory(dir=store.path.parent) as folder:
        files = {dataset: Path(folder) / f"{dataset}.arrow" for dataset in DATASETS}
        for dataset, file in files.items():
            await _download(customer, dataset, file)
        await asyncio.to_thread(_load, store, files, stream, sequence)
    logger.info("store_filled", stream=stream, sequence=sequence)


async def _download(customer: httpx.AsyncClient, dataset: str, file: Path) -> None:
    """To disk first: an export may be larger than memory, and must be whole before it is loaded."""
    request = customer.stream("GET", f"/v1/exports/{dataset}", headers={"Accept": ARROW})
    async with request as response:
        response.raise_for_status()
        with file.open("wb") as target:
            async for chunk in response.aiter_bytes(1 << 20):
                target.write(chunk)


def _load(store: Store, files: dict[str, Path], stream: str, sequence: int) -> None:
    with store.write() as cursor:
        for table in schema.FACTS:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        _from_file(cursor, files["customers"], partial(load_customers, sequence=sequence))
        _from_file(cursor, files["holdings"], load_holdings)
        _from_file(cursor, files["events"], load_events)
        _from_file(cursor, files["relations"], load_relations)
        _from_file(cursor, files["values"], load_values)
        touched.start_from(cursor, sequence)
        set_watermark(cursor, stream, sequence)


def _from_file(cursor: duckdb.DuckDBPyConnection, file: Path, load: "schema.Loader") -> None:
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
        load(cursor, reader)
