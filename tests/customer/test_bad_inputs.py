"""A corpus of bad inputs in every field, parameter and body of every operation.

Each is answered by a problem that names the field, or taken because it is a text like any other, and then it
reads back as it was sent. Nothing is a 5xx, and nothing breaks the service for the next caller.
"""

import gzip
import json
import zipfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote, quote_from_bytes

import httpx
import orjson
import pytest

from tests.customer.hostile import BODIES, TAGS, TEXTS, VALUES, Bodies, Place, at, replaced, values_for
from tests.customer.target import DOCUMENT, Target, name_in, operations

pytestmark = pytest.mark.xdist_group("target")

sent: Counter[str] = Counter()
"""Requests by kind of input; the last test prints them."""

_MARK = "\u2603 here goes the value \u2603"

EXCLUDED = {
    (
        "get",
        "/v1/jobs/{job_id}/stream",
    ): "answers for as long as its job runs; its id is tried at the job itself",
}


def _params() -> list[Any]:
    return [
        pytest.param(method, path, id=f"{method} {path}")
        for method, path in operations(DOCUMENT)
        if (method, path) not in EXCLUDED
    ]


def _json_schema(method: str, path: str) -> dict[str, Any] | None:
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


def _json_params() -> list[Any]:
    return [
        pytest.param(method, path, id=f"{method} {path}")
        for method, path in operations(DOCUMENT)
        if _json_schema(method, path) is not None
    ]


def _refused_well(answer: httpx.Response) -> None:
    """Whatever it is, it is an answer: 2xx, or a problem."""
    context = (answer.request.method, str(answer.request.url)[:300], answer.status_code, answer.text[:600])
    assert answer.status_code < 500 or answer.status_code == 503, context
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", context
        assert answer.json()["status"] == answer.status_code, context


def _headers_for(target: Target, method: str, url: str) -> dict[str, str]:
    """The ETag of what is there, so that a well-formed change gets as far as the database."""
    if method == "post":
        return {}
    tag = target.admin.get(url).headers.get("etag")
    return {"If-Match": tag or '"v1"'}


@pytest.mark.parametrize(("method", "path"), _json_params())
def test_every_field_of_every_body(target: Target, method: str, path: str) -> None:
    schema = _json_schema(method, path)
    assert schema is not None
    bodies = Bodies(DOCUMENT, _named(target))
    good = bodies.of(schema)
    url = target.path_of(path)
    headers = {"content-type": "application/json", **_headers_for(target, method, url)}
    for place in bodies.places(schema, good):
        frame = orjson.dumps(replaced(good, place.keys, _MARK)).decode()
        for name, raw in values_for(f"{method} {path} {place.pointer}").items():
            content = frame.replace(json.dumps(_MARK, ensure_ascii=False), raw).encode("utf-8")
            answer = target.admin.request(method, url, content=content, headers=headers)
            sent["in a field"] += 1
            _refused_well(answer)
            _judge(bodies, place, name, raw, answer)
            if answer.is_success or answer.status_code == 412:
                headers |= _headers_for(target, method, url)


def _judge(bodies: Bodies, place: Place, name: str, raw: str, answer: httpx.Response) -> None:
    context = (
        answer.request.method,
        answer.request.url.path,
        place.pointer,
        name,
        answer.status_code,
        answer.text[:500],
    )
    try:
        value = json.loads(raw)
        allowed = bodies.allows(place.schema, value)
    except (ValueError, RecursionError):
        value, allowed = None, False
    if answer.status_code == 422 and value is not None and not (allowed or _readable(place, value)):
        pointers = [item["pointer"] for item in answer.json().get("errors", [])]
        assert any(_same_place(place.pointer, pointer) for pointer in pointers), context
    if answer.is_success:
        assert allowed or _readable(place, value), context
        shown = at(answer.json() if answer.content else None, place.keys)
        if allowed and isinstance(value, str) and isinstance(shown, str) and "*" not in shown:
            assert shown in {value, value.strip()}, context


def _readable(place: Place, value: Any) -> bool:
    """Not what the document says, and yet nothing else can be meant: "1" for 1, 0 for false, a time for its day."""
    options = [place.schema, *place.schema.get("anyOf", [])]
    kinds = {option.get(word) for option in options for word in ("type", "format")}
    lenient = {"integer", "number", "boolean", "date", "date-time"}
    return isinstance(value, (str, int, float)) and bool(kinds & lenient)


def _same_place(field: str, pointer: str) -> bool:
    return pointer == field or pointer.startswith(field + "/") or field.startswith(pointer + "/")


