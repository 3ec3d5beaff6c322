"""Masking, the vault and the registry of event types, without a server."""

from uuid import UUID

import pytest

from services.customer.domain.event_schemas import BUILT_IN
from services.customer.domain.event_types import EventKind, schema_problem
from services.customer.domain.masking import mask
from services.customer.domain.vault import SealBrokenError, Vault

ID = UUID("01934f3e-0000-7000-8000-000000000001")


def test_what_is_shown_of_personal_data() -> None:
    personal = {
        "name": "张三",
        "id_number": "310101198001011234",
        "phone": "13812341234",
        "email": "li.wei@bank.cn",
        "address": "上海市浦东新区世纪大道1号",
    }
    assert mask(personal) == {
        "name": "张*",
        "id_number": "310****1234",
        "phone": "138****1234",
        "email": "l***@bank.cn",
        "address": "上海市浦东新****",
    }
    assert mask({"name": "上海远洋运输有限公司", "phone": "12345", "email": None}) == {
        "name": "上海远洋****",
        "phone": "****45",
        "email": None,
    }


def test_sealed_data_opens_with_its_own_key_and_customer_only() -> None:
    vault, other = Vault(b"a" * 32), Vault(b"b" * 32)
    sealed = vault.seal(ID, {"name": "张三", "phone": None})
    assert "张三".encode() not in sealed.pii
    assert vault.open(ID, sealed.wrapped_key, sealed.pii)["name"] == "张三"
    with pytest.raises(SealBrokenError):
        other.open(ID, sealed.wrapped_key, sealed.pii)
    with pytest.raises(SealBrokenError):
        vault.open(UUID(int=ID.int + 1), sealed.wrapped_key, sealed.pii)
    again = vault.seal(ID, {"name": "张三", "phone": None})
    assert again.pii != sealed.pii
    assert again.digest == sealed.digest == vault.digest({"name": "张三"})
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")


def test_look_up_hashes_ignore_how_a_number_is_written() -> None:
    vault = Vault(b"a" * 32)
    assert vault.phone_hash("+86 138-1234-1234") == vault.phone_hash("13812341234")
    assert vault.id_hash("31010119800101123x") == vault.id_hash("31010119800101123X")
    assert vault.phone_hash("13812341234") != vault.id_hash("13812341234")
    assert vault.phone_hash(None) is None
    assert vault.phone_hash("13812341234") != Vault(b"b" * 32).phone_hash("13812341234")


def test_built_in_schemas_are_registrable() -> None:
    assert len(BUILT_IN) == 17
    for _zh, _en, schema in BUILT_IN.values():
        assert schema_problem(schema) is None


def test_schemas_that_cannot_be_registered() -> None:
    good = {"type": "object", "properties": {"a": {"type": "string"}}}
    nested: dict[str, object] = {"type": "object"}
    for _ in range(20):
        nested = {"type": "object", "properties": {"a": nested}}
    bad = [
        {},
        {"type": "array"},
        {"type": "object"},
        {**good, "required": "a"},
        {**good, "properties": {"a": {"pattern": "("}}},
        {**good, "properties": {"a": {"$ref": "http://example.com/schema"}}},
        nested,
    ]
    assert schema_problem(good) is None
    for schema in bad:
        assert schema_problem(schema), schema


def test_errors_name_no_values() -> None:
    kind = EventKind(BUILT_IN["transaction.posted"][2])
    (error,) = kind.errors({"amount": "secret 13812341234"}, "/0/data")
    assert error.pointer == "/0/data/amount"
    assert "13812341234" not in error.detail
