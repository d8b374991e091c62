"""The index in PostgreSQL against SQLite: which configuration is best, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.figure import Figure, in_turn
from bench.ingest import Ingest, store
from bench.retrieval import WEB, fetch
from bench.stand import NAME, Stand
from deployed.deployment import docker

#: Of what the shipped clinic has one: connections from the archive to its index.
CONNECTIONS = (1, 2, 5)
_ROWS = (Ingest("ct", 1), Ingest("ct", 4), Ingest("mr", 4, unit="instances/s"))


def database(stand: Stand, rounds: int, name: str) -> Iterator[Figure]:
    """Measure storing and searching with one database; figures of the same name are put together."""
    clinic = stand.contenders["clinic"]
    for connections in CONNECTIONS if name == "postgresql" else (0,):
        if connections:
            _connect(stand, connections)
        label = f"{name}, {connections} connection{'s' if connections > 1 else ''}" if connections else name
        for row in _ROWS:
            figure = Figure(f"database-{row.name}", f"{row.title}, by database", row.unit, "more", group="database")
            yield in_turn(figure, {label: clinic}, partial(store, stand, row), rounds)
        for web in WEB:
            if web.name == "qido-study":
                figure = Figure(f"database-{web.name}", f"{web.title}, by database", "answers/s", "more", group="database")
                yield in_turn(figure, {label: clinic}, partial(fetch, stand, web), rounds)


def _connect(stand: Stand, connections: int) -> None:
    """Give the archive so many connections to its index, and restart it."""
    place = Path(docker("volume", "inspect", "-f", "{{.Mountpoint}}", f"{NAME}-archive-files").strip()) / "orthanc.json"
    told = json.loads(place.read_text(encoding="utf-8"))
    told["PostgreSQL"]["IndexConnectionsCount"] = connections
    place.write_text(json.dumps(told), encoding="utf-8")
    docker("restart", f"{NAME}-archive")
    stand.wait_healthy(f"{NAME}-archive")
