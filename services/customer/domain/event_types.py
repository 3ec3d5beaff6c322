"""Compiled validators of event types, and what of an event's data may leave the service."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from jsonschema_rs import (
    Draft202012Validator,
    FancyRegexOptions,
    RegexOptions,
    ValidationError,
    ValidationErrorKind,
    meta,
)

from shared.errors import FieldError

SOURCE = r"[a-z0-9][a-z0-9._-]{0,63}"
"""What names a source system looks like."""

_TOKEN = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^\x00-\x1f\x7f]+$"}
"""Fit for the id of an event or of a customer."""

_MAX_ERRORS = 20
_MAX_SCHEMA_DEPTH = 12
_MAX_SCHEMA_BYTES = 64 * 1024
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# An engine whose time grows with the text alone: no pattern can keep the service busy.
_PATTERNS = RegexOptions(size_limit=1_000_000)
_OLD_PATTERNS = FancyRegexOptions(backtrack_limit=10_000)


class EventKind:
    """One event type: validates `data` and knows which of its properties are public."""

    def __init__(self, schema: Mapping[str, Any], version: int = 1) -> None:
        self.version = version
        self._validator = _validator(schema)
        self._whole = _validator(_event_of(schema))
        self._public = frozenset(public_properties(schema))

    def accepts_event(self, event: object) -> bool:
        """Envelope and data, but for type and time: one look of the validator, not a dozen of ours."""
        return self._whole.is_valid(event)

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


def _event_of(data_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an event whose data follow `data_schema`; its own `$defs` move to the top."""
    data = {name: rule for name, rule in data_schema.items() if name not in {"$defs", "$id", "$schema"}}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "subject", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _TOKEN,
            "source": {"type": "string", "pattern": f"^{SOURCE}$"},
            "subject": _TOKEN,
            "datacontenttype": {"const": "application/json"},
            "data_base64": False,
            "data": data,
        },
        "$defs": dict(data_schema.get("$defs", {})),
    }


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
    return next(filter(None, (check(schema) for check in _CHECKS)), None)


def _shape_problem(schema: Mapping[str, Any]) -> str | None:
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        return "must describe an object with declared properties"
    if schema.get("$schema", _DIALECT) != _DIALECT:
        return f"must be of the dialect {_DIALECT}"
    return None


def _size_problem(schema: Mapping[str, Any]) -> str | None:
    if _depth(schema) > _MAX_SCHEMA_DEPTH:
        return f"is nested deeper than {_MAX_SCHEMA_DEPTH} levels"
    if len(orjson.dumps(schema)) > _MAX_SCHEMA_BYTES:
        return f"is larger than {_MAX_SCHEMA_BYTES} bytes"
    return None


def _reference_problem(schema: Mapping[str, Any]) -> str | None:
    """References lead to `$defs` of the same schema only, and never in a circle."""
    definitions = schema.get("$defs", {})
    if not isinstance(definitions, Mapping):
        return "has `$defs` that are not an object"
    left = {f"#/$defs/{name}": set(_references(rule)) for name, rule in definitions.items()}
    if not set(_references(schema)) <= left.keys():
        return "refers to something other than its own `$defs` (`#/$defs/<name>`)"
    while left:
        ends = {name for name, targets in left.items() if not targets & left.keys()}
        if not ends:
            return "refers to itself in a circle"
        left = {name: targets for name, targets in left.items() if name not in ends}
    return None


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in {"$ref", "$dynamicRef"} and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _compile_problem(schema: Mapping[str, Any]) -> str | None:
    if not meta.is_valid(dict(schema)):
        return "is not a valid JSON Schema (2020-12)"
    try:
        Draft202012Validator(dict(schema), validate_formats=True, offline=True, pattern_options=_PATTERNS)
    except (ValueError, ValidationError) as error:
        reason = str(error).partition("\n")[0][:200]
        return f"does not compile (patterns have no look-around and no back-references): {reason}"
    return None


_CHECKS = (_shape_problem, _size_problem, _reference_problem, _compile_problem)


def _validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    # `mask` keeps values, which may be personal, out of messages.
    try:
        return Draft202012Validator(
            dict(schema), validate_formats=True, mask="the value", offline=True, pattern_options=_PATTERNS
        )
    except ValidationError:
        if not meta.is_valid(dict(schema)):
            raise
        # Registered before patterns were bounded: look-around needs the other engine, which gives up in time.
        return Draft202012Validator(
            dict(schema), validate_formats=True, mask="the value", offline=True, pattern_options=_OLD_PATTERNS
        )


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
