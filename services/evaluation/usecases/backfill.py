"""Making sure that the store has the balances from before it followed them."""

import tempfile
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import structlog

from services.evaluation.store import Store
from services.evaluation.store.backfill import HOLDINGS, add_holdings
from services.evaluation.usecases.refill import download

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
        await download(customer, "holdings", file)
        await store.write(lambda cursor: _load(cursor, file))
    logger.info("holdings_filled")


def _load(cursor: duckdb.DuckDBPyConnection, file: Path) -> None:
    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
        add_holdings(cursor, reader)
