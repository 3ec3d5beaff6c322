"""`huanying demo --write-bank`: tables for other programs, without a stack."""

from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from deploy.cli import app


def test_a_bank_is_written_without_starting_anything(tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    result = CliRunner().invoke(app, ["demo", "--write-bank", str(folder), "--customers", "1000"])
    assert result.exit_code == 0, result.output
    assert pq.read_metadata(folder / "customers.parquet").num_rows == 1_000
    assert "truth.parquet" in result.output
    assert list(tmp_path.iterdir()) == [folder]
