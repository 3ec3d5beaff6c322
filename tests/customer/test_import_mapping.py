"""Files as banks have them: other columns, other encodings, broken off half-way, only to be tried."""

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.customer.usecases import import_reading, import_source, imports
from shared.auth import Role
from shared.jobs import CancelledJobError
from tests.customer.conftest import Bank, event, number, source_id
from tests.customer.test_imports import CUSTOMER, as_csv, counts
from tests.support import eventually

CLIENT = {
    "source": {"constant": "core"},
    "source_id": {"template": "k{Kundennummer}"},
    "kind": {"column": "Art", "values": {"P": "person", "F": "company"}},
    "name": {"column": "Name", "trim": True},
    "gender": {"column": "Geschlecht", "values": {"w": "F", "m": "M"}, "otherwise": ""},
    "birth_date": {"column": "Geburtstag", "date_format": "%d.%m.%Y"},
    "org": {"constant": "hq.sh.pudong"},
    "consent_call": {"column": "Anruf", "values": {"ja": "true", "": "false"}},
}
BALANCE = {
    "source": {"constant": "core"},
    "source_id": {"column": "id"},
    "account": {"template": "A-{id}"},
    "product": {"constant": "wealth-steady"},
    "balance": {"column": "Saldo", "decimal_comma": True},
    "currency": {"constant": "CNY"},
    "as_of": {"column": "Tag", "date_format": "%y%m%d"},
}


async def upload(bank: Bank, content: bytes, mapping: Any = None, **params: Any) -> dict[str, Any]:
    """Posts, waits for the end, answers the import."""
    answer = await post(bank, content, mapping, **params)
    assert answer.status_code == 202, answer.text
    return await ended(bank, answer.json()["id"])


async def post(bank: Bank, content: bytes, mapping: Any = None, **params: Any) -> Any:
    if mapping is not None:
        params["mapping"] = orjson.dumps({"columns": mapping}).decode()
    return await bank.core.post(
        "/v1/imports", params=params, content=content, headers={"content-type": "text/csv"}
    )


async def ended(bank: Bank, import_id: str) -> dict[str, Any]:
    async def done() -> bool:
        view = (await bank.core.get(f"/v1/imports/{import_id}")).json()
        return view["state"] not in {"queued", "running"}

    await eventually(done, what="the import")
    return (await bank.core.get(f"/v1/imports/{import_id}")).json()


