"""The part of the archive's guard that keeps an archive with images from starting with an index that knows none."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from unit.guard_scripts import loaded


@pytest.fixture(scope="module")
def guard() -> Any:  # noqa: ANN401 - a script of the image, no module of the package
    """The script, loaded as Orthanc's Python would."""
    return loaded("index_guard")


@pytest.mark.parametrize(
    ("images", "known", "in_sqlite", "in_postgresql", "told"),
    [
        # SQLite is configured.
        (False, False, None, None, None),
        (False, True, False, None, None),
        (True, True, True, None, None),
        (True, True, None, None, "`securepacs database sqlite`"),
        (True, False, None, None, "`securepacs database sqlite`"),
        (True, True, False, None, "`securepacs database sqlite`"),
        # A crash left a file before its commit, and no index ever knew of a study.
        (True, False, False, None, None),
        # PostgreSQL is configured.
        (False, False, None, False, None),
        (False, False, False, False, None),
        (True, True, None, True, None),
        (True, True, False, True, None),
        (False, True, True, False, "`securepacs database postgresql`"),
        (True, True, True, False, "`securepacs database postgresql`"),
        (True, True, True, True, "`securepacs database postgresql`"),
        (True, True, None, False, "put the database's volume back"),
        (True, False, None, False, None),
        (False, True, None, True, "put the archive's volume back"),
    ],
)
def test_no_archive_starts_apparently_empty(
    guard: Any,  # noqa: ANN401 - as above
    images: bool,  # noqa: FBT001 - a column of the table
    known: bool,  # noqa: FBT001 - as above
    in_sqlite: bool | None,  # noqa: FBT001 - as above
    in_postgresql: bool | None,  # noqa: FBT001 - as above
    told: str | None,
) -> None:
    """Each combination of images, past knowledge, SQLite and PostgreSQL either starts, or is refused in a line that says what to do."""
    objection = guard.objection(images=images, known=known, in_sqlite=in_sqlite, in_postgresql=in_postgresql)
    assert objection is None if told is None else told in objection


def test_images_are_seen_where_orthanc_puts_them(guard: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """A file at XX/YY/UUID is an image; the index beside it, and folders that were left empty, are none."""
    (tmp_path / "index").touch()
    (tmp_path / "0a" / "6d").mkdir(parents=True)
    assert not guard.holds_images(tmp_path / "absent")
    assert not guard.holds_images(tmp_path)
    (tmp_path / "0a" / "6d" / "0a6db751-0188-4cde-af26-4b4caea4fa51").touch()
    assert guard.holds_images(tmp_path)


def test_a_sqlite_index_is_asked_for_what_it_knows(guard: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """No index, an index without tables, one without resources and one with resources are told apart, and none is changed or made."""
    index = tmp_path / "index"
    assert guard.sqlite_knows_any(index) is None
    assert not index.exists()
    index.touch()
    assert guard.sqlite_knows_any(index) is False
    with sqlite3.connect(index) as connection:
        connection.execute("CREATE TABLE Resources(internalId INTEGER PRIMARY KEY)")
    assert guard.sqlite_knows_any(index) is False
    with sqlite3.connect(index) as connection:
        connection.execute("INSERT INTO Resources VALUES (1)")
    connection.close()
    assert guard.sqlite_knows_any(index) is True


def test_a_database_that_does_not_answer_is_no_empty_one(guard: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401 - as above
    """Where PostgreSQL cannot be asked the guard fails after its tries; it never concludes that nothing is there."""
    monkeypatch.setattr(guard, "_TRIES", 2)
    monkeypatch.setattr(guard, "_SECONDS_BETWEEN", 0.0)
    tried = []

    def unreachable(uri: str) -> bool:
        tried.append(uri)
        raise ConnectionError("nobody there")

    monkeypatch.setattr(guard, "_postgresql_knows_any", unreachable)
    with pytest.raises(ConnectionError):
        guard.postgresql_knows_any("postgresql://x")
    assert len(tried) == 2


def _holds(index: Path, *sizes: int) -> None:
    connection = sqlite3.connect(index)
    connection.execute("CREATE TABLE AttachedFiles(id INTEGER, fileType INTEGER, compressedSize INTEGER)")
    connection.executemany("INSERT INTO AttachedFiles VALUES (?, 1, ?)", enumerate(sizes))
    connection.commit()
    connection.close()


def test_a_limit_below_what_is_stored_is_refused(guard: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """An archive that holds more than its limit does not start, for Orthanc would delete the oldest patients."""
    _holds(tmp_path / "index", 100 << 20, 1)
    with pytest.raises(ValueError, match=r"limits.storage_mb is 100, and more is stored: Orthanc would delete the oldest patients"):
        guard.check_size({"StorageDirectory": str(tmp_path), "MaximumStorageSize": 100})


@pytest.mark.parametrize("sizes", [(), (1, (100 << 20) - 1)])
def test_a_limit_that_is_just_reached_is_kept(guard: Any, tmp_path: Path, sizes: tuple[int, ...]) -> None:  # noqa: ANN401 - as above
    """An archive that is empty, or exactly full, starts."""
    _holds(tmp_path / "index", *sizes)
    guard.check_size({"StorageDirectory": str(tmp_path), "MaximumStorageSize": 100})


def test_before_there_is_an_index_none_is_too_large(guard: Any, tmp_path: Path) -> None:  # noqa: ANN401 - as above
    """Before the first start there is no index, and after one that was cut off one without tables."""
    guard.check_size({"StorageDirectory": str(tmp_path), "MaximumStorageSize": 100})
    sqlite3.connect(tmp_path / "index").close()
    (tmp_path / "index").touch()
    guard.check_size({"StorageDirectory": str(tmp_path), "MaximumStorageSize": 100})
