"""What the steps write, put together, and what of it differs from what is stored."""

from collections.abc import Iterable, Mapping
from typing import Any

Body = dict[str, Any]


def together(bodies: Iterable[Mapping[str, Any]]) -> Body:
    """Parts by name. A step may add to a part that a step before it begins: fields are laid over fields, and
    entries of a list over the entry with the same `key`.
    """
    whole: Body = {}
    for body in bodies:
        for part, value in body.items():
            whole[part] = _laid_over(whole.get(part), value)
    return whole


def _laid_over(below: Any, above: Any) -> Any:
    if above is None:
        return below
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{name: _laid_over(below.get(name), value) for name, value in above.items()}}
    if _is_keyed(below) and _is_keyed(above):
        more = {each["key"]: each for each in above}
        return [_laid_over(each, more.get(each["key"])) for each in below]
    return above


def _is_keyed(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and "key" in each for each in value)
    )


def changed(body: Mapping[str, Any], drawn: Mapping[str, Any]) -> Body:
    """The parts that are no more as they were drawn."""
    return {part: value for part, value in body.items() if value != drawn.get(part)}


def part_of(pointer: str) -> str:
    """`/scheme/arms/0/offer` → `scheme`."""
    return pointer.lstrip("/").partition("/")[0]
