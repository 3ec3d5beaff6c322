"""Storing what people declare under a key of its own."""

from typing import Any, TypeVar

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import DefinedFeature, Model, Segment
from services.segmentation.models.ge_matrix import GeMatrix
from services.segmentation.models.tier import TierScheme
from shared.errors import Conflict, FieldError

T = TypeVar("T", DefinedFeature, GeMatrix, Model, Segment, TierScheme)


async def insert_new(
    session: AsyncSession, table: type[T], what: str, *, pointer: str = "/key", **values: Any
) -> T:
    """The new row. Raises `Conflict` at `pointer` when there is one of this key, also a moment ago."""
    created: T | None = await session.scalar(
        insert(table).values(values).on_conflict_do_nothing(index_elements=[table.key]).returning(table)
    )
    if created is None:
        raise taken(what, values["key"], pointer)
    return created


def taken(what: str, key: str, pointer: str = "/key") -> Conflict:
    return Conflict(f"There is a {what} '{key}' already.", errors=[FieldError(pointer, "is taken")])
