"""`securepacs database`: moving an archive's index between SQLite and PostgreSQL, with proof that nothing was lost.

The clinic is first deployed with its database and without the two containers that serve. Then the rows go over, are read
back, and are compared table by table. Only then the file `index` disappears or appears (place.py), and the clinic is
deployed whole. Until that moment the old index is untouched: a run that fails goes back to it, one that is killed is run again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
from pulumi import automation

from securepacs import archive, database, inventory
from securepacs.clinic import CONFIG_KEY, Clinic
from securepacs.commands.progress import Progress
from securepacs.commands.terminal import noted
from securepacs.component import SecurePacs
from securepacs.errors import DeploymentError, SecurePacsError
from securepacs.failures import engine_failed
from securepacs.index import place as index_place
from securepacs.index import postgresql as index_postgresql
from securepacs.index import sqlite as index_sqlite
from securepacs.index.errand import PLACE, Errand, sweep
from securepacs.index.schema import Content, Row, Table
from securepacs.program import program
from securepacs.state.pending import forget_half_made
from securepacs.state.workspace import Workspace
from securepacs.target import container_name

_OUT: Final = f"{PLACE}/out"
_SAYING: Final = f" >/dev/null 2>{_OUT}/said"
_PSQL: Final = f"psql -X -q -o /dev/null -d '{database.connection_uri(archive.FOLDER)}' -f {PLACE}/script.sql{_SAYING}"

#: Starts Orthanc so that it makes its tables, and stops it as soon as it has. The configuration is the first argument.
_ORTHANC: Final = f"""
/usr/sbin/Orthanc "$0" >{_OUT}/said 2>&1 &
for _ in $(seq 600); do
    if grep -q 'Orthanc has started' {_OUT}/said; then kill -TERM $!; wait $!; exit; fi
    kill -0 $! 2>/dev/null || exit 1
    sleep 0.1