def _named(target: Target) -> dict[str, Any]:
    people = target.known["customer_id"]
    return {
        "customer_id": people[0],
        "survivor": people[0],
        "merged": [people[1]],
        "org": "hq.sh.pudong",
        "primary_manager": "S1",
        "backup_manager": "S2",
        "staff": "S1",
        "to": {"customer_id": people[1]},
        "from": {"customer_id": people[2]},
        "product": "demand-deposit",
        "month": "2026-10",
        "identities": [{"source": "core", "source_id": "given"}],
        "url": "https://hooks.example.com/x",
        "event_types": ["huanying.customer.customer_erased.v1"],
        "level": "subbranch",
        "participants": ["S2"],
        "strategy": "receivers",
        "reason": "asked by letter",
        "due_on": "2027-01-31",
        "next_on": "2027-01-31",
        "valid_until": "2027-01-31",
        "valid_to": "2027-01-31",
        "until": "2026-11-30T00:00:00Z",
        "ids": None,
        "event_ids": None,
        "failed": True,
    }


@pytest.mark.parametrize(("method", "path"), _json_params())
def test_every_body_as_a_whole(target: Target, method: str, path: str) -> None:
    url = target.path_of(path)
    for content in BODIES.values():
        for kind in ("application/json", "text/plain"):
            if len(content) > 1_000_000 and kind != "application/json":
                continue
            headers = {"content-type": kind, "If-Match": '"v1"'}
            answer = target.admin.request(method, url, content=content, headers=headers)
            sent["as a body"] += 1
            _refused_well(answer)
            if len(content) > 16 * 1024**2:
                assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), _params())
def test_every_parameter(target: Target, method: str, path: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    url = target.path_of(path)
    for parameter in operation.get("parameters", []):
        for text in TEXTS:
            encoded = quote_from_bytes(text) if isinstance(text, bytes) else quote(text, safe="")
            if parameter["in"] == "query":
                answer = target.admin.request(method, f"{url}?{parameter['name']}={encoded}")
            elif parameter["in"] == "path" and encoded.strip("."):
                known = target.path_of(path, {name_in(path, parameter["name"]): "\x1a"})
                answer = target.admin.request(method, known.replace("\x1a", encoded))
            else:
                continue
            sent["in a parameter"] += 1
            _refused_well(answer)
        if parameter["name"].lower() == "if-match":
            for tag in TAGS:
                answer = target.admin.request(method, url, headers={"If-Match": tag})
                sent["as If-Match"] += 1
                _refused_well(answer)
                assert answer.status_code >= 400


@pytest.mark.parametrize(("method", "path"), _params())
def test_strange_headers(target: Target, method: str, path: str) -> None:
    url = target.path_of(path)
    for headers in (
        {"Idempotency-Key": "k" * 5_000},
        {"Idempotency-Key": "é".encode("latin-1")},
        {"X-Request-Id": "x" * 5_000},
        {"X-Forwarded-Prefix": "/../../x"},
        {"Accept": "application/x-nothing;q=7, */"},
        {"Accept-Encoding": "gzip;q=nan"},
        {"Content-Encoding": "gzip"},
        {"Authorization": "Bearer " + "a." * 2_000},
        {"Authorization": "Basic YTpi"},
    ):
        answer = target.admin.request(method, url, headers=headers)
        sent["as a header"] += 1
        _refused_well(answer)


def _zip(name: str, content: bytes) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, content)
    return archive.getvalue()


FILES: dict[str, tuple[str, bytes]] = {
    "nothing": ("text/csv", b""),
    "no lines": ("text/csv", b"\n\n\n"),
    "not UTF-8": ("text/csv", b"source,source_id\n\xff\xfe\xc3\x28,1\n"),
    "UTF-16": ("text/csv", "source,source_id\ncore,1\n".encode("utf-16")),
    "NUL": ("text/csv", b"source,source_id\nco\x00re,1\n"),
    "an open quote": ("text/csv", b'source,source_id\n"core,1\n' + b"x,y\n" * 1_000),
    "a line of ten megabytes": ("text/csv", b"source,source_id\n" + b"x" * 10_000_000 + b",1\n"),
    "a column twice": ("text/csv", b"source,source\ncore,core\n"),
    "too many columns": ("text/csv", b",".join(b"c%d" % n for n in range(20_000)) + b"\n"),
    "formulas": ("text/csv", b"source,source_id\n=1+1,@SUM(1)\n"),
    "a gzip bomb": ("application/gzip", gzip.compress(b"0" * 200_000_000, 9)),
    "half a gzip": ("application/gzip", gzip.compress(b"source,source_id\ncore,1\n" * 1_000)[:40]),
    "gzip in gzip": ("application/gzip", gzip.compress(gzip.compress(b"a,b\n1,2\n"))),
    "a zip bomb": ("application/zip", _zip("a.csv", b"0" * 50_000_000)),
    "a zip that climbs": ("application/zip", _zip("../../../tmp/a.csv", b"a,b\n")),
    "no parquet": ("application/vnd.apache.parquet", b"PAR1" + b"\x00" * 100 + b"PAR1"),
    "half a parquet": ("application/vnd.apache.parquet", b"PAR1"),
    "no form": ("multipart/form-data", b"--x\r\n"),
    "a form without a file": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
    ),
    "a form that ends": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a',
    ),
}


