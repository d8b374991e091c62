"""A clinic on PostgreSQL: its configuration, a client of its database, and what its index knows, asked apart from the product."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deployed.deployment import CLINIC_KEY, NO_BACKUP, Stack, docker
from securepacs_harness import canary
from securepacs_harness.bracket import accepts
from securepacs_harness.bundles import Bundles
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer, Observation, Outcome
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs
from securepacs_harness.target import load_target

NAME = "dbtest"
DICOM_PORT, HTTPS_PORT = 13210, 19210

#: The same questions to either database: what each stored thing is, who sent it, when, and what became of it. A level is in SQLite 1 more.
QUESTIONS: Mapping[str, str] = {
    "tree": "SELECT {array}(c.publicId, p.publicId) FROM Resources c LEFT JOIN Resources p ON c.parentId = p.internalId",
    "metadata": "SELECT {array}(r.publicId, m.type, m.value, m.revision) FROM Metadata m JOIN Resources r ON m.id = r.internalId",
    "labels": "SELECT {array}(r.publicId, l.label) FROM Labels l JOIN Resources r ON l.id = r.internalId",
    "tags": "SELECT {array}(r.publicId, t.tagGroup, t.tagElement, t.value) FROM MainDicomTags t JOIN Resources r ON t.id = r.internalId",
    "searched": "SELECT {array}(r.publicId, t.tagGroup, t.tagElement, t.value) FROM DicomIdentifiers t"
    " JOIN Resources r ON t.id = r.internalId",
    "files": "SELECT {array}(r.publicId, a.fileType, a.uuid, a.compressedSize, a.uncompressedSize) FROM AttachedFiles a"
    " JOIN Resources r ON a.id = r.internalId",
    "changes": "SELECT {array}(c.seq, c.changeType, r.publicId, c.date) FROM Changes c"
    " LEFT JOIN Resources r ON c.internalId = r.internalId",
    "exported": "SELECT {array}(seq, publicId, remoteModality, patientId, sopInstanceUid, date) FROM ExportedResources",
    "counters": "SELECT {array}(key, value) FROM GlobalIntegers WHERE key < 2",
}

Known = dict[str, list[list[Any]]]


def configuration(path: Path, **changes: object) -> Path:
    """Write the clinic, with changes to its own keys."""
    clinic: dict[str, Any] = {
        "name": NAME,
        "archive": {"ae_title": "DBTEST"},
        "database": "postgresql",
        "dicom": {"addresses": ["127.0.0.1"], "port": DICOM_PORT},
        "https": {"addresses": ["127.0.0.1"], "port": HTTPS_PORT},
        "peers": [{"ae_title": "CT01", "verbs": ["echo", "store"]}, {"ae_title": "WS01", "verbs": ["echo", "find", "get"]}],
        "people": [{"name": "vera", "role": "viewer"}],
        "limits": {"storage_mb": 500, "archive_memory_mb": 1024},
        "backup": NO_BACKUP,
        **changes,
    }
    path.write_text(yaml.safe_dump({"config": {CLINIC_KEY: clinic}}, sort_keys=False), encoding="utf-8")
    return path


def deployed(stack: Stack, folder: Path) -> Pacs:
    """The clinic as it is now, with its peers' bundles."""
    path = folder / "target.json"
    stack.securepacs("target", "--out", str(path))
    for peer in ("CT01", "WS01"):
        stack.securepacs("bundle", peer, "--out", str(folder / "bundles"))
    return Pacs(load_target(path), Bundles(folder / "bundles"), {})


def secret(stack: Stack, name: str, output: str) -> str:
    """Give a secret output of one resource, from the state."""
    resources = stack.state()["deployment"]["resources"]
    (found,) = [resource["outputs"][output] for resource in resources if resource["urn"].endswith(f"::{name}") and resource.get("outputs")]
    return str(json.loads(found["plaintext"])) if isinstance(found, dict) else str(found)


#: Words of libpq or the server -> the layer that refused, and a short name.
_REFUSALS = {
    "no encryption": (Layer.ASSOCIATION, "no-encryption"),
    "pg_hba.conf rejects": (Layer.ASSOCIATION, "rejected"),
    "no pg_hba.conf entry": (Layer.ASSOCIATION, "rejected"),
    "password authentication failed": (Layer.ASSOCIATION, "password"),
    "certificate verify failed": (Layer.TLS, "authority"),
    "does not match host name": (Layer.TLS, "name"),
    "Network is unreachable": (Layer.TCP, "unreachable"),
    "No route to host": (Layer.TCP, "unreachable"),
}


