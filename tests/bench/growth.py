"""Fill an index of Orthanc's with clones of what it holds, to search a big index without storing so many images.

    PYTHONPATH=tests .venv/bin/python -m bench.growth DB N [--per-series 50] [--series-per-study 4]

DB is the SQLite file of an Orthanc 1.13 that is stopped, with one stored instance at least: the oldest is the template.
A clone's rows are as Orthanc writes them, but for what is said at `CLONED`. Its file has its own name, so that deleting a clone
harms no other, and is a hard link to the template's, if that is beside the index: DICOMweb opens files to list instances.
What is read from it has the template's identifiers.
"""

from __future__ import annotations

import argparse
import datetime
import errno
import hashlib
import itertools
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

Row = tuple[int | str | bytes | None, ...]
Fresh = Mapping[Row, str]
"""A row's key -> the name of the value in `Clone.values` that a clone has there, whether the template has such a row or not."""

FIRST_DAY: Final = datetime.date(2016, 1, 1)
DAYS: Final = (datetime.date(2026, 1, 1) - FIRST_DAY).days
STRIDE: Final = 1237  # days from one study to the next, modulo DAYS: they have no common factor, so that every day has its turn

PATIENT, STUDY, SERIES, INSTANCE = LEVELS = (1, 2, 3, 4)
_NAMESPACE: Final = uuid.UUID("6f2b1f0e-6d1c-5c0b-9a55-67726f77746d")

#: Orthanc stores identifiers upper-case, without accents, "%" and "_": those of clones are such. A study repeats its patient's.
_OF_PATIENT: Final[Fresh] = {(0x0010, 0x0020): "patient", (0x0010, 0x0010): "name"}
_IDENTIFIERS: Final[Mapping[int, Fresh]] = {
    PATIENT: _OF_PATIENT,
    STUDY: {**_OF_PATIENT, (0x0020, 0x000D): "study", (0x0008, 0x0020): "date", (0x0008, 0x0050): "accession"},
    SERIES: {(0x0020, 0x000E): "series"},
    INSTANCE: {(0x0008, 0x0018): "instance"},
}
_NUMBERS: Final[Mapping[int, Fresh]] = {SERIES: {(0x0020, 0x0011): "number"}, INSTANCE: {(0x0020, 0x0013): "number"}}
_TAGS: Final[Mapping[int, Fresh]] = {level: {**fresh, **_NUMBERS.get(level, {})} for level, fresh in _IDENTIFIERS.items()}


class Cloned(NamedTuple):
    """A table whose rows belong to a resource: first a row's key, then its value. `rest` is for rows that the template lacks."""

    name: str
    key: int
    columns: str
    fresh: Mapping[int, Fresh] = {}
    rest: Row = ()
    id: str = "id"
    where: str = "TRUE"

    def select(self) -> str:
        """Give the statement that reads a template's rows."""
        return f"SELECT {self.columns} FROM {self.name} WHERE {self.id} = ? AND {self.where}"  # noqa: S608 - names are our own

    def insert(self) -> str:
        """Give the statement that writes a clone's row: the resource's id, and the columns."""
        return f"INSERT INTO {self.name} ({self.id}, {self.columns}) VALUES (?{', ?' * len(self.columns.split())})"  # noqa: S608


_FILES: Final = "fileType, uuid, compressedSize, uncompressedSize, compressionType, uncompressedMD5, compressedMD5, revision, customData"

#: No clone has the attachments beside the DICOM file (a series' DICOMweb cache, a compressed file's header), nor the number of
#: instances that a series expects. A clone's changes are numbered from the patient down; Orthanc tells of an instance first.
CLONED: Final = (
    Cloned("MainDicomTags", 2, "tagGroup, tagElement, value", _TAGS),
    Cloned("DicomIdentifiers", 2, "tagGroup, tagElement, value", _IDENTIFIERS),
    Cloned("Metadata", 1, "type, value, revision", {INSTANCE: {(1,): "number"}}, rest=(0,), where="type <> 4"),
    Cloned("AttachedFiles", 1, _FILES, {INSTANCE: {(1,): "file"}}, where="fileType = 1"),
    Cloned("Labels", 1, "label"),
    Cloned("Changes", 3, "changeType, resourceType, date", id="internalId"),
)

_LAST_PATIENT: Final = """
SELECT coalesce(max(CAST(substr(value, 2) AS INTEGER)), 0) FROM DicomIdentifiers
WHERE tagGroup = 16 AND tagElement = 32 AND value GLOB 'G[0-9]*'
"""
#: The oldest instance, and what it is in: from the patient down.
_TEMPLATE: Final = """
WITH RECURSIVE line(id, level, parent) AS (
    SELECT * FROM (SELECT internalId, resourceType, parentId FROM Resources WHERE resourceType = 4 ORDER BY internalId LIMIT 1)
    UNION ALL SELECT internalId, resourceType, parentId FROM Resources JOIN line ON internalId = parent
) SELECT id FROM line ORDER BY level
"""


class Clone(NamedTuple):
    """A resource that is made: its row, and what it has of its own in other tables."""

    id: int
    level: int
    public: str
    parent: int | None
    values: Mapping[str, str]


def orthanc_id(*identifiers: str) -> str:
    """Give Orthanc's id of a resource, from its own identifier and those above it: PatientID first, SOPInstanceUID last."""
    digest = hashlib.sha1("|".join(identifiers).encode(), usedforsecurity=False).hexdigest()
    return "-".join(digest[begin : begin + 8] for begin in range(0, len(digest), 8))