async def errors_of(bank: Bank, view: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    items = (await bank.core.get(f"/v1/imports/{view['id']}/errors")).json()["items"]
    return [(item["row"], item["column"], item["detail"]) for item in items]


def german(rows: list[tuple[str, ...]], delimiter: str = ";") -> str:
    head = ("Kundennummer", "Art", "Name", "Geschlecht", "Geburtstag", "Anruf", "Egal")
    return "\r\n".join(delimiter.join((*row, "x") if row != head else row) for row in [head, *rows]) + "\r\n"


def kept(bank: Bank) -> list[Path]:
    return list((bank.service.runtime.settings.data_dir / "imports").iterdir())


@pytest.mark.parametrize(
    ("encoding", "name", "delimiter"),
    [
        ("latin-1", "Jürgen Groß", ";"),
        ("gb18030", "欧阳明月", "\t"),
        ("utf-8-sig", "Zoë", "|"),
        ("utf-8", "李雷", ","),
    ],
)
async def test_columns_encodings_and_delimiters(bank: Bank, encoding: str, name: str, delimiter: str) -> None:
    n = 10 * number()
    rows = [
        (str(n), "P", f"  {name} ", "w", "01.02.1975", "ja"),
        (str(n + 1), "F", name, "?", "", ""),
        (str(n + 2), "P", name, "m", "30.02.1975", "ja"),
    ]
    content = german(rows, delimiter).encode(encoding)
    done = await upload(bank, content, CLIENT, dataset="customers")
    assert (done["encoding"], done["delimiter"], done["quote"]) == (encoding, delimiter, '"')
    assert done["counts"] == counts(rows=3, created=2, rejected=1)
    assert await errors_of(bank, done) == [(3, "birth_date", "is not a date of the form %d.%m.%Y")]
    found = await bank.admin.get("/v1/customers", params={"source": "core", "source_id": f"k{n}"})
    view = (await bank.admin.get(f"/v1/customers/{found.json()['items'][0]['id']}?reveal=pii")).json()
    assert (view["name"], view["gender"], view["birth_date"]) == (name, "F", "1975-02-01")
    assert view["consents"] == {"call": True}
    found = await bank.admin.get("/v1/customers", params={"source": "core", "source_id": f"k{n + 1}"})
    second = found.json()["items"][0]
    assert (second["kind"], second["gender"], second["consents"]) == ("company", None, {"call": False})


async def test_gzip_is_unpacked_and_bounded(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(40)]
    content = as_csv(rows)
    middle = len(content) // 2
    members = gzip.compress(content[:middle]) + gzip.compress(content[middle:])
    done = await upload(bank, members, dataset="customers")
    assert (done["counts"]["created"], done["size_bytes"]) == (40, len(content))
    assert (await post(bank, members[:-20], dataset="customers")).status_code == 422
    assert (await post(bank, b"\x1f\x8b nonsense", dataset="customers")).status_code == 422
    settings = bank.service.runtime.resource(imports.CustomerSettings)
    monkeypatch.setitem(settings.__dict__, "max_import_bytes", 10_000_000)
    bomb = gzip.compress(bytes(50_000_000))
    assert (await post(bank, bomb, dataset="customers")).status_code == 413
    assert not kept(bank)


async def test_amounts_with_commas_and_short_dates(bank: Bank) -> None:
    customer = await bank.customer()
    rows = [("1.234.567,89", "261031"), ("-5,5", "261030"), ("7", "261131"), ("1,234,5", "261029")]
    lines = ["id|Saldo|Tag", *(f"{source_id(customer)}|{amount}|{day}" for amount, day in rows)]
    done = await upload(bank, "\n".join(lines).encode(), BALANCE, dataset="holdings")
    assert done["counts"] == counts(rows=4, created=2, rejected=2)
    assert [error[:2] for error in await errors_of(bank, done)] == [(3, "as_of"), (4, "balance")]
    days = await bank.sql(
        "SELECT as_of::text, balance::text FROM holding_day WHERE customer_id = CAST(:id AS uuid) ORDER BY 1",
        id=customer["id"],
    )
    assert [tuple(day) for day in days] == [("2026-10-30", "-5.50"), ("2026-10-31", "1234567.89")]


async def test_mappings_that_do_not_fit(bank: Bank) -> None:
    content = german([("1", "P", "N", "w", "", "ja")]).encode()
    bad = {
        "source": {"constant": "core"},
        "source_id": {"column": "Nummer"},
        "name": {"column": "Name", "date_format": "%Y"},
        "birth_date": {"column": "Geburtstag", "date_format": "%H:%M"},
        "colour": {"column": "Name"},
    }
    answer = await post(bank, content, bad, dataset="customers")
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {
        "/mapping/columns/source_id",
        "/mapping/columns/name/date_format",
        "/mapping/columns/birth_date/date_format",
        "/mapping/columns/colour",
        "/mapping/columns/kind",
        "/mapping/columns/org",
    }
    both = await post(bank, content, {"name": {"column": "Name", "constant": "x"}}, dataset="customers")
    assert both.json()["errors"][0]["pointer"] == "/mapping/columns/name"
    for text in ("{", "[]", '{"columns": {}}', '{"columns": {"name": 7}}', '{"columns": {"NAME": {}}}'):
        answer = await bank.core.post(
            "/v1/imports", params={"dataset": "customers", "mapping": text}, content=content
        )
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid"), text
    assert (await post(bank, content, CLIENT, dataset="customers", delimiter="")).status_code == 422
    utf16 = content.decode().encode("utf-16")
    assert "UTF-16" in (await post(bank, utf16, CLIENT, dataset="customers")).json()["detail"]
    assert not kept(bank)


async def test_a_mapping_in_the_form(bank: Bank) -> None:
    content = german([(str(number()), "P", "N", "w", "", "ja")]).encode()
    answer = await bank.core.post(
        "/v1/imports",
        params={"dataset": "customers"},
        files={"file": ("k.csv", content)},
        data={"mapping": orjson.dumps({"columns": CLIENT}).decode()},
    )
    assert answer.json()["mapping"]["columns"]["name"]["trim"] is True
    assert (await ended(bank, answer.json()["id"]))["counts"]["created"] == 1


async def test_a_dry_run_checks_and_keeps_nothing(bank: Bank) -> None:
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(5)]
    rows[3]["primary_manager"] = "S999"
    before = await bank.sql("SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM outbox)")
    tried = await upload(bank, as_csv(rows), dataset="customers", dry_run=True)
    assert tried["counts"] == counts(rows=5, created=4, rejected=1)
    assert await errors_of(bank, tried) == [(4, "primary_manager", "is not staff you can see")]
    after = await bank.sql("SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM outbox)")
    assert before == after
    assert not kept(bank)
    again = await upload(bank, as_csv(rows), dataset="customers")
    assert again["counts"]["created"] == 4


