"""A clinic whose index is in PostgreSQL, through its whole life: refusals, kills, rotation, and the move to SQLite and back.

The tests follow one clinic in the order in which they stand. $SECUREPACS_DATABASE_KILLS says how often its database is
killed under load, and how often a move is killed, on the way there and on the way back.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pydicom import dcmread

from deployed.deployment import CommandError, Stack, docker, remove_left_overs
from lifecycle.database.asked import (
    NAME,
    Client,
    ask_postgresql,
    changes,
    command_of,
    configuration,
    deployed,
    known_to_postgresql,
    known_to_sqlite,
    refused,
    retrieved,
    secret,
    started,
    whole_log,
)
from securepacs_harness import canary, forge
from securepacs_harness.bracket import Ledger, NotAcceptedError, accepts, at, bracket
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Layer
from securepacs_harness.probes import dimse
from securepacs_harness.probes.inside import Inside
from securepacs_harness.reach import Pacs

KILLS = int(os.environ.get("SECUREPACS_DATABASE_KILLS", "1"))

RANDOM = random.Random()  # noqa: S311 - it chooses moments, no secrets

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for state, keys and images."""
    return tmp_path_factory.mktemp("database")


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Stack]:
    """The clinic, up; given up in the end."""
    remove_left_overs(NAME)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SECUREPACS_"))}
    made = Stack(NAME, configuration(place / "clinic.yaml"), {**own, "SECUREPACS_HOME": str(place / "home"), "COLUMNS": "300"})
    try:
        print(f"up with PostgreSQL: {made.up():.1f} s")
        yield made
    finally:
        with suppress(CommandError):
            made.securepacs("down", "--config", str(made.config), "--delete-data", NAME, "--yes")
        remove_left_overs(NAME)


@pytest.fixture(scope="module")
def pacs(stack: Stack, place: Path) -> Pacs:
    """The clinic with its peers' bundles."""
    return deployed(stack, place)


@pytest.fixture(scope="module")
def stored(pacs: Pacs, place: Path) -> list[Instance]:
    """Images that the archive acknowledged, more with each test: a study of three, and a real one."""
    folder = place / "images"
    folder.mkdir()
    first = canary.write_canary(folder)
    images = [first, *(canary.write_canary(folder, study=first.study, number=number) for number in (2, 3))]
    images.append(canary.real_file("CT_small.dcm"))
    for image in images:
        accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    return images


@pytest.fixture
def client(stack: Stack, pacs: Pacs, tmp_path: Path) -> Client:
    """Somebody who has what the archive has."""
    made = Client(tmp_path)
    made.give(pacs.target.ca, secret(stack, "pacs-database-login", "value"))
    return made


def test_the_archive_works_with_it(pacs: Pacs, stored: list[Instance]) -> None:
    """C-ECHO, C-STORE, C-FIND and C-GET are served from the index in PostgreSQL, and no SQLite index is there."""
    accepts(dimse.echo(pacs.caller("CT01")), code="0x0000")
    assert accepts(dimse.find(pacs.caller("WS01"), StudyInstanceUID=stored[0].study)).detail == "1 matches"
    retrieved(pacs, stored)
    assert ask_postgresql("SELECT COUNT(*) FROM resources WHERE resourcetype = 3").strip() == str(len(stored))
    assert not Inside(f"docker://{NAME}-archive").entries("/var/lib/archive/db/index")


def test_nothing_changed_means_nothing_done(stack: Stack) -> None:
    """A second `up` changes nothing."""
    assert changes(stack) == {}


