"""PUT of a natural key: create without If-Match, replace with the version last read."""

from shared.errors import PreconditionFailed, PreconditionRequired


def next_version(current: int | None, expected: int | None) -> int:
    """The version after this write; 428 or 412 when the caller has not seen what it would overwrite."""
    if current is None:
        if expected is not None:
            raise PreconditionFailed("It does not exist: leave out If-Match to create it")
        return 1
    if expected is None:
        raise PreconditionRequired("It exists: send the ETag you last read as If-Match")
    if current != expected:
        raise PreconditionFailed(f"It is at version {current} now, you have {expected}: read it again")
    return current + 1
