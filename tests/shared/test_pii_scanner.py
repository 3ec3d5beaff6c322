"""The scanner must find what is there, or finding nothing proves nothing."""

import base64
import json
from pathlib import Path

import duckdb
import pytest

from tests.pii import Scanner

NAME = "欧阳慕雪蓝"


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
@pytest.mark.parametrize("value", [NAME, "13977731415", "mx.ouyang@secretmail.example"])
def test_every_encoding_is_seen(before: bytes, value: str) -> None:
    text = value.encode()
    for content in (
        before + text + b"z",
        value.encode("gb18030"),
        before + value.encode("utf-16-le"),
        value.encode("utf-16-be"),
        json.dumps({"name": value}).encode(),
        base64.b64encode(before + text + b"tail"),
        text.hex().encode(),
        text.hex().upper().encode(),
    ):
        scanner = Scanner({"value": value})
        scanner.data("here", content)
        assert scanner.hits, content
    scanner = Scanner({"value": value})
    scanner.data("here", b"nothing of it " * 1000)
    assert scanner.hits == []


def test_files_and_stores_are_read(tmp_path: Path) -> None:
    store, aside = tmp_path / "store.duckdb", tmp_path / "aside"
    aside.mkdir()
    with duckdb.connect(str(store)) as connection:
        connection.execute("CREATE TABLE person (name TEXT)")
        connection.execute("INSERT INTO person VALUES (?)", [NAME])
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / f"{NAME}.log").write_text("hello")
    scanner = Scanner({"name": NAME})
    scanner.duckdb(store, aside)
    assert [hit.place for hit in scanner.hits] == ["store.duckdb:person"]
    scanner.hits.clear()
    scanner.directory(tmp_path / "logs")
    assert [hit.place for hit in scanner.hits] == [f"name of {NAME}.log"]
    assert scanner.files == 1