def uid(*place: int) -> str:
    """Give the UID of a study, series or instance, from its patient's number and its position in each level below."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, repr(place)).int}"


def _patient(number: int, sizes: Sequence[int], ids: Iterator[int]) -> Iterator[Clone]:
    """Give a patient, its study, and series of those sizes with their instances."""
    patient, study = f"G{number:06}", uid(number)
    date = f"{FIRST_DAY + datetime.timedelta(number * STRIDE % DAYS):%Y%m%d}"
    values = {"patient": patient, "name": f"GROWN^{number:06}", "study": study, "date": date, "accession": f"GA{number:06}"}
    of_patient, of_study = next(ids), next(ids)
    yield Clone(of_patient, PATIENT, orthanc_id(patient), None, values)
    yield Clone(of_study, STUDY, orthanc_id(patient, study), of_patient, values)
    for nth, size in enumerate(sizes, 1):
        series, of_series = uid(number, nth), next(ids)
        yield Clone(of_series, SERIES, orthanc_id(patient, study, series), of_study, {"series": series, "number": str(nth)})
        for position in range(1, size + 1):
            instance = uid(number, nth, position)
            file = f"{number % 0x10000:04x}{str(uuid.uuid5(_NAMESPACE, instance))[4:]}"  # so a patient's files are in one folder
            own = {"instance": instance, "number": str(position), "file": file}
            yield Clone(next(ids), INSTANCE, orthanc_id(patient, study, series, instance), of_series, own)


def _rows(table: Cloned, fresh: Fresh, template: Sequence[Row], clones: Sequence[Clone]) -> Iterator[Row]:
    """Give a table's rows for clones of one level."""
    same = [row for row in template if row[: table.key] not in fresh]
    rests = {row[: table.key]: row[table.key + 1 :] for row in template}
    differing = [(key, name, rests.get(key, table.rest)) for key, name in fresh.items()]
    for clone in clones:
        yield from ((clone.id, *row) for row in same)
        yield from ((clone.id, *key, clone.values[name], *rest) for key, name, rest in differing)


def _path(storage: Path, name: str) -> Path:
    return storage / name[:2] / name[2:4] / name


def _link(source: Path, names: Sequence[Path]) -> Path:
    """Give a file more names in one folder, or copies when it can have no more names. Returns what to link next."""
    folder, owner = names[0].parent, source.stat()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        name.unlink(missing_ok=True)  # left by a run whose index was thrown away
        try:
            name.hardlink_to(source)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            source = Path(shutil.copy2(source, name))
            os.chown(source, owner.st_uid, owner.st_gid)
    for made in (folder.parent, folder):
        os.chown(made, owner.st_uid, owner.st_gid)
    return source


def _fill(connection: sqlite3.Connection, storage: Path, sizes: Iterator[Sequence[int]]) -> None:
    schema = connection.execute("SELECT value FROM GlobalProperties WHERE property = 1").fetchone()
    line = [id for (id,) in connection.execute(_TEMPLATE)]
    if schema != ("6",) or len(line) != len(LEVELS):
        raise ValueError(f"expected an index with schema 6 and an instance to clone, got schema {schema} and {len(line)} resources")
    templates = [[(table, connection.execute(table.select(), (id,)).fetchall()) for table in CLONED] for id in line]
    file = _path(storage, connection.execute("SELECT uuid FROM AttachedFiles WHERE id = ? AND fileType = 1", line[-1:]).fetchone()[0])
    ids = itertools.count(connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'Resources'").fetchone()[0] + 1)
    for number, of_study in enumerate(sizes, connection.execute(_LAST_PATIENT).fetchone()[0] + 1):
        clones = list(_patient(number, of_study, ids))
        connection.executemany("INSERT INTO Resources VALUES (?, ?, ?, ?)", (clone[:4] for clone in clones))
        for level, of_template in zip(LEVELS, templates, strict=True):
            of_level = [clone for clone in clones if clone.level == level]
            for table, template in of_template:
                connection.executemany(table.insert(), _rows(table, table.fresh.get(level, {}), template, of_level))
        if file.exists():
            file = _link(file, [_path(storage, clone.values["file"]) for clone in clones if clone.level == INSTANCE])


def grow(database: Path, instances: int, *, per_series: int = 50, series_per_study: int = 4) -> None:
    """Add so many instances to an index, each patient with one study. A second time it goes on after the last patient.

    Orthanc's own triggers count sizes and queue patients for recycling. It is one transaction, without a journal on the disk:
    an error leaves the index as it was, a kill does not. Raises sqlite3.OperationalError while Orthanc has the index open.
    """
    per_study = per_series * series_per_study
    lefts = (min(per_study, instances - begin) for begin in range(0, instances, per_study))
    sizes = ([min(per_series, left - begin) for begin in range(0, left, per_series)] for left in lefts)
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        connection.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA journal_mode = MEMORY")
        try:
            with connection:
                connection.execute("BEGIN EXCLUSIVE")
                _fill(connection, database.parent, sizes)
        finally:
            connection.execute(f"PRAGMA journal_mode = {journal}")
    with database.open("rb+") as file:
        os.fsync(file.fileno())  # what is written later would be in the way of who measures


def main() -> None:
    """Grow the index that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("database", type=Path)
    parser.add_argument("instances", type=int)
    for option, default in (("--per-series", 50), ("--series-per-study", 4)):
        parser.add_argument(option, type=int, default=default)
    grow(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
