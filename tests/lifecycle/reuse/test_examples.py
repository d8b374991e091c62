"""Each worked example, copied out of the checkout and run as its README says, with the Python that has the wheel."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509

from deployed.deployment import docker, run
from lifecycle.reuse.installation import EXAMPLES, Installation, Project, deployed, remove_owned, seen
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import dimse
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]
STACK = "trial"


def project(example: str, installation: Installation, folder: Path, *, activated: bool = True) -> Project:
    """Copy an example away from the checkout and begin its stack."""
    place = folder / example
    shutil.copytree(EXAMPLES / example, place)
    name = next(line.split()[1] for line in (place / "Pulumi.yaml").read_text(encoding="utf-8").splitlines() if line.startswith("name: "))
    made = Project(name, STACK, place, installation.environment(folder / "home", activated=activated))
    made.pulumi("stack", "init")
    return made


def holds(pacs: Pacs, image: Instance) -> None:
    """Store as CT01, and find and fetch it as WS01."""
    accepts(dimse.store(pacs.caller("CT01"), image), code="0x0000")
    found = accepts(dimse.find(pacs.caller("WS01"), StudyInstanceUID=image.study), code="0x0000")
    assert found.detail == "1 matches"


def test_a_clinic_in_twenty_lines(installation: Installation, tmp_path: Path, image: Instance) -> None:
    """Somebody's own program of some twenty lines makes a clinic that takes images; its Pulumi.yaml says where the provider is."""
    mine = project("twenty_lines", installation, tmp_path, activated=False)
    assert len((mine.folder / "__main__.py").read_text(encoding="utf-8").splitlines()) <= 22
    (mine.folder / ".venv").symlink_to(installation.virtualenv)
    with deployed(mine):
        holds(seen(mine.outputs(), tmp_path / "seen"), image)
        assert "unchanged" in mine.pulumi("preview", "--expect-no-changes")


def test_ones_own_authority(installation: Installation, tmp_path: Path, image: Instance) -> None:
    """The README's authority signs server and peers; its key is in the encrypted state alone; the provider is found on PATH."""
    mine = project("own_ca_postgresql", installation, tmp_path)
    for block in re.findall(r"^```sh\n(.*?)^```", (mine.folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        told = "\n".join(line for line in block.splitlines() if line not in {"pulumi stack init trial", "pulumi up"})
        run(["sh", "-euc", told], mine.environment, 60, cwd=mine.folder)
    certificate, key = ((mine.folder / name).read_text(encoding="ascii") for name in ("authority.pem", "authority.key"))
    with deployed(mine):
        outputs = mine.outputs()
        pacs = seen(outputs, tmp_path / "seen")
        holds(pacs, image)
        assert pacs.target.ca == certificate
        assert set(pacs.target.inside) == {"gateway", "archive", "database"}
        authority = x509.load_pem_x509_certificate(certificate.encode())
        for files in outputs["bundles"].values():
            x509.load_pem_x509_certificate(files["cert.pem"].encode()).verify_directly_issued_by(authority)
        body = key.splitlines()[1]
        assert body not in mine.pulumi("stack", "export")
        assert body in mine.pulumi("stack", "export", "--show-secrets")
        for container in docker("ps", "-aq", "--filter", f"label=securepacs.stack={mine}").split():
            assert body not in docker("inspect", container)


def test_five_clinics_from_one_table(installation: Installation, tmp_path: Path, image: Instance, claim: Claim) -> None:
    """Five stacks come up in parallel from one table; each takes its own peers' images, and no other clinic's certificate."""
    place = tmp_path / "five"
    shutil.copytree(EXAMPLES / "five_clinics", place)
    with (place / "clinics.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 5
    environment = installation.environment(tmp_path / "home", activated=False)
    owners = [f"five-clinics/{row['name']}" for row in rows]
    command = [str(installation.python), "clinics.py"]
    try:
        told = run([*command, "up"], environment, 500, cwd=place)
        assert len(told.splitlines()) == len(rows)
        clinics = [seen(_outputs(row["name"], environment, tmp_path), tmp_path / row["name"]) for row in rows]
        for row, pacs in zip(rows, clinics, strict=True):
            accepts(dimse.echo(pacs.caller(row["modalities"].split()[0])), code="0x0000")
        holds(clinics[0], image)
        for here, there in zip(clinics, clinics[1:] + clinics[:1], strict=True):
            peer = next(iter(here.target.peers))
            intruder = dataclasses.replace(here.caller(peer), line=here.line(there.bundles.material("WS01")))
            claim(dimse.echo(here.caller(peer))).tries([(dimse.echo(intruder), at(Layer.TLS))])[0].require()
        run([*command, "down"], environment, 300, cwd=place)
        assert [docker("ps", "-aq", "--filter", f"label=securepacs.stack={owner}") for owner in owners] == [""] * len(rows)
    finally:
        for owner in owners:
            remove_owned(owner)


def _outputs(stack: str, environment: dict[str, str], folder: Path) -> dict[str, Any]:
    words = ["pulumi", "stack", "output", "--json", "--show-secrets", "--stack", f"organization/five-clinics/{stack}"]
    told: dict[str, Any] = json.loads(run(words, environment, 60, cwd=folder))
    return told
