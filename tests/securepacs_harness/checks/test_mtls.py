"""Mutual TLS: who shows no certificate of the clinic's, or one that is not good, gets no association (IHE ITI-19, PS3.15 B.12)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from securepacs_harness import forge
from securepacs_harness.bracket import Bracket, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.bundles import Material
from securepacs_harness.check import check
from securepacs_harness.errors import BundleError
from securepacs_harness.observation import Attempt, EndedError, Layer
from securepacs_harness.probes import association
from securepacs_harness.probes.dimse import Caller
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


def shown_with(caller: Caller, material: Material | None, what: str) -> Iterator[Attempt]:
    """Give an echo under the peer's own AE title with other material, in each version of TLS."""
    offer = caller.line.offer
    if offer is None:
        raise BundleError("the line has no TLS to show a certificate in")
    for version in VERSIONS:
        other = dataclasses.replace(offer, material=material, lowest=version, highest=version)
        line = dataclasses.replace(caller.line, offer=other)
        yield association.echo(f"{what} in {version}", line, caller.called, caller.calling)


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
    cases = []
    for calling in (*names, stranger.ae_title):
        what = f"without a certificate as {'a stranger' if calling == stranger.ae_title else calling}"
        lines = (
            [(f"{what} in {version}", stranger.line.with_offer(lowest=version, highest=version)) for version in VERSIONS]
            if pacs.target.dicom.tls
            else [(f"{what}, in the clear", stranger.line)]
        )
        cases += [(association.echo(told, line, stranger.called, calling), record.expected(REFUSED)) for told, line in lines]
    control("echo").tries(cases)


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
    cases = []
    for kind, make in forge.FORGERIES.items():
        try:
            material = make(verification.folder / "forged" / kind.replace(" ", "-"), caller.calling, real)
        except BundleError as error:
            record.not_tested(kind, str(error))
            continue
        cases += [(attempt, record.expected(REFUSED, kind)) for attempt in shown_with(caller, material, kind)]
    record.bracket(pacs.echo_control(caller.calling)).tries(cases, workers=PARALLEL)


def _unfit(pacs: Pacs, caller: Caller, kind: str) -> Iterator[tuple[Attempt, str]]:
    for name in pacs.target.peers:
        if pacs.bundles.has(name, kind):
            material = pacs.bundles.material(name, kind)
            called = dataclasses.replace(caller, calling=name)
            yield from ((attempt, kind) for attempt in shown_with(called, material, f"{name}'s {kind.replace('_', ' ')} certificate"))


@check(
    "mtls.unfit",
    "A certificate that is out of date or made for another use opens nothing",
    controls=("certificate-revocation", "peer-authentication"),
    remedy="Have the listener check the validity and the extended key usage (clientAuth) of client certificates.",
)
def test_an_unfit_certificate_is_refused(pacs: Pacs, caller: Caller, record: Record) -> None:
    """Certificates of the right authority that are expired, not yet valid or for servers only are refused."""
    why = without_mutual_tls(pacs)
    for kind in UNFIT:
        cases = [] if why else [(attempt, record.expected(REFUSED, kind)) for attempt, kind in _unfit(pacs, caller, kind)]
        if cases:
            record.bracket(pacs.echo_control(caller.calling)).tries(cases)
        else:
            record.not_tested(kind.replace("_", " "), why or f"no bundle _{kind}/PEER is at hand; only the clinic's authority can make one")


@check(
    "mtls.revoked",
    "A revoked certificate opens nothing",
    controls=("certificate-revocation",),
    remedy="Give the listener the authority's current revocation list, renew it before it expires, and resume no session past it.",
)
def test_a_revoked_certificate_is_refused(pacs: Pacs, caller: Caller, record: Record) -> None:
    """Certificates that the clinic has revoked are refused."""
    why = without_mutual_tls(pacs)
    cases = [] if why else [(attempt, record.expected(REFUSED, REVOKED)) for attempt, _ in _unfit(pacs, caller, REVOKED)]
    if cases:
        record.bracket(pacs.echo_control(caller.calling)).tries(cases)
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
    for version in VERSIONS:
        line = caller.line.with_offer(lowest=version, highest=version)
        try:
            taken = association.take_session(line, caller.called, caller.calling)
        except EndedError as ended:
            record.unknown(f"resumption in {version}", f"no association could be made: {ended.seen}")
            continue
        again = record.accepts(association.resume(f"the same peer again in {version}", taken, caller.called, caller.calling))
        resumed = again.detail.startswith("session resumed")
        record.fact(f"resumption in {version}", expected="none", told="resumed" if resumed else "not resumed", holds=not resumed)
