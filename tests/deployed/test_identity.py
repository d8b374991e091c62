"""Who is let in: a certificate of the clinic's with the AE title that it was made for, over a modern TLS, and nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securepacs_harness import forge
from securepacs_harness.bracket import Bracket, Expected, accepts, at
from securepacs_harness.canary import Instance
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import association, dimse, http, pdu, tls
from securepacs_harness.probes.dcmtk import Dcmtk
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs

Claim = Callable[[Attempt], Bracket]

#: kind -> alerts that name it (RFC 8446 section 6.2). OpenSSL tells a certificate before its time as "bad".
ALERTS = {
    "self-signed": {"unknown_ca"},
    "foreign authority": {"unknown_ca"},
    "authority of the same name": {"unknown_ca", "bad_certificate", "decrypt_error"},
    "wrong key": {"decrypt_error"},
    "signed by a peer": {"unknown_ca", "bad_certificate"},
    "corrupted": {"decrypt_error", "bad_certificate"},
    "expired": {"certificate_expired"},
    "not_yet_valid": {"bad_certificate", "certificate_expired"},
    "server_only": {"unsupported_certificate", "bad_certificate"},
}

CALLING = at(Layer.ASSOCIATION, "1/1/3")
ENDED = at({Layer.HTTP, Layer.ASSOCIATION}, {"not-dicom", "closed", "reset"})
CALLED = at(Layer.ASSOCIATION, "1/1/7")

#: AE titles that are not CT01's, as the 16 bytes of the field or shorter.
NOT_CT01: tuple[bytes, ...] = (
    b"WS01",
    b"ct01",
    b"Ct01",
    b" CT01",
    b"CT01\0WS01",
    b"WS01\0CT01",
    b"CT01\0",
    b"CT01" + bytes(12),
    b"CT01 WS01",
    b"CT01X",
    b"CT0",
    b"CT01\xa0",
    b"CT01\t",
    b"CT01\n",
    b"",
    bytes(16),
    b"*",
    b"CT01*",
    b"DEPTEST",
    b"\xff" * 16,
)
NOT_THE_ARCHIVE: tuple[bytes, ...] = (b"ORTHANC", b"ANY-SCP", b"deptest", b" DEPTEST", b"DEPTEST\0", b"DEPTEST\0X", b"", bytes(16), b"*")


def material_of(pacs: Pacs, folder: Path, kind: str) -> tls.Offer:
    """Give what to offer for a kind of forgery."""
    real = pacs.bundles.material("CT01")
    if kind in forge.ISSUED:
        return pacs.offer(pacs.bundles.material("CT01", kind))
    return pacs.offer(forge.FORGERIES[kind](folder, "CT01", real))


def test_every_kind_of_forgery_has_its_alert() -> None:
    """The table of alerts leaves no kind of forgery out."""
    assert set(ALERTS) == {*forge.FORGERIES, *forge.ISSUED}


@pytest.mark.parametrize("kind", sorted(ALERTS))
def test_a_certificate_that_is_not_the_clinics_is_refused(pacs: Pacs, claim: Claim, tmp_path: Path, kind: str) -> None:
    """A forged or unfit certificate with the right name is refused by a TLS alert, in TLS 1.2 and 1.3, by two ways of calling."""
    offer = material_of(pacs, tmp_path, kind)
    caller = pacs.caller("CT01")
    forged = dataclasses.replace(caller, line=dataclasses.replace(caller.line, offer=offer))
    attempts = [dimse.echo(forged)]
    for version in ("TLS 1.2", "TLS 1.3"):
        line = forged.line.with_offer(lowest=version, highest=version)
        attempts.append(association.echo(f"{kind} in {version}", line, caller.called, "CT01"))
    claim(dimse.echo(caller)).refuses_all((attempt, at(Layer.TLS, ALERTS[kind])) for attempt in attempts)


@pytest.mark.parametrize("version", ["TLS 1.2", "TLS 1.3"])
def test_a_client_without_a_certificate_is_refused(pacs: Pacs, claim: Claim, version: str) -> None:
    """An anonymous client is refused by a TLS alert, though TLS 1.3 tells it only after the handshake."""
    line = pacs.line(None).with_offer(lowest=version, highest=version)
    attempt = association.echo(f"anonymous in {version}", line, pacs.target.dicom.ae_title, "CT01")
    claim(dimse.echo(pacs.caller("CT01"))).refuses(attempt, layer=Layer.TLS, code={"certificate_required", "handshake_failure"}).require()


def test_the_second_client_sees_the_same(pacs: Pacs, claim: Claim, dcmtk: Dcmtk, stored: Instance) -> None:
    """DCMTK is refused with forged material as pynetdicom is; it tells the alert as a lost connection."""
    caller = pacs.caller("CT01")
    lost = at({Layer.TLS, Layer.ASSOCIATION})
    cases: list[tuple[Attempt, Expected]] = []
    for kind in sorted(set(ALERTS) - {"wrong key"}):  # DCMTK itself refuses a key that is not the certificate's
        offer = material_of(pacs, pacs.bundles.folder / "_forged" / kind, kind)
        forged = dataclasses.replace(caller, line=dataclasses.replace(caller.line, offer=offer))
        cases += [(dcmtk.attempt(verb, forged, stored), lost) for verb in ("echo", "store")]
    anonymous = dataclasses.replace(caller, line=pacs.line(None))
    cases.append((dcmtk.attempt("echo", anonymous, stored), lost))
    cases.append((dcmtk.attempt("echo", pacs.caller("CT01", calling="WS01"), stored), CALLING))
    claim(dcmtk.attempt("echo", caller, stored)).refuses_all(cases, workers=2)


def test_an_ae_title_belongs_to_its_certificate(pacs: Pacs, claim: Claim) -> None:
    """CT01's certificate opens nothing for any other AE title: case, padding, NUL and wildcards included."""
    line = pacs.caller("CT01").line
    called = pacs.target.dicom.ae_title
    cases = [(association.echo(f"CT01's certificate as {title!r}", line, called, title), CALLING) for title in NOT_CT01]
    cases += [
        (association.echo(f"CT01's certificate as {name}", line, called, name), CALLING) for name in pacs.target.peers if name != "CT01"
    ]
    claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases)


