"""Packed columns arrive as the lists they were."""

from uuid import UUID

import psycopg
import pytest

from shared.arrays import packed
from shared.ids import new_id
from tests.support import Servers

ECHO = "SELECT * FROM unnest(%(texts)b::text[], %(blobs)b::bytea[], %(ids)b::uuid[]) AS t(a, b, c)"
TEXTS = ["", "x", "李雷 🙂", "a" * 5000, "{,}\"'\\"] * 5


@pytest.mark.parametrize("nulls", [False, True])
def test_what_goes_in_comes_out(servers: Servers, nulls: bool) -> None:  # noqa: FBT001
    columns = {
        "texts": list(TEXTS),
        "blobs": [text.encode() for text in TEXTS],
        "ids": [new_id() for _ in TEXTS],
    }
    if nulls:
        columns = {name: [None, *values[1:-1], None] for name, values in columns.items()}
    made = packed(columns)
    assert made is not None
    assert all(type(value) is not list for value in made.values())
    with psycopg.connect(servers.postgres.url("customer", "postgres").replace("+psycopg", "")) as connection:
        cursor = connection.cursor(binary=True)
        assert cursor.execute(ECHO, made).fetchall() == list(zip(*columns.values(), strict=True))
        same = {"blobs": [b"12345678"] * 20, "texts": ["y"] * 20, "ids": [UUID(int=n) for n in range(20)]}
        assert cursor.execute(ECHO, packed(same)).fetchall()[3] == ("y", b"12345678", UUID(int=3))


def test_other_lists_are_left_alone() -> None:
    for values in ([1] * 50, ["a"] * 3, [None] * 50, ["a", 1] * 50, [True, None] * 50, []):
        made = packed({"x": values})
        assert made is not None
        assert made["x"] is values
    assert packed(None) is None