def test_only_the_archive_is_let_in(client: Client) -> None:
    """Who lacks TLS, password, role, database, authority, name or network is refused, between two answers to the archive."""
    inside = json.loads(docker("inspect", f"{NAME}-database"))[0]["NetworkSettings"]["Networks"]
    address = inside[f"{NAME}-database"]["IPAddress"]
    other = forge.certify("Other CA", ec.generate_private_key(ec.SECP256R1()), ends=datetime.timedelta(days=30))
    client.write("other-ca.pem", other.public_bytes(Encoding.PEM).decode())
    client.write("wrong", f"*:*:*:*:{'x' * 40}\n")
    plain = {"sslmode": "disable", "more": "channel_binding=disable"}
    cases = [
        (client.attempt("without TLS", **plain), at(Layer.ASSOCIATION, "no-encryption")),
        (client.attempt("with a wrong password", passfile="wrong"), at(Layer.ASSOCIATION, "password")),
        (client.attempt("without TLS, with a wrong password", **plain, passfile="wrong"), at(Layer.ASSOCIATION, "no-encryption")),
        (client.attempt("as the superuser", role="database"), at(Layer.ASSOCIATION, "rejected")),
        (client.attempt("in another database", database="postgres"), at(Layer.ASSOCIATION, "rejected")),
        (client.attempt("trusting another authority", ca="other-ca.pem"), at(Layer.TLS, "authority")),
        (client.attempt("under another name", host=address), at(Layer.TLS, "name")),
        (client.attempt("from the inner network", host=address, network=f"{NAME}-inner"), at(Layer.TCP, "unreachable")),
    ]
    bracket(client.attempt("as the archive"), Ledger()).refuses_all(cases)


#: PostgreSQL's SSLRequest (manual, "Message Formats"), which is answered with one byte, S: an open port alone may be anybody's.
SSL_REQUEST = r"""
(exec 3<>/dev/tcp/{address}/5432 && printf '\0\0\0\10\4\322\26\57' >&3 && read -r -t 3 -N 1 answer <&3 && [ "$answer" = S ]) 2>/dev/null &
for _ in $(seq 50); do kill -0 $! 2>/dev/null || break; sleep 0.1; done
kill $! 2>/dev/null && exit 1
wait $!
"""


def test_the_gateway_does_not_reach_it(pacs: Pacs) -> None:
    """The database answers the archive before and after it does not answer the gateway; nothing of it is published on the host."""
    inspected = json.loads(docker("inspect", f"{NAME}-database"))[0]["NetworkSettings"]
    request = SSL_REQUEST.format(address=inspected["Networks"][f"{NAME}-database"]["IPAddress"])
    archive, gateway = (Inside(pacs.target.inside[part]) for part in ("archive", "gateway"))
    answered = [inside.run("bash -c %s", request)[0] == 0 for inside in (archive, gateway, archive)]
    assert answered == [True, False, True]
    assert inspected["Ports"] == {}


def test_no_secret_is_seen(stack: Stack, pacs: Pacs, stored: list[Instance]) -> None:
    """Neither password nor key is in what the engine shows, an environment, an argument list or a log; nor is a patient in a log."""
    secrets = {
        "the password": secret(stack, "pacs-database-login", "value"),
        "the key": "".join(secret(stack, "pacs-database-server", "keyPem").splitlines()[1:-1])[:40],
        "a patient": str(dcmread(stored[0].path).PatientName.family_name),
    }
    for part in ("archive", "database"):
        name = f"{NAME}-{part}"
        inside = Inside(pacs.target.inside[part])
        shown = {
            "inspect": docker("inspect", name),
            "history": docker("history", "--no-trunc", docker("inspect", "-f", "{{.Image}}", name).strip()),
            "log": whole_log(name),
            "processes": "".join(inside.read(f"/proc/{pid}/{file}") for pid in inside.processes() for file in ("cmdline", "environ")),
        }
        assert all(shown.values())
        found = [(what, where) for what, text in secrets.items() for where, told in shown.items() if text in told]
        assert found == [], part


