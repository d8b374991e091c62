"""Unusual clinics: what is rendered for them is accepted by the very HAProxy and Orthanc that would read it."""

from __future__ import annotations

import datetime
import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deployed.deployment import docker
from securepacs import component
from securepacs.archive import ORTHANC_FLOOR, archive_files, authorization
from securepacs.clinic import Clinic, Images, parse_clinic
from securepacs.gateway import GatewaySecrets, gateway_files
from securepacs.machines import token_hash
from securepacs.provider import pki
from securepacs_harness.reach import Pacs

WAIVER = {"reason": "its firmware knows no TLS", "until": "2099-12-31", "source": "192.0.2.7", "port": 11113}

#: AE titles that PS3.5 allows and that a careless template would break on.
ODD_TITLES = ["A B", "it's", '"quoted"', "$(id)", "${HOME}", "%[src]", "#9", "A;B&C|D", "a-b_c.d", "~`!@^*()+={}", "<>?,:[]"]

CLINICS: dict[str, dict[str, Any]] = {
    "nobody": {},
    "odd titles": {
        "peers": [{"ae_title": title, "verbs": ["echo", "move"], "address": f"10.0.0.{n}:104"} for n, title in enumerate(ODD_TITLES)]
    },
    "sixty peers": {"peers": [{"ae_title": f"CT{n:02}", "verbs": ["store"], "address": f"ct{n}.example:104"} for n in range(60)]},
    "addresses of IPv6": {
        "dicom": {"port": 2762, "addresses": ["::1"]},
        "https": {"port": 8443, "addresses": ["::1", "127.0.0.1"]},
        "peers": [
            {"ae_title": "CT01", "verbs": ["commit"], "address": "[2001:db8::7]:104"},
            {"ae_title": "XR01", "plaintext": {**WAIVER, "source": "2001:db8::8"}},
        ],
    },
    "an odd title without TLS": {"peers": [{"ae_title": "it's $(id)", "verbs": ["echo"], "plaintext": WAIVER}]},
    "people only": {"people": [{"name": "a.b-c_d", "role": "viewer"}, {"name": "z", "role": "admin"}]},
    "machines only": {
        "machines": [
            {"name": "a.b-c_d", "role": "viewer", "until": "2020-01-01"},
            {"name": "z", "role": "admin", "until": "9999-12-31", "routes": ["stow"], "sources": ["192.0.2.0/24", "2001:db8::8", "::/1"]},
        ]
    },
}


def clinic(extra: Mapping[str, Any]) -> Clinic:
    """Give a clinic with an odd called AE title and the given parts."""
    return parse_clinic({"name": "config-test", "archive": {"ae_title": "IT'S $(ME)"}, **extra})


def secrets_for(declared: Clinic) -> GatewaySecrets:
    """Make a throwaway authority and what hangs on it."""
    now = datetime.datetime.now(datetime.UTC)
    later = now + datetime.timedelta(days=1)
    authority = pki.make_authority("config-test CA", None, "ecdsa-p256", 1, now)
    key = pki.KEY_TYPES["ecdsa-p256"]()
    pem = pki.pem(pki.issue(authority, pki.Subject("localhost", usages=("server",)), key.public_key(), later, now)) + pki.key_pem(key)
    crl = pki.pem(pki.make_revocation_list(authority, [], 1, later, now))
    hashes = {person.name: "$6$rounds=5000$abcdefgh$x" for person in declared.people}
    tokens = {machine.name: token_hash(machine.name) for machine in declared.machines}
    login = authorization("throwaway")
    return GatewaySecrets(pki.pem(authority.certificate), ["config-test CA"], pem, pem, crl, hashes, tokens, login, {})


def run_with_files(image: str, folder: str, files: Mapping[str, str], command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in an image with files laid into it before it starts, without a network."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{folder.lstrip('/')}/{name}")
            entry.size, entry.mode = len(text.encode()), 0o444
            archive.addfile(entry, io.BytesIO(text.encode()))
    names = ["--network", "none", "--add-host", "gateway-inner:127.0.0.1"]
    container = docker("create", *names, "--entrypoint", command[0], image, *command[1:]).strip()
    try:
        subprocess.run(["docker", "cp", "-", f"{container}:/"], input=buffer.getvalue(), check=True, timeout=60, capture_output=True)
        return subprocess.run(["docker", "start", "-a", container], capture_output=True, text=True, timeout=60, check=False)
    finally:
        docker("rm", "-f", container)


