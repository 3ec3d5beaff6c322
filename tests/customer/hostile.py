"""What careless and malicious callers send, and where in a request it fits."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from zlib import crc32

import jsonschema_rs
import orjson

LONG = "長" * 20_000
DEEP = "[" * 5_000 + "]" * 5_000

VALUES: dict[str, str] = {
    "null": "null",
    "true": "true",
    "empty text": '""',
    "spaces": '"   "',
    "empty list": "[]",
    "empty object": "{}",
    "list in list": "[[[]]]",
    "object of objects": '{"a": {"b": {"$ref": "#/a"}}}',
    "NUL": '"a\\u0000b"',
    "lone surrogate": '"\\ud800"',
    "turned surrogates": '"\\udc00\\ud800"',
    "emoji": '"👩‍👩‍👧‍👦🏳️‍🌈"',
    "right to left": '"\\u202e\\u05e9\\u05dc\\u05d5\\u05dd abc\\u202c"',
    "zero width": '"a\\u200b\\u200d\\ufeffb"',
    "controls": '"a\\u0001\\u001b[31m\\u0085\\r\\n\\tb"',
    "rare hanzi": '"𠮷野家㐂"',
    "sql": '"Robert\'); DROP TABLE customer; --"',
    "like": '"%_\\\\%"',
    "template": '"{{7*7}}${7*7}<%= 7*7 %>#{7*7}"',
    "script": '"<script>alert(1)</script>"',
    "formula": '"=HYPERLINK(\\"http://x\\",1)+cmd|\' /C calc\'!A0"',
    "path": '"../../../../etc/passwd"',
    "format": '"%s%n%x{0}{__class__}"',
    "long text": f'"{LONG}"',
    "minus one": "-1",
    "zero": "0",
    "2^31": "2147483648",
    "2^63": "9223372036854775808",
    "hundred digits": "9" * 100,
    "1e400": "1e400",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "text NaN": '"NaN"',
    "text 1e400": '"1e400"',
    "tiny": "0.1e-300",
    "text digits": '"' + "9" * 400 + '"',
    "year 0": '"0000-00-00"',
    "year 1": '"0001-01-01"',
    "year 9999": '"9999-12-31"',
    "30 February": '"2026-02-30"',
    "time 9999": '"9999-12-31T23:59:59.999999-23:59"',
    "time 1": '"0001-01-01T00:00:00+23:59"',
    "leap second": '"2016-12-31T23:59:60Z"',
    "not a uuid": '"zzzzzzzz-0000-0000-0000-000000000000"',
    "nobody's uuid": '"01900000-0000-7000-8000-00000000dead"',
    "many": "[" + ",".join(["1"] * 20_000) + "]",
    "deep": DEEP,
}
"""Raw JSON: some of it is not what a JSON library would write."""

EVERYWHERE = ("null", "NUL", "lone surrogate", "emoji", "2^63", "NaN", "1e400", "year 9999", "deep")
"""What broke something somewhere before, or would."""


def values_for(pointer: str) -> dict[str, str]:
    """Those tried everywhere and a tenth of the others, which tenth differs from field to field."""
    others = [name for name in VALUES if name not in EVERYWHERE]
    part = crc32(pointer.encode()) % 10
    return {name: VALUES[name] for name in (*EVERYWHERE, *others[part::10])}


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a text": b'"{}"',
    "half an object": b'{"a": ',
    "two objects": b"{}{}",
    "not UTF-8": b'{"name": "\xff\xfe\xc3\x28"}',
    "GBK": '{"name": "张三"}'.encode("gbk"),
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "NUL bytes": b"\x00" * 64,
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "ten megabytes in a field": b'{"a": "' + b"x" * 10_000_000 + b'"}',
    "too large": b'{"a": "' + b"x" * 17_000_000 + b'"}',
    "a huge number": b'{"a": ' + b"9" * 100_000 + b"}",
    "a name twice": b'{"a": 1, "a": 2}',
    "many names": b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}",
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "polluting": b'{"__proto__": {"a": 1}, "__class__": 1, "constructor": {}}',
}

TEXTS = (
    "\x00",
    "a\x00b",
    "\ud800".encode("utf-8", "surrogatepass"),
    b"\xff\xfe",
    "👩‍👩‍👧‍👦",
    "\u202eabc",
    "' OR 1=1 --",
    "../../etc/passwd",
    "%00",
    "-1",
    "0",
    "99999999999999999999",
    "1e400",
    "NaN",
    "Infinity",
    "null",
    "true",
    "0000-00-00",
    "9999-12-31",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "zzzz",
    "a" * 3_000,
    "",
    " ",
    "W3sidSI6InoifV0",
    "W1siaSIsMWU0MDBdXQ",
    "W1sidCIsIjk5OTktMTItMzFUMjM6NTk6NTktMjM6NTkiXV0",
)
"""For query and path parameters; bytes are sent as they are."""

TAGS = (
    '"v"',
    '"v-1"',
    "v9999999999999999999999",
    "*",
    '"',
    "é".encode("latin-1"),
    "a" * 2_000,
    '"v1", "v2"',
)


SAMPLES = (
    *("text", "S0012", "hq.sh.pudong", "2026-10", "0.5", "1200.00", "CNY", "13800000000", "a@example.com"),
    *("310101198001010018", "login", "transaction.posted", "https://hooks.example.com/x", "0" * 64, "crm"),
    *("huanying.customer.*", "supplies", "reason for it, at length"),
)
"""One of them fits each pattern of the document."""


class Place(NamedTuple):
    """A field of a body: the way to it, and what the document allows there."""

    keys: tuple[str | int, ...]
    schema: dict[str, Any]

    @property
    def pointer(self) -> str:
        return "".join(f"/{key}" for key in self.keys)


class Bodies:
    """Valid bodies from the schemas of an OpenAPI document."""

    def __init__(self, document: dict[str, Any], named: dict[str, Any]) -> None:
        self._components = document["components"]
        self._named = named
        """What to put in a field of this name: values that exist."""
        self._validators: dict[bytes, Any] = {}

    def of(self, schema: dict[str, Any], name: str = "") -> Any:
        """The fullest body that is not recursive; where there is a choice, the first that is not null."""
        schema = self._resolve(schema)
        if name in self._named and self.allows(schema, self._named[name]):
            return self._named[name]
        for key in ("const", "default"):
            if schema.get(key) is not None:
                return schema[key]
        for key in ("enum", "examples"):
            if key in schema:
                return schema[key][0]
        if "anyOf" in schema or "oneOf" in schema:
            options = schema.get("anyOf") or schema["oneOf"]
            return self.of(next(o for o in options if o.get("type") != "null"), name)
        return self._of_type(schema)

    def _of_type(self, schema: dict[str, Any]) -> Any:
        match schema.get("type"):
            case "object":
                return {key: self.of(value, key) for key, value in schema.get("properties", {}).items()}
            case "array":
                return [self.of(schema["items"])] if "items" in schema else []
            case "string":
                return _text(schema)
            case "integer" | "number":
                return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
            case "boolean":
                return True
        return "x"

    def places(self, schema: dict[str, Any], value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[Place]:
        """Every field of `value`, containers too."""
        schema = self._resolve(schema)
        if keys:
            yield Place(keys, schema)
        for option in schema.get("anyOf", schema.get("oneOf", [schema])):
            inner = self._resolve(option)
            if isinstance(value, dict) and "properties" in inner:
                for key in value:
                    if key in inner["properties"]:
                        yield from self.places(inner["properties"][key], value[key], (*keys, key))
            elif isinstance(value, list) and value and "items" in inner:
                yield from self.places(inner["items"], value[0], (*keys, 0))

    def allows(self, schema: dict[str, Any], value: Any) -> bool:
        key = orjson.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._components}
            self._validators[key] = jsonschema_rs.validator_for(whole, validate_formats=True)
        return bool(self._validators[key].is_valid(value))

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in schema:
            return schema
        return dict(self._components["schemas"][schema["$ref"].rsplit("/", 1)[-1]])


def _text(schema: dict[str, Any]) -> str:
    formats = {
        "uuid": "01900000-0000-7000-8000-00000000dead",
        "date": "2026-10-31",
        "date-time": "2026-10-31T10:00:00+08:00",
    }
    if schema.get("format") in formats:
        return formats[schema["format"]]
    if "pattern" in schema:
        return next(text for text in SAMPLES if _fits(schema, text))
    return "text".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 100)]


def _fits(schema: dict[str, Any], text: str) -> bool:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 1_000)
    return re.search(schema["pattern"], text) is not None and low <= len(text) <= high


def replaced(body: Any, keys: tuple[str | int, ...], value: Any) -> Any:
    """A copy of `body` with another value in one place."""
    if not keys:
        return value
    first, rest = keys[0], keys[1:]
    if isinstance(body, list):
        return [replaced(item, rest, value) if index == first else item for index, item in enumerate(body)]
    return {key: replaced(item, rest, value) if key == first else item for key, item in body.items()}


def at(body: Any, keys: tuple[str | int, ...]) -> Any:
    """What stands in a place, or None."""
    for key in keys:
        try:
            body = body[key]
        except (KeyError, IndexError, TypeError):
            return None
    return body
