"""The harness on archives that were never near our module: it finds what is known to be wrong with them, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployed.deployment import HERE, docker
from securepacs_harness.bracket import NotAcceptedError, accepts
from securepacs_harness.probes import association
from securepacs_harness.probes.line import Line
from securepacs_harness.results import Run, Status

#: A loopback address of their own: on 127.0.0.1 there may stand a clinic of this host's, whose ports they would be blamed for.
ADDRESS = "127.26.84.1"


@dataclasses.dataclass(frozen=True)
class ThirdParty:
    """An archive of somebody else's: its image, the ports that it publishes (inside -> here), its declaration, its weaknesses."""

    name: str
    ports: dict[int, int]
    target: dict[str, Any]
    known: frozenset[str]
    """Checks that must find something."""


#: What a default of Docker's leaves open in any container that nobody hardened.
UNCONFINED = {
    "container.user",
    "container.capabilities",
    "container.no-new-privileges",
    "container.read-only",
    "container.limits",
    "container.health",
}

ORTHANC = ThirdParty(
    "stock_orthanc",
    {4242: 26842, 8042: 26843},
    {
        "dicom": {"ae_title": "ORTHANC", "port": 26842},
        "https": {"base_url": f"http://{ADDRESS}:26843"},
        "closed_ports": [2375, 5432],
        "floor": {"orthanc": "1.12.11"},
        "cleanup": {"by": "orthanc", "base_url": f"http://{ADDRESS}:26843"},
    },
    frozenset(
        {
            *UNCONFINED,
            "tls.required",
            "mtls.anonymous",
            "association.calling-ae",
            "association.called-ae",
            # Rights that are not written down count as granted.
            "dimse.echo",
            "dimse.store",
            "dimse.find",
            "dimse.get",
            "dimse.move",
            "dimse.commit",
            "integrity.same-uid",
            "http.anonymous",
            "leaks.http",
            "leaks.implementation",
            "cve.options",
            "credentials.backend",
            "network.egress",
            "exfiltration.move-unauthorised",
            # A destination is looked up without its case.
            "exfiltration.move-unknown",
        }
    ),
)

DCMQRSCP = ThirdParty(
    "stock_dcmqrscp",
    {11112: 26844},
    {
        "dicom": {"ae_title": "ARCHIVE", "port": 26844},
        "cleanup": {"by": "nobody"},
    },
    frozenset(
        {
            *UNCONFINED,
            "tls.required",
            "mtls.anonymous",
            "association.calling-ae",
            # It reads a title as a C string: what stands behind a NUL does not count.
            "association.called-ae",
            "dimse.echo",
            "dimse.store",
            "dimse.find",
            "dimse.get",
            "dimse.move",
            "integrity.same-uid",
            "leaks.implementation",
            "network.egress",
            "exfiltration.move-unauthorised",
            # Its table says ANY.
            "cve.options",
        }
    ),
)


@contextmanager
def standing(party: ThirdParty) -> Iterator[dict[str, Any]]:
    """Stand the archive up; give its whole declaration."""
    image, name = f"securepacs-test-{party.name.replace('_', '-')}", f"securepacs-test-{party.name.replace('_', '-')}"
    docker("build", "-q", "--network", "host", "-t", image, str(HERE / "images" / party.name), seconds=600)
    docker("rm", "-f", name, check=False)
    published = [word for inside, here in party.ports.items() for word in ("-p", f"{ADDRESS}:{here}:{inside}")]
    # Inside, the peers are at this host, where the harness stands in for them.
    docker("run", "-d", "--name", name, "--add-host", "peers:host-gateway", *published, image)
    bridge = docker("inspect", "-f", "{{.NetworkSettings.Gateway}}", name).strip()
    declared = {
        "version": 1,
        "name": party.name.replace("_", "-"),
        "inside": {"archive": f"docker://{name}"},
        **party.target,
        "peers": {
            "CT01": {"verbs": ["echo", "store"], "address": f"{bridge}:26845"},
            "WS01": {"verbs": ["echo", "find", "get", "move"], "move_to": ["WS01"], "address": f"{bridge}:26846"},
        },
        "dicom": {"host": ADDRESS, "tls": False, "client_certificates": False, **party.target["dicom"]},
    }
    try:
        _wait(declared["dicom"]["port"], declared["dicom"]["ae_title"])
        yield declared
    finally:
        docker("rm", "-f", "-v", name, check=False)


def _wait(port: int, called: str) -> None:
    """Wait until it answers an echo of a declared peer."""
    until = time.monotonic() + 30
    while True:
        try:
            accepts(association.echo("waiting", Line(ADDRESS, port, timeout=2), called, "CT01"))
        except NotAcceptedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return


@pytest.mark.parametrize("party", [ORTHANC, DCMQRSCP], ids=lambda party: party.name)
def test_the_known_weaknesses_are_found_and_no_others(party: ThirdParty, tmp_path: Path) -> None:
    """An archive as its users publish it is found to be open in each way that is known, and in no other."""
    with standing(party) as declared:
        target = tmp_path / "target.json"
        target.write_text(json.dumps(declared), encoding="utf-8")
        command = [sys.executable, "-m", "securepacs_harness", str(target), "--tier", "write", "--out", str(tmp_path / "evidence")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    run = Run.model_validate_json((tmp_path / "evidence" / "results.json").read_text(encoding="utf-8"))
    found = {check.id for check in run.checks if check.status is Status.FOUND}
    told = {check.id: check.reason for check in run.checks if check.status is Status.FOUND and check.id not in party.known}
    assert found == party.known, told
    inconclusive = {check.id: check.reason for check in run.checks if check.status is Status.INCONCLUSIVE}
    assert inconclusive == {}
