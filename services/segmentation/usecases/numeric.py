"""Which features can decide where a customer stands."""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.queries.features import load_catalogue
from services.segmentation.usecases.training.features import not_numeric
from shared.errors import FieldError, Unprocessable


async def check_numeric(session: AsyncSession, wanted: Iterable[tuple[str, str]]) -> None:
    """`wanted`: (pointer, feature). Raises `Unprocessable` for those unknown, archived or not numbers."""
    catalogue = await load_catalogue(session)
    errors = []
    for pointer, key in wanted:
        problem = not_numeric(key, catalogue)
        if problem is None and catalogue[key].archived:
            problem = f"'{key}' is archived"
        if problem:
            errors.append(FieldError(pointer, problem))
    if errors:
        raise Unprocessable("Some features cannot be used here.", errors=errors)
