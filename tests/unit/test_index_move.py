"""Moving an index: rows as either database writes them, what is refused, and how a difference is told."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from securepacs.errors import RefusedError
from securepacs.index import postgresql as index_postgresql
from securepacs.index import sqlite as index_sqlite
from securepacs.index.schema import SHAPE_IN_POSTGRESQL, SHAPE_IN_SQLITE, TABLES, Column, Content, Row, Table, Value

BY_NAME = {table.name: table for table in TABLES}

#: What text can do to a line: COPY's own signs, ends of lines, what looks like a missing value or the end of the data.
NASTY = ["", "\\N", "\\.", "a\tb", "a\nb\r\n", "\\", "\\\\n", "Müller^Änne", "医\u2028影", "'; DROP TABLE x; --", "\x0b\x0c\x08"]


def rows_of(table: Table) -> list[Row]:
    """Give a table's rows: two patients' worth, with a child before its parent, nulls and the texts above."""
    if table.name == "Resources":
        return [(1, 4, "instance", 2), (2, 3, "series", 3), (3, 2, "study", 4), (4, 1, "patient", None)]
    if table.name == "GlobalProperties":
        return [(3, "7")]
    if table.name == "ServerProperties":
        return [(1025, "\\N")]
    return [tuple(_value(column, place) for column in table.columns) for place in range(len(NASTY))]


def _value(column: Column, place: int) -> Value:
    if column.text:
        return NASTY[place]
    return 1 + place % 4 if column.level or column.sqlite in {"id", "internalId", "patientId"} else place


def made_index(path: Path) -> Path:
    """Make an index as Orthanc does, as far as the move sees it: all tables, a counter that a trigger keeps, and one that it adds."""
    with sqlite3.connect(path) as connection:
        for table, columns in SHAPE_IN_SQLITE.items():
            key = {"Resources": "internalId", "Changes": "seq", "ExportedResources": "seq", "PatientRecyclingOrder": "seq"}.get(table)
            unique = {"GlobalIntegers": "key", "GlobalProperties": "property"}.get(table)
            kinds: dict[str | None, str] = {key: " INTEGER PRIMARY KEY AUTOINCREMENT", unique: " INTEGER PRIMARY KEY"}
            kinds["parentId"] = " REFERENCES Resources(internalId)"
            connection.execute(f"CREATE TABLE {table}({', '.join(column + kinds.get(column, '') for column in sorted(columns))})")
        connection.execute("CREATE TRIGGER Added AFTER INSERT ON Resources BEGIN INSERT INTO PatientRecyclingOrder VALUES (9, NULL); END")
        connection.execute("INSERT INTO GlobalProperties (property, value) VALUES (1, '6')")
    connection.close()
    return path


LAST = {"Resources": 17, "Changes": 0, "ExportedResources": 10, "PatientRecyclingOrder": 10}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index that holds the rows above."""
    made = made_index(tmp_path / "index")
    index_sqlite.fill(made, rows_of, LAST)
    return made


def counted(given: dict[str, Iterable[Row]] | None = None) -> Content:
    """Count the rows above, with other ones for some tables."""
    return index_postgresql.content(lambda table: (given or {}).get(table.name, rows_of(table)), LAST)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_row_is_the_same_after_postgresql(table: Table) -> None:
    """What is written in COPY's format is one line, and is read back as it was, levels and nulls too."""
    for row in [*rows_of(table), tuple(None if column.text else 0 for column in table.columns)]:
        line = index_postgresql.encoded(row, table)
        assert line.count("\n") == 1
        fields = line.removesuffix("\n").split("\t")
        assert fields[len(table.columns) :] == [value for _, value in table.fixed]
        assert index_postgresql.decoded("\t".join(fields[: len(table.columns)]) + "\n", table) == row


def test_an_index_that_was_filled_holds_what_was_given(index: Path) -> None:
    """The rows, sequences and sums of a filled SQLite index are those that were given, and its triggers are there again."""
    with index_sqlite.opened(index) as connection:
        index_sqlite.check(connection)
        assert index_sqlite.content(connection).differences(counted()) == []
        assert connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall() == [(b"Added",)]
        sizes = sum(range(len(NASTY)))
        assert connection.execute("SELECT key, value FROM GlobalIntegers ORDER BY key").fetchall() == [(0, sizes), (1, sizes)]


