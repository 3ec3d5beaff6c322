"""Uploaded tables: on the disk for as long as their analysis takes, few of them at a time."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from services.evaluation.queries.analysis import analyse
from services.evaluation.queries.analysis_columns import describe
from services.evaluation.settings import EvaluationSettings
from services.evaluation.store.tables import Bounds
from shared.contracts.evaluation.analyse import AnalyseOptions, Analysis, TableDescription, TableFormat
from shared.errors import FieldError, Unavailable, Unprocessable

T = TypeVar("T")

_BUFFER = 1024 * 1024
_FORGOTTEN_SECONDS = 3600.0


class TableDesk:
    """Takes uploads and analyses them in threads. Nothing of a table outlives its request."""

    def __init__(self, settings: EvaluationSettings) -> None:
        self._folder = settings.data_dir / "tables"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._most_bytes = settings.analyse_max_bytes
        self._bounds = Bounds(
            settings.analyse_memory,
            settings.store_threads,
            most_bytes=8 * settings.analyse_max_bytes,
            most_rows=settings.analyse_max_rows,
            directory=self._folder,
        )
        self._places = asyncio.Semaphore(settings.analyse_at_once)
        self._waiting = 0
        self._most_waiting = 4 * settings.analyse_at_once
        self._sweep()

    @property
    def most_bytes(self) -> int:
        return self._most_bytes

    @asynccontextmanager
    async def stored(self, parts: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """`parts` as a file; gone afterwards. 422 when there are none."""
        with tempfile.TemporaryDirectory(prefix="upload-", dir=self._folder) as folder:
            path, buffer = Path(folder) / "table", bytearray()
            with path.open("xb") as file:
                async for part in parts:
                    buffer += part
                    if len(buffer) >= _BUFFER:
                        await asyncio.to_thread(file.write, bytes(buffer))
                        buffer.clear()
                await asyncio.to_thread(file.write, bytes(buffer))
            if path.stat().st_size == 0:
                raise Unprocessable("The file is empty.", errors=[FieldError("/file", "is empty")])
            yield path

    async def analysed(self, file: Path, options: AnalyseOptions) -> Analysis:
        """503 when as many wait as make sense."""
        return await self._in_turn(lambda: analyse(file, options, self._bounds))

    async def described(self, file: Path, form: TableFormat | None) -> TableDescription:
        """503 when as many wait as make sense."""
        return await self._in_turn(lambda: describe(file, form, self._bounds))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most_waiting:
            raise Unavailable("Too many tables are waiting to be analysed.", headers={"Retry-After": "30"})
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

    def _sweep(self) -> None:
        """What a process that died has left behind."""
        for left in self._folder.iterdir():
            if time.time() - left.stat().st_mtime > _FORGOTTEN_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