def test_a_name_in_the_request_is_not_an_identity(pacs: Pacs, claim: Claim) -> None:
    """User identity negotiation (PS3.7 section D.3.3.7), with any name, does not help a false AE title."""
    name = b"WS01"
    item = bytes.fromhex("58") + b"\0" + (len(name) + 6).to_bytes(2, "big") + b"\x01\x01" + len(name).to_bytes(2, "big") + name + b"\0\0"
    line, called = pacs.caller("CT01").line, pacs.target.dicom.ae_title
    false = association.associate("WS01 with a user identity", line, pdu.associate_rq(called, "WS01", extra_items=item))
    claim(dimse.echo(pacs.caller("CT01"))).tries([(false, CALLING)])[0].require()
    accepts(association.associate("CT01 with a user identity", line, pdu.associate_rq(called, "CT01", extra_items=item)))


def test_every_other_peers_certificate_is_not_ct01(pacs: Pacs, claim: Claim) -> None:
    """No peer's certificate speaks for CT01."""
    others = [name for name, peer in pacs.target.peers.items() if name != "CT01" and not peer.plaintext]
    cases = [
        (association.echo(f"{name}'s certificate as CT01", pacs.caller(name).line, pacs.target.dicom.ae_title, "CT01"), CALLING)
        for name in others
    ]
    claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases)


def test_the_archive_answers_to_its_own_title_only(pacs: Pacs, claim: Claim) -> None:
    """A called AE title that is not the archive's, byte for byte, is refused with its own reason."""
    line = pacs.caller("CT01").line
    cases = [(association.echo(f"called {title!r}", line, title, "CT01"), CALLED) for title in NOT_THE_ARCHIVE]
    claim(dimse.echo(pacs.caller("CT01"))).refuses_all(cases)


def _signed_by(pacs: Pacs, folder: Path, signer: str, name: str) -> tls.Offer:
    return pacs.offer(forge.peer_signed(folder, name, pacs.bundles.material(signer)))


@pytest.mark.parametrize("name", ["CT01", "OW01", "WS01"])
def test_a_pinned_certificate_vouches_for_nobody(pacs: Pacs, claim: Claim, tmp_path: Path, name: str) -> None:
    """A peer whose own certificate is trusted cannot sign another's, nor can a stranger make one with its name."""
    called = pacs.target.dicom.ae_title
    signed = dataclasses.replace(pacs.line(None), offer=_signed_by(pacs, tmp_path / "signed", "OW01", name))
    self_signed = forge.FORGERIES["self-signed"](tmp_path / "self", name, pacs.bundles.material("CT01"))
    cases = [
        (association.echo(f"{name} signed by OW01", signed, called, name), at(Layer.TLS)),
        (association.echo(f"{name} signed by itself", pacs.line(self_signed), called, name), at(Layer.TLS)),
    ]
    claim(dimse.echo(pacs.caller("OW01"))).refuses_all(cases)


@pytest.mark.parametrize("name", ["CT01", "WS01", "SC01", "RV01", "CS01", "OW01"])
def test_a_peer_with_its_own_certificate_is_let_in(pacs: Pacs, name: str) -> None:
    """Peers with a key of the clinic's making, with a CSR, and with a certificate of their own are served."""
    accepts(dimse.echo(pacs.caller(name)), code="0x0000")


def _without_tls(line: Line) -> Line:
    return dataclasses.replace(line, offer=None)


