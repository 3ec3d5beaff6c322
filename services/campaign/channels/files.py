"""Messages as files, for a system that fetches them."""

import asyncio
import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import orjson

from services.campaign.channels.carriers import Carriers
from services.campaign.channels.connector import TEST_CAMPAIGN, OutboundMessage, Submission
from shared.contracts.campaign.channels import FileConnector
from shared.ids import new_id

COLUMNS = ("id", "campaign_id", "channel", "kind", "recipient", "subject", "body", "language")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_PHONE = re.compile(r"\+[0-9]{5,15}")
_MODE = 0o640


class Files:
    def __init__(self, config: FileConnector, carriers: Carriers) -> None:
        self.batch = config.batch
        self._config = config
        self._carriers = carriers

    async def submit(self, messages: Sequence[OutboundMessage]) -> Sequence[Submission]:
        """One file of a name that follows from its messages: a repetition puts the same file there."""
        loop = asyncio.get_running_loop()
        submission = await loop.run_in_executor(self._carriers.threads, self._drop, messages)
        return [submission] * len(messages)

    def _drop(self, messages: Sequence[OutboundMessage]) -> Submission:
        rows = sorted(messages, key=lambda each: each.id)
        batch = uuid5(NAMESPACE_URL, " ".join(str(each.id) for each in rows))
        name = f"{rows[0].channel}-{batch}.{self._config.format}"
        content = as_csv(rows) if self._config.format == "csv" else as_ndjson(rows)
        try:
            folder = self._folder()
            _write(folder / f".{name}.{new_id().hex}", folder / name, content)
        except OSError as error:
            return Submission("failed", None, f"the file cannot be written: {os.strerror(error.errno or 0)}")
        try:
            _sync(folder)
        except OSError:
            return Submission("unknown", name, "the file is there, but may not outlast a loss of power")
        return Submission("accepted", name)

    def _folder(self) -> Path:
        root = self._carriers.drop
        folder = root / self._config.folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not folder.resolve().is_relative_to(root.resolve()):
            raise PermissionError(1, "leads out of the drop directory")
        return folder


def as_csv(messages: Sequence[OutboundMessage]) -> bytes:
    """UTF-8 with a mark, for spreadsheets. What one of them could take for a formula gets an apostrophe in
    front; a phone number in international form is none.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_harmless(value) for value in _row(each)] for each in messages)
    return text.getvalue().encode("utf-8-sig")


def as_ndjson(messages: Sequence[OutboundMessage]) -> bytes:
    lines = (orjson.dumps(dict(zip(COLUMNS, _row(each), strict=True))) for each in messages)
    return b"\n".join(lines) + b"\n"


def _row(message: OutboundMessage) -> tuple[str | None, ...]:
    campaign = None if message.campaign_id == TEST_CAMPAIGN else str(message.campaign_id)
    values = (message.channel, message.kind, message.recipient, message.subject, message.body)
    return (str(message.id), campaign, *values, message.language)


def _harmless(value: str | None) -> str:
    if value is None:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) and not _PHONE.fullmatch(value) else value


def _write(aside: Path, file: Path, content: bytes) -> None:
    """Aside first, then by its name: whoever fetches never sees half."""
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(file)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
