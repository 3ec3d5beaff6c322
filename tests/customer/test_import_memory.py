"""A file of any size takes constant memory: four times the rows, the same peak."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FEW, MANY = 60_000, 240_000
ALLOWED_MIB = 12.0
"""What the peak may differ by; the larger file has 38 MiB more, and several times that as columns."""

# In a process of its own: writes the file from a generator, then reads and prepares it as the job does.
PROGRAM = """
import json, os, resource, sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq
from services.customer.domain.sealed_file import SealedWriter
from services.customer.domain.vault import Vault
from services.customer.usecases.import_customers import CustomerRows
from services.customer.usecases.import_datasets import DATASETS
from services.customer.usecases.import_mapping import plan_of
from services.customer.usecases.import_reading import ImportReader
from services.customer.usecases.import_source import ImportSource, detect

format, rows, path = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
names = list(DATASETS["customers"].columns)
fixed = {"source": "core", "kind": "person", "org": "hq.sh", "gender": "F", "birth_date": "1980-01-01"}

def batch(start):
    count = min(10_000, rows - start)
    columns = {name: pa.array([fixed.get(name)] * count, pa.string()) for name in names}
    columns["source_id"] = pa.array([f"c{start + n}" for n in range(count)])
    columns["name"] = pa.array([f"Client {start + n}" for n in range(count)])
    columns["address"] = pa.array([f"{start + n} " + "long street " * 10 for n in range(count)])
    return pa.RecordBatch.from_pydict(columns)

key = os.urandom(32)
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
source = ImportSource(path, key, detect(path, key, encoding=None, delimiter=None, quote=None))
reader = ImportReader(source, "customers", plan_of(DATASETS["customers"], source.names(), None))
intake, read = CustomerRows(Vault(os.urandom(32)), datetime.now(UTC)), 0
for chunk in reader.chunks():
    read += len(intake.prepare(chunk).made["pii"])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"read": read, "peak": peak, "bytes": plain.stat().st_size}))
"""


def _measure(directory: Path, kind: str, rows: int, repository: Path) -> dict[str, float]:
    command = [sys.executable, "-c", PROGRAM, kind, str(rows), str(directory / f"{kind}-{rows}")]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-2000:]
    found: dict[str, float] = json.loads(answer.stdout)
    assert found["read"] == rows
    return found


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, repository: Path, kind: str) -> None:
    few, many = (_measure(tmp_path, kind, rows, repository) for rows in (FEW, MANY))
    print(
        f"{kind}: {few['bytes']:,} bytes {few['peak']:.0f} MiB, {many['bytes']:,} bytes {many['peak']:.0f} MiB"
    )
    assert many["peak"] - few["peak"] < ALLOWED_MIB
