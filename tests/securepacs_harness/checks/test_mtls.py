"""Mutual TLS: who shows no certificate of the clinic's, or one that is not good, gets no association (IHE ITI-19, PS3.15 B.12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection

import pytest

from securepacs_harness import forge
from securepacs_harness.bracket import Bracket, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.bundles import Material
from securepacs_harness.check import check
from securepacs_harness.errors import BundleError
from securepacs_harness.observation import Attempt, EndedError, Layer, Outcome
from securepacs_harness.probes import association
from securepacs_harness.probes.dimse import Caller
from securepacs_harness.probes.handshake import handshake
from securepacs_harness.reach import Pacs, Stranger
from securepacs_harness.record import Record
from securepacs_harness.session import Verification

Control = Callable[..., Bracket]

VERSIONS = ("TLS 1.2", "TLS 1.3")

#: A certificate is refused by an alert. A server that looks at it only after the handshake may reject the association instead.
REFUSED = at({Layer.TLS, Layer.ASSOCIATION})

#: Certificates that only the clinic's own authority can have signed; where one is at hand it stands in BUNDLES/_KIND/PEER.
UNFIT = ("expired", "not_yet_valid", "server_only", "other_authority")
REVOKED = "revoked"


@pytest.fixture
def caller(pacs: Pacs) -> Caller:
    """Give a peer that is echoed, with its own bundle; where none is declared to show one, a stranger, whom no check here then uses.

    Raises BundleError where there is none.
    """
    if without_mutual_tls(pacs):
        return pacs.stranger.caller()
    able = [name for name in pacs.with_verb("echo") if pacs.bundles.has(name)]
    if not able:
        raise BundleError(f"{pacs.bundles.folder}: holds no bundle of a peer with the verb echo, so nobody can be the control")
    return pacs.caller(able[0])


def shown_with(caller: Caller, material: Material, what: str, version: str) -> Attempt:
    """Give an echo under the peer's own AE title with other material, in one version of TLS."""
    line = caller.line.with_offer(material=material, lowest=version, highest=version)
    return association.echo(f"{what} in {version}", line, caller.called, caller.calling)


def controls(pacs: Pacs, record: Record) -> dict[str, Attempt]:
    """Give an authorised echo in each version of TLS that the listener speaks; note the others.

    Without it a listener that speaks TLS 1.2 only would refuse everything in TLS 1.3, and be believed.
    """
    able = pacs.with_verb("echo")
    if not able:
        return dict.fromkeys(VERSIONS, pacs.echo_control())
    caller, found = pacs.caller(able[0]), {}
    for version in VERSIONS:
        line = caller.line.with_offer(lowest=version, highest=version)
        seen = record.look(handshake(f"{version} by {able[0]}", line))
        if seen.layer is Layer.TLS and seen.outcome is Outcome.REFUSED:
            record.not_tested(version, f"the listener does not speak it with {able[0]} ({seen.code})")
        else:
            found[version] = association.echo(f"{able[0]} in {version}", line, caller.called, caller.calling)
    if not found:
        record.unknown("TLS 1.2 and 1.3", f"the listener speaks neither with {able[0]}, whose refusal then says nothing of others'")
    return found


def without_mutual_tls(pacs: Pacs) -> str:
    """Say why certificates cannot be tested; '' where they can."""
    if not pacs.target.dicom.tls:
        return "the listener is declared without TLS, which tls.required tells"
    if not pacs.target.dicom.client_certificates:
        return "the target declares that peers show no certificate, which mtls.anonymous tells"
    return ""


@check(
    "mtls.anonymous",
    "Nobody gets an association without a certificate",
    controls=("peer-authentication", "transmission-encryption"),
    remedy="Have the listener demand a client certificate of the clinic's own authority (verify required).",
)
def test_a_client_without_a_certificate_is_refused(pacs: Pacs, stranger: Stranger, control: Control, record: Record) -> None:
    """An echo without a certificate, under a peer's AE title and under a stranger's, gets no answer from the archive."""
    names = [name for name, peer in pacs.target.peers.items() if not peer.plaintext][:1]
    callers = {f"without a certificate as {name}": name for name in names}
    callers["without a certificate as a stranger"] = stranger.ae_title
    expected = record.expected(REFUSED)
    if not pacs.target.dicom.tls:
        clear = [
            (association.echo(f"{who}, in the clear", stranger.line, stranger.called, name), expected) for who, name in callers.items()
        ]
        control("echo").tries(clear)
        return
    for version, authorised in controls(pacs, record).items():
        line = stranger.line.with_offer(lowest=version, highest=version)
        cases = [(association.echo(f"{who} in {version}", line, stranger.called, name), expected) for who, name in callers.items()]
        control(authorised).tries(cases)


