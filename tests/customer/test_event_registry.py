"""The registry of event types: versions, compatibility, and schemas that are refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain.compatibility import narrowed
from services.customer.domain.event_types import EventKind, schema_problem
from services.customer.domain.intake import is_source, is_token, read
from tests.customer.conftest import Bank, event, number, put, source_id


def thing(rule: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": rule}}


A = "/properties/a"
NARROWER = [
    (thing({"type": ["string", "null"]}), thing({"type": "string"}), [f"{A}/type"]),
    (thing({"type": "number"}), thing({"type": "integer"}), [f"{A}/type"]),
    (thing({}), thing({"type": "string"}), [f"{A}/type"]),
    (thing({"enum": ["x", "y"]}), thing({"enum": ["x"]}), [f"{A}/enum"]),
    (thing({"enum": [1]}), thing({"enum": [True]}), [f"{A}/enum"]),
    (thing({}), thing({"enum": ["x"]}), [f"{A}/enum"]),
    (thing({"enum": ["x"]}), thing({"const": "y"}), [f"{A}/const"]),
    (thing({"minimum": 1}), thing({"minimum": 2}), [f"{A}/minimum"]),
    (thing({}), thing({"maximum": 9}), [f"{A}/maximum"]),
    (thing({"minimum": 1}), thing({"exclusiveMinimum": 1}), [f"{A}/exclusiveMinimum"]),
    (thing({"maxLength": 9}), thing({"maxLength": 8}), [f"{A}/maxLength"]),
    (thing({}), thing({"minLength": 1}), [f"{A}/minLength"]),
    (thing({"multipleOf": 4}), thing({"multipleOf": 3}), [f"{A}/multipleOf"]),
    (thing({}), thing({"uniqueItems": True}), [f"{A}/uniqueItems"]),
    (thing({"pattern": "^a"}), thing({"pattern": "^b"}), [f"{A}/pattern"]),
    (thing({}), thing({"format": "date"}), [f"{A}/format"]),
    (thing({"items": {"type": "string"}}), thing({"items": {"type": "null"}}), [f"{A}/items/type"]),
    (thing({}), thing({"prefixItems": [{"type": "null"}]}), [f"{A}/prefixItems/0/type"]),
    (
        thing({"prefixItems": [{"type": "string"}], "items": {"type": "null"}}),
        thing({"items": {"type": "null"}}),
        [f"{A}/prefixItems/0/type"],
    ),
    (
        thing({"anyOf": [{"type": "null"}, {"minimum": 1}]}),
        thing({"anyOf": [{"type": "null"}]}),
        [f"{A}/anyOf"],
    ),
    (thing({}), thing({"not": {"type": "null"}}), [f"{A}/not"]),
    (thing({}), thing(False), [A]),
    (thing({}), {**thing({}), "required": ["a"]}, ["/required/0"]),
    ({**thing({}), "required": ["a"]}, {**thing({}), "required": ["a", "b"]}, ["/required/1"]),
    (thing({}), {**thing({}), "additionalProperties": False}, ["/additionalProperties"]),
    (
        {**thing({}), "additionalProperties": False},
        {"type": "object", "properties": {}, "additionalProperties": False},
        [A],
    ),
    (
        thing({"properties": {"b": {}}}),
        thing({"properties": {"b": {"type": "null"}}}),
        [f"{A}/properties/b/type"],
    ),
    (
        {**thing({"$ref": "#/$defs/d"}), "$defs": {"d": {}}},
        {**thing({"$ref": "#/$defs/d"}), "$defs": {"d": {"type": "null"}}},
        ["/$defs/d/type"],
    ),
    (thing({}), {**thing({}), "minProperties": 1}, ["/minProperties"]),
    (thing({}), thing({"a/b~c": {}}), [f"{A}/a~1b~0c"]),
]
AS_WIDE = [
    (thing({"type": "string"}), thing({"type": ["string", "null"]})),
    (thing({"type": "integer"}), thing({"type": "number"})),
    (thing({"type": "string", "pattern": "^a", "maxLength": 3}), thing({"type": "string"})),
    (thing({"enum": ["x"]}), thing({"enum": ["y", "x"]})),
    (thing({"const": "x"}), thing({"enum": ["x"]})),
    (thing({"minimum": 2}), thing({"minimum": 1})),
    (thing({"exclusiveMinimum": 1}), thing({"minimum": 1})),
    (thing({"minimum": 2}), thing({"exclusiveMinimum": 1})),
    (thing({}), thing({"minLength": 0})),
    (thing({"multipleOf": 6}), thing({"multipleOf": 3})),
    (thing({"anyOf": [{"type": "null"}]}), thing({"anyOf": [{"minimum": 1}, {"type": "null"}]})),
    (thing({}), {"type": "object", "properties": {"a": {}, "new": {"type": "string"}}}),
    ({**thing({}), "required": ["a"]}, thing({})),
    (thing({"type": "string"}), thing({"type": "string", "description": "words", "personal": True})),
    (thing({}), {"type": "object", "properties": {}}),
    ({**thing({}), "additionalProperties": False}, thing({})),
]


@pytest.mark.parametrize(("old", "new", "pointers"), NARROWER)
def test_what_may_refuse_an_accepted_event_is_named(old: Any, new: Any, pointers: list[str]) -> None:
    assert [error.pointer for error in narrowed(old, new)] == pointers


@pytest.mark.parametrize(("old", "new"), AS_WIDE)
def test_what_accepts_all_it_accepted_is_compatible(old: Any, new: Any) -> None:
    assert narrowed(old, new) == []
    assert narrowed(new, new) == []


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "string"}, "object"),
        (thing({"$ref": "https://elsewhere.example/schema"}), "refers"),
        (thing({"$ref": "#/properties/a"}), "refers"),
        (
            {
                **thing({"$ref": "#/$defs/x"}),
                "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {"$ref": "#/$defs/x"}},
            },
            "circle",
        ),
        ({**thing({}), "$schema": "http://json-schema.org/draft-04/schema"}, "dialect"),
        (thing({"pattern": "(?=a)b"}), "look-around"),
        (thing({"pattern": "(((x{1,200}){1,200}){1,200}){1,200}"}), "compile"),
        (thing({"pattern": "("}), "compile"),
        (thing({"description": "x" * 70_000}), "larger"),
        (thing({"type": "nonsense"}), "not a valid"),
    ],
)
def test_schemas_that_are_refused(schema: dict[str, Any], word: str) -> None:
    assert word in (schema_problem(schema) or "")


def test_deep_schemas_are_refused() -> None:
    rule: dict[str, Any] = {}
    for _ in range(20):
        rule = {"items": rule}
    assert "nested" in (schema_problem(thing(rule)) or "")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.text(max_size=3),
    st.sampled_from(
        ["1.0", "core", "a\n", "x" * 128, "x" * 129, "é" * 128, "a\x7f", "A", "a/b", "application/json"]
    ),
    st.dictionaries(st.sampled_from(["amount", "x"]), st.sampled_from(["1.00", 1, None]), max_size=2),
)
FIELDS = ["specversion", "id", "source", "subject", "datacontenttype", "data_base64", "data"]


@given(
    st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=3), st.sets(st.sampled_from(FIELDS), max_size=2)
)
def test_what_the_validator_refuses_the_messages_explain(changes: dict[str, Any], missing: set[str]) -> None:
    """The quick look at a whole event and the slow explanation of what is wrong agree on every event."""
    kinds = {
        "t": EventKind(
            {"type": "object", "required": ["amount"], "properties": {"amount": {"const": "1.00"}}}
        )
    }
    whole = {**event("c1", "t", data={"amount": "1.00"}), **changes}
    sent = {name: value for name, value in whole.items() if name not in missing}
    reading = read([sent], kinds, datetime(2026, 12, 1, tzinfo=UTC), single=True)
    bad = [
        name
        for name, wrong in {
            "specversion": sent.get("specversion") != "1.0",
            "id": not is_token(sent.get("id")),
            "subject": not is_token(sent.get("subject")),
            "source": not is_source(sent.get("source")),
            "datacontenttype": sent.get("datacontenttype", "application/json") != "application/json",
            "data_base64": "data_base64" in sent,
            "data": not isinstance(sent.get("data"), dict) or sent["data"].get("amount") != "1.00",
        }.items()
        if wrong
    ]
    explained = {error.pointer.split("/")[1] for refused in reading.refused for error in refused.errors}
    assert explained == set(bad)
    assert len(reading.usable) == (not bad)


def body(schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": {"zh": "型", "en": "Type"}, "data_schema": schema, **more}


async def test_versions_are_kept_and_a_narrower_one_is_refused(bank: Bank) -> None:
    path = f"/v1/event-types/kept{number()}.done"
    first, wider = thing({"enum": ["x"]}), thing({"enum": ["x", "y"]})
    await put(bank.admin, path, body(first))
    widened = await bank.admin.put(path, json=body(wider), headers={"If-Match": '"v1"'})
    assert (widened.status_code, widened.json()["version"]) == (200, 2)
    check = (await bank.admin.post(f"{path}:check", json={"data_schema": first})).json()
    assert check == {
        "valid": True,
        "compatible": False,
        "version": 3,
        "errors": [
            {
                "pointer": "/data_schema/properties/a/enum",
                "detail": "no longer lists a value that was accepted",
            }
        ],
    }
    narrow = await bank.admin.put(path, json=body(first), headers={"If-Match": '"v2"'})
    assert narrow.status_code == 422
    assert narrow.json()["type"] == "/problems/schema-incompatible"
    assert narrow.json()["errors"] == check["errors"]
    meant = body(first, compatibility="none")
    forced = await bank.admin.put(path, json=meant, headers={"If-Match": '"v2"'})
    assert (forced.json()["version"], forced.json()["compatibility"]) == (3, "none")
    versions = (await bank.admin.get(f"{path}/versions")).json()["items"]
    assert [(row["version"], row["data_schema"]) for row in versions] == [(3, first), (2, wider), (1, first)]
    one = await bank.strategist.get(f"{path}/versions/2")
    assert one.json()["data_schema"] == wider
    assert (await bank.admin.get(f"{path}/versions/4")).status_code == 404
    assert (await bank.admin.get(f"{path}/versions/0")).status_code == 422


async def test_built_in_types_have_versions_too(bank: Bank) -> None:
    found = (await bank.core.get("/v1/event-types/transaction.posted/versions")).json()["items"]
    assert [row["registered_by"] for row in found] == ["system"]


async def test_an_event_may_be_read_by_an_older_version(bank: Bank) -> None:
    kind, customer = f"old{number()}.form", await bank.customer()
    path = f"/v1/event-types/{kind}"
    await put(bank.admin, path, body(thing({"type": "string"})))
    newer = body({**thing({"type": "integer"}), "required": ["a"]}, compatibility="none")
    assert (await bank.admin.put(path, json=newer, headers={"If-Match": '"v1"'})).status_code == 200
    old = event(
        source_id(customer), kind, data={"a": "text"}, dataschema=f"https://bank.example{path}/versions/1"
    )
    new = event(source_id(customer), kind, data={"a": 1})
    foreign = event(
        source_id(customer), kind, data={"a": 2}, dataschema="https://partner.example/our-own-schema"
    )
    assert (await bank.push(old, new, foreign)).json()["accepted"] == 3
    recorded = await bank.admin.get("/v1/events", params={"customer_id": customer["id"], "type": kind})
    assert [row["schema_version"] for row in recorded.json()["items"]] == [1, 2, 2]
    wrong = [
        {**old, "id": f"w{number()}", "data": {"a": 1}},
        {**new, "id": f"w{number()}", "data": {"a": "text"}},
        {**new, "id": f"w{number()}", "dataschema": f"{path}/versions/7"},
        {**new, "id": f"w{number()}", "dataschema": "/v1/event-types/transaction.posted/versions/1"},
    ]
    answer = (await bank.push(*wrong)).json()
    pointers = [item["problem"]["errors"][0]["pointer"] for item in answer["items"]]
    assert pointers == ["/0/data/a", "/1/data/a", "/2/dataschema", "/3/dataschema"]
