"""Compiled validators of event types, and what of an event's data may leave the service."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind, meta

from shared.errors import FieldError

_MAX_ERRORS = 20
_MAX_SCHEMA_DEPTH = 12


class EventKind:
    """One event type: validates `data` and knows which of its properties are public."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        # `mask` keeps values, which may be personal, out of messages.
        self._validator = Draft202012Validator(
            dict(schema), validate_formats=True, mask="the value", offline=True
        )
        self._public = frozenset(public_properties(schema))

    def accepts(self, data: object) -> bool:
        return self._validator.is_valid(data)

    def errors(self, data: object, pointer: str) -> Iterator[FieldError]:
        """What is wrong with `data`, with pointers below `pointer`; at most 20."""
        for count, error in enumerate(self._validator.iter_errors(data)):
            if count == _MAX_ERRORS:
                return
            yield _field_error(error, pointer)

    def public(self, data: dict[str, Any]) -> dict[str, Any]:
        """`data` without personal and undeclared properties; the same object when there are none."""
        if self._public.issuperset(data):
            return data
        return {name: value for name, value in data.items() if name in self._public}


def public_properties(schema: Mapping[str, Any]) -> list[str]:
    """Declared top-level properties not marked personal."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return []
    return [
        name
        for name, rule in properties.items()
        if not (isinstance(rule, Mapping) and rule.get("personal") is True)
    ]


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why `schema` cannot be registered: null when it can."""
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        return "must describe an object with declared properties"
    if _depth(schema) > _MAX_SCHEMA_DEPTH:
        return f"is nested deeper than {_MAX_SCHEMA_DEPTH} levels"
    if not meta.is_valid(dict(schema)):
        return "is not a valid JSON Schema (2020-12)"
    try:
        EventKind(schema)
    except (ValueError, ValidationError) as error:
        return f"does not compile: {str(error)[:200]}"
    return None


def _depth(value: object) -> int:
    if isinstance(value, Mapping):
        return 1 + max((_depth(v) for v in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _field_error(error: ValidationError, pointer: str) -> FieldError:
    path = "".join(f"/{_escape(str(part))}" for part in error.instance_path)
    if isinstance(error.kind, ValidationErrorKind.Required):
        return FieldError(f"{pointer}{path}/{_escape(error.kind.property)}", "is required")
    return FieldError(f"{pointer}{path}", error.message[:300])


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
