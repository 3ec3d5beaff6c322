"""A bank as Parquet files."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from deploy.demo.bank.datasets import Datasets


def write(bank: Datasets, directory: Path) -> None:
    """One file per dataset; a synthetic bank's hidden truth goes to `truth.parquet`, apart from the rest."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("orgs", "staff", "products", "customers", "relationships"):
        pq.write_table(getattr(bank, name), directory / f"{name}.parquet")
    if bank.truth is not None:
        pq.write_table(bank.truth, directory / "truth.parquet")
    write_batches(bank.holdings(), directory / "holdings.parquet")
    write_batches(bank.events(), directory / "events.parquet")


def write_batches(batches: Iterator[pa.RecordBatch], file: Path) -> int:
    """Write them one by one; how many rows."""
    first = next(batches)
    rows: int = first.num_rows
    with pq.ParquetWriter(file, first.schema) as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
