"""Whole columns in PostgreSQL's binary array form.

psycopg writes an array value by value in Python. The three types that bulk statements are made of are packed
here at C speed, several times faster; every other list is left to psycopg.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from struct import Struct
from types import NoneType
from typing import Any, ClassVar
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.adapt import Dumper

_HEADER = Struct("!iiIii").pack
_LENGTH = Struct("!i").pack
_NULL = _LENGTH(-1)
_LEAST = 16
"""Shorter lists are not worth it."""


class _Packed:
    """A packed array; its class says of what."""

    __slots__ = ("data",)
    element_oid: ClassVar[int]

    def __init__(self, values: Sequence[bytes | None], *, nulls: bool) -> None:
        header = _HEADER(1, int(nulls), self.element_oid, len(values), 1)
        self.data = header + (_with_nulls(values) if nulls else _without(values))  # type: ignore[arg-type]


class _Texts(_Packed):
    __slots__ = ()
    element_oid = 25


class _Blobs(_Packed):
    __slots__ = ()
    element_oid = 17


class _Uuids(_Packed):
    __slots__ = ()
    element_oid = 2950


class _PackedDumper(Dumper):
    format = pq.Format.BINARY

    def dump(self, obj: _Packed) -> bytes:
        return obj.data


class _TextsDumper(_PackedDumper):
    oid = 1009


class _BlobsDumper(_PackedDumper):
    oid = 1001


class _UuidsDumper(_PackedDumper):
    oid = 2951


for _kind, _dumper in ((_Texts, _TextsDumper), (_Blobs, _BlobsDumper), (_Uuids, _UuidsDumper)):
    psycopg.adapters.register_dumper(_kind, _dumper)


def packed(parameters: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The same parameters with long lists of texts, bytes and UUIDs packed."""
    if not parameters:
        return parameters
    return {name: _pack(value) if type(value) is list else value for name, value in parameters.items()}


def _pack(values: list[Any]) -> Any:
    if len(values) < _LEAST:
        return values
    kinds = set(map(type, values))
    nulls = NoneType in kinds
    kinds.discard(NoneType)
    if kinds == {str}:
        return _Texts([v if v is None else v.encode() for v in values], nulls=nulls)
    if kinds == {bytes}:
        return _Blobs(values, nulls=nulls)
    if kinds == {UUID}:
        return _Uuids([v if v is None else v.bytes for v in values], nulls=nulls)
    return values


def _without(values: Sequence[bytes]) -> bytes:
    lengths = set(map(len, values))
    if len(lengths) == 1:
        prefix = _LENGTH(lengths.pop())
        return prefix + prefix.join(values)
    return b"".join(chain.from_iterable(zip(map(_LENGTH, map(len, values)), values, strict=True)))


def _with_nulls(values: Sequence[bytes | None]) -> bytes:
    return b"".join([_NULL if value is None else _LENGTH(len(value)) + value for value in values])
