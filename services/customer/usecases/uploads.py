"""Streaming an upload to disk: constant memory, bounded size, no half files left behind."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select

from services.customer.models import ImportFile
from services.customer.settings import CustomerSettings
from shared.errors import TooLarge, Unavailable, Unprocessable
from shared.ids import new_id
from shared.service import Runtime

_BUFFER_BYTES = 1024 * 1024
_CHECK_BYTES = 64 * 1024 * 1024
_SWEEP_SECONDS = 3600.0


async def store_upload(settings: CustomerSettings, parts: AsyncIterator[bytes]) -> Path:
    """Write `parts` to a new file only this user can read; durable when it returns."""
    settings.import_dir.mkdir(parents=True, exist_ok=True)
    path = settings.import_dir / f"{new_id()}.upload"
    try:
        await _write(settings, path, parts)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def _write(settings: CustomerSettings, path: Path, parts: AsyncIterator[bytes]) -> None:
    size, checked = 0, 0
    buffer = bytearray()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for part in parts:
            size += len(part)
            if size > settings.max_import_bytes:
                raise TooLarge(f"At most {settings.max_import_bytes} bytes are taken")
            if size >= checked:
                _require_room(settings, path)
                checked = size + _CHECK_BYTES
            buffer += part
            if len(buffer) >= _BUFFER_BYTES:
                await asyncio.to_thread(file.write, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(_finish, file, bytes(buffer))
    if size == 0:
        raise Unprocessable("The file is empty")


def _finish(file: BinaryIO, rest: bytes) -> None:
    file.write(rest)
    file.flush()
    os.fsync(file.fileno())


def _require_room(settings: CustomerSettings, path: Path) -> None:
    if shutil.disk_usage(path.parent).free < settings.min_free_disk_bytes:
        raise Unavailable("The disk has no room for the file", headers={"Retry-After": "60"})


async def sweep_uploads(runtime: Runtime) -> None:
    """Delete uploads no import waits for: left by a request that failed to commit or a process that died."""
    settings = runtime.resource(CustomerSettings)
    while True:
        async with runtime.db.transaction() as session:
            paths = await session.scalars(
                select(ImportFile.path).where(ImportFile.state.in_(["queued", "running"]))
            )
            live = set(paths)
        await asyncio.to_thread(_delete_old, settings.import_dir, live)
        await asyncio.sleep(_SWEEP_SECONDS)


def _delete_old(directory: Path, live: set[str]) -> None:
    for path in directory.glob("*.upload"):
        if str(path) not in live and time.time() - path.stat().st_mtime > _SWEEP_SECONDS:
            path.unlink(missing_ok=True)
