"""Certificates and revocation lists (RFC 5280), as pure functions of what is given and of the time."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securepacs.errors import SecurePacsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

#: How long before its making a certificate or list is valid: a clock that is an hour off, as summer time makes one, locks nobody out.
CLOCK_LAG: Final = datetime.timedelta(hours=2)
_SMALLEST_RSA_BITS: Final = 2048
_CURVES: Final = frozenset({"secp256r1", "secp384r1"})

KEY_TYPES: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
}
USAGES: Final = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
#: RFC 5280 section 5.3.1, without those that belong to authorities and holds.
REASONS: Final = {
    reason.value: reason
    for reason in (
        x509.ReasonFlags.unspecified,
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.privilege_withdrawn,
    )
}


class PkiError(SecurePacsError):
    """A key, certificate or request that cannot be used."""


@dataclass(frozen=True)
class Subject:
    """Whom a certificate names, and for what."""

    common_name: str
    dns_names: Sequence[str] = ()
    ip_addresses: Sequence[str] = ()
    usages: Sequence[str] = ("client",)


@dataclass(frozen=True)
class Authority:
    """A certificate authority that can sign."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def load(cls, cert_pem: str, key_pem: str) -> Authority:
        """Read an authority from PEM texts; PkiError where one is no PEM or the key is another's."""
        certificate, key = load_certificate(cert_pem, "caCertPem"), load_key(key_pem, "caKeyPem")
        if _spki(key.public_key()) != _spki(certificate.public_key()):
            raise PkiError("caKeyPem", got="a key of another certificate", expected="the key of caCertPem")
        return cls(certificate, key)


def load_certificate(pem: str, where: str) -> x509.Certificate:
    """Read one PEM certificate."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise PkiError(where, got="a text that is no certificate", expected="one certificate in PEM") from None


def load_key(pem: str, where: str) -> PrivateKey:
    """Read one unencrypted PEM private key, EC or RSA."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PkiError(where, got="a text that is no private key", expected="an unencrypted private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise PkiError(where, got="a key of another algorithm", expected="an EC or RSA key")
    return key


def requested_key(csr_pem: str) -> PublicKey:
    """Give the public key of a certificate request (RFC 2986) after its signature is verified; nothing else of it counts."""
    try:
        request = x509.load_pem_x509_csr(csr_pem.encode())
        valid = request.is_signature_valid
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise PkiError("csrPem", got="a text that is no certificate request", expected="one PKCS #10 request in PEM") from None
    if not valid:
        raise PkiError("csrPem", got="a request whose signature is wrong", expected="one signed with its own key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    raise PkiError("csrPem", got="a key that is too weak or of another kind", expected="EC P-256, EC P-384 or RSA of at least 2048 bits")


def make_authority(common_name: str, organization: str | None, key_type: str, validity_days: int, now: datetime.datetime) -> Authority:
    """Make a self-signed authority that may sign end entities and revocation lists only (pathlen 0)."""
    key = KEY_TYPES[key_type]()
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    name = x509.Name(attributes)
    start = now - CLOCK_LAG
    certificate = (
        _builder(name, name, key.public_key(), start, now + datetime.timedelta(days=validity_days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(authority: Authority, subject: Subject, key: PublicKey, not_after: datetime.datetime, now: datetime.datetime) -> x509.Certificate:
    """Sign an end entity's certificate with exactly the usages that are named and one common name."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject.common_name)])
    start = max(now - CLOCK_LAG, authority.certificate.not_valid_before_utc)
    usage = ("digital_signature", "key_encipherment") if isinstance(key, rsa.RSAPublicKey) else ("digital_signature",)
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(name, authority.certificate.subject, key, start, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(*usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([USAGES[usage] for usage in subject.usages]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(host) for host in subject.dns_names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in subject.ip_addresses]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def make_revocation_list(
    authority: Authority, revoked: Iterable[Mapping[str, str]], number: int, next_update: datetime.datetime, now: datetime.datetime
) -> x509.CertificateRevocationList:
    """Sign a CRL with one entry a `{serial, date, reason}` (RFC 5280 section 5)."""
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - CLOCK_LAG)
        .next_update(next_update)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    for entry in revoked:
        date = datetime.datetime.strptime(entry["date"], "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        one = x509.RevokedCertificateBuilder().serial_number(int(entry["serial"], 16)).revocation_date(date)
        # RFC 5280 section 5.3.1: `unspecified` is said by leaving the extension out.
        if entry["reason"] != x509.ReasonFlags.unspecified.value:
            one = one.add_extension(x509.CRLReason(REASONS[entry["reason"]]), critical=False)
        builder = builder.add_revoked_certificate(one.build())
    return builder.sign(authority.key, hashes.SHA256())


def pem(what: x509.Certificate | x509.CertificateRevocationList) -> str:
    """Write a certificate or revocation list as PEM."""
    return what.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    """Write a private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def serial(certificate: x509.Certificate) -> str:
    """Write a serial number as lower-case hexadecimal digits."""
    return f"{certificate.serial_number:x}"


def fingerprint(certificate: x509.Certificate) -> str:
    """Write the SHA-256 of the DER form as lower-case hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def timestamp(moment: datetime.datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the second."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime.datetime:
    """Read a moment that `timestamp` wrote."""
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, start: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*used: str) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name in used for name in names})


def _spki(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)  # noqa: S101 - narrows the type: both callers hold to it
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
