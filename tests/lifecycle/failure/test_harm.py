"""What somebody does to a clinic by hand: the next `up` mends it, or says in one line why it does not."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from deployed.deployment import docker
from lifecycle.failure.conftest import DICOM_PORT, NAME, Patient
from lifecycle.failure.killing import ask

ARCHIVE, GATEWAY, EDGE, INNER = (f"{NAME}-{part}" for part in ("archive", "gateway", "edge", "inner"))
BASE = "securepacs-base:forky"
DATA = f"{NAME}-archive-data"

Commands = Sequence[tuple[str, ...]]


def within(volume: str, script: str) -> tuple[str, ...]:
    """Give the Docker command that runs a script on a volume at /v."""
    return ("run", "--rm", "--network", "none", "-v", f"{volume}:/v", BASE, "/bin/sh", "-c", script)


#: Harm -> the commands that do it. IMAGE stands for the archive's image.
MENDED: dict[str, Commands] = {
    "archive stopped": [("stop", "-t", "5", ARCHIVE)],
    "archive paused": [("pause", ARCHIVE)],
    "archive killed and removed": [("rm", "-f", ARCHIVE)],
    "gateway renamed": [("rename", GATEWAY, f"{NAME}-was-gateway")],
    "limits of a container altered": [("update", "--memory", "300m", "--memory-swap", "300m", GATEWAY)],
    "archive disconnected from its network": [("network", "disconnect", "-f", INNER, ARCHIVE)],
    "gateway disconnected from the edge": [("network", "disconnect", "-f", EDGE, GATEWAY)],
    "edge network removed": [("network", "disconnect", "-f", EDGE, GATEWAY), ("network", "rm", EDGE)],
    "inner network removed": [
        ("network", "disconnect", "-f", INNER, GATEWAY),
        ("network", "disconnect", "-f", INNER, ARCHIVE),
        ("network", "rm", INNER),
    ],
    "configuration volume removed": [("rm", "-f", GATEWAY), ("volume", "rm", f"{GATEWAY}-files")],
    "file in a configuration volume altered": [within(f"{ARCHIVE}-files", "echo >>/v/orthanc.json")],
    "file in a configuration volume removed": [within(f"{GATEWAY}-files", "rm /v/haproxy.cfg")],
    "image's tag moved": [("tag", BASE, "IMAGE")],
    "image removed with its container": [("rm", "-f", ARCHIVE), ("rmi", "-f", "IMAGE")],
    "all containers and networks removed": [("rm", "-f", ARCHIVE, GATEWAY), ("network", "rm", EDGE, INNER)],
}


@pytest.mark.parametrize("harm", MENDED)
def test_what_was_harmed_is_mended(patient: Patient, harm: str) -> None:
    """The next `up` mends it: the peer that has its bundle is served, and the study is there."""
    image = patient.reference("archive")
    docker("tag", image, f"{ARCHIVE}:kept")  # its layers stay, so that it is built again quickly
    try:
        for command in MENDED[harm]:
            docker(*(image if word == "IMAGE" else word for word in command))
        assert patient.changes()
    finally:
        docker("rmi", f"{ARCHIVE}:kept", check=False)
    patient.serves()


def test_after_all_that_nothing_is_left_to_do(patient: Patient) -> None:
    """What was mended stays mended: an `up` that follows changes nothing."""
    assert patient.changes() == {}


def test_studies_that_are_gone_are_told_and_come_back(patient: Patient) -> None:
    """A missing data volume ends in one line and status 5, never in an empty archive; restored as that line says, it serves again."""
    docker("volume", "create", f"{NAME}-backup")
    try:
        docker("stop", ARCHIVE)
        docker("run", "--rm", "--network", "none", "-v", f"{DATA}:/v", "-v", f"{NAME}-backup:/b", BASE, "/bin/cp", "-a", "/v/.", "/b/")
        docker("rm", "-f", ARCHIVE)
        docker("volume", "rm", DATA)
        for command in ("up", "preview"):
            answer = patient.ask(command)
            assert answer.status == 5
            (line,) = answer.errors
            assert line.startswith(f"error: data volume {DATA}: is gone from the engine; restore it from a backup under the labels ")
        assert DATA not in docker("volume", "ls", "-q").split()
        labels = [word for label in re.findall(r"securepacs\.\w+=[^\s,]+", line) for word in ("--label", label)]
        docker("volume", "create", *labels, DATA)
        docker("run", "--rm", "--network", "none", "-v", f"{DATA}:/v", "-v", f"{NAME}-backup:/b", BASE, "/bin/cp", "-a", "/b/.", "/v/")
    finally:
        docker("volume", "rm", f"{NAME}-backup", check=False)
    assert patient.changes()
    patient.serves()


def test_a_port_that_was_taken_meanwhile_is_told(patient: Patient) -> None:
    """While the gateway stands still another program takes its port: one line and status 4; when it is free again, repair."""
    docker("stop", "-t", "5", GATEWAY)
    with socket.create_server(("127.0.0.1", DICOM_PORT)):
        answer = patient.ask("up")
    assert answer.status == 4
    (line,) = answer.errors
    assert line.startswith(f"error: securepacs:clinic.dicom.port: got 127.0.0.1:{DICOM_PORT}, which another program holds")
    assert patient.changes()
    patient.serves()


@pytest.mark.parametrize("command", ["up", "preview", "down", "recover"])
def test_no_engine_is_told(patient: Patient, command: str, tmp_path: Path) -> None:
    """With no engine that answers each command ends in one line and status 4."""
    options = {"recover": (), "down": ("--config", str(patient.stack.config), "--yes")}.get(
        command, ("--config", str(patient.stack.config))
    )
    elsewhere = {**patient.stack.environment, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    answer = ask(type(patient.stack)(NAME, patient.stack.config, elsewhere), command, *options)
    assert answer.status == 4
    (line,) = answer.errors
    assert line.startswith("error: Docker engine: ")


def lay_lock(patient: Patient, host: str, pid: int) -> Path:
    """Write a lock on the stack, as Pulumi's file backend does."""
    home = Path(patient.stack.environment["SECUREPACS_HOME"])
    lock = home / "backend" / ".pulumi" / "locks" / "organization" / "securepacs" / NAME / "0000.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps({"pid": pid, "username": "root", "hostname": host, "timestamp": "2026-11-25T10:00:00Z"}))
    return lock


def test_a_stale_lock_is_cleared(patient: Patient) -> None:
    """A lock of a process of this host that is dead does not stop an `up`."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = lay_lock(patient, socket.gethostname(), dead.pid)
    assert patient.changes() == {}
    assert not lock.exists()


@pytest.mark.parametrize("command", ["up", "recover"])
def test_anothers_lock_is_told(patient: Patient, command: str) -> None:
    """A lock of another host may be alive: one line, status 5, and the lock stays."""
    lock = lay_lock(patient, "elsewhere", 1)
    try:
        answer = patient.ask("up") if command == "up" else ask(patient.stack, "recover")
        assert answer.status == 5
        (line,) = answer.errors
        assert line.startswith("error: another run is working on this stack; wait until it ends")
        assert lock.exists()
    finally:
        lock.unlink()
