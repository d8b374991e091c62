"""What an index of Orthanc's holds, in SQLite and in PostgreSQL: the tables that are moved, and how one writes what the other reads.

Sources: Orthanc 1.13 (SQLite schema 6, with revisions and custom data) and its PostgreSQL plugin 5.0 (schema 6), read off
indexes that they made themselves. Both number the same things by the same keys; they differ in the numbers of the levels
(patient 1 to instance 4, against 0 to 3), in two names of columns, and in where a plugin's properties are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from securepacs.errors import RefusedError

Value = int | str | None
Row = tuple[Value, ...]

#: `DatabaseServerIdentifier` of the archive: whose properties those are that Orthanc keeps for each server.
SERVER: Final = "archive"


@dataclass(frozen=True)
class Column:
    """A column under its name in either database. A level is counted from 1 in SQLite and in a row, from 0 in PostgreSQL."""

    sqlite: str
    postgresql: str
    text: bool = False
    level: bool = False


@dataclass(frozen=True)
class Table:
    """A table that is moved. `sequence` is the column that the database numbers by itself."""

    name: str
    columns: tuple[Column, ...]
    sequence: str | None = None
    sqlite_name: str = ""
    where: str = "TRUE"
    """Which rows are moved: SQL that both databases read."""
    fixed: tuple[tuple[str, str], ...] = ()
    """Columns of PostgreSQL's that have one value in each row, and SQLite has not."""

    @property
    def in_sqlite(self) -> str:
        """The table's name in SQLite."""
        return self.sqlite_name or self.name

    @property
    def in_postgresql(self) -> str:
        """The table's name in PostgreSQL."""
        return self.name.lower()


def _numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name.lower()) for name in names)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name.lower(), text=True) for name in names)


_LEVEL: Final = Column("resourceType", "resourcetype", level=True)
_TAGS: Final = (*_numbers("id", "tagGroup", "tagElement"), *_texts("value"))
_PROPERTIES: Final = (*_numbers("property"), *_texts("value"))

#: In an order in which each row finds what it refers to.
TABLES: Final = (
    Table("Resources", (*_numbers("internalId"), _LEVEL, *_texts("publicId"), *_numbers("parentId")), sequence="internalId"),
    Table("MainDicomTags", _TAGS),
    Table("DicomIdentifiers", _TAGS),
    Table("Metadata", (*_numbers("id", "type"), *_texts("value"), *_numbers("revision"))),
    Table(
        "AttachedFiles",
        (
            *_numbers("id", "fileType"),
            *_texts("uuid"),
            *_numbers("compressedSize", "uncompressedSize", "compressionType"),
            Column("uncompressedMD5", "uncompressedhash", text=True),
            Column("compressedMD5", "compressedhash", text=True),
            *_numbers("revision"),
        ),
    ),
    Table("Labels", (*_numbers("id"), *_texts("label"))),
    Table("Changes", (*_numbers("seq", "changeType", "internalId"), _LEVEL, *_texts("date")), sequence="seq"),
    Table(
        "ExportedResources",
        (
            *_numbers("seq"),
            _LEVEL,
            *_texts("publicId", "remoteModality", "patientId", "studyInstanceUid", "seriesInstanceUid", "sopInstanceUid", "date"),
        ),
        sequence="seq",
    ),
    Table("PatientRecyclingOrder", _numbers("seq", "patientId"), sequence="seq"),
    # 1, 4 and 6 to 19 say how the database itself is made; 5 are the jobs, which the archive does not save.
    Table("GlobalProperties", _PROPERTIES, where="property IN (2, 3) OR property BETWEEN 20 AND 1023"),
    # Those of plugins belong to one server in PostgreSQL.
    Table("ServerProperties", _PROPERTIES, sqlite_name="GlobalProperties", where="property >= 1024", fixed=(("server", SERVER),)),
)

#: Tables of SQLite's that PostgreSQL has no place for: they are empty, or the index is not moved.
ONLY_IN_SQLITE: Final = ("KeyValueStores", "Queues")

