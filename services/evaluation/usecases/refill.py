"""Making a store whole whose streams no longer begin at their first message."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import duckdb
import httpx
import pyarrow as pa
import structlog
from nats.errors import Error as NatsError

from services.evaluation.store import DeskFeed, Store, TierFeed
from services.evaluation.store.backfill import HOLDINGS
from services.evaluation.store.feed import CONTACT_KINDS, take_contacts
from services.evaluation.store.refill import CUSTOMER_DATASETS, Part, load_customers, load_told
from shared.bus import Bus, to_its_end
from shared.columnar import ARROW

logger = structlog.get_logger()

_CUSTOMER = "CUSTOMER"
_PARTS: Mapping[str, tuple[str, Sequence[Part]]] = {
    "CAMPAIGN": (
        "campaign",
        (
            Part("CAMPAIGN", CONTACT_KINDS, take_contacts),
            Part(DeskFeed.position("CAMPAIGN"), DeskFeed.KINDS, DeskFeed.take),
        ),
    ),
    "SEGMENTATION": (
        "segmentation",
        (Part(TierFeed.position("SEGMENTATION"), TierFeed.KINDS, TierFeed.take),),
    ),
}
"""Of streams whose messages are exported: by which service, and what the store takes of them."""


class Refill:
    """Fills a store from exports where a stream has forgotten what its feed never had; feeds wait for it.

    A stream that begins at its first message tells everything itself.
    """

    def __init__(
        self, store: Store, bus: Bus, client: Callable[[str], httpx.AsyncClient], folder: Path
    ) -> None:
        self._store, self._bus, self._client, self._folder = store, bus, client, folder
        self._done = asyncio.Event()

    async def wait(self) -> None:
        await self._done.wait()

    async def run(self) -> None:
        """Until it is done; a service that does not answer is asked again."""
        pause = 0.5
        while not await self._filled():
            await asyncio.sleep(pause)
            pause = min(2 * pause, 15)
        self._done.set()

    async def _filled(self) -> bool:
        try:
            await self.fill()
        except (httpx.HTTPError, NatsError, OSError) as error:
            logger.warning("store_not_filled", error=f"{type(error).__name__}: {error}")
            return False
        except Exception:
            logger.exception("store_not_filled")
            return False
        return True

    async def fill(self) -> None:
        """Once, stream by stream, each in one transaction. Raises what an export or the store raises; the
        streams that were filled before stay so.
        """
        if not self._store.has_begun(_CUSTOMER):
            if await self._bus.forgotten(_CUSTOMER, 0):
                await self._fill_customers()
            else:
                # The stream tells this store of every balance.
                self._store.begin(HOLDINGS, 1)
        for stream, (service, every) in _PARTS.items():
            parts = [part for part in every if not self._store.has_begun(part.position)]
            if parts and await self._bus.forgotten(stream, 0):
                await self._fill_told(stream, service, parts)

    async def _fill_customers(self) -> None:
        # Read before the exports are asked for: what is told in between is said twice, and counts once.
        sequence = await self._bus.last_sequence(_CUSTOMER)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files = {dataset: Path(folder) / f"{dataset}.arrow" for dataset in CUSTOMER_DATASETS}
            for dataset, file in files.items():
                await download(self._client("customer"), dataset, file)

            def load(cursor: duckdb.DuckDBPyConnection) -> None:
                with ExitStack() as stack:
                    readers = {name: _opened(stack, file) for name, file in files.items()}
                    load_customers(cursor, readers, sequence)

            await to_its_end(self._store.write(load))
        logger.info("store_filled", stream=_CUSTOMER, sequence=sequence)

    async def _fill_told(self, stream: str, service: str, parts: Sequence[Part]) -> None:
        sequence = await self._bus.last_sequence(stream)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            file = Path(folder) / "events.arrow"
            await download(self._client(service), "events", file)

            def load(cursor: duckdb.DuckDBPyConnection) -> None:
                with ExitStack() as stack:
                    load_told(cursor, _opened(stack, file), stream, parts, sequence)

            await to_its_end(self._store.write(load))
        logger.info("store_filled", stream=stream, sequence=sequence)


async def download(service: httpx.AsyncClient, dataset: str, file: Path) -> None:
    """To disk first: it may be larger than memory, and must be whole before it is loaded."""
    request = service.stream("GET", f"/v1/exports/{dataset}", headers={"Accept": ARROW})
    async with request as response:
        response.raise_for_status()
        with file.open("wb") as target:
            async for chunk in response.aiter_bytes(1 << 20):
                target.write(chunk)


def _opened(stack: ExitStack, file: Path) -> pa.RecordBatchReader:
    source = stack.enter_context(pa.OSFile(str(file)))
    return stack.enter_context(pa.ipc.open_stream(source))
