"""Columns of a data set made from columns of a file, a batch at a time, as the mapping says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

import pyarrow as pa
import pyarrow.compute as pc

from services.customer.usecases.import_datasets import Dataset, Kind
from shared import clock
from shared.contracts.customer.imports import ColumnSource
from shared.errors import FieldError, Unprocessable

Plan = Mapping[str, ColumnSource]

_PLACE = re.compile(r"\{([^{}]+)\}")
_ROW = "#"
_LOCAL = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d{1,6})?$"
_MIDNIGHT = r"^(\d{4}-\d{2}-\d{2})[ T]00:00:00(\.0+)?Z?$"
_FACTOR = pa.decimal128(18, 4)
_CENT = Decimal("0.01")


@dataclass(slots=True)
class Derived:
    """One column as text, and where a value could not be made: a mask with the reason."""

    values: pa.Array
    bad: pa.Array | None = None
    detail: str = ""


def plan_of(dataset: Dataset, names: Sequence[str], mapping: Plan | None) -> Plan:
    """The mapping, or each column from that of the same name; 422 names what does not fit the data set."""
    errors = [] if len(set(names)) == len(names) else [FieldError("", "column names repeat")]
    if mapping is None:
        errors += [
            FieldError(f"/{name}", "column is missing")
            for name in dataset.columns
            if name not in names and not _made_of_properties(name, dataset, names)
        ]
        errors += [
            FieldError(f"/{name[:100]}", "is not a column of this data set")
            for name in names
            if dataset.column(name) is None
        ]
        _refuse(errors)
        return {name: ColumnSource(column=name) for name in names}
    errors += _mapping_errors(dataset, set(names), mapping)
    _refuse(errors)
    return mapping


def columns_read(plan: Plan) -> list[str]:
    """Columns of the file the plan needs."""
    return list(dict.fromkeys(name for rule in plan.values() for name in _origins(rule)))


def derive(batch: pa.RecordBatch, numbers: Sequence[int], rule: ColumnSource, kind: Kind) -> Derived:
    """One target column; `numbers` are the rows' numbers in the file."""
    values = _taken(batch, numbers, rule)
    if rule.trim:
        values = pc.utf8_trim_whitespace(values)
    values = pc.if_else(pc.equal(values, ""), None, values)
    if rule.values is not None:
        values = _replaced(values, rule.values, rule.otherwise)
    if rule.decimal_comma:
        values = pc.replace_substring(pc.replace_substring(values, ".", ""), ",", ".")
    if rule.times is not None:
        return _product(values, batch[rule.times])
    if rule.date_format is not None:
        return _dated(values, rule.date_format, kind)
    return Derived(_normal(values, kind))


def _made_of_properties(name: str, dataset: Dataset, names: Iterable[str]) -> bool:
    """An event's `data` may be missing when there are columns `data.<name>`."""
    return dataset.properties and name == "data" and any(other.startswith("data.") for other in names)


def _mapping_errors(dataset: Dataset, names: set[str], mapping: Plan) -> list[FieldError]:
    errors = [
        FieldError(f"/mapping/columns/{name}", "is required")
        for name, rule in dataset.columns.items()
        if rule.required and name not in mapping
    ]
    for target, rule in mapping.items():
        pointer = f"/mapping/columns/{target}"
        column = dataset.column(target)
        if column is None:
            errors.append(FieldError(pointer, "is not a column of this data set"))
            continue
        errors += [
            FieldError(pointer, f"the file has no column '{name[:100]}'")
            for name in _origins(rule)
            if name not in names
        ]
        if rule.date_format is not None and column.kind not in {"day", "instant"}:
            errors.append(FieldError(f"{pointer}/date_format", "this column is no date"))
        elif rule.date_format is not None and not _usable(rule.date_format):
            errors.append(FieldError(f"{pointer}/date_format", "is not a format of dates"))
    return errors


def _usable(date_format: str) -> bool:
    """A format whose own output it can read."""
    day = datetime(2003, 2, 1, tzinfo=clock.ZONE)
    try:
        return datetime.strptime(day.strftime(date_format), date_format).year == day.year  # noqa: DTZ007
    except (ValueError, re.error):
        return False


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Unprocessable("The file does not have the columns of the data set", errors=errors[:50])


def _origins(rule: ColumnSource) -> list[str]:
    named = [name for name in (rule.column, rule.times) if name is not None]
    return named + [name for name in _PLACE.findall(rule.template or "") if name != _ROW]