def test_a_level_is_counted_as_each_database_counts() -> None:
    """A patient is 1 in SQLite and 0 in PostgreSQL."""
    assert index_postgresql.encoded((4, 1, "patient", None), BY_NAME["Resources"]) == "4\t0\tpatient\t\\N\n"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_lost_or_changed_row_is_seen(table: Table) -> None:
    """A table that lost a row, got one twice or has one value changed differs, and is named."""
    whole = rows_of(table)
    changed = (*whole[0][:-1], "other" if table.columns[-1].text else 4711)
    for wrong in (whole[1:], [*whole, whole[0]], [changed, *whole[1:]]):
        assert table.name in counted().differences(counted({table.name: wrong}))


def test_the_order_of_rows_does_not_matter() -> None:
    """Two databases give the same rows in any order."""
    assert counted().differences(counted({"Metadata": list(reversed(rows_of(BY_NAME["Metadata"])))})) == []


def test_a_lost_sequence_is_seen() -> None:
    """A number that was given and would be given again is a difference."""
    other = counted()
    other.sequences = {**LAST, "Changes": 1}
    assert counted().differences(other) == ["sequences"]


def test_loading_is_one_transaction(index: Path) -> None:
    """The script for PostgreSQL changes nothing outside its transaction, turns triggers on again, and sets the sequences."""
    script = io.StringIO()
    with index_sqlite.opened(index) as connection:
        index_postgresql.write_load(script, lambda table: index_sqlite.rows(connection, table), index_sqlite.sequences(connection))
    lines = script.getvalue().splitlines()
    begin, commit = lines.index("BEGIN;"), lines.index("COMMIT;")
    assert not [line for line in lines[:begin] if not line.startswith(("\\set", "SET client"))]
    assert lines[commit + 1 :] == ["ANALYZE;"]
    assert sum("DISABLE TRIGGER" in line for line in lines) == sum("ENABLE TRIGGER" in line for line in lines) == 3
    assert "SELECT setval('resources_internalid_seq', 17, true);" in lines
    assert "SELECT setval('changes_seq_seq', 1, false);" in lines


def execute(index: Path, statement: str) -> None:
    """Change an index."""
    with sqlite3.connect(index) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE GlobalProperties SET value = '7' WHERE property = 1", "schema 7"),
        ("DELETE FROM GlobalProperties WHERE property = 1", "without a version"),
        ("ALTER TABLE Labels ADD COLUMN colour TEXT", "other tables: Labels"),
        ("CREATE TABLE Invoices(id INTEGER)", "other tables: Invoices"),
        ("DROP TABLE ExportedResources", "other tables: ExportedResources"),
        ("INSERT INTO KeyValueStores (storeId, key, value) VALUES ('a', 'b', 'c')", "1 rows in KeyValueStores"),
        ("INSERT INTO Queues (queueId, value) VALUES ('a', 'b')", "1 rows in Queues"),
        ("UPDATE AttachedFiles SET customData = x'00' WHERE rowid = 1", "1 rows in AttachedFiles.customData"),
    ],
)
def test_an_index_of_another_kind_is_refused(index: Path, statement: str, told: str) -> None:
    """A schema that is not the known one, or something that PostgreSQL has no place for, ends in one line."""
    execute(index, statement)
    with index_sqlite.opened(index) as connection, pytest.raises(RefusedError, match=told) as refused:
        index_sqlite.check(connection)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["CAST(x'ff41' AS TEXT)", "CAST(x'410042' AS TEXT)", "1.5"])
def test_a_value_that_postgresql_cannot_hold_is_refused(index: Path, value: str) -> None:
    """Text that is no UTF-8 or holds a NUL, and numbers that are not whole, are told by their table and without the value."""
    execute(index, f"UPDATE Labels SET label = {value} WHERE rowid = 1")  # noqa: S608 - the values stand above
    with index_sqlite.opened(index) as connection, pytest.raises(RefusedError, match="Labels") as refused:
        index_sqlite.content(connection)
    assert "A" not in str(refused.value).replace("NUL", "").replace("UTF", "")


def test_another_schema_in_postgresql_is_refused() -> None:
    """Tables of another plugin version end in one line; the known ones pass."""
    lines = [f"{table}\t{column}\n" for table, columns in SHAPE_IN_POSTGRESQL.items() for column in columns]
    index_postgresql.check(lines, "6")
    for found, version in ((lines, "5"), (lines, None), ([*lines, "resources\tchildcount\n"], "6"), (lines[1:], "6")):
        with pytest.raises(RefusedError, match="expected schema 6"):
            index_postgresql.check(found, version)


def test_the_statistics_are_orthancs_own() -> None:
    """What is counted has the names and the meaning of Orthanc's /statistics."""
    told = counted().statistics()
    assert (told["CountPatients"], told["CountStudies"], told["CountSeries"], told["CountInstances"]) == (1, 1, 1, 1)
    assert told["TotalDiskSize"] == told["TotalUncompressedSize"] == sum(range(len(NASTY)))