@dataclasses.dataclass(frozen=True)
class Client:
    """Somebody with libpq in a container beside the database. By default it has and does all as the archive has and does it."""

    folder: Path
    network: str = f"{NAME}-database"
    host: str = "database"
    role: str = "orthanc"
    database: str = "orthanc"
    sslmode: str = "verify-full"
    ca: str = "ca.pem"
    passfile: str = "pgpass"
    more: str = "channel_binding=require"

    def give(self, ca_pem: str, password: str) -> None:
        """Lay out the client's files; the password is for any host."""
        self.write("ca.pem", ca_pem)
        self.write("pgpass", f"*:*:*:*:{password}\n")

    def write(self, name: str, text: str) -> None:
        """Write a file of the client's, for its owner's eyes only."""
        path = self.folder / name
        path.write_text(text, encoding="ascii")
        path.chmod(0o600)

    def query(self, sql: str = "SELECT 1") -> subprocess.CompletedProcess[str]:
        """Run a query."""
        uri = f"postgresql://{self.role}@{self.host}:5432/{self.database}?sslmode={self.sslmode}&sslrootcert=/material/{self.ca}"
        uri += f"&passfile=/material/{self.passfile}&connect_timeout=8&gssencmode=disable&{self.more}"
        image = docker("inspect", "-f", "{{.Image}}", f"{NAME}-database").strip()
        command = ["docker", "run", "--rm", "--network", self.network, "--user", "0:0", "-v", f"{self.folder}:/material:ro", image]
        command += ["psql", "-X", "-A", "-t", "-w", "-d", uri, "-c", sql]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)

    def attempt(self, what: str, **other: str) -> Attempt:
        """Try to be served by the database; `other` is what this one has or does otherwise."""
        client = dataclasses.replace(self, **other)  # type: ignore[arg-type] # the folder is never among them

        def observe() -> Observation:
            done = client.query()
            if done.returncode == 0:
                return Observation(Layer.ASSOCIATION, Outcome.ACCEPTED, "answered")
            for words, (layer, code) in _REFUSALS.items():
                if words in done.stderr:
                    return Observation(layer, Outcome.REFUSED, code)
            return Observation(Layer.TCP, Outcome.INCONCLUSIVE, "unknown", done.stderr[-300:])

        return Attempt(what, observe)


def ask_postgresql(sql: str) -> str:
    """Ask inside the database's container, as its own user over the socket."""
    psql = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "/run/postgresql", "-U", "database", "-d", "orthanc", "-c", sql]
    return docker("exec", f"{NAME}-database", *psql)


def known_to_postgresql() -> Known:
    """Give all that the index in PostgreSQL knows."""
    answers = {
        name: ask_postgresql(f"SELECT value FROM ({question.format(array='json_build_array')}) AS asked(value)")  # noqa: S608 - the questions stand above
        for name, question in QUESTIONS.items()
    }
    return {name: sorted((json.loads(line) for line in text.splitlines()), key=repr) for name, text in answers.items()}


def known_to_sqlite(folder: Path) -> Known:
    """Give all that the index in SQLite knows, from a copy of the file and its write-ahead log."""
    folder.mkdir()
    for part in ("index", "index-wal"):
        docker("cp", f"{NAME}-archive:/var/lib/archive/db/{part}", str(folder / part), check=part == "index")
    with sqlite3.connect(folder / "index") as connection:
        return {
            name: sorted((json.loads(text) for (text,) in connection.execute(question.format(array="json_array"))), key=repr)
            for name, question in QUESTIONS.items()
        }


def retrieved(pacs: Pacs, images: list[Instance]) -> None:
    """Each image comes back byte for byte."""
    for image in images:
        (came,) = accepts(dimse.get(pacs.caller("WS01"), image), code="0x0000").payload
        wanted = canary.without_padding(canary.dataset_bytes(image.path), image.transfer_syntax)
        assert canary.without_padding(came, image.transfer_syntax) == wanted


def changes(stack: Stack) -> dict[str, int]:
    """Run `up` again and give what it changed."""
    answer: dict[str, dict[str, int]] = json.loads(stack.securepacs("up", "--config", str(stack.config), "--json"))
    return answer["changes"]


def started(part: str) -> str:
    """When a container last started."""
    return docker("inspect", "-f", "{{.State.StartedAt}}", f"{NAME}-{part}").strip()


def whole_log(container: str) -> str:
    """Give what a container said on either channel."""
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout + done.stderr


def command_of(stack: Stack, *arguments: str) -> list[str]:
    """Write a command for the stack and its configuration."""
    return [str(Path(sys.executable).with_name("securepacs")), *arguments, "--stack", stack.name, "--config", str(stack.config)]


def refused(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to be refused."""
    command, nothing = command_of(stack, *arguments), subprocess.DEVNULL
    return subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=600, stdin=nothing, check=False)
