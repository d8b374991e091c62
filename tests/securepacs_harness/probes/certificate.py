"""The certificate that a listener shows, looked at without trusting it (RFC 5280)."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from securepacs_harness.observation import EndedError, Layer
from securepacs_harness.probes import tls
from securepacs_harness.probes.line import Line, opened

#: Smallest keys, by kind: 112 bits of strength for RSA (NIST SP 800-57 part 1, table 2), and the smallest curve that TLS 1.3 has
#: for signatures (RFC 8446 section 4.2.3).
SMALLEST_BITS = {"RSA": 2048, "EC": 256}


def shown(line: Line) -> x509.Certificate | None:
    """Give the certificate that a listener shows, whoever signed it; None where none came."""
    if line.offer is None:
        return None
    try:
        with opened(dataclasses.replace(line, timeout=5), Layer.HTTP, context=tls.shown_certificates(line.offer)) as connection:
            sock = connection.sock
            der = sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None
    except EndedError:
        return None
    return x509.load_der_x509_certificate(der) if der else None


def chained(line: Line) -> bool:
    """Tell whether what a listener shows, with the certificates that it sends along, leads to the declared authority; names aside."""
    if line.offer is None:
        return False
    context = line.offer.context()
    context.check_hostname = False
    try:
        with opened(dataclasses.replace(line, timeout=5), Layer.HTTP, context=context):
            return True
    except EndedError:
        return False


def fingerprint(certificate: x509.Certificate) -> str:
    """Give a certificate's SHA-256, lower-case hexadecimal."""
    return certificate.fingerprint(hashes.SHA256()).hex()


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One property of a certificate: what it should be, what it is."""

    what: str
    expected: str
    told: str
    holds: bool


def _key(certificate: x509.Certificate) -> Finding:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "EC"
        least = SMALLEST_BITS[kind]
        return Finding("key", f"{kind} of {least} bits or more", f"{kind} of {key.key_size} bits", key.key_size >= least)
    known = isinstance(key, ed25519.Ed25519PublicKey)
    return Finding("key", "RSA, EC or Ed25519", type(key).__name__, known)


def _signature(certificate: x509.Certificate) -> Finding:
    algorithm = certificate.signature_hash_algorithm
    name = algorithm.name if algorithm else "none of its own"
    return Finding("signature", "SHA-256 or better", name, name not in {"sha1", "md5", "md2", "sha224"})


def _issuer(certificate: x509.Certificate, authorities: list[x509.Certificate], *, by_chain: bool) -> Finding:
    if by_chain:
        return Finding("issuer", "the declared authority", "the declared authority, or one below it", holds=True)
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return Finding("issuer", "the declared authority", "the declared authority", holds=True)
    return Finding(
        "issuer", "the declared authority", "another: nothing that is sent along leads to it", holds=False
    )


def _name(certificate: x509.Certificate, name: str) -> Finding:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Finding("name", name, "no subject alternative name", holds=False)
    try:
        holds = ipaddress.ip_address(name) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        known = [known.lower() for known in names.get_values_for_type(x509.DNSName)]
        holds = name.lower() in known or f"*.{name.lower().partition('.')[2]}" in known
    return Finding("name", name, "it stands in the certificate" if holds else "it does not stand in the certificate", holds)


def _usage(certificate: x509.Certificate) -> Finding:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return Finding("extended key usage", "serverAuth", "any (the extension is missing)", holds=True)
    holds = ExtendedKeyUsageOID.SERVER_AUTH in usages
    return Finding("extended key usage", "serverAuth", "serverAuth" if holds else "without serverAuth", holds)


def _validity(certificate: x509.Certificate, now: datetime.datetime, least_days: int) -> Finding:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    told = "not yet valid" if now < begins else f"{(ends - now).days} days left"
    return Finding("validity", f"valid for {least_days} days more", told, begins <= now <= ends - datetime.timedelta(days=least_days))


def _lifetime(certificate: x509.Certificate, most_days: int) -> Finding:
    # A begin some hours early, for clocks that are late, makes no day.
    days = (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days
    return Finding("lifetime", f"at most {most_days} days", f"{days} days", days <= most_days)


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What a server's certificate is held against: who may have signed it, the name, the shortest time left, the longest life."""

    authorities: list[x509.Certificate]
    name: str
    least_days: int = 14
    """A certificate that ends sooner is a finding: somebody must have time to act."""
    most_days: int = 825


def judged(certificate: x509.Certificate, rules: Rules, now: datetime.datetime, *, by_chain: bool = False) -> list[Finding]:
    """Hold a server's certificate against rules; `by_chain` says that what was sent along leads to a declared authority."""
    return [
        _issuer(certificate, rules.authorities, by_chain=by_chain),
        _name(certificate, rules.name),
        _usage(certificate),
        _key(certificate),
        _signature(certificate),
        _validity(certificate, now, rules.least_days),
        _lifetime(certificate, rules.most_days),
    ]
