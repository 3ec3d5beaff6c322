"""A file of any size takes constant memory: twice the rows, the same peak."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

FEW, MANY = 80_000, 160_000
ALLOWED_MIB = 12.0
"""What the peak may differ by; the larger file has 40 MiB more, and several times that as columns. Both are larger
than what the reader of CSV reads ahead."""

# Written by one process and read by another: what the writer takes is not the reader's.
WRITE = """
import sys
from pathlib import Path
import pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq
from services.customer.domain.sealed_file import SealedWriter
from services.customer.usecases.import_datasets import DATASETS

format, rows, path, key = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), bytes.fromhex(sys.argv[4])
names = list(DATASETS["customers"].columns)
fixed = {"source": "core", "kind": "person", "org": "hq.sh", "gender": "F", "birth_date": "1980-01-01"}

def batch(start):
    count = min(10_000, rows - start)
    columns = {name: pa.array([fixed.get(name)] * count, pa.string()) for name in names}
    columns["source_id"] = pa.array([f"c{start + n}" for n in range(count)])
    columns["name"] = pa.array([f"Client {start + n}" for n in range(count)])
    columns["address"] = pa.array([f"{start + n} " + "long street " * 35 for n in range(count)])
    return pa.RecordBatch.from_pydict(columns)

plain = path.with_suffix(".plain")
first = batch(0)
make = pyarrow.csv.CSVWriter if format == "csv" else pq.ParquetWriter
with make(str(plain), first.schema) as writer:
    for start in range(0, rows, 10_000):
        writer.write_batch(batch(start))
with plain.open("rb") as source, path.open("wb") as sink:
    sealed = SealedWriter(sink, key)
    while part := source.read(1 << 20):
        sealed.write(part)
    sealed.finish()
print(plain.stat().st_size)
"""

READ = """
import json, os, sys
from datetime import UTC, datetime
from pathlib import Path
from services.customer.domain.vault import Vault
from services.customer.usecases.import_customers import CustomerRows
from services.customer.usecases.import_datasets import DATASETS
from services.customer.usecases.import_mapping import plan_of
from services.customer.usecases.import_reading import ImportReader
from services.customer.usecases.import_source import ImportSource, detect

path, key = Path(sys.argv[3]), bytes.fromhex(sys.argv[4])
source = ImportSource(path, key, detect(path, key, encoding=None, delimiter=None, quote=None))
reader = ImportReader(source, "customers", plan_of(DATASETS["customers"], source.names(), None))
intake, read = CustomerRows(Vault(os.urandom(32)), datetime.now(UTC)), 0
for chunk in reader.chunks():
    read += len(intake.prepare(chunk).made["pii"])
# Not getrusage: its peak begins with that of the process this one was forked from.
peak = next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"read": read, "peak": peak}))
"""


def _measure(directory: Path, kind: str, rows: int, repository: Path) -> dict[str, float]:
    arguments = [kind, str(rows), str(directory / f"{kind}-{rows}"), secrets.token_hex(32)]
    size = float(_run(WRITE, arguments, repository))
    found: dict[str, float] = json.loads(_run(READ, arguments, repository))
    assert found["read"] == rows
    return {**found, "bytes": size}


def _run(program: str, arguments: list[str], repository: Path) -> str:
    command = [sys.executable, "-c", program, *arguments]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, repository: Path, kind: str) -> None:
    few, many = (_measure(tmp_path, kind, rows, repository) for rows in (FEW, MANY))
    print(
        f"{kind}: {few['bytes']:,} bytes {few['peak']:.0f} MiB, {many['bytes']:,} bytes {many['peak']:.0f} MiB"
    )
    assert many["peak"] - few["peak"] < ALLOWED_MIB
