"""Making sure that the store has the balances from before it followed them."""

import tempfile
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import structlog

from services.evaluation.store import Store
from services.evaluation.store.backfill import HOLDINGS, add_holdings
from shared.columnar import ARROW

logger = structlog.get_logger()


async def fill_holdings(store: Store, customer: httpx.AsyncClient, folder: Path) -> None:
    """Once: all days of all accounts as the customer service has them. Raises `httpx.HTTPError` when the
    export cannot be had; the store is then unchanged.

    What is told meanwhile comes by the stream too, and stays.
    """
    if store.has_begun(HOLDINGS):
        return
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = Path(place) / "holdings.arrow"
        await _download(customer, file)
        await store.write(lambda cursor: _load(cursor, file))
    logger.info("holdings_filled")


async def _download(customer: httpx.AsyncClient, file: Path) -> None:
    """To disk first: it may be larger than memory, and must be whole before it is loaded."""
    request = customer.stream("GET", "/v1/exports/holdings", headers={"Accept": ARROW})
    async with request as response:
        response.raise_for_status()
        with file.open("wb") as target:
            async for chunk in response.aiter_bytes(1 << 20):
                target.write(chunk)


def _load(cursor: duckdb.DuckDBPyConnection, file: Path) -> None:
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
        add_holdings(cursor, reader)
