"""Bulk files in, data sets out."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from shared.contracts.events import CustomerState, HoldingState, RecordedEvent
from tests.customer.conftest import Bank, event, number, source_id
from tests.support import eventually

CUSTOMER = {
    "source": "core",
    "kind": "person",
    "name": "李四",
    "id_number": "310101198001010011",
    "phone": "13800001111",
    "email": "li@example.com",
    "address": "上海",
    "gender": "F",
    "birth_date": "1985-05-05",
    "occupation": "教师",
    "industry": "教育",
    "org": "hq.sh.pudong",
    "primary_manager": "S1",
    "backup_manager": "S2",
    "risk_level": "C2",
    "risk_valid_until": "2027-01-01",
    "customer_since": "2015-01-01",
    "consent_call": "true",
    "consent_sms": "false",
    "consent_email": "",
}
HOLDING = {
    "source": "core",
    "account": "A-1",
    "product": "wealth-steady",
    "balance": "100.00",
    "currency": "CNY",
    "as_of": "2026-10-31",
    "opened_on": "2026-01-01",
    "matures_on": "",
}


def counts(**stated: int) -> dict[str, int]:
    names = ("rows", "created", "updated", "unchanged", "parked", "quarantined", "rejected")
    return {name: stated.get(name, 0) for name in names}


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    columns = list(rows[0])
    lines = [",".join(columns), *(",".join(str(row[c]) for c in columns) for row in rows)]
    return "\n".join(lines).encode() + b"\n"


async def run(bank: Bank, dataset: str, content: bytes, client: Any = None) -> dict[str, Any]:
    client = client or bank.core
    answer = await client.post(
        "/v1/imports", params={"dataset": dataset}, content=content, headers={"content-type": "text/csv"}
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['job_id']}"

    async def done() -> bool:
        state = (await client.get(f"/v1/imports/{answer.json()['id']}")).json()["state"]
        return state not in {"queued", "running"}

    await eventually(done, what="the import")
    return (await client.get(f"/v1/imports/{answer.json()['id']}")).json()


async def test_customers_from_csv_and_again(bank: Bank) -> None:
    waiting = event(f"i{number()}")
    await bank.push(waiting)
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(30)]
    rows[0]["source_id"] = waiting["subject"]
    done = await run(bank, "customers", as_csv(rows))
    assert done["state"] == "succeeded"
    assert done["counts"] == counts(rows=30, created=30, updated=0, unchanged=0, rejected=0)
    found = (
        await bank.admin.get("/v1/customers", params={"source": "core", "source_id": rows[0]["source_id"]})
    ).json()
    view = found["items"][0]
    assert (view["name"], view["risk_level"], view["consents"]) == ("李*", "C2", {"call": True, "sms": False})
    timeline = (await bank.admin.get(f"/v1/customers/{view['id']}/timeline")).json()
    assert len(timeline["items"]) == 1
    again = await run(bank, "customers", as_csv(rows))
    assert again["counts"] == counts(rows=30, created=0, updated=0, unchanged=30, rejected=0)
    rows[1]["occupation"], rows[2]["phone"], rows[3]["consent_sms"] = "医生", "13900000000", "true"
    changed = await run(bank, "customers", as_csv(rows))
    assert changed["counts"]["updated"] == 3
    assert changed["counts"]["unchanged"] == 27
    assert not list((bank.service.runtime.settings.data_dir / "imports").iterdir())


async def test_bad_rows_are_reported_and_the_others_taken(bank: Bank) -> None:
    bad = {
        "kind": "dog",
        "name": "",
        "birth_date": "1985-02-30",
        "org": "hq.nowhere",
        "primary_manager": "S999",
        "backup_manager": "S1",
        "risk_level": "C9",
        "phone": "not a phone",
        "source": "crm",
    }
    rows = [{**CUSTOMER, "source_id": f"i{number()}"}]
    rows += [{**CUSTOMER, "source_id": f"i{number()}", column: value} for column, value in bad.items()]
    rows.append(rows[0])
    content = as_csv(rows) + b"too,few\n"
    done = await run(bank, "customers", content)
    assert done["counts"]["created"] == 1
    assert done["counts"]["rejected"] == len(bad) + 2
    errors = (await bank.core.get(f"/v1/imports/{done['id']}/errors")).json()["items"]
    assert {error["column"] for error in errors} == {*bad, "source_id", None}
    assert {e["row"]: e["column"] for e in errors}[3] == "name"
    assert {e["row"]: e["column"] for e in errors}[len(rows) + 1] is None
    text = (await bank.core.get(f"/v1/imports/{done['id']}/errors", headers={"accept": "text/csv"})).text
    assert text.splitlines()[0] == '"row","column","detail"'
    assert len(text.splitlines()) == len(errors) + 1
    assert "not a phone" not in text


async def test_files_that_are_not_what_they_should_be(bank: Bank) -> None:
    async def post(content: bytes, **params: str) -> Any:
        return await bank.core.post(
            "/v1/imports", params=params, content=content, headers={"content-type": "text/csv"}
        )

    missing = await post(b"source,source_id,colour\na,b,c\n", dataset="customers")
    assert missing.status_code == 422
    pointers = {error["pointer"] for error in missing.json()["errors"]}
    assert {"/kind", "/org", "/colour"} <= pointers
    assert (await post(b"", dataset="customers")).status_code == 422
    assert (await post(b"PAR1 nonsense", dataset="customers")).status_code == 422
    assert (await post(b"\xff\xfe\x00", dataset="customers")).status_code == 422
    assert (await post(b"a", dataset="pets")).status_code == 422
    assert not list((bank.service.runtime.settings.data_dir / "imports").iterdir())


async def test_holdings_from_parquet_as_a_form(bank: Bank) -> None:
    customer = await bank.customer()
    rows = [
        {**HOLDING, "source_id": source_id(customer), "as_of": f"2026-{m:02d}-28", "balance": f"{m}00.00"}
        for m in (8, 9, 10)
    ]
    rows += [
        {**rows[0], "source_id": "nobody"},
        {**rows[0], "product": "none"},
        {**rows[0], "as_of": "2099-01-01"},
    ]
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    files = {"file": ("holdings.parquet", sink.getvalue())}
    answer = await bank.core.post("/v1/imports", params={"dataset": "holdings"}, files=files)
    assert answer.status_code == 202, answer.text

    async def done() -> bool:
        view = (await bank.core.get(f"/v1/imports/{answer.json()['id']}")).json()
        return view["state"] == "succeeded" and view["counts"]["created"] == 3

    await eventually(done, what="the import")
    view = (await bank.admin.get(f"/v1/customers/{customer['id']}/360")).json()
    assert [(h["balance"], h["as_of"]) for h in view["holdings"]] == [("1000.00", "2026-10-28")]
    days = await bank.sql(
        "SELECT count(*) FROM holding_day WHERE customer_id = CAST(:id AS uuid)", id=customer["id"]
    )
    assert days == [(3,)]


async def test_exports_have_the_shapes_of_events(bank: Bank) -> None:
    customer = await bank.customer()
    await bank.push(
        event(source_id(customer)),
        event(source_id(customer), "product.opened", data={"account": "N-1", "product": "home-loan"}),
        event(
            source_id(customer),
            "balance.snapshot",
            data={"product": "demand-deposit", "balance": "7.10", "as_of": "2026-11-01"},
        ),
    )
    shapes = {"customers": CustomerState, "holdings": HoldingState, "events": RecordedEvent}
    for dataset, shape in shapes.items():
        arrow = await bank.strategist.get(f"/v1/exports/{dataset}")
        assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
        table = pa.ipc.open_stream(arrow.content).read_all()
        mine = [row for row in table.to_pylist() if row["customer_id"] == customer["id"]]
        assert mine
        for row in mine:
            for json_column in ("consents", "data"):
                if json_column in row:
                    row[json_column] = __import__("json").loads(row[json_column])
            shape.model_validate(row)
        csv = await bank.strategist.get(f"/v1/exports/{dataset}", headers={"accept": "text/csv"})
        assert pyarrow.csv.read_csv(io.BytesIO(csv.content)).num_rows == table.num_rows
    assert (
        await bank.strategist.get("/v1/exports/customers", headers={"accept": "image/png"})
    ).status_code == 406
    assert (await bank.manager_sh.get("/v1/exports/customers")).status_code == 403


async def test_a_file_of_nothing_but_bad_rows(bank: Bank) -> None:
    rows = [{**CUSTOMER, "source_id": f"i{number()}", "org": "hq.nowhere"} for _ in range(3)]
    done = await run(bank, "customers", as_csv(rows))
    assert (done["state"], done["counts"]["rejected"], done["counts"]["created"]) == ("succeeded", 3, 0)
    rows = [{**HOLDING, "source_id": "nobody"} for _ in range(3)]
    done = await run(bank, "holdings", as_csv(rows))
    assert (done["state"], done["counts"]["rejected"], done["counts"]["created"]) == ("succeeded", 3, 0)
    only_malformed = as_csv([{**CUSTOMER, "source_id": "x"}]).splitlines()[0] + b"\ntoo,few\n"
    done = await run(bank, "customers", only_malformed)
    assert (done["state"], done["counts"]["rejected"]) == ("succeeded", 1)


async def test_a_branch_imports_its_own_customers_only(bank: Bank) -> None:
    stranger = await bank.customer()
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(3)]
    rows[1] |= {"org": "hq.bj.haidian", "primary_manager": "S3", "backup_manager": ""}
    rows[2] |= {"org": "hq.bj.haidian", "primary_manager": "S3", "backup_manager": ""}
    rows[2]["source_id"] = source_id(stranger)
    async with bank.service.client(key=bank.service.servers.api_key("core", org="hq.bj")) as client:
        done = await run(bank, "customers", as_csv(rows), client)
        assert done["counts"] == counts(rows=3, created=1, updated=0, unchanged=0, rejected=2)
        errors = (await client.get(f"/v1/imports/{done['id']}/errors")).json()["items"]
        assert [(e["row"], e["column"]) for e in errors] == [
            (1, "backup_manager"),
            (1, "org"),
            (1, "primary_manager"),
            (3, "source_id"),
        ]
        holdings = [
            {**HOLDING, "source_id": rows[1]["source_id"]},
            {**HOLDING, "source_id": source_id(stranger)},
        ]
        done = await run(bank, "holdings", as_csv(holdings), client)
        assert (done["counts"]["created"], done["counts"]["rejected"]) == (1, 1)
    async with bank.service.client(key=bank.service.servers.api_key("core", org="hq.sh")) as other:
        assert (await other.get(f"/v1/imports/{done['id']}")).status_code == 404
