"""An index of Orthanc's in PostgreSQL, as scripts for psql and the files that they write: pure functions.

The format is COPY's text format (PostgreSQL manual, "COPY", File Formats): a line a row, tabs between, backslash escapes.
Loading is one transaction: it is there whole or not at all, and a second time replaces the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TextIO

from securepacs.index.schema import SHAPE_IN_POSTGRESQL, TABLES, Content, Row, Shape, Table, Value, hold_known
from securepacs.index.sqlite import Rows

#: An error is told in one line, without the row that it was found in.
_HEAD: Final = """\\set ON_ERROR_STOP on
\\set QUIET on
\\set VERBOSITY terse
SET client_min_messages = error;
SET client_encoding = 'UTF8';
"""

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED: Final = re.compile(r"[\\\n\r\t]")
_UNESCAPED: Final = re.compile(r"\\(.)")
_SPECIAL: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v"}

#: Tables whose triggers would count again what is loaded with its counts.
_WITH_TRIGGERS: Final = ("resources", "attachedfiles", "changes")

_PROPERTIES: Final = {"globalproperties", "serverproperties"}

SHAPE_FILE, VERSION_FILE, SEQUENCES_FILE = "shape", "version", "sequences"


def encoded(row: Row, table: Table) -> str:
    """Write a row as a line of COPY's text format, with the columns that SQLite has not."""
    fields = [_encode(value, -1 if column.level else 0) for value, column in zip(row, table.columns, strict=True)]
    return "\t".join([*fields, *(value for _, value in table.fixed)]) + "\n"


def _encode(value: Value, shift: int) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, int):
        return str(value + shift)
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], value)


def decoded(line: str, table: Table) -> Row:
    """Read a line of COPY's text format."""
    fields = line.removesuffix("\n").split("\t")
    return tuple(_decode(field, text=column.text, shift=int(column.level)) for field, column in zip(fields, table.columns, strict=True))


def _decode(field: str, *, text: bool, shift: int) -> Value:
    if field == "\\N":
        return None
    return _UNESCAPED.sub(lambda found: _SPECIAL.get(found[1], found[1]), field) if text else int(field) + shift


def _sequence(table: Table) -> str:
    return f"{table.in_postgresql}_{str(table.sequence).lower()}_seq"


def write_load(out: TextIO, given: Rows, last: dict[str, int]) -> None:
    """Write the script that replaces all that the index holds by the given rows and sequences."""
    out.write(_HEAD + "BEGIN;\n")
    out.write(f"TRUNCATE {', '.join(table.in_postgresql for table in TABLES if table.in_postgresql not in _PROPERTIES)};\n")
    for table in TABLES:
        if table.in_postgresql in _PROPERTIES:
            out.write(f"DELETE FROM {table.in_postgresql} WHERE {table.where};\n")
    for name in _WITH_TRIGGERS:
        out.write(f"ALTER TABLE {name} DISABLE TRIGGER USER;\n")
    for table in TABLES:
        names = [column.postgresql for column in table.columns] + [name for name, _ in table.fixed]
        out.write(f"COPY {table.in_postgresql} ({', '.join(names)}) FROM STDIN;\n")
        out.writelines(encoded(row, table) for row in given(table))
        out.write("\\.\n")
    for name in _WITH_TRIGGERS:
        out.write(f"ALTER TABLE {name} ENABLE TRIGGER USER;\n")
    for table in TABLES:
        if table.sequence:
            seq = last[table.name]
            # A sequence that gave no number yet stands before 1.
            out.write(f"SELECT setval('{_sequence(table)}', {max(seq, 1)}, {'true' if seq else 'false'});\n")
    for key, value in _COUNTERS.items():
        out.write(f"INSERT INTO globalintegers VALUES ({key}, ({value})) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;\n")
    out.write("COMMIT;\nANALYZE;\n")


#: What the plugin counts along, by its key in `globalintegers`.
_COUNTERS: Final = {
    0: "SELECT COALESCE(SUM(compressedsize), 0) FROM attachedfiles",
    1: "SELECT COALESCE(SUM(uncompressedsize), 0) FROM attachedfiles",
    **{level + 2: f"SELECT COUNT(*) FROM resources WHERE resourcetype = {level}" for level in range(4)},
    6: "SELECT last_value FROM changes_seq_seq WHERE is_called UNION ALL SELECT 0 FROM changes_seq_seq WHERE NOT is_called",
}


def shape_script(folder: str) -> str:
    """Give the script that writes tables and version to `folder`."""
    return (
        _HEAD
        + "\\copy (SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public')"
        + f" TO '{folder}/{SHAPE_FILE}'\n"
        + "SELECT to_regclass('public.globalproperties') IS NOT NULL AS made \\gset\n\\if :made\n"
        + f"\\copy (SELECT value FROM globalproperties WHERE property = 1) TO '{folder}/{VERSION_FILE}'\n\\endif\n"
    )


def export_script(folder: str) -> str:
    """Give the script that writes all rows and sequences to `folder`, as of one moment."""
    lines = [_HEAD, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"]
    for table in TABLES:
        names = ", ".join(column.postgresql for column in table.columns)
        condition = " AND ".join([f"({table.where})", *(f"{name} = '{value}'" for name, value in table.fixed)])
        lines.append(f"\\copy (SELECT {names} FROM {table.in_postgresql} WHERE {condition}) TO '{folder}/{table.in_postgresql}'\n")
    numbers = " UNION ALL ".join(
        f"SELECT '{table.name}', CASE WHEN is_called THEN last_value ELSE 0 END FROM {_sequence(table)}"
        for table in TABLES
        if table.sequence
    )
    lines.append(f"\\copy ({numbers}) TO '{folder}/{SEQUENCES_FILE}'\nCOMMIT;\n")
    return "".join(lines)


def check(shape_lines: Iterable[str], version: str | None) -> None:
    """Hold what shape_script wrote against what can be moved. Raises RefusedError where the plugin made another schema."""
    found: Shape = {}
    for line in shape_lines:
        table, _, column = line.strip().partition("\t")
        found.setdefault(table, set()).add(column)
    hold_known("the index in PostgreSQL", version, found, SHAPE_IN_POSTGRESQL)


def sequences(lines: Iterable[str]) -> dict[str, int]:
    """Read the sequences that export_script wrote."""
    return {name: int(last) for name, last in (line.split("\t") for line in lines)}


def rows(lines: Iterable[str], table: Table) -> Iterator[Row]:
    """Read the rows that export_script wrote."""
    return (decoded(line, table) for line in lines)


def content(given: Rows, last: dict[str, int]) -> Content:
    """Count a whole index."""
    counted = Content(sequences=last)
    for table in TABLES:
        counted.take(table, given(table))
    return counted