def _taken(batch: pa.RecordBatch, numbers: Sequence[int], rule: ColumnSource) -> pa.Array:
    if rule.column is not None:
        return batch[rule.column]
    if rule.constant is not None:
        return pa.repeat(pa.scalar(rule.constant), batch.num_rows)
    template = rule.template or ""
    # Every second part stands between braces.
    pieces = [
        (batch[part] if part != _ROW else pa.array(numbers, pa.int64()).cast(pa.string()))
        if place % 2
        else pa.repeat(pa.scalar(part), batch.num_rows)
        for place, part in enumerate(_PLACE.split(template))
        if part or place % 2
    ]
    return pc.binary_join_element_wise(*pieces, "")


def _replaced(values: pa.Array, new: Mapping[str, str], otherwise: str | None) -> pa.Array:
    """Each different value is looked up once."""
    encoded = values.dictionary_encode(null_encoding="encode")
    found = [
        new.get(value or "", value if value is None or otherwise is None else otherwise)
        for value in encoded.dictionary.to_pylist()
    ]
    return pa.array([value or None for value in found], pa.string()).take(encoded.indices)


def _product(values: pa.Array, factors: pa.Array) -> Derived:
    try:
        product = pc.multiply(values.cast(_FACTOR), factors.cast(_FACTOR))
    except pa.ArrowInvalid:
        return _product_one_by_one(values.to_pylist(), factors.to_pylist())
    cents = pc.round(product, ndigits=2, round_mode="half_towards_infinity")
    return Derived(cents.cast(pa.decimal128(37, 2)).cast(pa.string()))


def _product_one_by_one(values: Sequence[str | None], factors: Sequence[str | None]) -> Derived:
    """When some value is no number, or one with more digits."""
    products: list[str | None] = []
    bad: list[bool] = []
    for value, factor in zip(values, factors, strict=True):
        try:
            exact = Decimal(value) * Decimal(factor) if value and factor else None
            cents = exact.quantize(_CENT, ROUND_HALF_UP) if exact is not None else None
        except InvalidOperation:
            products.append(None)
            bad.append(True)
        else:
            products.append(None if cents is None else format(cents, "f"))
            bad.append(False)
    return Derived(pa.array(products, pa.string()), pa.array(bad), "is not a number to multiply")


def _dated(values: pa.Array, date_format: str, kind: Kind) -> Derived:
    """Dates by the format; arrow takes 30 February for 2 March, so odd ones are read again one by one."""
    texts = values.to_pylist()
    try:
        read = pc.strptime(values, format=date_format, unit="s", error_is_null=True)
        sure = pc.equal(pc.strftime(read, format=date_format), values)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        read, sure = pa.nulls(len(values), pa.timestamp("s")), pa.nulls(len(values), pa.bool_())
    odd = pc.indices_nonzero(pc.and_(values.is_valid(), pc.invert(pc.fill_null(sure, False)))).to_pylist()
    if odd:
        again = read.to_pylist()
        for position in odd:
            again[position] = _read_date(texts[position], date_format)
        read = pa.array(again, pa.timestamp("s"))
    bad = pc.and_(values.is_valid(), read.is_null())
    made = pc.strftime(read, format="%Y-%m-%d") if kind == "day" else _in_utc(read)
    return Derived(made, bad, f"is not a date of the form {date_format}")


def _read_date(value: str, date_format: str) -> datetime | None:
    try:
        return datetime.strptime(value, date_format).replace(tzinfo=None)  # noqa: DTZ007 - the bank's local time
    except ValueError:
        return None


def _normal(values: pa.Array, kind: Kind) -> pa.Array:
    """Days without their midnight, local times as instants of the bank's zone."""
    if kind == "day":
        return pc.replace_substring_regex(values, _MIDNIGHT, r"\1")
    if kind != "instant":
        return values
    local = pc.fill_null(pc.match_substring_regex(values, _LOCAL), False)
    if not pc.any(local).as_py():
        return values
    read = pc.if_else(local, values, None)
    try:
        return pc.if_else(local, _in_utc(read.cast(pa.timestamp("us"))), values)
    except pa.ArrowInvalid:
        return values  # one of them is no time: the form of the column tells which


def _in_utc(local: pa.Array) -> pa.Array:
    aware = pc.assume_timezone(local, str(clock.ZONE), ambiguous="earliest", nonexistent="latest")
    return pc.strftime(aware.cast(pa.timestamp(local.type.unit, "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
