"""Streaming an upload to disk: sealed, unpacked, constant memory, bounded size, no half files left behind."""

import asyncio
import os
import shutil
import time
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import or_, select

from services.customer.domain.sealed_file import SealedWriter
from services.customer.domain.vault import Vault
from services.customer.models import ImportFile
from services.customer.settings import CustomerSettings
from shared import clock
from shared.db import fetch
from shared.errors import TooLarge, Unavailable, Unprocessable
from shared.ids import new_id
from shared.service import Runtime

_BUFFER_BYTES = 1024 * 1024
_CHECK_BYTES = 64 * 1024 * 1024
_SWEEP_SECONDS = 3600.0
_GZIP = b"\x1f\x8b"

_CANCELLED_IN_THE_QUEUE = """
UPDATE import_file f SET state = 'cancelled', finished_at = %(now)s, kept_until = %(until)s
FROM job j WHERE j.id = f.job_id AND f.state = 'queued' AND j.state = 'cancelled'
"""


def file_key(vault: Vault, path: Path) -> bytes:
    """The key one kept file is sealed with; nothing of it is stored."""
    return vault.keyed_hash("import file", path.name.encode())


async def store_upload(settings: CustomerSettings, vault: Vault, parts: AsyncIterator[bytes]) -> Path:
    """Seal `parts`, unpacked when they are gzip, into a new file; durable when it returns.

    413 past `max_import_bytes`, 422 when empty or not the gzip it seems to be, 503 without room on the disk.
    """
    settings.import_dir.mkdir(parents=True, exist_ok=True)
    path = settings.import_dir / f"{new_id()}.upload"
    try:
        await _write(settings, vault, path, parts)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def _write(settings: CustomerSettings, vault: Vault, path: Path, parts: AsyncIterator[bytes]) -> None:
    checked = 0
    buffer, unpacked = bytearray(), _Unpacked()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        writer = SealedWriter(file, file_key(vault, path))

        def seal(packed: bytes) -> None:
            nonlocal checked
            for plain in unpacked.feed(packed):
                if writer.size + len(plain) > settings.max_import_bytes:
                    raise TooLarge(f"At most {settings.max_import_bytes} bytes are taken, unpacked")
                if writer.size >= checked:
                    _require_room(settings, path)
                    checked = writer.size + _CHECK_BYTES
                writer.write(plain)

        async for part in parts:
            buffer += part
            if len(buffer) >= _BUFFER_BYTES:
                await asyncio.to_thread(seal, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(seal, bytes(buffer))
        unpacked.finish()
        writer.finish()
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if writer.size == 0:
        raise Unprocessable("The file is empty")


class _Unpacked:
    """The bytes as they come, unpacked when the first ones say gzip; a bounded piece at a time."""

    def __init__(self) -> None:
        self._begun = False
        self._gzip: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun and data:
            self._begun = True
            self._gzip = zlib.decompressobj(31) if data.startswith(_GZIP) else None
        if self._gzip is None:
            yield data
            return
        while True:
            try:
                plain = self._gzip.decompress(data, _BUFFER_BYTES)
            except zlib.error as error:
                raise Unprocessable("The file is not valid gzip") from error
            yield plain
            data = self._gzip.unconsumed_tail
            if self._gzip.eof and self._gzip.unused_data:
                # Several members one after the other are one file.
                data, self._gzip = self._gzip.unused_data, zlib.decompressobj(31)
            elif not data and len(plain) < _BUFFER_BYTES:
                return

    def finish(self) -> None:
        if self._gzip is not None and not self._gzip.eof:
            raise Unprocessable("The gzip file breaks off")


def _require_room(settings: CustomerSettings, path: Path) -> None:
    if shutil.disk_usage(path.parent).free < settings.min_free_disk_bytes:
        raise Unavailable("The disk has no room for the file", headers={"Retry-After": "60"})


async def sweep_uploads(runtime: Runtime) -> None:
    """Delete uploads no import waits for: kept long enough, or left by a request or process that died."""
    settings = runtime.resource(CustomerSettings)
    keep = timedelta(days=settings.import_keep_days)
    while True:
        now = clock.now()
        async with runtime.db.transaction() as session:
            # Cancelled before any worker began: no job runs that could say so.
            await fetch(session, _CANCELLED_IN_THE_QUEUE, {"now": now, "until": now + keep})
            paths = await session.scalars(
                select(ImportFile.path).where(
                    or_(ImportFile.state.in_(["queued", "running"]), ImportFile.kept_until > now)
                )
            )
            live = set(paths)
        await asyncio.to_thread(_delete_old, settings.import_dir, live)
        await asyncio.sleep(_SWEEP_SECONDS)


def _delete_old(directory: Path, live: set[str]) -> None:
    for path in directory.glob("*.upload"):
        if str(path) not in live and time.time() - path.stat().st_mtime > _SWEEP_SECONDS:
            path.unlink(missing_ok=True)