@check(
    "mtls.forged",
    "A forged certificate opens nothing",
    controls=("peer-authentication",),
    remedy="Trust the clinic's own authority for client certificates and nothing else, and check its signature and its constraints.",
)
def test_a_forged_certificate_is_refused(pacs: Pacs, caller: Caller, record: Record, verification: Verification) -> None:
    """Self-signed, signed by another or by a namesake authority, with another's key, signed by a peer: each is refused."""
    why = without_mutual_tls(pacs)
    if why:
        record.not_tested("forged certificates", why)
        return
    real = pacs.bundles.material(caller.calling)
    forged = {}
    for kind, make in forge.FORGERIES.items():
        try:
            forged[kind] = make(verification.folder / "forged" / kind.replace(" ", "-"), caller.calling, real)
        except BundleError as error:
            record.not_tested(kind, str(error))
    for version, authorised in controls(pacs, record).items():
        cases = [(shown_with(caller, material, kind, version), record.expected(REFUSED, kind)) for kind, material in forged.items()]
        record.bracket(authorised).tries(cases, workers=PARALLEL)


def _refused(pacs: Pacs, caller: Caller, record: Record, kinds: Collection[str]) -> None:
    """Claim that the certificates of these kinds are refused, of each peer that has one, in each version of TLS."""
    held = [(name, kind) for kind in kinds for name in pacs.target.peers if pacs.bundles.has(name, kind)]
    for version, authorised in (controls(pacs, record) if held else {}).items():
        cases = []
        for name, kind in held:
            called = dataclasses.replace(caller, calling=name)
            what = f"{name}'s {kind.replace('_', ' ')} certificate"
            attempt = shown_with(called, pacs.bundles.material(name, kind), what, version)
            cases.append((attempt, record.expected(REFUSED, kind)))
        record.bracket(authorised).tries(cases, workers=PARALLEL)


@check(
    "mtls.unfit",
    "A certificate that is out of date or made for another use opens nothing",
    controls=("certificate-revocation", "peer-authentication"),
    remedy="Have the listener check the validity and the extended key usage (clientAuth) of client certificates.",
)
def test_an_unfit_certificate_is_refused(pacs: Pacs, caller: Caller, record: Record) -> None:
    """Certificates of the right authority that are expired, not yet valid or for servers only are refused."""
    why = without_mutual_tls(pacs)
    held = [] if why else [kind for kind in UNFIT if any(pacs.bundles.has(name, kind) for name in pacs.target.peers)]
    for kind in UNFIT:
        if kind not in held:
            record.not_tested(kind.replace("_", " "), why or f"no bundle _{kind}/PEER is at hand; only the clinic's authority can make one")
    _refused(pacs, caller, record, held)


@check(
    "mtls.revoked",
    "A revoked certificate opens nothing",
    controls=("certificate-revocation",),
    remedy="Give the listener the authority's current revocation list, renew it before it expires, and resume no session past it.",
)
def test_a_revoked_certificate_is_refused(pacs: Pacs, caller: Caller, record: Record) -> None:
    """Certificates that the clinic has revoked are refused."""
    why = without_mutual_tls(pacs)
    if not why and any(pacs.bundles.has(name, REVOKED) for name in pacs.target.peers):
        _refused(pacs, caller, record, [REVOKED])
    else:
        record.not_tested("revoked certificates", why or f"no bundle _{REVOKED}/PEER is at hand: give one that was revoked")


@check(
    "tls.resumption",
    "A resumed session is none",
    controls=("certificate-revocation",),
    remedy="Turn session tickets and the session cache off: a resumed session is not held against a new revocation list.",
)
def test_sessions_are_not_resumed(pacs: Pacs, caller: Caller, record: Record) -> None:
    """A session that is offered again is not resumed, where the target declares so."""
    declared = pacs.target.dicom.resumption
    if declared is not False or not caller.line.offer:
        record.not_tested("resumption", "the target does not declare dicom.resumption = false")
        return
    for version in controls(pacs, record):
        line = caller.line.with_offer(lowest=version, highest=version)
        try:
            taken = association.take_session(line, caller.called, caller.calling)
        except EndedError as ended:
            record.unknown(f"resumption in {version}", f"no association could be made: {ended.seen}")
            continue
        again = record.accepts(association.resume(f"the same peer again in {version}", taken, caller.called, caller.calling))
        resumed = again.detail.startswith("session resumed")
        record.fact(f"resumption in {version}", expected="none", told="resumed" if resumed else "not resumed", holds=not resumed)
