# ruff: noqa: S608  columns go by positions: nothing a file says gets into a statement
"""Values of a column as labels, keys and numbers, and what is refused as none."""

from dataclasses import dataclass

import duckdb

from services.evaluation.store.tables import TableColumn
from shared.contracts.evaluation.analyse import Combine
from shared.errors import FieldError, Unprocessable

_LABEL = 500
_SPACE = "' ' || chr(9) || chr(160) || chr(12288)"
_MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", ".", "\\n")
_TRUE, _FALSE = ("true", "t", "yes", "y", "是"), ("false", "f", "no", "n", "否")
_WHOLE = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of numbers; `combine` says how rows of one unit become one value."""

    column: TableColumn
    combine: Combine
    option: str


def is_numeric(cursor: duckdb.DuckDBPyConnection, relation: str, column: TableColumn) -> bool:
    """Whether a column could be measured, by the rows of `relation`."""
    if not _is_measurable(column):
        return False
    counted = f"count({column.sql}), count({offence_of(column)})"
    present, offences = cursor.execute(f"SELECT {counted} FROM {relation}").fetchall()[0]
    return bool(present) and not offences


def label_of(column: TableColumn) -> str:
    """A value as text, whole numbers without decimals; NULL where there is none."""
    plain = f"CAST({column.sql} AS VARCHAR)"
    if column.type in {"FLOAT", "DOUBLE"}:
        whole = f"{column.sql} = trunc({column.sql}) AND abs({column.sql}) < 1e15"
        plain = f"CASE WHEN {whole} THEN CAST(CAST({column.sql} AS BIGINT) AS VARCHAR) ELSE {plain} END"
        plain = f"CASE WHEN NOT isnan({column.sql}) THEN {plain} END"
    return f"left(nullif(trim({plain}, {_SPACE}), ''), {_LABEL})"


def key_of(column: TableColumn) -> str:
    """What identifies a unit: whole numbers as they are, anything else as text."""
    return column.sql if column.type in _WHOLE else label_of(column)


def _number_of(column: TableColumn) -> str:
    """As a DOUBLE; NULL for what is missing or no number."""
    if column.type == "BOOLEAN":
        return f"CAST(CAST({column.sql} AS INTEGER) AS DOUBLE)"
    if column.type != "VARCHAR":
        return f"CAST({column.sql} AS DOUBLE)"
    word = f"lower(trim({column.sql}, {_SPACE}))"
    return (
        f"coalesce(TRY_CAST(trim({column.sql}, {_SPACE}) AS DOUBLE),"
        f" CASE WHEN {word} IN {_TRUE!r} THEN 1.0 WHEN {word} IN {_FALSE!r} THEN 0.0 END)"
    )


def value_of(measure: Measure) -> str:
    column = measure.column
    if not _is_measurable(column):
        refuse(measure, f"holds values of type {column.type}: numbers or true/false are needed")
    return _number_of(column)


def _is_measurable(column: TableColumn) -> bool:
    numeric = (*_WHOLE, "FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR")
    return column.type in numeric or column.type.startswith("DECIMAL")


def offence_of(column: TableColumn) -> str:
    """The text that is neither a number nor a sign for a missing value."""
    if column.type != "VARCHAR":
        return "CAST(NULL AS VARCHAR)"
    word = f"lower(trim({column.sql}, {_SPACE}))"
    signs = "(" + ", ".join("'" + sign.replace("'", "''") + "'" for sign in _MISSING) + ")"
    return f"CASE WHEN {_number_of(column)} IS NULL AND {word} NOT IN {signs} THEN left({column.sql}, 80) END"


def refuse_text(measure: Measure, offences: int, example: str) -> None:
    hint = ": write numbers with a decimal point and without signs for thousands" if "," in example else ""
    rows = "1 value" if offences == 1 else f"{offences:,} values"
    refuse(measure, f"has {rows} that are not numbers, for example {example!r}{hint}")


def refuse(measure: Measure, what: str) -> None:
    detail = f"The column {measure.column.name!r} {what}."
    raise Unprocessable(detail, slug="not-numeric", errors=[FieldError(f"/{measure.option}", detail)])
