"""Where the archive's index is, and where it is not: an archive that has images never starts with an index that knows none.

Part of the guard, and like it without a package but the standard library. It looks at facts, before Orthanc opens anything:
the images in the storage folder, the resources in the SQLite index beside them, and those in PostgreSQL. So it sees a
changed line of the configuration as well as a volume that was lost.
"""

import ctypes
import os
import pathlib
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

#: Tells a person what to do; the command line knows the rest.
MOVES = "`securepacs database {}` moves the index and loses nothing"

_LARGER = "SELECT COALESCE(SUM(compressedSize), 0) > ?"

_CONNECTION_OK, _TUPLES_OK = 0, 2
_TRIES, _SECONDS_BETWEEN = 30, 1.0


def holds_images(storage: pathlib.Path) -> bool:
    """Tell whether a file stands where Orthanc puts what it stores: XX/YY/UUID, by the first bytes of the UUID."""
    for first in os.scandir(storage) if storage.is_dir() else ():
        if len(first.name) == 2 and first.is_dir():
            for second in os.scandir(first):
                if len(second.name) == 2 and second.is_dir() and any(entry.is_file() for entry in os.scandir(second)):
                    return True
    return False


def sqlite_knows_any(index: pathlib.Path) -> bool | None:
    """Tell whether a SQLite index knows any resource; None where there is no index."""
    if not index.exists():
        return None
    connection = sqlite3.connect(index)
    try:
        (made,) = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'Resources')").fetchone()
        return bool(made and connection.execute("SELECT EXISTS (SELECT 1 FROM Resources)").fetchone()[0])
    finally:
        connection.close()


def sqlite_holds_more(index: pathlib.Path, size: int) -> bool:
    """Tell whether the files that a SQLite index knows are together larger than `size` bytes."""
    with closing(sqlite3.connect(index)) as connection:
        (made,) = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'AttachedFiles')").fetchone()
        return bool(made and connection.execute(f"{_LARGER} FROM AttachedFiles", (size,)).fetchone()[0])


def postgresql_knows_any(uri: str) -> bool:
    """Tell whether PostgreSQL knows any resource; no where Orthanc made no tables yet.

    Raises ConnectionError where the database does not answer in half a minute: when both start together it comes later.
    """
    for _ in range(_TRIES - 1):
        try:
            return _postgresql_knows_any(uri)
        except ConnectionError:
            time.sleep(_SECONDS_BETWEEN)
    return _postgresql_knows_any(uri)


def _postgresql_knows_any(uri: str) -> bool:
    return _ask_all(uri, b"SELECT to_regclass('public.resources') IS NOT NULL", b"SELECT EXISTS (SELECT 1 FROM public.resources)")


def postgresql_holds_more(uri: str, size: int) -> bool:
    """Tell the same of PostgreSQL."""
    larger = f"{_LARGER.replace('?', str(size))} FROM public.attachedfiles".encode()
    return _ask_all(uri, b"SELECT to_regclass('public.attachedfiles') IS NOT NULL", larger)


def _ask_all(uri: str, *questions: bytes) -> bool:
    """Tell whether PostgreSQL answers each question with true; the first that it does not is the last that is asked."""
    # libpq itself is asked, the client of Orthanc's own plugin: the same options, the same certificate, the same password.
    libpq = ctypes.CDLL("libpq.so.5")
    libpq.PQconnectdb.restype = libpq.PQexec.restype = ctypes.c_void_p
    libpq.PQerrorMessage.restype = libpq.PQgetvalue.restype = ctypes.c_char_p
    connection = ctypes.c_void_p(libpq.PQconnectdb(uri.encode()))
    try:
        if libpq.PQstatus(connection) != _CONNECTION_OK:
            raise ConnectionError(_one_line(libpq.PQerrorMessage(connection)))
        return all(_ask(libpq, connection, question) for question in questions)
    finally:
        libpq.PQfinish(connection)


def _ask(libpq: Any, connection: ctypes.c_void_p, query: bytes) -> bool:  # noqa: ANN401 - a library has no type
    result = ctypes.c_void_p(libpq.PQexec(connection, query))
    try:
        if libpq.PQresultStatus(result) != _TUPLES_OK:
            raise ConnectionError(_one_line(libpq.PQerrorMessage(connection)))
        return bool(libpq.PQgetvalue(result, 0, 0) == b"t")
    finally:
        libpq.PQclear(result)


def _one_line(message: bytes) -> str:
    return " ".join(message.decode(errors="replace").split())


def objection(*, images: bool, known: bool, in_sqlite: bool | None, in_postgresql: bool | None) -> str | None:
    """Say why an archive must not start with the index that it is told to use; None where it may.

    `known` tells whether an index of this archive has known any study. Where none ever has, the images are what a crash left
    before their commit. `in_postgresql` is None where the configuration names SQLite.
    """
    if in_postgresql is None:
        if images and (in_sqlite is None or (known and not in_sqlite)):
            what = "there is none" if in_sqlite is None else "it knows none of them"
            return f"the storage holds images and the index is to be in SQLite, where {what}; {MOVES.format('sqlite')}"
        return None
    if in_sqlite:
        return f"the index is to be in PostgreSQL, and stands in SQLite; {MOVES.format('postgresql')}"
    if images and known and not in_postgresql:
        return "the storage holds images and PostgreSQL knows none of them; put the database's volume back from a backup"
    if in_postgresql and not images:
        return "PostgreSQL knows studies and the storage holds no image; put the archive's volume back from a backup"
    return None


def check_index(configuration: Mapping[str, Any], *, known: bool) -> None:
    """Hold the configured index against what is stored. Raises ValueError where the archive would seem empty or is half."""
    storage = pathlib.Path(configuration["StorageDirectory"])
    section = configuration.get("PostgreSQL")
    problem = objection(
        images=holds_images(storage),
        known=known,
        in_sqlite=sqlite_knows_any(storage / "index"),
        in_postgresql=postgresql_knows_any(section["ConnectionUri"]) if section else None,
    )
    if problem:
        raise ValueError(problem)


def check_size(configuration: Mapping[str, Any]) -> None:
    """Hold what is stored against the limit of the storage. Raises ValueError where it is more.

    When Orthanc starts with more than its limit it deletes the oldest patients, even where `MaximumStorageMode` is `Reject`.
    """
    most = int(configuration["MaximumStorageSize"])
    index, section = pathlib.Path(configuration["StorageDirectory"]) / "index", configuration.get("PostgreSQL")
    if section:
        more = postgresql_holds_more(section["ConnectionUri"], most << 20)
    else:
        more = index.exists() and sqlite_holds_more(index, most << 20)
    if more:
        raise ValueError(f"limits.storage_mb is {most}, and more is stored: Orthanc would delete the oldest patients")
