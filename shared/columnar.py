"""Data at volume over HTTP: Arrow IPC, CSV or NDJSON by Accept, in constant memory."""

import io
from collections.abc import AsyncIterator

import orjson
import pyarrow as pa
import pyarrow.csv
from fastapi.responses import StreamingResponse

from shared.errors import ProblemError

ARROW = "application/vnd.apache.arrow.stream"
CSV = "text/csv"
NDJSON = "application/x-ndjson"


class NotAcceptable(ProblemError):
    status, slug, title = 406, "not-acceptable", "No such representation"


def negotiate(accept: str | None) -> str:
    """The first of the media types we have that the caller accepts; Arrow when it does not care."""
    for part in (accept or "*/*").split(","):
        media = part.split(";", 1)[0].strip().lower()
        if media in {"*/*", "application/*", ""}:
            return ARROW
        if media in {ARROW, CSV, NDJSON}:
            return media
        if media == "text/*":
            return CSV
    raise NotAcceptable(f"Accept one of {ARROW}, {CSV}, {NDJSON}.")


def arrow_response(
    schema: pa.Schema,
    batches: AsyncIterator[pa.RecordBatch],
    accept: str | None,
    headers: dict[str, str] | None = None,
) -> StreamingResponse:
    """Stream `batches`, one at a time in memory, as the caller wants them."""
    media = negotiate(accept)
    encode = {ARROW: _arrow, CSV: _csv, NDJSON: _ndjson}[media]
    return StreamingResponse(encode(schema, batches), media_type=media, headers=headers)


async def _arrow(schema: pa.Schema, batches: AsyncIterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        yield _take(sink)
        async for batch in batches:
            writer.write_batch(batch)
            yield _take(sink)
    yield _take(sink)


async def _csv(schema: pa.Schema, batches: AsyncIterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
    sink = io.BytesIO()
    with pyarrow.csv.CSVWriter(sink, schema) as writer:
        async for batch in batches:
            writer.write(batch)
            yield _take(sink)
    yield _take(sink)


async def _ndjson(_schema: pa.Schema, batches: AsyncIterator[pa.RecordBatch]) -> AsyncIterator[bytes]:
    async for batch in batches:
        yield b"".join(orjson.dumps(row, default=str) + b"\n" for row in batch.to_pylist())


def _take(sink: io.BytesIO) -> bytes:
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data
