"""Feeds that follow a stream from a watermark of their own: a store that has followed a stream for long, and
never these events, has them from the beginning, from the stream or from what was kept of it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import duckdb

from services.evaluation.store.batches import advance
from services.evaluation.store.open import Store
from shared.bus import Delivery
from shared.contracts.events import EventData


class OwnFeed(ABC):
    """Idempotent as `StoreFeed` is, into the same store."""

    NAME: ClassVar[str]
    """Of its watermark, behind the stream's."""
    KINDS: ClassVar[tuple[type[EventData], ...]]

    def __init__(self, store: Store) -> None:
        self._store = store

    def watermark(self, stream: str) -> int:
        return self._store.watermark(self.position(stream))

    async def apply(self, stream: str, deliveries: Sequence[Delivery], last_seq: int) -> None:
        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            def work(fresh: Sequence[Delivery]) -> None:
                self.take(cursor, fresh)

            advance(cursor, self.position(stream), deliveries, last_seq, self.KINDS, work)

        await self._store.write(write)

    @classmethod
    def position(cls, stream: str) -> str:
        return f"{stream}/{cls.NAME}"

    @staticmethod
    @abstractmethod
    def take(cursor: duckdb.DuckDBPyConnection, fresh: Sequence[Delivery]) -> None:
        """Rows of deliveries that were not seen before, in the order of the stream."""