class Interruption:
    """Lets some chunks pass, then fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int, error: BaseException) -> None:
        self.left, self.taken = after, []
        real = imports._mark_taken

        async def mark(session: Any, file: Any, row: int, stated: Any) -> None:
            if self.left == 0:
                raise error
            self.left -= 1
            self.taken.append(row)
            await real(session, file, row, stated)

        monkeypatch.setattr(imports, "_mark_taken", mark)


async def test_a_failed_import_goes_on_where_it_stopped(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (import_source, import_reading):
        monkeypatch.setattr(module, "BATCH_ROWS", 10)
    first = number()
    rows = [{**CUSTOMER, "source_id": f"r{first}-{n}", "email": f"who{n}@example.com"} for n in range(35)]
    rows[12]["kind"] = "dog"
    content = as_csv(rows[:20]) + b"too,few\n" + b"\n".join(as_csv(rows[19:]).split(b"\n")[2:])
    interruption = Interruption(monkeypatch, 2, OSError("the disk is gone"))
    stopped = await upload(bank, content, dataset="customers")
    assert stopped["state"] == "failed"
    assert stopped["counts"] == counts(rows=20, created=19, rejected=1)
    assert datetime.fromisoformat(stopped["kept_until"]) > datetime.now(UTC)
    # What is kept is sealed: nobody's address can be read from it.
    (file,) = kept(bank)
    assert b"example.com" not in file.read_bytes()
    interruption.left = -1
    resumed = await bank.core.post(f"/v1/imports/{stopped['id']}:resume")
    assert resumed.status_code == 202, resumed.text
    assert resumed.headers["Location"] != f"/v1/jobs/{stopped['job_id']}"
    done = await ended(bank, stopped["id"])
    assert done["state"] == "succeeded"
    assert done["counts"] == counts(rows=36, created=34, rejected=2)
    assert interruption.taken[:3] == [10, 20, 31]
    assert [error[0] for error in await errors_of(bank, done)] == [13, 21]
    assert not kept(bank)
    assert (await bank.core.post(f"/v1/imports/{stopped['id']}:resume")).status_code == 409


async def test_a_parquet_file_goes_on_too(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (import_source, import_reading):
        monkeypatch.setattr(module, "BATCH_ROWS", 10)
    first = number()
    rows = [{**CUSTOMER, "source_id": f"p{first}-{n}", "consent_email": None} for n in range(47)]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=15)
    interruption = Interruption(monkeypatch, 3, OSError("the disk is gone"))
    stopped = await upload(bank, sink.getvalue(), dataset="customers")
    assert (stopped["state"], stopped["counts"]["created"]) == ("failed", interruption.taken[-1])
    interruption.left = -1
    await bank.core.post(f"/v1/imports/{stopped['id']}:resume")
    done = await ended(bank, stopped["id"])
    assert done["counts"] == counts(rows=47, created=47)


async def test_a_cancelled_import_keeps_what_it_took(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (import_source, import_reading):
        monkeypatch.setattr(module, "BATCH_ROWS", 10)
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(30)]
    interruption = Interruption(monkeypatch, 1, CancelledJobError())
    stopped = await upload(bank, as_csv(rows), dataset="customers")
    assert (stopped["state"], stopped["counts"]["created"]) == ("cancelled", 10)
    assert stopped["kept_until"]
    interruption.left = -1
    async with bank.service.client(key=bank.service.servers.api_key("crm")) as other:
        assert (await other.post(f"/v1/imports/{stopped['id']}:resume")).status_code == 403
    async with bank.service.client(Role.manager, org="hq.sh.pudong", staff="S1") as manager:
        assert (await manager.post(f"/v1/imports/{stopped['id']}:resume")).status_code == 403
    for file in kept(bank):
        file.unlink()
    gone = await bank.core.post(f"/v1/imports/{stopped['id']}:resume")
    assert (gone.status_code, gone.json()["type"]) == (409, "/problems/file-gone")


async def test_two_workers_do_not_take_one_chunk_twice(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two finds the mark moved: all it did is undone."""
    rows = [{**CUSTOMER, "source_id": f"i{number()}"} for _ in range(4)]
    real, met = imports._mark_taken, []

    async def mark(session: Any, file: Any, row: int, stated: Any) -> None:
        if not met:
            met.append(row)
            async with bank.service.runtime.db.transaction() as other:
                await other.execute(
                    imports.update(imports.ImportFile)
                    .where(imports.ImportFile.id == file.id)
                    .values(taken=row)
                )
        await real(session, file, row, stated)

    monkeypatch.setattr(imports, "_mark_taken", mark)
    done = await upload(bank, as_csv(rows), dataset="customers")
    assert (done["state"], done["counts"]["created"]) == ("failed", 0)
    known = await bank.sql(
        "SELECT count(*) FROM source_identity WHERE source_id = :id", id=rows[0]["source_id"]
    )
    assert known == [(0,)]
    for file in kept(bank):
        file.unlink()


