"""An index of Orthanc's as a SQLite file: read with all its rows, or filled into one that Orthanc just made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from securepacs.errors import RefusedError
from securepacs.index.schema import ONLY_IN_SQLITE, SHAPE_IN_SQLITE, TABLES, Content, Row, Shape, Table, Value, hold_known

_WHERE = "the SQLite index"

Rows = Callable[[Table], Iterable[Row]]
"""Gives the rows of a table."""


@contextmanager
def opened(index: Path) -> Iterator[sqlite3.Connection]:
    """Open an index that nothing else uses; what stands in its write-ahead log is seen too."""
    connection = sqlite3.connect(index, isolation_level=None)
    # Orthanc's text is UTF-8; a byte that is not is to be told, not to be guessed.
    connection.text_factory = bytes
    try:
        yield connection
    finally:
        connection.close()


def _texts(connection: sqlite3.Connection, query: str) -> list[str]:
    return [found.decode() for (found,) in connection.execute(query)]


def shape(connection: sqlite3.Connection) -> Shape:
    """Give the columns of each table."""
    tables = _texts(connection, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    return {table: set(_texts(connection, f"SELECT name FROM pragma_table_info('{table}')")) for table in tables}


def check(connection: sqlite3.Connection) -> None:
    """Hold an index against what can be moved. Raises RefusedError where something of it could not be."""
    found = shape(connection)
    version = _texts(connection, "SELECT value FROM GlobalProperties WHERE property = 1") if "GlobalProperties" in found else []
    hold_known(_WHERE, version[0] if version else None, found, SHAPE_IN_SQLITE)
    queries = {table: f"SELECT COUNT(*) FROM {table}" for table in ONLY_IN_SQLITE}
    queries["AttachedFiles.customData"] = "SELECT COUNT(*) FROM AttachedFiles WHERE LENGTH(customData) > 0"
    for what, query in queries.items():
        (rows,) = connection.execute(query).fetchone()
        if rows:
            raise RefusedError(_WHERE, got=f"{rows} rows in {what}", expected="none: PostgreSQL's index has no place for them")


def _value(found: object, table: Table) -> Value:
    if isinstance(found, bytes):
        try:
            text = found.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise RefusedError(_WHERE, got=f"text in {table.name} that is no UTF-8 or holds a NUL", expected="what PostgreSQL can hold")
        return text
    if found is None or isinstance(found, int):
        return found
    raise RefusedError(_WHERE, got=f"a {type(found).__name__} in {table.name}", expected="whole numbers and text")


def rows(connection: sqlite3.Connection, table: Table) -> Iterator[Row]:
    """Yield a table's rows."""
    names = ", ".join(column.sqlite for column in table.columns)
    for found in connection.execute(f"SELECT {names} FROM {table.in_sqlite} WHERE {table.where}"):
        yield tuple(_value(value, table) for value in found)


def sequences(connection: sqlite3.Connection) -> dict[str, int]:
    """Give the last number that each table gave."""
    known = {name.decode(): int(last) for name, last in connection.execute("SELECT name, seq FROM sqlite_sequence")}
    return {table.name: known.get(table.name, 0) for table in TABLES if table.sequence}


def content(connection: sqlite3.Connection) -> Content:
    """Count a whole index."""
    counted = Content(sequences=sequences(connection))
    for table in TABLES:
        counted.take(table, rows(connection, table))
    return counted


def fill(index: Path, given: Rows, last: dict[str, int]) -> None:
    """Put rows and sequences into an index that Orthanc made and nobody used. Raises RefusedError where it is another kind of index."""
    with opened(index) as connection:
        check(connection)
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        triggers = _texts(connection, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
        written = _texts(connection, "SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        connection.execute("PRAGMA defer_foreign_keys = ON")  # a resource may stand before its parent
        # What the triggers would add stands among the rows already.
        for name in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for table in TABLES:
            _insert(connection, table, given(table))
        connection.execute("DELETE FROM sqlite_sequence")
        connection.executemany("INSERT INTO sqlite_sequence VALUES (?, ?)", [(name, seq) for name, seq in last.items() if seq])
        for key, column in enumerate(("compressedSize", "uncompressedSize")):
            total = f"SELECT COALESCE(SUM({column}), 0) FROM AttachedFiles"
            connection.execute(f"INSERT OR REPLACE INTO GlobalIntegers VALUES ({key}, ({total}))")
        for sql in written:
            connection.execute(sql)
        connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: Table, given: Iterable[Row]) -> None:
    names, marks = ", ".join(column.sqlite for column in table.columns), ", ".join("?" for _ in table.columns)
    connection.execute(f"DELETE FROM {table.in_sqlite} WHERE {table.where}")
    connection.executemany(f"INSERT INTO {table.in_sqlite} ({names}) VALUES ({marks})", given)
