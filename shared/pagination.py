"""Keyset pages: stable under inserts, the same cost on the last page as on the first."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query
from sqlalchemy import ColumnElement, Row, Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.contracts.base import Page
from shared.errors import BadRequest, FieldError

Item = TypeVar("Item")

_DECODE: dict[str, Callable[[str], Any]] = {
    "u": UUID,
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "n": Decimal,
    "s": str,
    "i": int,
    "f": float,
}

# In the order of the test: a datetime is a date too.
_ENCODE: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "u": (UUID, str),
    "t": (datetime, datetime.isoformat),
    "d": (date, date.isoformat),
    "n": (Decimal, str),
    "s": (str, str),
    "f": (float, float),
    "i": (int, int),
}


@dataclass(frozen=True)
class PageRequest:
    limit: int
    cursor: str | None

    def after(self) -> list[Any] | None:
        """The key values the page starts behind."""
        return decode_cursor(self.cursor) if self.cursor else None


def _page_request(
    limit: Annotated[int, Query(ge=1, le=1000, description="Items per page")] = 100,
    cursor: Annotated[
        str | None, Query(max_length=1000, description="`next_cursor` of the page before")
    ] = None,
) -> PageRequest:
    return PageRequest(limit, cursor)


PageParams = Annotated[PageRequest, Depends(_page_request)]


async def paginate(
    session: AsyncSession,
    statement: Select[Any],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    page: PageRequest,
    convert: Callable[[Row[Any]], Item],
    *,
    descending: bool = False,
) -> Page[Item]:
    """One page of `statement` in the order of `keys`, which must be unique together and not null.

    `convert` gets the row of `statement` with the key columns behind it.
    """
    width = len(statement.column_descriptions)
    ordered = statement.add_columns(*keys).order_by(
        *(key.desc() if descending else key.asc() for key in keys)
    )
    after = page.after()
    if after is not None:
        if len(after) != len(keys) or not all(map(_fits, after, keys)):
            raise _bad_cursor()
        position = tuple_(*keys)
        ordered = ordered.where(position < tuple_(*after) if descending else position > tuple_(*after))
    rows = (await session.execute(ordered.limit(page.limit + 1))).all()
    items = [convert(row) for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return Page[Item](items=items, next_cursor=encode_cursor(rows[page.limit - 1][width:]) if more else None)


def _fits(value: object, key: ColumnElement[Any] | InstrumentedAttribute[Any]) -> bool:
    """Whether a decoded value can be compared with its column: a cursor of another list cannot."""
    try:
        return isinstance(value, key.type.python_type)
    except NotImplementedError:
        return True


def encode_cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_encode(value) for value in values])).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        pairs = orjson.loads(base64.urlsafe_b64decode(padded))
        return [_DECODE[kind](value) for kind, value in pairs]
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise _bad_cursor() from error


def _encode(value: object) -> tuple[str, object]:
    for kind, (type_, encode) in _ENCODE.items():
        if isinstance(value, type_):
            return kind, encode(value)
    raise TypeError(f"cannot page by {type(value)}")


def _bad_cursor() -> BadRequest:
    return BadRequest(
        "Pass `next_cursor` of the page before, unchanged, or leave the cursor out.",
        errors=[FieldError("/query/cursor", "is not a cursor of this list")],
    )
