"""A file of any size takes constant memory: twice the rows, the same peak."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

FEW, MANY = 80_000, 160_000
ALLOWED_MIB = 12.0
"""What the peak may differ by; the larger file has 40 MiB more, and several times that as columns. Both are larger
than what the reader of CSV reads ahead."""

# Written by one process and read by another: what the writer takes is not the reader's. The reader takes the
# smaller file first: whatever grows with the file raises its peak again with the larger one.
WRITE = """
import sys
from pathlib import Path
import pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq
from services.customer.domain.sealed_file import SealedWriter
from services.customer.usecases.import_datasets import DATASETS

format, path, key = sys.argv[1], Path(sys.argv[2]), bytes.fromhex(sys.argv[3])
names = list(DATASETS["customers"].columns)
fixed = {"source": "core", "kind": "person", "org": "hq.sh", "gender": "F", "birth_date": "1980-01-01"}

def batch(start, rows):
    count = min(10_000, rows - start)
    columns = {name: pa.array([fixed.get(name)] * count, pa.string()) for name in names}
    columns["source_id"] = pa.array([f"c{start + n}" for n in range(count)])
    columns["name"] = pa.array([f"Client {start + n}" for n in range(count)])
    columns["address"] = pa.array([f"{start + n} " + "long street " * 35 for n in range(count)])
    return pa.RecordBatch.from_pydict(columns)

make = pyarrow.csv.CSVWriter if format == "csv" else pq.ParquetWriter
for rows in map(int, sys.argv[4:]):
    plain = path.with_suffix(".plain")
    with make(str(plain), batch(0, rows).schema) as writer:
        for start in range(0, rows, 10_000):
            writer.write_batch(batch(start, rows))
    with plain.open("rb") as source, path.with_suffix(f".{rows}").open("wb") as sink:
        sealed = SealedWriter(sink, key)
        while part := source.read(1 << 20):
            sealed.write(part)
        sealed.finish()
    print(plain.stat().st_size)
"""

READ = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from services.customer.domain.vault import Vault
from services.customer.usecases.import_customers import CustomerRows
from services.customer.usecases.import_datasets import DATASETS
from services.customer.usecases.import_mapping import plan_of
from services.customer.usecases.import_reading import ImportReader
from services.customer.usecases.import_source import ImportSource, detect

path, key = Path(sys.argv[2]), bytes.fromhex(sys.argv[3])

def read(file):
    source = ImportSource(file, key, detect(file, key, encoding=None, delimiter=None, quote=None))
    reader = ImportReader(source, "customers", plan_of(DATASETS["customers"], source.names(), None))
    intake = CustomerRows(Vault(os.urandom(32)), datetime.now(UTC))
    return sum(len(intake.prepare(chunk).made["pii"]) for chunk in reader.chunks())

for rows in sys.argv[4:]:
    assert read(path.with_suffix(f".{rows}")) == int(rows)
    # Not getrusage: its peak begins with that of the process this one was forked from.
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def _run(program: str, arguments: list[str], repository: Path) -> list[int]:
    """The numbers it prints."""
    command = [sys.executable, "-c", program, *arguments]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return [int(line) for line in answer.stdout.split()]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, repository: Path, kind: str) -> None:
    arguments = [kind, str(tmp_path / kind), secrets.token_hex(32), str(FEW), str(MANY)]
    sizes = _run(WRITE, arguments, repository)
    few, many = (kibibytes / 1024 for kibibytes in _run(READ, arguments, repository))
    print(f"{kind}: {sizes[0]:,} bytes {few:.0f} MiB, {sizes[1]:,} bytes {many:.0f} MiB")
    assert many - few < ALLOWED_MIB
