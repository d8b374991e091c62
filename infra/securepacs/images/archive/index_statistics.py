"""What SQLite is told of Orthanc's index, so that a search takes as long in a large archive as in a small one.

SQLite chooses how to look something up by statistics (sqlite.org/fileformat2.html#stat1tab), and Orthanc gathers none. Without
them it reads, for each instance that is stored or fetched, all instances to find the one, because an index of four values seems
as good to it as one of unique identifiers: with 200,000 instances a store takes ten times as long, a search fifty times. Those
that ANALYZE would gather are no better, for they age. These are of an archive without end: an identifier singles a row out, a
type does not, and whatever can be begun at what was found is begun there.

Part of the guard, and like it without a package but the standard library.
"""

import json
import pathlib
import signal
import sqlite3
import subprocess
import tempfile
from contextlib import closing

_ROWS = 1_000_000_000

#: (table, index, rows and how many of them share the first, the first two, … columns).
STATISTICS = (
    ("Resources", "PublicIndex", f"{_ROWS} 1"),
    ("Resources", "ResourceTypeIndex", f"{_ROWS} {_ROWS // 4}"),
    ("Resources", "ChildrenIndex", f"{_ROWS} 50"),
    ("MainDicomTags", "sqlite_autoindex_MainDicomTags_1", f"{_ROWS} 10 3 1"),
    ("MainDicomTags", "MainDicomTagsIndex1", f"{_ROWS} 10"),
    ("DicomIdentifiers", "sqlite_autoindex_DicomIdentifiers_1", f"{_ROWS} 4 2 1"),
    ("DicomIdentifiers", "DicomIdentifiersIndex1", f"{_ROWS} 4"),
    ("DicomIdentifiers", "DicomIdentifiersIndex3", f"{_ROWS} {_ROWS // 4} {_ROWS // 4} 2"),
    ("Metadata", "sqlite_autoindex_Metadata_1", f"{_ROWS} 10 1"),
    ("AttachedFiles", "sqlite_autoindex_AttachedFiles_1", f"{_ROWS} 2 1"),
)

ORTHANC = "/usr/sbin/Orthanc"
_BEGIN_SECONDS = 60


def tell_sqlite(index: pathlib.Path) -> None:
    """Write the statistics into the index that Orthanc is about to open; where there is none yet, have Orthanc make it first.

    SQLite reads them when it opens a database, so that they must be there before: those of an index that is made meanwhile
    would count from the next start.
    """
    if not index.exists():
        make_index(index.parent)
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("ANALYZE sqlite_schema")  # makes the table of statistics, and looks at no other
        if set(connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1")) == set(STATISTICS):
            return
        with connection:
            connection.execute("DELETE FROM sqlite_stat1")
            connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", STATISTICS)


def make_index(storage: pathlib.Path) -> None:
    """Have an Orthanc that serves nobody make an empty index. Raises RuntimeError with its last words where it does not."""
    alone = {"StorageDirectory": str(storage), "IndexDirectory": str(storage), "DicomServerEnabled": False, "HttpServerEnabled": False}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(alone, file)
        file.flush()
        with subprocess.Popen(
            [ORTHANC, file.name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as orthanc:
            said = []
            for line in orthanc.stderr or ():
                said.append(line.strip())
                if "Orthanc has started" in line:
                    orthanc.terminate()
            status = orthanc.wait(_BEGIN_SECONDS)
    # It says that it has started a moment before it listens to the signal, which then ends it as any program.
    if status not in {0, -signal.SIGTERM} or not (storage / "index").exists():
        raise RuntimeError(f"the index could not be made: {' / '.join(said[-3:])}")