#: Columns by table, beside those that are moved: counters and what holds for one transaction only.
_MORE_IN_SQLITE: Final = {
    "AttachedFiles": {"customData"},
    "GlobalIntegers": {"key", "value"},
    "DeletedFiles": {"uuid", "customData"},
    "KeyValueStores": {"storeId", "key", "value"},
    "Queues": {"id", "queueId", "value", "reservedUntil"},
}
_MORE_IN_POSTGRESQL: Final = {
    "globalintegers": {"key", "value"},
    "serverproperties": {"server"},
    "deletedfiles": {
        *("uuid", "filetype", "compressedsize", "uncompressedsize", "compressiontype", "uncompressedhash", "compressedhash"),
    },
    "deletedresources": {"resourcetype", "publicid"},
    "remainingancestor": {"resourcetype", "publicid"},
}

#: `GlobalProperties` 1 of both.
SCHEMA: Final = "6"

Shape = dict[str, set[str]]
"""Columns by table."""


def _expected(names: Iterable[tuple[str, str]], more: Shape) -> Shape:
    shape: Shape = {table: set(columns) for table, columns in more.items()}
    for table, column in names:
        shape.setdefault(table, set()).add(column)
    return shape


SHAPE_IN_SQLITE: Final = _expected(((t.in_sqlite, c.sqlite) for t in TABLES for c in t.columns), _MORE_IN_SQLITE)
SHAPE_IN_POSTGRESQL: Final = _expected(((t.in_postgresql, c.postgresql) for t in TABLES for c in t.columns), _MORE_IN_POSTGRESQL)


def hold_known(where: str, version: str | None, found: Shape, expected: Shape) -> None:
    """Hold a database's tables against the known ones. Raises RefusedError where anything is more, less or other."""
    other = sorted({table for table in found.keys() | expected.keys() if found.get(table) != expected.get(table)})
    if version == SCHEMA and not other:
        return
    what = f"schema {version or 'without a version'}" + (f" with other tables: {', '.join(other)}" if other else "")
    raise RefusedError(where, got=what, expected=f"schema {SCHEMA} as Orthanc 1.13 and its PostgreSQL plugin 5.0 make it")


@dataclass
class Tally:
    """What a table holds, told apart from any other content: rows counted, and the sum of their SHA-256 modulo 2^256.

    A sum does not ask in which order the rows come, so that no database sorts by rules of its own.
    """

    rows: int = 0
    total: int = 0

    def add(self, row: Row) -> None:
        """Count a row in."""
        digest = hashlib.sha256(json.dumps(row, separators=(",", ":")).encode()).digest()
        self.rows += 1
        self.total = (self.total + int.from_bytes(digest, "big")) % (1 << 256)


@dataclass
class Content:
    """What a whole index holds: a tally of each table, the sequences' last numbers, and the counters that follow from the rows."""

    tables: dict[str, Tally] = field(default_factory=lambda: {table.name: Tally() for table in TABLES})
    sequences: dict[str, int] = field(default_factory=dict)
    levels: dict[int, int] = field(default_factory=lambda: dict.fromkeys((1, 2, 3, 4), 0))
    """Patients (1), studies, series, instances (4)."""
    stored: int = 0
    """Bytes of all attachments as they are stored."""
    uncompressed: int = 0

    def taking(self, table: Table, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on and count them in."""
        places = {column.sqlite: place for place, column in enumerate(table.columns)}
        for row in rows:
            self.tables[table.name].add(row)
            if table.name == "Resources":
                level = row[places["resourceType"]]
                if not isinstance(level, int) or level not in self.levels:
                    raise RefusedError("the index", got=f"a resource of level {level}", expected="1 (patient) to 4 (instance)")
                self.levels[level] += 1
            elif table.name == "AttachedFiles":
                self.stored += int(row[places["compressedSize"]] or 0)
                self.uncompressed += int(row[places["uncompressedSize"]] or 0)
            yield row

    def take(self, table: Table, rows: Iterable[Row]) -> None:
        """Count rows in."""
        for _ in self.taking(table, rows):
            pass

    def differences(self, other: Content) -> list[str]:
        """Name what differs: tables, sequences, sums."""
        named = [name for name, tally in self.tables.items() if tally != other.tables[name]]
        sums = ("sequences", "levels", "stored", "uncompressed")
        return named + [what for what in sums if getattr(self, what) != getattr(other, what)]

    def statistics(self) -> dict[str, int]:
        """Give what Orthanc's /statistics is to say."""
        patients, studies, series, instances = (self.levels[level] for level in (1, 2, 3, 4))
        return {
            "CountPatients": patients,
            "CountStudies": studies,
            "CountSeries": series,
            "CountInstances": instances,
            "TotalDiskSize": self.stored,
            "TotalUncompressedSize": self.uncompressed,
        }