def test_plaintext_finds_no_ear(pacs: Pacs, claim: Claim) -> None:
    """An association without TLS is refused on the DICOM port and on the HTTPS port; so is plain HTTP on both."""
    caller = pacs.caller("CT01")
    plain = _without_tls(caller.line)
    ended = at({Layer.TLS, Layer.ASSOCIATION, Layer.HTTP}, {"closed", "reset", "alert-record", "not-dicom", "not-http", "400"})
    cases = [
        (association.echo("plaintext DICOM on the DICOM port", plain, caller.called, "CT01"), ended),
        (association.echo("plaintext DICOM on the HTTPS port", _without_tls(pacs.web), caller.called, "CT01"), ended),
        (http.ask("plain HTTP on the DICOM port", plain, http.Request("GET", "/")), ended),
        (http.ask("plain HTTP on the HTTPS port", _without_tls(pacs.web), http.Request("GET", "/system")), ended),
    ]
    claim(dimse.echo(caller)).refuses_all(cases)


def test_each_port_speaks_its_own_protocol(pacs: Pacs, claim: Claim) -> None:
    """HTTP over the DICOM listener's TLS, and DICOM over the HTTPS listener's, end without an answer of the archive's."""
    caller = pacs.caller("CT01")
    web = dataclasses.replace(pacs.web, offer=caller.line.offer)
    cases = [
        (http.ask("HTTPS on the DICOM port", caller.line, http.Request("GET", "/system")), ENDED),
        (
            association.echo("DICOM on the HTTPS port", web, caller.called, "CT01"),
            at({Layer.HTTP, Layer.ASSOCIATION}, {"not-dicom", "closed"}),
        ),
    ]
    claim(dimse.echo(caller)).refuses_all(cases)


def _weak(line: Line) -> Iterator[tuple[str, Line]]:
    for version in ("TLS 1.0", "TLS 1.1"):
        yield version, line.with_offer(lowest=version, highest=version)
    for suite in tls.WEAK_SUITES:
        yield suite, line.with_offer(lowest="TLS 1.2", highest="TLS 1.2", suites=suite)


REFUSED_OFFERS = {"protocol_version", "handshake_failure", "insufficient_security", "closed"}


def test_old_and_weak_tls_is_refused_on_the_dicom_port(pacs: Pacs, claim: Claim) -> None:
    """TLS 1.0, 1.1 and every suite outside BCP 195 are refused, with a good certificate (PS3.15 annex B.12)."""
    caller = pacs.caller("CT01")
    cases = [(association.echo(what, line, caller.called, "CT01"), at(Layer.TLS, REFUSED_OFFERS)) for what, line in _weak(caller.line)]
    claim(dimse.echo(caller)).refuses_all(cases)


def test_old_and_weak_tls_is_refused_on_the_https_port(pacs: Pacs, claim: Claim) -> None:
    """The same offers are refused by the HTTPS listener."""
    request = http.Request("GET", "/dicom-web/studies", pacs.login("vera"))
    cases = [(http.ask(what, line, request), at(Layer.TLS, REFUSED_OFFERS)) for what, line in _weak(pacs.web)]
    claim(http.ask("control", pacs.web, request)).refuses_all(cases)


def _takes(attempt: Attempt) -> bool:
    try:
        accepts(attempt)
    except AssertionError:
        return False
    return True


def test_some_strong_suite_of_each_version_is_taken(pacs: Pacs) -> None:
    """TLS 1.3 works, and TLS 1.2 with at least one of the four recommended suites: the listener is not merely deaf."""
    caller = pacs.caller("CT01")
    accepts(association.echo("TLS 1.3", caller.line.with_offer(lowest="TLS 1.3"), caller.called, "CT01"))
    taken = [
        suite
        for suite in tls.STRONG_SUITES
        if _takes(association.echo(suite, caller.line.with_offer(highest="TLS 1.2", suites=suite), caller.called, "CT01"))
    ]
    assert taken


@pytest.mark.parametrize("version", ["TLS 1.2", "TLS 1.3"])
def test_a_session_is_not_resumed(pacs: Pacs, version: str) -> None:
    """The listener gives no session to resume: a resumed one would not be held against a new revocation list."""
    caller = pacs.caller("CT01")
    line = caller.line.with_offer(lowest=version, highest=version)
    taken = association.take_session(line, caller.called, "CT01")
    seen = accepts(association.resume("the same peer again", taken, caller.called, "CT01"))
    assert seen.detail.startswith("session not resumed")


def test_the_smallest_request_is_what_the_matrix_sends(pacs: Pacs) -> None:
    """The hand-made request of this matrix is a good one: with the right titles it is accepted."""
    caller = pacs.caller("CT01")
    accepts(association.associate("by hand", caller.line, pdu.associate_rq(caller.called, "CT01")))
