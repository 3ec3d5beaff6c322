"""What a file seems to be."""

import io
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from services.customer.usecases.import_inference import infer, shape
from tests.customer.conftest import Bank, number
from tests.customer.test_import_mapping import ended, kept


async def propose(bank: Bank, content: bytes, dataset: str, **params: Any) -> Any:
    answer = await bank.core.post(
        "/v1/imports:propose",
        params={"dataset": dataset, **params},
        content=content,
        headers={"content-type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_chinese_customer_file_can_be_imported_as_proposed(bank: Bank) -> None:
    head = "客户号\t客户名称\t性别\t出生日期\t手机号码\t客户类型\t备注"
    lines = [
        f"{number()}\t王小明\t{'男' if n % 2 else '女'}\t{1960 + n % 40}0{1 + n % 9}15\t138{n:08d}\t个人\t"
        for n in range(60)
    ]
    content = "\n".join([head, *lines]).encode("gb18030")
    found = await propose(bank, content, "customers")
    assert (found["format"], found["encoding"], found["delimiter"], found["rows"]) == (
        "csv",
        "gb18030",
        "\t",
        60,
    )
    mapping = found["mapping"]["columns"]
    assert {target: rule["column"] for target, rule in mapping.items()} == {
        "source_id": "客户号",
        "kind": "客户类型",
        "name": "客户名称",
        "phone": "手机号码",
        "gender": "性别",
        "birth_date": "出生日期",
    }
    assert mapping["gender"]["values"] == {"男": "M", "女": "F"}
    assert mapping["birth_date"]["date_format"] == "%Y%m%d"
    assert all(one["confidence"] >= 0.8 for one in found["proposals"])
    assert {one["target"] for one in found["missing"] if one["required"]} == {"source", "org"}
    assert found["ignored"] == ["备注"]
    columns = {column["name"]: column for column in found["columns"]}
    assert (columns["备注"]["type"], columns["备注"]["null_share"]) == ("empty", 1.0)
    assert columns["性别"]["categories"] == ["女", "男"]
    assert columns["手机号码"]["samples"] == ["99999999999"]
    assert columns["客户名称"]["samples"] == ["字字字"]
    mapping |= {"source": {"constant": "core"}, "org": {"constant": "hq.sh.pudong"}}
    answer = await bank.core.post(
        "/v1/imports",
        params={"dataset": "customers", "mapping": orjson.dumps({"columns": mapping}).decode()},
        content=content,
    )
    assert (await ended(bank, answer.json()["id"]))["counts"]["created"] == 60
    assert not kept(bank)


async def test_an_event_file_keeps_its_other_columns_as_properties(bank: Bank) -> None:
    rows = [
        {"InvoiceNo": f"A{n}", "CustomerID": "", "InvoiceDate": "2011-01-01 10:00:00", "Unit Price": "2.50"}
        for n in range(5)
    ]
    content = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]).encode()
    found = await propose(bank, content, "events")
    assert {target: rule["column"] for target, rule in found["mapping"]["columns"].items()} == {
        "id": "InvoiceNo",
        "time": "InvoiceDate",
        "subject": "CustomerID",
        "data.unit_price": "Unit Price",
    }
    types = {column["name"]: (column["type"], column["date_format"]) for column in found["columns"]}
    assert types["InvoiceDate"] == ("instant", "%Y-%m-%d %H:%M:%S")
    assert types["Unit Price"] == ("decimal", None)


async def test_parquet_and_names_nobody_knows(bank: Bank) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"q": [1, 2], "at": [datetime(2026, 1, 1), datetime(2026, 1, 2)]}), sink)  # noqa: DTZ001
    found = await propose(bank, sink.getvalue(), "holdings")
    assert (found["format"], found["encoding"], found["mapping"], found["ignored"]) == (
        "parquet",
        None,
        None,
        ["q", "at"],
    )
    for content in (b"", b"PAR1 nonsense", b"a,a\n1,2\n"):
        answer = await bank.core.post("/v1/imports:propose", params={"dataset": "holdings"}, content=content)
        assert answer.status_code == 422, content
    assert (await propose(bank, b"a,b\n", "holdings"))["rows"] == 0
    assert not kept(bank)


def test_kinds_of_columns() -> None:
    def kind(*values: str) -> tuple[str, str | None, bool]:
        found = infer("x", values)
        return found.type, found.date_format, found.decimal_comma

    assert kind("1", "-22") == ("integer", None, False)
    assert kind("1.5", "2") == ("decimal", None, False)
    assert kind("1.234,50", "7,1") == ("decimal", None, True)
    assert kind("930101", "931231") == ("date", "%y%m%d", False)
    assert kind("930101", "931331") == ("integer", None, False)
    assert kind("31.12.1999", "01.01.2000") == ("date", "%d.%m.%Y", False)
    assert kind("2026-01-01T00:00:00Z") == ("instant", None, False)
    assert kind("yes", "no") == ("boolean", None, False)
    assert kind('{"a":1}') == ("json", None, False)
    assert kind("") == ("empty", None, False)
    assert shape("Li 李 138-x") == "xx 字 999-x"
    assert infer("x", ["secret"] * 9 + ["other"] * 20).categories == []