done
exit 1
"""

#: A plain Orthanc that makes an index and serves nobody.
_MAKER: Final = {
    "StorageDirectory": _OUT,
    "IndexDirectory": _OUT,
    "DicomServerEnabled": False,
    "HttpServerEnabled": False,
    "SaveJobs": False,
    "Plugins": [],
}

_SHORT_SECONDS, _LONG_SECONDS = 120, 6 * 3600

#: What the folders begin with that hold a copy of an index; they are beside the state and only its owner reads them.
_FOLDER: Final = "index-"

_KNOWS: Final = re.compile(rb"guard: the index knows (\{.*\})")


class Held(SecurePacs):
    """The clinic while its index is moved: nothing serves, all the rest stands."""

    _serves = False


@dataclass(frozen=True)
class Move:
    """One move of one stack's index to where the clinic wants it. `content` is the stack's configuration."""

    place: Workspace
    content: Mapping[str, Any]
    clinic: Clinic
    client: docker.DockerClient

    def run(self) -> dict[str, int] | None:
        """Move the index to where the configuration wants it; give the statistics that were proved, None where it was there already.

        Raises DeploymentError where that failed; the archive then serves from the old index as before.
        """
        self._clear()
        if index_place.is_in_place(self.client, self.clinic, self.place.stack):
            if self.clinic.database == "postgresql":
                index_place.change(self.client, self.clinic, self.place.stack, "retire")  # the rest, where a killed run left it half
            self._deploy(self.clinic.database)
            return None
        self._check_first()
        try:
            self._say("1 of 4: the database beside the archive; then the archive stops")
            self._deploy("postgresql", Held)
            stopped = time.monotonic()
            with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=self.place.folder) as folder:
                moved = self._to_postgresql(Path(folder)) if self.clinic.database == "postgresql" else self._to_sqlite(Path(folder))
            self._say("4 of 4: the archive starts with it")
            self._start(moved)
        except BaseException as problem:
            self._go_back(problem)
            raise
        self._say(f"the archive was away for {time.monotonic() - stopped:.0f} s")
        return moved.statistics() if moved else None

    def _clear(self) -> None:
        """Remove the copies of an index that a killed run left: folders and containers."""
        for left in self.place.folder.glob(f"{_FOLDER}*"):
            shutil.rmtree(left, ignore_errors=True)
        sweep(self.client, self.clinic.name, 0)

    def _check_first(self) -> None:
        """Hold PostgreSQL's tables against what can be moved while the archive still serves from them, so that nothing need be undone."""
        running = self.client.containers.list(filters={"name": f"^{container_name(self.clinic, 'database')}$"})
        if self.clinic.database == "sqlite" and running:
            with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=self.place.folder) as folder:
                if self._shape(Path(folder)):
                    self._check_shape(Path(folder))

    def _say(self, line: str) -> None:
        noted.print(line, highlight=False)

    def _deploy(self, kind: str, what: type[SecurePacs] = SecurePacs) -> None:
        clinic = {**self.content["config"][CONFIG_KEY], "database": kind}
        self.place.prepare({**self.content, "config": {**self.content["config"], CONFIG_KEY: clinic}})
        progress = Progress(noted)
        try:
            stack = self.place.open(functools.partial(program, what))
            forget_half_made(self.place)
            stack.up(on_event=progress, color="never", suppress_outputs=True, show_secrets=False)
        except automation.CommandError as error:
            raise engine_failed(progress, error) from None

    def _go_back(self, problem: BaseException) -> None:
        """Deploy with the database that holds the index still; say so in the problem's line."""
        other = "sqlite" if self.clinic.database == "postgresql" else "postgresql"
        if self._serves():
            return  # it serves from the new index, and something after it failed: going back would lose what came since
        self._say(f"going back to {other}")
        undo = "reinstate" if other == "sqlite" else "remove"
        if self._facts().index != (other == "sqlite"):
            index_place.change(self.client, self.clinic, self.place.stack, undo)
        self._deploy(other)
        if isinstance(problem, SecurePacsError):
            told = f"the index was not moved, and the archive serves from {other} as before; {problem}"
            raise DeploymentError(told) from None

    def _facts(self) -> index_place.Facts:
        return index_place.facts(self.client, self.clinic, self.place.stack)

    def _serves(self) -> bool:
        """Tell whether the archive works with the database that the configuration names."""
        if index_place.runs_with(self.client, self.clinic) != self.clinic.database:
            return False
        found = self.client.containers.get(container_name(self.clinic, "archive"))
        return bool(found.attrs["State"].get("Health", {}).get("Status") == "healthy")

    # To PostgreSQL.

    def _to_postgresql(self, folder: Path) -> Content:
        self._say("2 of 4: the rows of SQLite go to PostgreSQL")
        with index_place.volume_errand(self.client, self.clinic, self.place.stack).prepared(["/none"], {}) as errand:
            for part in ("index", "index-wal"):
                errand.fetch(f"{index_place.VOLUME}/db/{part}", folder)
        self._make_tables(folder)
        with index_sqlite.opened(folder / "index") as connection:
            index_sqlite.check(connection)
            last = index_sqlite.sequences(connection)
            sent = Content(sequences=last)

            def rows(table: Table) -> Iterable[Row]:
                return sent.taking(table, index_sqlite.rows(connection, table))

            with (folder / "script.sql").open("w", encoding="utf-8", newline="\n") as script:
                index_postgresql.write_load(script, rows, last)
        self._psql({"script.sql": folder / "script.sql"}, folder)
        self._say("3 of 4: what arrived is compared with what was sent")
        arrived = self._exported(folder)
        _hold_equal(sent, index_postgresql.content(_reading(folder), arrived))
        index_place.change(self.client, self.clinic, self.place.stack, "retire")
        return sent

    def _make_tables(self, folder: Path) -> None:
        """Have Orthanc make its tables where there are none, with the archive's own configuration and no image near it."""
        if not self._shape(folder):
            errand = self._errand("archive", archive.UID)
            with errand.prepared(["/bin/bash", "-c", _ORTHANC, archive.FOLDER], {}) as orthanc:
                if orthanc.run(_SHORT_SECONDS):
                    raise DeploymentError(f"Orthanc could not make its tables in PostgreSQL: {orthanc.said()}")
            self._shape(folder)
        self._check_shape(folder)

    @staticmethod
    def _check_shape(folder: Path) -> None:
        version = folder / index_postgresql.VERSION_FILE
        with (folder / index_postgresql.SHAPE_FILE).open(encoding="utf-8") as lines:
            index_postgresql.check(lines, version.read_text(encoding="utf-8").strip() if version.exists() else None)

    def _shape(self, folder: Path) -> bool:
        """Fetch what tables there are; tell whether there is any."""
        script = folder / "script.sql"
        script.write_text(index_postgresql.shape_script(_OUT), encoding="utf-8")
        self._psql({"script.sql": script}, folder)
        return bool((folder / index_postgresql.SHAPE_FILE).stat().st_size)

    def _exported(self, folder: Path) -> dict[str, int]:
        """Fetch all rows of PostgreSQL's into `folder`; give the sequences."""
        script = folder / "script.sql"
        script.write_text(index_postgresql.export_script(_OUT), encoding="utf-8")
        self._psql({"script.sql": script}, folder)
        with (folder / index_postgresql.SEQUENCES_FILE).open(encoding="utf-8") as lines:
            return index_postgresql.sequences(lines)

    def _psql(self, files: Mapping[str, Path], folder: Path) -> None:
        """Run a script in PostgreSQL as the archive's role, from a container beside it, and fetch what it wrote."""
        with self._errand("database", archive.UID).prepared(["/bin/bash", "-c", _PSQL], files) as psql:
            if psql.run(_LONG_SECONDS):
                raise DeploymentError(f"PostgreSQL refused a step of the move: {_without_place(psql.said())}")
            psql.fetch(_OUT, folder)

    def _errand(self, image: str, user: int, *, connected: bool = True) -> Errand:
        """Give an errand with the image of a part; where it is connected, with the archive's files and the database's network."""
        found = self.client.images.list(
            name=container_name(self.clinic, image), filters={"label": f"securepacs.image.stack={inventory.owner(self.place.stack)}"}
        )
        newest = max(found, key=lambda made: str(made.attrs["Created"]), default=None)
        if newest is None:
            raise DeploymentError(f"image {container_name(self.clinic, image)}: is not on the engine", do="run the command again")
        return Errand(
            self.client,
            inventory.owner(self.place.stack),
            self.clinic.name,
            str(newest.id),
            user,
            network=container_name(self.clinic, "database") if connected else None,
            volumes={container_name(self.clinic, "archive-files"): (archive.FOLDER, False)} if connected else {},
        )

    # To SQLite.

    def _to_sqlite(self, folder: Path) -> Content | None:
        if not self._shape(folder):
            return None  # Orthanc never started with it: there is nothing to move
        self._check_shape(folder)
        self._say("2 of 4: the rows of PostgreSQL go to SQLite")
        last = self._exported(folder)
        sent = Content(sequences=last)
        index = self._fresh_index(folder)
        index_sqlite.fill(index, lambda table: sent.taking(table, _reading(folder)(table)), last)
        self._say("3 of 4: what arrived is compared with what was sent")
        with index_sqlite.opened(index) as connection:
            index_sqlite.check(connection)
            _hold_equal(sent, index_sqlite.content(connection))
        with index.open("rb") as content:
            total = hashlib.file_digest(content, "sha256").hexdigest()
        errand = index_place.volume_errand(self.client, self.clinic, self.place.stack, writes=True)
        with errand.prepared(["/bin/bash", "-euc", index_place.INSTALL, total], {"index": index}) as installer:
            if installer.run(_LONG_SECONDS):
                raise DeploymentError(f"volume {inventory.data_volume(self.clinic)}: the index could not be put there; {installer.said()}")
        return sent

    def _fresh_index(self, folder: Path) -> Path:
        """Have Orthanc make an empty index."""
        configuration = folder / "maker.json"
        configuration.write_text(json.dumps(_MAKER), encoding="utf-8")
        errand = self._errand("archive", archive.UID, connected=False)
        with errand.prepared(["/bin/bash", "-c", _ORTHANC, f"{PLACE}/maker.json"], {"maker.json": configuration}) as orthanc:
            if orthanc.run(_SHORT_SECONDS) or not orthanc.fetch(f"{_OUT}/index", folder):
                raise DeploymentError(f"Orthanc could not make an index: {orthanc.said()}")
            orthanc.fetch(f"{_OUT}/index-wal", folder)
        return folder / "index"

    # At the end.

    def _start(self, moved: Content | None) -> None:
        self._deploy(self.clinic.database)
        if moved is None:
            return
        log = self.client.containers.get(container_name(self.clinic, "archive")).logs(tail=2000)
        found = _KNOWS.findall(log)
        knows = json.loads(found[-1]) if found else {}
        wrong = [name for name, value in moved.statistics().items() if int(knows.get(name, -1)) != value]
        if wrong:
            raise DeploymentError(f"the archive counts otherwise than its index did: {', '.join(wrong)}", do="keep the old index")


def _reading(folder: Path) -> Callable[[Table], Iterator[Row]]:
    """Read the rows that were exported to a folder."""

    def rows(table: Table) -> Iterator[Row]:
        with (folder / table.in_postgresql).open(encoding="utf-8", newline="\n") as lines:
            yield from index_postgresql.rows(lines, table)

    return rows


def _hold_equal(sent: Content, arrived: Content) -> None:
    different = sent.differences(arrived)
    if different:
        raise DeploymentError(f"what arrived is not what was sent: {', '.join(different)}")


def _without_place(line: str) -> str:
    """Leave out where in the script it was: 'psql:/errand/script.sql:7: ERROR:  …' -> 'ERROR: …'."""
    return " ".join(re.sub(r"^psql:\S+:\d+: ", "", line).split())