def image_of(pacs: Pacs, part: str) -> str:
    """Give the image that the deployed part runs."""
    return docker("inspect", "-f", "{{.Image}}", pacs.target.inside[part].removeprefix("docker://")).strip()


def checked_by_haproxy(pacs: Pacs, files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Let HAProxy check a configuration."""
    return run_with_files(image_of(pacs, "gateway"), "/etc/gateway", files, ["/usr/sbin/haproxy", "-c", "-f", "/etc/gateway/haproxy.cfg"])


@pytest.mark.parametrize("kind", CLINICS)
def test_haproxy_takes_what_is_rendered(pacs: Pacs, kind: str) -> None:
    """HAProxy's own check accepts the configuration without a warning."""
    declared = clinic(CLINICS[kind])
    answer = checked_by_haproxy(pacs, gateway_files(declared, secrets_for(declared)))
    told = answer.stdout + answer.stderr
    assert answer.returncode == 0, told
    assert "[WARNING]" not in told


def test_haproxys_check_finds_a_broken_configuration(pacs: Pacs) -> None:
    """The check above can fail: one wrong word is found."""
    declared = clinic({})
    files = gateway_files(declared, secrets_for(declared))
    broken = {**files, "haproxy.cfg": files["haproxy.cfg"].replace("verify required", "verify requird", 1)}
    answer = run_with_files(
        image_of(pacs, "gateway"), "/etc/gateway", broken, ["/usr/sbin/haproxy", "-c", "-f", "/etc/gateway/haproxy.cfg"]
    )
    assert answer.returncode != 0


def orthanc(pacs: Pacs, files: Mapping[str, str]) -> str:
    """Let Orthanc start with a configuration for three seconds, and give its log."""
    command = ["/bin/bash", "-c", "Orthanc /etc/archive & sleep 3; kill %1; wait %1"]
    answer = run_with_files(image_of(pacs, "archive"), "/etc/archive", files, command)
    return answer.stdout + answer.stderr


@pytest.mark.parametrize("kind", ["nobody", "odd titles"])
def test_orthanc_takes_what_is_rendered(pacs: Pacs, kind: str) -> None:
    """Orthanc, with its guard, starts with the configuration."""
    assert "Orthanc has started" in orthanc(pacs, archive_files(clinic(CLINICS[kind]), "throwaway"))


def test_orthanc_does_not_start_with_an_unknown_key(pacs: Pacs) -> None:
    """A misspelt key, which Orthanc alone would ignore in silence, stops the archive by its guard."""
    files = archive_files(clinic({}), "throwaway")
    misspelt = files["orthanc.json"].replace('"StrictAetComparison"', '"StrictAetComparision"')
    log = orthanc(pacs, {**files, "orthanc.json": misspelt})
    assert "does not know the configuration keys StrictAetComparision" in log
    assert "Orthanc has started" not in log


def build_archive(floor: str) -> subprocess.CompletedProcess[str]:
    """Build the archive's image with a floor for Orthanc's version."""
    context = Path(component.__file__).parent / "images" / "archive"
    arguments = ["--force-rm", "--network", "host", "--build-arg", f"BASE={Images().base}", "--build-arg", f"ORTHANC_FLOOR={floor}"]
    command = ["docker", "build", *arguments, "-t", "securepacs-test-floor", str(context)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_an_orthanc_below_the_floor_is_not_built() -> None:
    """The image's build fails and says why where Debian's Orthanc is older than the floor; at the real floor it succeeds."""
    try:
        assert build_archive(ORTHANC_FLOOR).returncode == 0
        refused = build_archive("99.0")
        assert refused.returncode != 0
        assert "is below the floor 99.0" in refused.stdout + refused.stderr
    finally:
        docker("rmi", "securepacs-test-floor", check=False)
