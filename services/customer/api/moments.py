"""Points in time a caller may ask for."""

from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import Depends, Query
from pydantic import TypeAdapter

from shared import clock
from shared.contracts.base import Timestamp
from shared.errors import FieldError, Unprocessable

_MOMENT: TypeAdapter[datetime] = TypeAdapter(Timestamp)
_FORM = "RFC 3339 time with offset, or a business date (its end)"


def moment_of(value: str, pointer: str) -> datetime:
    """A moment, or the end of a business date in the bank's zone; 422 for anything else."""
    try:
        if len(value) > len("2026-01-01"):
            return _MOMENT.validate_python(datetime.fromisoformat(value))
        day = date.fromisoformat(value) + timedelta(days=1)
        end = datetime.combine(day, time.min, clock.ZONE) - timedelta(microseconds=1)
        return _MOMENT.validate_python(end)
    except (ValueError, OverflowError) as error:
        detail = "is neither a date nor a time with offset"
        raise Unprocessable("The request is not valid", errors=[FieldError(pointer, detail)]) from error


def _as_of(
    as_of: Annotated[
        str | None, Query(max_length=40, description=f"As it was then; absent: now. {_FORM}")
    ] = None,
) -> datetime | None:
    return None if as_of is None else moment_of(as_of, "/query/as_of")


def _known_at(
    known_at: Annotated[
        str | None, Query(max_length=40, description=f"As the bank believed then; absent: today. {_FORM}")
    ] = None,
) -> datetime | None:
    return None if known_at is None else moment_of(known_at, "/query/known_at")


AsOf = Annotated[datetime | None, Depends(_as_of)]
KnownAt = Annotated[datetime | None, Depends(_known_at)]