def test_it_runs_with_as_little_as_it_needs(pacs: Pacs) -> None:
    """Every process of the database runs as one user without any capability; it listens on one port, to the archive alone."""
    inside = Inside(pacs.target.inside["database"])
    for pid in inside.processes():
        if inside.read(f"/proc/{pid}/status"):
            process = inside.process(pid)
            held = (process.effective, process.permitted, process.inheritable, process.ambient, process.bounding)
            assert (process.uid, process.gid, *held) == (10103, 10103, 0, 0, 0, 0, 0), pid
            assert process.no_new_privileges
    assert not any(inside.can_write(folder) for folder in ("/", "/etc/database", "/usr/share/securepacs", "/var/lib"))
    assert inside.can_write("/var/lib/database")
    assert {entry.mode for entry in inside.entries("/etc/database") if entry.kind == "regular file"} == {0o400}
    assert {listener.port for listener in inside.listeners() if listener.address != "127.0.0.11"} == {5432}
    (network,) = json.loads(docker("network", "inspect", f"{NAME}-database"))
    assert network["Internal"]
    assert network["Options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"  # else the host has an address there
    assert {there["Name"] for there in network["Containers"].values()} == {f"{NAME}-archive", f"{NAME}-database"}


def test_what_lasts_is_on(pacs: Pacs) -> None:
    """The running server confirms checksums, synchronous commits and TLS 1.3 on the archive's one connection."""
    del pacs
    for setting in ("data_checksums", "fsync", "synchronous_commit", "full_page_writes", "ssl"):
        assert ask_postgresql(f"SHOW {setting}").strip() == "on", setting
    used = ask_postgresql("SELECT usename, ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'orthanc'")
    assert used.split() == ["orthanc|t|TLSv1.3"]


def test_killed_under_load_it_loses_nothing(pacs: Pacs, stored: list[Instance]) -> None:
    """While images are stored the database dies by SIGKILL; every acknowledged one is there byte for byte, and the rest goes in again."""
    folder, waiting, ended = stored[0].path.parent, [], threading.Event()

    def store_all() -> None:
        while not ended.is_set():
            image = canary.write_canary(folder)
            try:
                accepts(dimse.store(pacs.caller("CT01", timeout=60), image), code="0x0000")
                stored.append(image)
            except NotAcceptedError:
                waiting.append(image)

    for _ in range(KILLS):
        ended.clear()
        sender = threading.Thread(target=store_all)
        before = len(stored)
        sender.start()
        time.sleep(RANDOM.uniform(1.0, 3.0))
        docker("exec", f"{NAME}-database", "bash", "-c", "kill -9 -1", check=False)
        killed, count = time.monotonic(), len(stored)
        while len(stored) < count + 3 and time.monotonic() < killed + 90:
            time.sleep(0.1)
        print(f"served again {time.monotonic() - killed:.1f} s after the kill; {len(stored) - before} acknowledged, {len(waiting)} not")
        ended.set()
        sender.join()
        assert len(stored) >= count + 3
    for image in waiting:
        accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    retrieved(pacs, stored)


def test_a_new_certificate_is_only_read(stack: Stack, pacs: Pacs, stored: list[Instance]) -> None:
    """A revoked server certificate is replaced and shown without a restart of the database."""
    before = started("database")
    serial = secret(stack, "pacs-database-server", "serial")
    configuration(stack.config, revoked=[{"serial": serial, "date": "2026-01-01", "reason": "keyCompromise"}])
    changes(stack)
    assert started("database") == before
    script = "openssl s_client -connect database:5432 -starttls postgres </dev/null 2>/dev/null | openssl x509 -noout -serial"
    shown = docker("exec", f"{NAME}-database", "bash", "-c", script).strip().lower().removeprefix("serial=").lstrip("0")
    assert shown == secret(stack, "pacs-database-server", "serial").lstrip("0")
    assert shown != serial.lstrip("0")
    retrieved(pacs, stored[:1])


def test_a_new_password_takes_the_place_of_the_old(stack: Stack, pacs: Pacs, client: Client, stored: list[Instance]) -> None:
    """A counted rotation makes a new password; with the old one nobody is let in, and the archive works."""
    client.write("old", client.folder.joinpath("pgpass").read_text(encoding="ascii"))
    configuration(stack.config, rotations={"login": 1})
    began = time.monotonic()
    changes(stack)
    print(f"password rotated: {time.monotonic() - began:.1f} s")
    client.give(pacs.target.ca, secret(stack, "pacs-database-login", "value"))
    old = client.attempt("with the old password", passfile="old")
    bracket(client.attempt("as the archive"), Ledger()).refuses_all([(old, at(Layer.ASSOCIATION, "password"))])
    accepts(dimse.store(pacs.caller("CT01"), stored[0]), code="0x0000")
    assert changes(stack) == {}


def test_a_changed_line_moves_nothing(stack: Stack, pacs: Pacs, stored: list[Instance]) -> None:
    """A mere change of the configuration's line is refused with status 7 and the command that moves the index; all goes on as before."""
    before = started("archive")
    configuration(stack.config, database="sqlite", rotations={"login": 1})
    answer = refused(stack, "up")
    assert answer.returncode == 7
    assert "`securepacs database sqlite` moves the index" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert started("archive") == before
    retrieved(pacs, stored[:1])


def test_another_schema_is_not_touched(stack: Stack, pacs: Pacs, stored: list[Instance]) -> None:
    """An index that the move does not know is left alone while the archive goes on, and the reason is one line."""
    before = started("archive")
    configuration(stack.config, rotations={"login": 1})
    ask_postgresql("ALTER TABLE labels ADD COLUMN colour text")
    answer = refused(stack, "database", "sqlite")
    ask_postgresql("ALTER TABLE labels DROP COLUMN colour")
    assert answer.returncode == 7
    assert "other tables: labels, expected schema 6" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "database: postgresql" in stack.config.read_text(encoding="utf-8")  # the command had written the other
    assert started("archive") == before
    retrieved(pacs, stored[:1])


def killed_run(stack: Stack, *arguments: str) -> None:
    """Start a command and kill it with all its processes at some point."""
    command, nothing = command_of(stack, *arguments), subprocess.DEVNULL
    running = subprocess.Popen(command, env=stack.environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    after = RANDOM.uniform(2.0, 25.0)
    with suppress(subprocess.TimeoutExpired):
        running.wait(after)
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    print(f"killed {' '.join(arguments)} after {after:.1f} s")


def moved(stack: Stack, kind: str) -> None:
    """Move the index, after runs that were killed; the command writes the configuration's line."""
    for _ in range(KILLS):
        killed_run(stack, "database", kind)
    began = time.monotonic()
    print(stack.securepacs("database", kind, "--config", str(stack.config)).strip(), f"({time.monotonic() - began:.1f} s)")


def failed_move(stack: Stack) -> None:
    """A move into a database that refuses a row goes back, and shows no row; with the old volume forgotten the next one starts anew."""
    answer = refused(stack, "database", "postgresql")
    assert answer.returncode == 5
    assert "the index was not moved, and the archive serves from sqlite as before; PostgreSQL refused a step" in answer.stderr
    assert "urgent" not in answer.stderr
    assert "database: sqlite" in stack.config.read_text(encoding="utf-8")
    stack.securepacs("database", "sqlite", "--forget-old", "--config", str(stack.config))
    assert not docker("volume", "ls", "-q", "--filter", f"name={NAME}-database-data")


def test_the_index_moves_to_sqlite_and_back_and_loses_nothing(stack: Stack, pacs: Pacs, stored: list[Instance], tmp_path: Path) -> None:
    """Who sent what and when, labels, changes, exports: all that one database knew the other knows, both ways, after kills."""
    ask_postgresql(
        "INSERT INTO labels SELECT internalid, 'urgent' FROM resources WHERE resourcetype = 1;"
        r"INSERT INTO metadata SELECT internalid, 1024, E'a\tb\nc\\N Müller', 3 FROM resources WHERE resourcetype = 1;"
        "INSERT INTO exportedresources VALUES (DEFAULT, 3, 'p', 'WS01', 'CANARY', '1.2', '1.3', '1.4', '20260101T000000')"
    )
    before = known_to_postgresql()
    ask_postgresql("ALTER TABLE labels ADD CONSTRAINT sabotage CHECK (label <> 'urgent') NOT VALID")
    assert all(before.values())
    assert {row[2] for row in before["metadata"] if row[1] == 3} >= {"CT01"}
    moved(stack, "sqlite")
    there = known_to_sqlite(tmp_path / "there")
    for what, rows in before.items():
        assert there[what][: len(rows)] == rows if what == "changes" else there[what] == rows, what
    retrieved(pacs, stored)
    accepts(dimse.store(pacs.caller("CT01"), canary.real_file("MR_small.dcm")), code="0x0000")
    stored.append(canary.real_file("MR_small.dcm"))
    assert changes(stack) == {}
    between = known_to_sqlite(tmp_path / "between")
    failed_move(stack)
    retrieved(pacs, stored)
    moved(stack, "postgresql")
    back = known_to_postgresql()
    for what, rows in between.items():
        assert back[what][: len(rows)] == rows if what == "changes" else back[what] == rows, what
    retrieved(pacs, stored)
    assert not docker("ps", "-aq", "--filter", f"label=securepacs.helper={NAME}/errand")
    assert not list(Path(stack.environment["SECUREPACS_HOME"]).rglob("index-*"))


def test_the_index_outlives_the_clinic(stack: Stack, place: Path, stored: list[Instance]) -> None:
    """`down` keeps images and index and says where; a later `up` finds all studies."""
    told = stack.securepacs("down", "--config", str(stack.config), "--yes")
    assert f"{NAME}-archive-data and {NAME}-database-data" in told
    stack.up()
    again = place / "again"
    again.mkdir()
    retrieved(deployed(stack, again), stored)


def test_a_lost_database_is_no_empty_archive(stack: Stack) -> None:
    """Where the index's volume is gone while the images are there, nothing is deployed, and one line says what is missing."""
    stack.securepacs("down", "--config", str(stack.config), "--yes")
    docker("volume", "rm", f"{NAME}-database-data")
    answer = refused(stack, "up")
    assert answer.returncode == 7
    assert f"put {NAME}-database-data, or the file db/index, back from a backup" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert not docker("ps", "-aq", "--filter", f"name={NAME}-")


def test_the_archive_itself_refuses_an_empty_index(stack: Stack) -> None:
    """An empty volume in the place of the lost one deceives the command line, and not the archive: it does not start, and says why."""
    labels = [f"--label=securepacs.stack=securepacs/{NAME}", "--label=securepacs.component=pacs"]
    docker("volume", "create", *labels, f"{NAME}-database-data")
    command, nothing = command_of(stack, "up"), subprocess.DEVNULL
    running = subprocess.Popen(command, env=stack.environment, stdin=nothing, stdout=nothing, stderr=nothing)
    said = ""
    while running.poll() is None:  # the container is removed in the end, with its log
        with suppress(subprocess.CalledProcessError):
            said += whole_log(f"{NAME}-archive")
        time.sleep(0.3)
    assert running.returncode == 5
    assert "the storage holds images and PostgreSQL knows none of them" in said
    assert not docker("ps", "-q", "--filter", f"name={NAME}-gateway")


def test_all_is_given_up_by_name(stack: Stack) -> None:
    """`down --delete-data` removes both volumes."""
    stack.securepacs("down", "--config", str(stack.config), "--delete-data", NAME, "--yes")
    assert not docker("volume", "ls", "-q", "--filter", f"label=securepacs.stack=securepacs/{NAME}")
