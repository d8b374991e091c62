"""How the archive's own index is searched: by what identifies, from its first day."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from deployed.conftest import STACK
from deployed.deployment import docker
from securepacs_harness.canary import Instance

#: What Orthanc 1.13 asks for each instance that is stored or fetched.
ASKED = "SELECT internalId FROM Resources AS instances WHERE instances.resourceType = 4 AND instances.publicId = 'x'"


def test_a_fresh_index_is_searched_by_identifiers(stored: Instance, tmp_path: Path) -> None:
    """The index that the archive made at its first start begins a search at the identifier, and holds the images."""
    assert stored
    for name in ("index", "index-wal"):
        docker("cp", f"{STACK}-archive:/var/lib/archive/db/{name}", str(tmp_path / name))
    with closing(sqlite3.connect(tmp_path / "index")) as connection:
        assert "USING INDEX PublicIndex" in str(connection.execute(f"EXPLAIN QUERY PLAN {ASKED}").fetchall())
        (known,) = connection.execute("SELECT COUNT(*) FROM Resources WHERE resourceType = 4").fetchone()
    assert known > 0


def test_what_made_the_index_is_gone() -> None:
    """The Orthanc that made the empty index has ended: one runs, and it is the one that serves, from its first start."""
    logged = subprocess.run(["docker", "logs", f"{STACK}-archive"], capture_output=True, text=True, check=True).stderr
    assert "guard: the index knows" in logged
    assert "the index could not be made" not in logged
    programs = docker("top", f"{STACK}-archive", "-eo", "pid,args").splitlines()
    assert sum(program.split()[1] == "/usr/sbin/Orthanc" for program in programs) == 1, programs
