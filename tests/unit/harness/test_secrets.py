from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from securepacs_harness import canary
from securepacs_harness.bundles import write_bundle
from securepacs_harness.session import Given, Verification
from unit.harness.standin import Clinic, free_port

#: Of which vera's is her own, and the other's stands in a product's documentation.
WORDS = {"vera": "fuenf-und-zwanzig", "olaf": "orthanc"}


@pytest.fixture
def verification(tmp_path: Path, clinic: Clinic) -> Iterator[Verification]:
    """A run that has begun; its own folder goes with it."""
    made = begun(tmp_path, clinic)
    yield made
    shutil.rmtree(made.folder)


def begun(folder: Path, clinic: Clinic) -> Verification:
    """Begin a run against a port where nobody listens, with two people's passwords and a bundle."""
    https = {
        "base_url": f"https://127.0.0.1:{free_port()}",
        "users": {user: {"role": "viewer"} for user in WORDS},
        "roles": {"viewer": []},
    }
    dicom = {"host": "127.0.0.1", "port": free_port(), "ae_title": "ARCHIVE"}
    declared = {"version": 1, "name": "x", "ca": clinic.ca, "dicom": dicom, "https": https, "peers": {"CT01": {"verbs": ["store"]}}}
    target, passwords = folder / "target.json", folder / "passwords.json"
    target.write_text(json.dumps(declared), encoding="utf-8")
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps(WORDS), encoding="utf-8")
    material = clinic.bundles.material("CT01")
    write_bundle(folder / "bundles" / "CT01", "CT01", cert=material.cert.read_text(), key=material.key.read_text(), ca=clinic.ca)
    return Verification(Given(target, passwords=passwords))


def test_a_run_knows_what_must_stand_in_no_evidence(verification: Verification, clinic: Clinic) -> None:
    """Passwords, logins as they are sent and every line of every key are secrets; the synthetic patient has a name and UIDs."""
    image = verification.canaries.new()
    secrets = verification.secrets()
    lines = [line for line in clinic.bundles.material("CT01").key.read_text().splitlines() if not line.startswith("-----")]
    login = base64.b64encode(f"vera:{WORDS['vera']}".encode()).decode()
    assert {WORDS["vera"], login, *lines} <= set(secrets)
    told = {canary.PATIENT_NAME, "CANARY SYNTHETIC", image.study, image.series, image.sop_instance}
    assert told == set(verification.patients())
    assert not told & set(secrets)


def test_a_published_password_is_no_secret(verification: Verification) -> None:
    """The password that a product ships with is not taken out of the report: the product's name would go with it."""
    secrets = verification.secrets()
    assert WORDS["olaf"] not in secrets
    assert base64.b64encode(b"olaf:orthanc").decode() not in secrets
