"""What SQLite is told of the archive's index: an identifier is looked up where it stands, however large the archive is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from unit.guard_scripts import loaded

#: The tables and indexes of Orthanc 1.13 that are told of, in its own words.
SCHEMA = """
CREATE TABLE Resources(internalId INTEGER PRIMARY KEY AUTOINCREMENT, resourceType INTEGER, publicId TEXT, parentId INTEGER);
CREATE TABLE MainDicomTags(id INTEGER, tagGroup INTEGER, tagElement INTEGER, value TEXT, PRIMARY KEY(id, tagGroup, tagElement));
CREATE TABLE DicomIdentifiers(id INTEGER, tagGroup INTEGER, tagElement INTEGER, value TEXT, PRIMARY KEY(id, tagGroup, tagElement));
CREATE TABLE Metadata(id INTEGER, type INTEGER, value TEXT, PRIMARY KEY(id, type));
CREATE TABLE AttachedFiles(id INTEGER, fileType INTEGER, uuid TEXT, compressedSize INTEGER, PRIMARY KEY(id, fileType));
CREATE INDEX ChildrenIndex ON Resources(parentId);
CREATE INDEX PublicIndex ON Resources(publicId);
CREATE INDEX ResourceTypeIndex ON Resources(resourceType);
CREATE INDEX MainDicomTagsIndex1 ON MainDicomTags(id);
CREATE INDEX DicomIdentifiersIndex1 ON DicomIdentifiers(id);
CREATE INDEX DicomIdentifiersIndex3 ON DicomIdentifiers(tagGroup, tagElement, value);
"""

#: What Orthanc asks when an instance is stored, and when studies are searched: the statement, and what may not be read from end to end.
ASKED = {
    "SELECT * FROM Resources AS instances WHERE instances.resourceType = 4 AND instances.publicId = ?": "USING INDEX PublicIndex",
    "SELECT * FROM Resources AS studies INNER JOIN DicomIdentifiers t0 ON t0.id = studies.internalId AND t0.tagGroup = 16"
    " AND t0.tagElement = 32 WHERE studies.resourceType = 2 AND t0.value = ?": "USING INDEX DicomIdentifiersIndex3",
}


@pytest.fixture(scope="module")
def script() -> Any:  # noqa: ANN401 - a script of the image, no module of the package
    """The script, loaded as Orthanc's Python would."""
    return loaded("index_statistics")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """An index as Orthanc makes it."""
    path = tmp_path / "index"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


def plan(index: Path, statement: str) -> str:
    """Give how SQLite would look something up, with a connection that is opened now."""
    with closing(sqlite3.connect(index)) as connection:
        return " / ".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", ("x",)))


@pytest.mark.parametrize("statement", ASKED)
def test_an_identifier_is_where_a_search_begins(script: Any, index: Path, statement: str) -> None:  # noqa: ANN401 - as above
    """Once SQLite was told, each of Orthanc's statements begins at the identifier, and reads no table from end to end."""
    script.tell_sqlite(index)
    assert ASKED[statement] in plan(index, statement)
    assert "SCAN" not in plan(index, statement)


def test_without_them_the_first_statement_reads_every_instance(index: Path) -> None:
    """The control: an index as Orthanc leaves it is read by the type, which all instances share."""
    assert "USING INDEX ResourceTypeIndex" in plan(index, next(iter(ASKED)))


def test_what_somebody_gathered_is_written_over(script: Any, index: Path) -> None:  # noqa: ANN401 - as above
    """Statistics of an ANALYZE, which age, give way; a second time nothing is written."""
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("INSERT INTO Resources VALUES (1, 4, 'a', NULL)")
        connection.execute("ANALYZE")
        connection.commit()
    script.tell_sqlite(index)
    written = index.read_bytes()
    script.tell_sqlite(index)
    assert index.read_bytes() == written
    with closing(sqlite3.connect(index)) as connection:
        assert set(connection.execute("SELECT * FROM sqlite_stat1")) == set(script.STATISTICS)
        assert connection.execute("SELECT COUNT(*) FROM Resources").fetchone() == (1,)


def test_each_index_that_is_told_of_exists(script: Any, index: Path) -> None:  # noqa: ANN401 - as above
    """A name with a typing error would be told to nobody: each stands in the schema."""
    with closing(sqlite3.connect(index)) as connection:
        there = set(connection.execute("SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'"))
    assert {(table, name) for table, name, _ in script.STATISTICS} <= there


def test_an_orthanc_that_makes_no_index_is_told(
    script: Any,  # noqa: ANN401 - as above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the Orthanc that is to make an empty index fails, its last words stand in the error."""
    failing = tmp_path / "orthanc"
    failing.write_text("#!/bin/sh\necho first >&2; echo 'cannot write there' >&2; exit 1\n")
    failing.chmod(0o700)
    monkeypatch.setattr(script, "ORTHANC", str(failing))
    with pytest.raises(RuntimeError, match="the index could not be made: first / cannot write there"):
        script.tell_sqlite(tmp_path / "nowhere" / "index")


@pytest.mark.parametrize("ends", ["trap 'exit 0' TERM", ":"], ids=["by itself", "by the signal"])
def test_the_orthanc_that_makes_the_index_is_ended(
    script: Any,  # noqa: ANN401 - as above
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
) -> None:
    """It is ended when it says that it has started, whether it listens to the signal already or not; then SQLite is told."""
    made = tmp_path / "storage" / "index"
    made.parent.mkdir()
    standing_in = tmp_path / "orthanc"
    standing_in.write_text(
        f"#!/bin/bash\n{ends}\ncp {index} {made}\necho 'Orthanc has started' >&2\nwhile :; do read -t 0.1 < <(:); done\n"
    )
    standing_in.chmod(0o700)
    monkeypatch.setattr(script, "ORTHANC", str(standing_in))
    script.tell_sqlite(made)
    assert "USING INDEX PublicIndex" in plan(made, next(iter(ASKED)))
