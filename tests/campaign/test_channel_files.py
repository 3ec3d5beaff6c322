"""Messages as files, and what is kept of what providers say."""

import csv
import io
import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.campaign.channels import OutboundMessage, Submission
from services.campaign.channels.details import fit_to_keep
from services.campaign.channels.files import COLUMNS, Files
from shared.contracts.campaign.channels import FileConnector
from tests.campaign.messages import a_message, carriers


async def drop(root: Path, *messages: OutboundMessage, **config: Any) -> list[Submission]:
    connector = FileConnector.model_validate({"type": "file", "folder": "sms/provider-a", **config})
    async with carriers(drop_dir=root) as found:
        return list(await Files(connector, found).submit(messages))


async def test_a_batch_is_one_file_also_when_it_is_repeated(tmp_path: Path) -> None:
    messages = [
        a_message(),
        a_message(body='=cmd|" /C calc"!A0', subject="@SUM(1)"),
        a_message(recipient="-1"),
    ]
    submitted = await drop(tmp_path, *messages)
    (file,) = (tmp_path / "sms/provider-a").iterdir()
    before = file.read_bytes()
    assert await drop(tmp_path, *reversed(messages)) == submitted
    assert [each.read_bytes() for each in (tmp_path / "sms/provider-a").iterdir()] == [before]
    assert submitted == [Submission("accepted", file.name)] * 3
    assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0
    header, *rows = csv.reader(io.StringIO(before.decode("utf-8-sig")))
    assert tuple(header) == COLUMNS
    assert [row[0] for row in rows] == [str(each.id) for each in messages]
    assert rows[0][4] == "+8613912345678"
    assert rows[1][5:7] == ["'@SUM(1)", '\'=cmd|" /C calc"!A0']
    assert rows[2][4] == "'-1"
    await drop(tmp_path, messages[0])
    assert len(list((tmp_path / "sms/provider-a").iterdir())) == 2


async def test_lines_of_json(tmp_path: Path) -> None:
    message = a_message(body="一\n二")
    (submission,) = await drop(tmp_path, message, format="ndjson")
    lines = (tmp_path / "sms/provider-a" / str(submission.reference)).read_bytes().splitlines()
    assert [orjson.loads(line)["body"] for line in lines] == ["一\n二"]


async def test_what_cannot_be_written_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "sms").write_text("in the way")
    (submission,) = await drop(tmp_path, a_message())
    assert submission.outcome == "failed"
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "sms").symlink_to(outside)
    (submission,) = await drop(root, a_message())
    assert submission.outcome == "failed"
    assert list(outside.rglob("*.csv")) == []


@pytest.mark.parametrize("folder", ["../up", "/etc", "a//b", "A", ".hidden", "a/../b", "a/b/c/d/e"])
def test_a_folder_stays_below_the_drop_directory(folder: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        FileConnector.model_validate({"type": "file", "folder": folder})


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <Zhang@Example.com>: unknown", "550 <…>: unknown"),
        ("no 139 1234 5678 here\x00\r\n again", "no … here again"),
        ("customer 4f1c not found", "customer … not found"),
        ("code 4711", "code 4711"),
        ("x" * 1_000, "x" * 300),
    ],
)
def test_what_a_provider_says_names_nobody(said: str, kept: str) -> None:
    assert fit_to_keep(said, ["4f1c", ""]) == kept
