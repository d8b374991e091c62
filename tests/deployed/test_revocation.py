"""A revoked certificate opens nothing any more: not anew, not by a resumed session; the same peer's next certificate does."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
from collections.abc import Callable

import pytest
from cryptography import x509

from deployed.deployment import REVOKED_PEER, OwnKeys, Stack, write_configuration
from securepacs_harness.bracket import Bracket, accepts, at
from securepacs_harness.bundles import Material
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse
from securepacs_harness.probes.association import Taken
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

VERSIONS = ("TLS 1.2", "TLS 1.3")
REVOKED = at(Layer.TLS, "certificate_revoked")


@dataclasses.dataclass(frozen=True)
class Revoked:
    """The old bundle, sessions made with it while it was good, and how long the revocation took."""

    material: Material
    sessions: dict[str, Taken]
    seconds: float


@pytest.fixture(scope="module")
def revoked(pacs: Pacs, stack: Stack, own_keys: OwnKeys) -> Revoked:
    """Revoke a certificate as a clinic does: its serial number in the configuration, and `up`."""
    good = pacs.bundles.material(REVOKED_PEER)
    old = pacs.bundles.folder / "_revoked" / REVOKED_PEER
    shutil.copytree(good.cert.parent, old, dirs_exist_ok=True)
    caller = pacs.caller(REVOKED_PEER)
    accepts(dimse.echo(caller), code="0x0000")
    sessions = {
        version: association.take_session(caller.line.with_offer(lowest=version, highest=version), caller.called, REVOKED_PEER)
        for version in VERSIONS
    }
    serial = f"{x509.load_pem_x509_certificate(good.cert.read_bytes()).serial_number:x}"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    entry = {"serial": serial, "date": today, "reason": "keyCompromise"}
    write_configuration(stack.config, own_keys, {"revoked": [entry]})
    seconds = stack.up()
    stack.securepacs("bundle", REVOKED_PEER, "--out", str(pacs.bundles.folder))
    return Revoked(pacs.bundles.material(REVOKED_PEER, "revoked"), sessions, seconds)


def _old(pacs: Pacs, revoked: Revoked) -> Caller:
    return pacs.caller(REVOKED_PEER, material=revoked.material)


def test_the_revoked_certificate_is_refused(pacs: Pacs, claim: Claim, revoked: Revoked, image: Instance) -> None:
    """The old certificate is refused by its own alert in both versions, between two successes of the same peer's new one."""
    caller = _old(pacs, revoked)
    cases = [(dimse.echo(caller), REVOKED), (dimse.store(caller, image), REVOKED)]
    for version in VERSIONS:
        line = caller.line.with_offer(lowest=version, highest=version)
        cases.append((association.echo(f"revoked in {version}", line, caller.called, REVOKED_PEER), REVOKED))
    claim(dimse.echo(pacs.caller(REVOKED_PEER))).refuses_all(cases)


def test_the_second_client_is_refused_with_it(pacs: Pacs, claim: Claim, revoked: Revoked, image: Instance, dcmtk: Dcmtk) -> None:
    """DCMTK with the old certificate gets no association; with the new one it does."""
    attempt = dcmtk.attempt("echo", _old(pacs, revoked), image)
    claim(dcmtk.attempt("echo", pacs.caller(REVOKED_PEER), image)).refuses(attempt, layer={Layer.TLS, Layer.ASSOCIATION}).require()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_from_before_does_not_open_it_again(pacs: Pacs, claim: Claim, revoked: Revoked, version: str) -> None:
    """A TLS session that was made before the revocation, offered again after it, is refused."""
    taken = revoked.sessions[version]
    attempt = association.resume(f"a resumed session in {version}", taken, pacs.target.dicom.ae_title, REVOKED_PEER)
    claim(dimse.echo(pacs.caller(REVOKED_PEER))).tries([(attempt, REVOKED)])[0].require()


def test_a_revocation_takes_effect_soon(pacs: Pacs, revoked: Revoked) -> None:
    """The `up` that revokes replaces nothing, so it is over in half a minute, and others are served after it as before."""
    assert revoked.seconds < 30
    for name in ("CT01", "CS01", "OW01"):
        accepts(dimse.echo(pacs.caller(name)), code="0x0000")
