"""Whether a new version of an event type takes every event the version before it took. No I/O.

Judged keyword by keyword: what cannot be shown to be as wide as before counts as narrower. One thing is
allowed although an event may have had an undeclared property of that name: declaring a new, optional one.
Without it no type could ever grow.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from shared.errors import FieldError

Json = Mapping[str, Any]
Found = Iterator[FieldError]

_ANYTHING: Json = {}
_SILENT = frozenset(
    {
        *("title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly", "personal"),
        *("$schema", "$id", "$comment", "$anchor", "$defs", "contentEncoding", "contentMediaType"),
    }
)
_TYPES = ("null", "boolean", "object", "array", "number", "string", "integer")


class _Limit(NamedTuple):
    lower: bool
    trivial: float | None
    """The value that limits nothing; null when every value does."""


_LIMITS = {
    "minimum": _Limit(lower=True, trivial=None),
    "exclusiveMinimum": _Limit(lower=True, trivial=None),
    "maximum": _Limit(lower=False, trivial=None),
    "exclusiveMaximum": _Limit(lower=False, trivial=None),
    "minLength": _Limit(lower=True, trivial=0),
    "maxLength": _Limit(lower=False, trivial=None),
    "minItems": _Limit(lower=True, trivial=0),
    "maxItems": _Limit(lower=False, trivial=None),
    "minProperties": _Limit(lower=True, trivial=0),
    "maxProperties": _Limit(lower=False, trivial=None),
}


def narrowed(old: Json, new: Json, pointer: str = "") -> list[FieldError]:
    """Every keyword of `new` that may refuse what `old` accepted, with pointers below `pointer`."""
    return list(_schema(old, new, pointer))


def _schema(old: object, new: object, pointer: str) -> Found:
    if new is True or old is False or _same(old, new):
        return
    if new is False:
        yield FieldError(pointer, "nothing is accepted here any more")
        return
    before = old if isinstance(old, Mapping) else _ANYTHING
    after = new if isinstance(new, Mapping) else _ANYTHING
    for keyword in after:
        if keyword in _SILENT:
            continue
        rule = _RULES.get(keyword, _limit if keyword in _LIMITS else _unchanged)
        yield from rule(before, after, keyword, f"{pointer}/{_escaped(keyword)}")
    yield from _definitions(before, after, pointer)
    yield from _forgotten_properties(before, after, pointer)
    yield from _forgotten_positions(before, after, pointer)


def _type(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    lost = _types(old) - _types(new)
    if lost:
        yield FieldError(pointer, f"no longer accepts {', '.join(sorted(lost))}")


def _types(schema: Json) -> set[str]:
    stated = schema.get("type", _TYPES)
    types = {stated} if isinstance(stated, str) else set(stated)
    return types | {"integer"} if "number" in types else types


def _values(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    before, after = _enumerated(old), _enumerated(new) or []
    if before is None:
        yield FieldError(pointer, "accepts listed values only, where there was no list")
    elif not all(value in after for value in before):
        yield FieldError(pointer, "no longer lists a value that was accepted")


def _enumerated(schema: Json) -> list[bytes] | None:
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if listed is None else [orjson.dumps(v, option=orjson.OPT_SORT_KEYS) for v in listed]


def _required(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    for index, name in enumerate(new["required"]):
        if name not in old.get("required", ()):
            yield FieldError(f"{pointer}/{index}", f"'{name}' was optional before")


def _limit(old: Json, new: Json, keyword: str, pointer: str) -> Found:
    limit = _LIMITS[keyword]
    value, before = new[keyword], old.get(keyword)
    if value == limit.trivial or _limited_already(old, keyword, value):
        return
    if before is None or (value > before if limit.lower else value < before):
        yield FieldError(pointer, "is a tighter limit than before")


def _limited_already(old: Json, keyword: str, value: float) -> bool:
    """`minimum: 5` is no news where `exclusiveMinimum: 5` was; likewise the other pairs."""
    if keyword == "minimum":
        return "exclusiveMinimum" in old and bool(value <= old["exclusiveMinimum"])
    if keyword == "maximum":
        return "exclusiveMaximum" in old and bool(value >= old["exclusiveMaximum"])
    if keyword == "exclusiveMinimum":
        return "minimum" in old and bool(value < old["minimum"])
    return keyword == "exclusiveMaximum" and "maximum" in old and bool(value > old["maximum"])


def _multiple(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    before = old.get("multipleOf")
    if before is None or before % new["multipleOf"] != 0:
        yield FieldError(pointer, "refuses multiples that were accepted")


def _unique(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    if new["uniqueItems"] and not old.get("uniqueItems"):
        yield FieldError(pointer, "repeated items were accepted before")


def _properties(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    before = old.get("properties", _ANYTHING)
    for name, rule in new["properties"].items():
        place = f"{pointer}/{_escaped(name)}"
        if name in before:
            yield from _schema(before[name], rule, place)
        elif rule is False:
            yield FieldError(place, "forbids a property that was accepted")


def _within(old: Json, new: Json, keyword: str, pointer: str) -> Found:
    yield from _schema(old.get(keyword, True), new[keyword], pointer)


def _positions(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    before = old.get("prefixItems", [])
    for index, rule in enumerate(new["prefixItems"]):
        earlier = before[index] if index < len(before) else old.get("items", True)
        yield from _schema(earlier, rule, f"{pointer}/{index}")


def _alternatives(old: Json, new: Json, _keyword: str, pointer: str) -> Found:
    if "anyOf" not in old or not all(choice in new["anyOf"] for choice in old["anyOf"]):
        yield FieldError(pointer, "lacks an alternative that was accepted")


def _unchanged(old: Json, new: Json, keyword: str, pointer: str) -> Found:
    if keyword not in old or not _same(old[keyword], new[keyword]):
        yield FieldError(pointer, "cannot be shown to accept everything that was accepted")


def _definitions(old: Json, new: Json, pointer: str) -> Found:
    before = old.get("$defs", _ANYTHING)
    for name, rule in new.get("$defs", _ANYTHING).items():
        if name in before:
            yield from _schema(before[name], rule, f"{pointer}/$defs/{_escaped(name)}")


def _forgotten_properties(old: Json, new: Json, pointer: str) -> Found:
    """A property that is declared no longer falls under `additionalProperties`."""
    others = new.get("additionalProperties", True)
    if others is True:
        return
    if old.get("patternProperties", _ANYTHING) != new.get("patternProperties", _ANYTHING):
        yield FieldError(f"{pointer}/patternProperties", "undeclared properties are refused")
    declared = new.get("properties", _ANYTHING)
    for name, rule in old.get("properties", _ANYTHING).items():
        if name not in declared:
            place = f"{pointer}/properties/{_escaped(name)}"
            if any(_schema(rule, others, place)):
                yield FieldError(place, "is declared no longer, and undeclared properties are refused")


def _forgotten_positions(old: Json, new: Json, pointer: str) -> Found:
    """An item whose position is described no longer falls under `items`."""
    first = len(new.get("prefixItems", []))
    for index, rule in enumerate(old.get("prefixItems", [])[first:], first):
        yield from _schema(rule, new.get("items", True), f"{pointer}/prefixItems/{index}")


_RULES: Mapping[str, Callable[[Json, Json, str, str], Found]] = {
    "type": _type,
    "enum": _values,
    "const": _values,
    "required": _required,
    "multipleOf": _multiple,
    "uniqueItems": _unique,
    "properties": _properties,
    "additionalProperties": _within,
    "items": _within,
    "prefixItems": _positions,
    "anyOf": _alternatives,
}


def _same(old: object, new: object) -> bool:
    """As JSON: in Python 1 equals true."""
    return orjson.dumps(old, option=orjson.OPT_SORT_KEYS) == orjson.dumps(new, option=orjson.OPT_SORT_KEYS)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