@pytest.mark.parametrize("path", ["/v1/imports", "/v1/imports:propose"])
@pytest.mark.parametrize("name", FILES)
def test_files_for_imports(target: Target, path: str, name: str) -> None:
    kind, content = FILES[name]
    datasets = _datasets(path)
    assert datasets
    # A bomb goes off while it is unpacked, before anybody looks for the columns of a dataset.
    for dataset in datasets[:1] if name == "a gzip bomb" else datasets:
        # A refusal may come before the whole file was read: the connection ends with it.
        headers = {"content-type": kind, "connection": "close"}
        answer = target.admin.post(path, params={"dataset": dataset}, content=content, headers=headers)
        sent["as a file"] += 1
        _refused_well(answer)


def _datasets(path: str) -> list[str]:
    for parameter in DOCUMENT["paths"][path]["post"]["parameters"]:
        if parameter["name"] == "dataset":
            schema = parameter["schema"]
            schema = (
                DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
                if "$ref" in schema
                else schema
            )
            return list(schema["enum"])
    return []


EVENTS: dict[str, bytes] = {
    **BODIES,
    **{
        f"an event: {name}": b'{"specversion":"1.0","id":"x","source":"core","type":"login","subject":"c1",'
        b'"time":"2026-11-01T00:00:00Z","data":%s}' % raw.encode()
        for name, raw in VALUES.items()
    },
    **{
        f"an id: {name}": b'[{"specversion":"1.0","id":%s,"source":"core","type":"login","subject":"c1",'
        b'"time":"2026-11-01T00:00:00Z","data":{"channel":"app"}}]' % raw.encode()
        for name, raw in VALUES.items()
    },
    **{
        f"a subject: {name}": b'[{"specversion":"1.0","id":"y","source":"core","type":"login","subject":%s,'
        b'"time":"2026-11-01T00:00:00Z","data":{"channel":"app"}}]' % raw.encode()
        for name, raw in VALUES.items()
    },
    **{
        f"a time: {name}": b'[{"specversion":"1.0","id":"z","source":"core","type":"login","subject":"c1",'
        b'"time":%s,"data":{"channel":"app"}}]' % raw.encode()
        for name, raw in VALUES.items()
    },
    "one good line of many": b'{"specversion":"1.0"}\n' * 999,
    "too many": b"{}\n" * 5_000,
}


@pytest.mark.parametrize(
    "kind", ["application/cloudevents+json", "application/cloudevents-batch+json", "application/x-ndjson"]
)
def test_events(target: Target, kind: str) -> None:
    for content in EVENTS.values():
        answer = target.admin.post("/v1/events", content=content, headers={"content-type": kind})
        sent["as an event"] += 1
        _refused_well(answer)


def test_hostile_names_read_back_as_they_were_written(target: Target) -> None:
    """Personal texts are masked in every answer but the one asked for in clear."""
    for number, (name, raw) in enumerate(VALUES.items()):
        body = b'{"kind":"person","name":%s,"org":"hq.sh","identities":[{"source":"crm","source_id":"n%d"}]}'
        answer = target.admin.post(
            "/v1/customers",
            content=body % (raw.encode(), number),
            headers={"content-type": "application/json"},
        )
        sent["as a name"] += 1
        _refused_well(answer)
        if answer.status_code == 201:
            shown = target.admin.get(f"/v1/customers/{answer.json()['id']}", params={"reveal": "pii"})
            assert shown.json()["name"] in {json.loads(raw), json.loads(raw).strip()}, name


def test_the_service_stands_and_has_counted(
    target: Target, record_property: Callable[[str, object], None]
) -> None:
    assert target.admin.get("/readyz").status_code == 200
    log = target.log.read_text("utf-8", "replace")
    assert "unhandled_error" not in log
    total = sum(sent.values())
    record_property("bad inputs", f"{total:,} requests; {dict(sent)}")
