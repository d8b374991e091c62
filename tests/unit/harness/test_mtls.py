"""The checks of client certificates, against a PACS that speaks this or that version of TLS."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from securepacs_harness.bundles import Bundles
from securepacs_harness.checks import test_mtls as checks
from securepacs_harness.probes.sink import server_context
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record
from securepacs_harness.results import Status
from securepacs_harness.target import parse_target
from unit.harness.standin import Clinic, start_archive

Change = Callable[[ssl.SSLContext], None]


@contextmanager
def served(clinic: Clinic, change: Change) -> Iterator[Pacs]:
    """Serve with the clinic's own certificate and another context, and declare it."""
    context = server_context(clinic.bundles.material("localhost"))
    change(context)
    server = start_archive(set(), context)
    dicom = {"host": "127.0.0.1", "port": server.server_address[1], "ae_title": "ARCHIVE"}
    peers = {"CT01": {"verbs": ["echo"]}, "WS01": {"verbs": ["echo"]}}
    yield Pacs(parse_target({"version": 1, "name": "x", "dicom": dicom, "ca": clinic.ca, "peers": peers}), clinic.bundles)
    server.shutdown()


def only_1_2(context: ssl.SSLContext) -> None:
    """Speak TLS 1.2 and no other."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def no_certificates(context: ssl.SSLContext) -> None:
    """Ask for no certificate at all."""
    context.verify_mode = ssl.CERT_NONE


def neither(context: ssl.SSLContext) -> None:
    """Have no suite in common with anybody: its one suite is for RSA keys, and its key is EC."""
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    context.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("change", "status"),
    [(lambda _: None, Status.PASSED), (only_1_2, Status.PASSED), (no_certificates, Status.FOUND), (neither, Status.INCONCLUSIVE)],
    ids=["mutual TLS", "TLS 1.2 only", "no certificate asked for", "nobody is served"],
)
def test_a_version_that_nobody_speaks_refuses_nobody(clinic: Clinic, change: Change, status: Status) -> None:
    """What is refused in a version in which an authorised peer is refused too shows nothing, and is not counted."""
    record = Record("mtls.anonymous")
    with served(clinic, change) as pacs:
        checks.test_a_client_without_a_certificate_is_refused(pacs, pacs.stranger, record.bracket, record)
    assert record.status is status, record.reason
    refused = {case.what.rpartition(" in ")[2] for case in record.cases if case.claim == "refused"}
    spoken: dict[Change, set[str]] = {only_1_2: {"TLS 1.2"}, neither: set()}
    assert refused == spoken.get(change, set(checks.VERSIONS))


def test_a_good_certificate_among_the_unfit_is_found(clinic: Clinic, tmp_path: Path) -> None:
    """What opens an association in place of an expired or a revoked certificate is a finding in each version."""
    for kind in ("expired", "revoked"):
        shutil.copytree(clinic.bundles.folder / "WS01", tmp_path / f"_{kind}" / "WS01")
    shutil.copytree(clinic.bundles.folder / "CT01", tmp_path / "CT01")
    bundles = Bundles(tmp_path)
    with served(clinic, lambda _: None) as pacs:
        held = Pacs(pacs.target, bundles)
        unfit, revoked = Record("mtls.unfit"), Record("mtls.revoked")
        checks.test_an_unfit_certificate_is_refused(held, held.caller("CT01"), unfit)
        checks.test_a_revoked_certificate_is_refused(held, held.caller("CT01"), revoked)
    found = [case.what for record in (unfit, revoked) for case in record.cases if case.status is Status.FOUND]
    assert found == [f"WS01's {kind} certificate in {version}" for kind in ("expired", "revoked") for version in checks.VERSIONS]
