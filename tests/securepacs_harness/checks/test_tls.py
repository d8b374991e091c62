"""The TLS of both listeners, by handshakes: DICOM PS3.15 annex B.12 (BCP 195: RFC 9325, RFC 8996)."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator

from cryptography import x509

from securepacs_harness.bracket import Bracket, Expected, at
from securepacs_harness.budget import PARALLEL
from securepacs_harness.check import check
from securepacs_harness.observation import Attempt, Layer
from securepacs_harness.probes import certificate, tls
from securepacs_harness.probes.handshake import handshake
from securepacs_harness.probes.line import Line
from securepacs_harness.reach import Pacs
from securepacs_harness.record import Record

Control = Callable[..., Bracket]

REFUSED = at(Layer.TLS)
OLD_VERSIONS = ("TLS 1.0", "TLS 1.1")
NO_TLS = "the listener is declared without TLS, which tls.required tells"


def listeners(pacs: Pacs, record: Record) -> Iterator[tuple[str, Line]]:
    """Give each declared TLS listener with a line that shows what it asks for, and note those that have none."""
    if pacs.target.dicom.tls:
        known = pacs.callable_peers
        yield "DICOM", pacs.caller(known[0]).line if known else pacs.line(None)
    else:
        record.not_tested("DICOM", NO_TLS)
    if pacs.target.https is None:
        record.not_tested("HTTPS", "the target declares no HTTPS listener")
    elif pacs.web.offer:
        yield "HTTPS", pacs.web
    else:
        record.not_tested("HTTPS", NO_TLS)


@check(
    "tls.required",
    "DICOM and the web are reached over TLS only",
    tier="passive",
    controls=("transmission-encryption",),
    remedy="Put the listener behind TLS; a device that has none gets a waiver with an owner and a last day, and a listener of its own.",
)
def test_tls_is_declared(pacs: Pacs, record: Record) -> None:
    """The declared listeners speak TLS."""
    told = "TLS" if pacs.target.dicom.tls else "no TLS: whoever is on the way reads and changes every image"
    record.fact("DICOM listener", expected="TLS", told=told, holds=pacs.target.dicom.tls)
    if pacs.target.https is None:
        record.not_tested("HTTPS", "the target declares no HTTPS listener")
        return
    secured = pacs.web.offer is not None
    told = "TLS" if secured else "no TLS: whoever is on the way reads passwords and images"
    record.fact("web listener", expected="TLS", told=told, holds=secured)


@check(
    "tls.versions",
    "TLS 1.0 and 1.1 are refused",
    controls=("tls-profile", "transmission-encryption"),
    remedy="Set the listener's lowest version to TLS 1.2 (PS3.15 B.12, RFC 8996).",
)
def test_old_versions_are_refused(pacs: Pacs, record: Record) -> None:
    """A handshake that offers nothing above TLS 1.1 ends, between two with TLS 1.2 or 1.3 that succeed."""
    for name, line in listeners(pacs, record):
        cases = [
            (handshake(f"{version} to {name}", line.with_offer(lowest=version, highest=version)), record.expected(REFUSED))
            for version in OLD_VERSIONS
        ]
        record.bracket(handshake(f"TLS 1.2 or 1.3 to {name}", line)).tries(cases)


@check(
    "tls.weak-suites",
    "Cipher suites without forward secrecy or AEAD are refused",
    controls=("tls-profile",),
    remedy="Offer ECDHE with AES-GCM (and TLS 1.3's own suites) and nothing else.",
)
def test_weak_suites_are_refused(pacs: Pacs, record: Record) -> None:
    """Each suite that BCP 195 does not recommend ends the handshake when it is offered alone in TLS 1.2."""
    for name, line in listeners(pacs, record):
        cases: list[tuple[Attempt, Expected]] = []
        for suite in tls.WEAK_SUITES:
            offered = line.with_offer(lowest="TLS 1.2", highest="TLS 1.2", suites=suite)
            if offered.offer and tls.can_offer(offered.offer):
                cases.append((handshake(f"{suite} to {name}", offered), record.expected(REFUSED)))
            else:
                record.not_tested(f"{suite} to {name}", "this machine's TLS library cannot offer it")
        record.bracket(handshake(f"TLS 1.2 or 1.3 to {name}", line)).tries(cases, workers=PARALLEL)


@check(
    "tls.strong-suites",
    "TLS 1.2 with ECDHE and AES-GCM is accepted",
    controls=("tls-profile",),
    remedy="Offer at least one of TLS_ECDHE_{RSA,ECDSA}_WITH_AES_{128,256}_GCM: PS3.15 B.12 asks every device for TLS 1.2.",
)
def test_a_strong_suite_works(pacs: Pacs, record: Record) -> None:
    """Every listener takes TLS 1.2 with one of the suites that PS3.15 B.12 asks for."""
    for name, line in listeners(pacs, record):
        offered = line.with_offer(lowest="TLS 1.2", highest="TLS 1.2", suites=":".join(tls.STRONG_SUITES))
        record.accepts(handshake(f"TLS 1.2 with ECDHE and AES-GCM to {name}", offered))


@check(
    "tls.certificate",
    "The server's certificate is the declared authority's, strong, and good for a while",
    tier="passive",
    controls=("server-certificate",),
    remedy="Have the declared authority sign a new one, for the declared name, with an RSA 3072 or P-256 key, and renew it in time.",
)
def test_the_server_proves_itself(pacs: Pacs, record: Record) -> None:
    """What each listener shows is signed by the declared authority, names the server, and has a strong key, days left, no long life."""
    now = datetime.datetime.now(datetime.UTC)
    names = {"DICOM": pacs.target.dicom.server_name, "HTTPS": pacs.target.https.server_name if pacs.target.https else ""}
    for listener, line in listeners(pacs, record):
        seen = certificate.shown(line)
        if seen is None:
            record.unknown(f"certificate of {listener}", "the listener showed none")
            continue
        authorities = x509.load_pem_x509_certificates(pacs.target.ca.encode())
        rules = certificate.Rules(authorities, names[listener], most_days=pacs.target.certificate_days)
        for finding in certificate.judged(seen, rules, now, by_chain=certificate.chained(line)):
            record.fact(f"{finding.what} of {listener}", expected=finding.expected, told=finding.told, holds=finding.holds)
