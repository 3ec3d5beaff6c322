"""Reading the files as published: semicolons, latin-1, dates as YYMMDD, sex hidden in the birth number."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from deploy.demo.bank.columns import Bools, Dates

_TEXT = ("date", "birth_number", "issued", "account", "k_symbol", "bank", "operation")


class BerkaError(Exception):
    """The directory does not hold the tables."""


@dataclass(frozen=True)
class Tables:
    """The eight tables, columns named as in the files."""

    account: pa.Table
    client: pa.Table
    disp: pa.Table
    district: pa.Table
    loan: pa.Table
    card: pa.Table
    order: pa.Table
    trans: pa.Table


def read_tables(directory: Path) -> Tables:
    """From `<table>.asc` or `<table>.asc.gz`; `trans` may be a prefix in time (`trans_19930101_….asc.gz`)."""
    return Tables(**{name: _read(_file(directory, name)) for name in Tables.__dataclass_fields__})


def _file(directory: Path, name: str) -> Path:
    whole = [directory / f"{name}.asc", directory / f"{name}.asc.gz"]
    # A prefix of the transactions has its range of dates in its name; one cut mid-row is not read.
    parts = sorted(directory.glob(f"{name}_[0-9]*.asc*"))
    for file in (*whole, *parts):
        if file.exists():
            return file
    raise BerkaError(f"{directory} holds no {name}.asc or {name}.asc.gz")


def _read(file: Path) -> pa.Table:
    compression = "gzip" if file.suffix == ".gz" else None
    with pa.input_stream(str(file), compression=compression) as stream:
        return pa.csv.read_csv(
            stream,
            read_options=pa.csv.ReadOptions(encoding="latin-1"),
            parse_options=pa.csv.ParseOptions(delimiter=";"),
            convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(_TEXT, pa.string())),
        ).combine_chunks()


def days(column: pa.ChunkedArray) -> Dates:
    """Dates of the twentieth century from texts that begin with YYMMDD."""
    text = np.array([value[:6] for value in column.to_pylist()])
    return _dates(
        text.astype(np.int64) // 10_000, text.astype(np.int64) // 100 % 100, text.astype(np.int64) % 100
    )


def births(column: pa.ChunkedArray) -> tuple[Dates, Bools]:
    """Birth date and whether a woman: her birth number has 50 added to the month."""
    number = np.array(column.to_pylist()).astype(np.int64)
    month = number // 100 % 100
    female = month > 50
    return _dates(number // 10_000, np.where(female, month - 50, month), number % 100), female


def _dates(year: npt.NDArray[np.int64], month: npt.NDArray[np.int64], day: npt.NDArray[np.int64]) -> Dates:
    months = ((1900 + year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]"))
