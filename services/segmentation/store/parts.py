"""Columns by customer as Arrow IPC streams (zstd) of a bounded number of rows, for PostgreSQL."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Table = dict[str, NDArray[Any]]
"""Columns of one length."""

PART_BITS = 16
_ROWS = 1 << PART_BITS
_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


def by_ordinal(
    ordinals: NDArray[np.uint32], columns: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[int, bytes]]:
    """(ordinal >> 16, payload) with the column `ordinal` in front. `ordinals` ascend."""
    table: Table = {"ordinal": ordinals, **columns}
    parts = ordinals >> PART_BITS
    for part in np.unique(parts):
        start, end = np.searchsorted(parts, [part, part + 1])
        yield int(part), _encode({name: values[start:end] for name, values in table.items()})


def by_rows(table: Mapping[str, NDArray[Any]]) -> Iterator[tuple[int, bytes]]:
    """(number, payload); one empty part for a table without rows."""
    size = len(next(iter(table.values())))
    for part in range(max(1, -(-size // _ROWS))):
        window = slice(part * _ROWS, (part + 1) * _ROWS)
        yield part, _encode({name: values[window] for name, values in table.items()})


def united(payloads: Iterable[bytes]) -> Table:
    """The columns of the parts, one part behind the other. Needs at least one part."""
    read = pa.concat_tables(pa.ipc.open_stream(payload).read_all() for payload in payloads)
    return {name: read.column(name).to_numpy() for name in read.column_names}


def digest(tables: Mapping[str, Mapping[str, NDArray[Any]]]) -> str:
    """SHA-256 over names, types and values, bit for bit."""
    found = hashlib.sha256()
    for name, table in sorted(tables.items()):
        for column, values in sorted(table.items()):
            found.update(f"{name}\0{column}\0{values.dtype}\0{len(values)}\0".encode())
            if values.dtype == object:
                found.update("\0".join(map(str, values)).encode())
            else:
                found.update(np.ascontiguousarray(values).tobytes())
    return found.hexdigest()


def _encode(table: Mapping[str, NDArray[Any]]) -> bytes:
    batch = pa.table({name: pa.array(values) for name, values in table.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_table(batch)
    payload: bytes = sink.getvalue().to_pybytes()
    return payload
