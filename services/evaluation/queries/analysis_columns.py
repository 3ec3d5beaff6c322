"""What a table's columns seem to hold, by its first rows."""

from pathlib import Path

from services.evaluation.store.columns import is_numeric, label_of
from services.evaluation.store.tables import BROKEN, Bounds, Table, TableColumn, UnreadableTable, open_table
from shared.contracts.evaluation.analyse import ColumnDescription, TableDescription, TableFormat

_ROWS = 10_000
_VALUES = 20
_COLUMNS = 500


def describe(file: Path, form: TableFormat | None, bounds: Bounds) -> TableDescription:
    """422 when the file cannot be read, 413 past `bounds`."""
    with open_table(file, form, bounds) as table:
        try:
            table.cursor.execute(
                f"CREATE TEMP TABLE first AS SELECT * FROM {table.source} LIMIT {_ROWS}",  # noqa: S608  ours
                table.parameters,
            )
        except BROKEN as error:
            raise UnreadableTable(str(error).splitlines()[0][:400]) from error
        columns = [_described(table, column) for column in table.columns[:_COLUMNS]]
        notes = [f"The file was read as {table.encoding}: it is not UTF-8."] if table.encoding else []
        return TableDescription(format=table.format, columns=columns, notes=notes)


def _described(table: Table, column: TableColumn) -> ColumnDescription:
    label = label_of(column)
    found = table.cursor.execute(
        f"SELECT DISTINCT {label} AS v FROM first WHERE {label} IS NOT NULL LIMIT {_VALUES + 1}"  # noqa: S608
    ).fetchall()
    return ColumnDescription(
        name=column.name,
        numeric=is_numeric(table.cursor, "first", column),
        values=sorted(str(row[0]) for row in found) if len(found) <= _VALUES else None,
    )
