from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from securepacs_harness import forge
from securepacs_harness.bracket import accepts, bracket
from securepacs_harness.bundles import Bundles, write_bundle
from securepacs_harness.errors import BundleError
from securepacs_harness.observation import Layer
from securepacs_harness.probes import association, dimse
from unit.harness.standin import Clinic

ALERTS = {
    "self-signed": {"unknown_ca"},
    "foreign authority": {"unknown_ca"},
    "authority of the same name": {"unknown_ca", "decrypt_error", "bad_certificate"},
    "wrong key": {"decrypt_error"},
    "signed by a peer": {"unknown_ca", "bad_certificate"},
    "corrupted": {"decrypt_error", "bad_certificate", "unknown_ca"},
    "expired": {"certificate_expired"},
    "not_yet_valid": {"bad_certificate"},
    "server_only": {"unsupported_certificate"},
}


def test_every_forgery_has_its_alert() -> None:
    """The table of alerts above is complete."""
    assert set(ALERTS) == {*forge.FORGERIES, *forge.ISSUED}


@pytest.mark.parametrize("kind", ALERTS)
def test_a_forged_certificate_is_offered_and_refused_by_alert(clinic: Clinic, tmp_path: Path, kind: str) -> None:
    """Each forgery reaches the server, which names it in a TLS alert, by both clients."""
    real = clinic.bundles.material("CT01")
    forged = (
        forge.FORGERIES[kind](tmp_path, "CT01", real) if kind in forge.FORGERIES else forge.issue(kind, tmp_path, "CT01", clinic.authority)
    )
    claim = bracket(dimse.echo(clinic.caller()))
    claim.refuses(dimse.echo(clinic.caller(material=forged)), layer=Layer.TLS, code=ALERTS[kind]).require()
    raw = association.echo("by hand", clinic.caller(material=forged).line, "ARCHIVE", "CT01")
    claim.refuses(raw, layer=Layer.TLS, code=ALERTS[kind]).require()


def test_what_the_authority_signs_without_a_fault_is_accepted(clinic: Clinic, tmp_path: Path) -> None:
    """A certificate made by the same function, only in date and for clients, is good: so the faults are what is refused."""
    key = forge._new_key()
    cert = forge._pem(forge.certify("CT01", key, clinic.authority))
    good = write_bundle(tmp_path, "CT01", cert=cert, key=forge.pem_of(key), ca=clinic.ca)
    accepts(dimse.echo(clinic.caller(material=good)))


def test_a_bundle_is_read_by_peer_and_kind(tmp_path: Path, clinic: Clinic) -> None:
    """Bundles lie in PEER and _KIND/PEER; a missing part is named; a key that others can read is refused."""
    forge.issue("expired", tmp_path, "CT01", clinic.authority)
    bundles = Bundles(tmp_path)
    assert bundles.has("CT01", "expired")
    assert not bundles.has("CT01")
    material = bundles.material("CT01", "expired")
    assert stat.S_IMODE(material.key.stat().st_mode) == 0o600
    with pytest.raises(BundleError, match=r"cert\.pem: is missing"):
        bundles.material("CT01")
    material.key.chmod(0o644)
    with pytest.raises(BundleError, match="expected 0600"):
        bundles.material("CT01", "expired")


def test_an_anonymous_client_is_refused_in_both_versions(clinic: Clinic) -> None:
    """Without a certificate TLS 1.3 answers after its handshake, TLS 1.2 within it: both are a refusal at TLS."""
    line = clinic.caller().line.with_offer(material=None)
    claim = bracket(dimse.echo(clinic.caller()))
    for version in ("TLS 1.2", "TLS 1.3"):
        attempt = association.echo(f"anonymous {version}", line.with_offer(lowest=version, highest=version), "ARCHIVE", "CT01")
        claim.refuses(attempt, layer=Layer.TLS, code={"certificate_required", "handshake_failure"}).require()


def test_a_name_of_the_servers_that_is_not_its_own_proves_nothing(clinic: Clinic) -> None:
    """When the client itself does not trust the server the attempt is inconclusive."""
    caller = clinic.caller()
    wrong = dataclasses.replace(caller, line=caller.line.with_offer(server_name="elsewhere"))
    refusal = bracket(dimse.echo(caller)).refuses(association.echo("x", wrong.line, "ARCHIVE", "CT01"), layer=Layer.TLS)
    assert refusal.verdict == "inconclusive"
    assert refusal.seen.code == "server-not-trusted"