EVENT = {
    "id": {"template": "line-{#}-{Beleg}"},
    "source": {"constant": "core"},
    "type": {"constant": "card.spent"},
    "subject": {"column": "Kunde"},
    "time": {"column": "Zeit", "date_format": "%Y-%m-%d %H:%M:%S"},
    "data.amount": {"column": "Menge", "times": "Preis"},
    "data.currency": {"constant": "CNY"},
    "data.reference": {"column": "Beleg"},
}


async def test_events_with_mapped_properties(bank: Bank) -> None:
    customer, batch = await bank.customer(), number()
    mapping = {**EVENT, "id": {"template": f"{batch}-{{#}}-{{Beleg}}"}}
    rows = [
        (source_id(customer), "6", "2.55", "B1", "2026-11-01 08:26:00"),
        (source_id(customer), "6", "2.55", "B1", "2026-11-01 08:26:00"),
        (source_id(customer), "-3", "0.335", "CB1", "2026-11-01 08:26:00"),
        ("", "1", "1.00", "B2", "2026-11-01 08:26:00"),
        (f"later{batch}", "1", "9.99", "B3", "2026-11-01 08:26:00"),
        (source_id(customer), "1", "many", "B4", "2026-11-01 08:26:00"),
        (source_id(customer), "1", "1.00", "B5", "2099-11-01 08:26:00"),
    ]
    content = "\n".join(["Kunde,Menge,Preis,Beleg,Zeit", *(",".join(row) for row in rows)]).encode()
    done = await upload(bank, content, mapping, dataset="events")
    expected = counts(rows=7, created=3, parked=1, quarantined=1, rejected=2)
    assert done["counts"] == expected
    assert await errors_of(bank, done) == [
        (6, "data.amount", "is not a number to multiply"),
        (7, "time", "is in the future"),
    ]
    found = (await bank.admin.get("/v1/events", params={"customer_id": customer["id"]})).json()["items"]
    assert [(e["id"], e["data"]["amount"]) for e in found] == [
        (f"{batch}-1-B1", "15.30"),
        (f"{batch}-2-B1", "15.30"),
        (f"{batch}-3-CB1", "-1.01"),
    ]
    assert datetime.fromisoformat(found[0]["time"]) == datetime(2026, 11, 1, 0, 26, tzinfo=UTC)
    again = await upload(bank, content, mapping, dataset="events")
    # The parked one waits already; the one without a customer is counted again.
    assert again["counts"] == {**expected, "created": 0, "parked": 0, "unchanged": 4}
    changed = await upload(bank, content.replace(b"2.55", b"2.56"), mapping, dataset="events")
    assert changed["counts"] == {**expected, "created": 0, "parked": 0, "unchanged": 2, "rejected": 4}


async def test_events_as_they_are_pushed(bank: Bank) -> None:
    """Columns of a CloudEvent with its data as JSON; properties of declared numbers are numbers."""
    customer = await bank.customer()
    sent = event(source_id(customer))
    rows = [
        {**{k: sent[k] for k in ("source", "type", "subject", "time")}, "id": sent["id"], "data": sent["data"]},
        {**{k: sent[k] for k in ("source", "subject", "time")}, "type": "loan.overdue", "id": f"e{number()}",
         "data": {"days": 7, "amount": "1.00"}},
        {**{k: sent[k] for k in ("source", "type", "subject", "time")}, "id": f"e{number()}", "data": "{broken}"},
    ]  # fmt: skip
    table = [
        {**row, "data": row["data"] if isinstance(row["data"], str) else orjson.dumps(row["data"]).decode()}
        for row in rows
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), sink)
    done = await upload(bank, sink.getvalue(), dataset="events")
    assert done["counts"] == counts(rows=3, created=2, rejected=1)
    assert await errors_of(bank, done) == [(3, "data", "must be an object")]
    # The very same event, pushed: nothing new.
    assert (await bank.push(sent)).json()["duplicate"] == 1
    columns = "id,source,type,subject,time,data.days,data.amount\n"
    line = f"e{number()},core,loan.overdue,{source_id(customer)},2026-11-01T00:00:00Z,31,5.00\n"
    done = await upload(bank, (columns + line).encode(), dataset="events")
    assert done["counts"]["created"] == 1
    found = (await bank.admin.get("/v1/events", params={"customer_id": customer["id"]})).json()["items"]
    assert found[-1]["data"] == {"days": 31, "amount": "5.00"}


async def test_an_event_file_of_another_source(bank: Bank) -> None:
    customer = await bank.customer()
    rows = f"id,source,type,subject,time,data.channel\nx{number()},crm,login,{source_id(customer)},2026-11-01T00:00:00Z,app\n"
    done = await upload(bank, rows.encode(), dataset="events")
    assert (done["counts"]["rejected"], await errors_of(bank, done)) == (
        1,
        [(1, "source", "belongs to another system")],
    )


async def test_a_file_that_is_not_the_encoding_it_seems(bank: Bank) -> None:
    # The odd character is behind what is read to tell the encoding.
    rows = [(str(number()), "P", "Anna" + " Maria" * 20, "w", "", "ja") for _ in range(12_000)]
    content = german([*rows[:-1], (str(number()), "P", "Jürgen", "m", "", "ja")]).encode("latin-1")
    done = await upload(
        bank, content[: 3 << 20] + content[-200:], CLIENT, dataset="customers", encoding="utf-8", dry_run=True
    )
    assert done["state"] == "failed"
    job = (await bank.core.get(f"/v1/jobs/{done['job_id']}")).json()
    assert (job["problem"]["status"], "past row" in job["problem"]["detail"]) == (422, True)
