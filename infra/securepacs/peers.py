"""What a DICOM peer is: its AE title, its rights, and how it proves who it is."""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import Annotated, Literal, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyAddress, model_validator

Verb = Literal["echo", "store", "find", "get", "move", "worklist", "commit"]

#: Verbs whose answer travels to the peer on a new association, so that its address must be known.
VERBS_THAT_CALL_BACK: frozenset[Verb] = frozenset({"commit"})

AE_TITLE_LENGTH = 16
SMALLEST_RSA_BITS = 2048


class Declared(BaseModel):
    """Base of everything a clinic declares: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _ae_title(value: str) -> str:
    """Hold an AE title to DICOM PS3.5 table 6.2-1 (VR AE), and to what names a folder."""
    if not 1 <= len(value) <= AE_TITLE_LENGTH:
        raise ValueError(f"an AE title has 1 to {AE_TITLE_LENGTH} characters, this has {len(value)}")
    if value != value.strip(" "):
        raise ValueError("an AE title has no leading or trailing spaces here: DICOM does not count them")
    bad = sorted({c for c in value if not " " <= c <= "~" or c in "\\/"})
    if bad:
        raise ValueError(f"an AE title has printable ASCII characters without backslash or slash, this has {', '.join(map(repr, bad))}")
    if value.startswith("."):
        raise ValueError("an AE title does not begin with a dot here: it names a folder of its bundle")
    return value


AETitle = Annotated[str, AfterValidator(_ae_title)]
"""An application entity title: 1 to 16 characters (PS3.5 table 6.2-1)."""

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")


def host_name(value: str) -> str:
    """Hold a host name to RFC 1123 section 2.1."""
    if not _HOST.fullmatch(value):
        raise ValueError("a host name has letters, digits, hyphens and dots (RFC 1123)")
    return value


def _host_and_port(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("an address is HOST:PORT with a port from 1 to 65535")
    if host.startswith("[") and host.endswith("]"):
        ipaddress.IPv6Address(host[1:-1])
    else:
        host_name(host)
    return value


HostName = Annotated[str, AfterValidator(host_name)]
Address = Annotated[str, AfterValidator(_host_and_port)]
Port = Annotated[int, Field(ge=1, le=65535)]


def strong(key: object) -> bool:
    """Tell whether a public key is of a kind and length that is still held to be safe."""
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= SMALLEST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in {"secp256r1", "secp384r1"}


def _csr(pem: str) -> str:
    try:
        csr = x509.load_pem_x509_csr(pem.encode())
    except ValueError as error:
        raise ValueError("a CSR is one PEM block 'CERTIFICATE REQUEST'") from error
    if not csr.is_signature_valid:
        raise ValueError("a CSR is signed by its own key, this one's signature is wrong")
    if not strong(csr.public_key()):
        raise ValueError(f"a CSR's key is P-256, P-384 or RSA of at least {SMALLEST_RSA_BITS} bits")
    return pem


def _own_certificate(pem: str) -> str:
    """Hold a certificate that is trusted by itself to what makes that safe: it vouches for nobody but its holder."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ValueError("a certificate is one PEM block 'CERTIFICATE'") from error
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        issuer = certificate.issuer.rfc4514_string()
        raise ValueError(f"an own certificate is self-signed, this one is issued by {issuer}; give its CSR instead") from error
    if not strong(certificate.public_key()):
        raise ValueError(f"an own certificate's key is P-256, P-384 or RSA of at least {SMALLEST_RSA_BITS} bits")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise ValueError("an own certificate says basicConstraints CA:FALSE, else it could sign others") from error
    if constraints.ca:
        raise ValueError("an own certificate says basicConstraints CA:FALSE, else it could sign others")
    if certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC):
        raise ValueError(f"an own certificate is in date, this one ended {certificate.not_valid_after_utc:%Y-%m-%d}")
    return pem


def _not_past(value: datetime.date) -> datetime.date:
    if value < datetime.datetime.now(datetime.UTC).date():
        raise ValueError("a waiver's expiry date is today or later: end the waiver or renew it with a reason")
    return value


class Plaintext(Declared):
    """A waiver: this peer cannot speak TLS. It gets a listener of its own that serves its address and no other."""

    reason: Annotated[str, Field(min_length=10, max_length=200, pattern=r"^[^\r\n]+$")]
    """Why the peer cannot use TLS, for the auditor."""
    until: Annotated[datetime.date, AfterValidator(_not_past)]
    """The last day of the waiver, YYYY-MM-DD."""
    source: IPvAnyAddress
    """The one address that the listener serves."""
    port: Port
    """The listener's published port."""


class Peer(Declared):
    """A DICOM application entity that may talk to the archive. What is not granted is refused."""

    ae_title: AETitle
    """Calling AE title; the common name of the peer's certificate."""
    verbs: list[Verb] = []
    """What the peer may do; default nothing."""
    address: Address | None = None
    """HOST:PORT where the peer accepts associations (C-MOVE, storage commitment)."""
    move_to: list[AETitle] | None = None
    """AE titles to which the peer may have images sent (C-MOVE); default only itself."""
    certificate: Annotated[str, AfterValidator(_own_certificate)] | None = None
    """PEM of the peer's own self-signed certificate, pinned by its fingerprint."""
    csr: Annotated[str, AfterValidator(_csr)] | None = None
    """PEM of the peer's certificate signing request; its key never leaves it."""
    plaintext: Plaintext | None = None
    """Waiver for a peer without TLS."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        ways = [way for way in ("certificate", "csr", "plaintext") if getattr(self, way) is not None]
        if len(ways) > 1:
            raise ValueError(f"a peer has one of certificate, csr and plaintext, this has {' and '.join(ways)}")
        if len(set(self.verbs)) != len(self.verbs):
            raise ValueError("verbs stand once each")
        if self.move_to is not None and "move" not in self.verbs:
            raise ValueError("move_to needs the verb move")
        if not self.address and VERBS_THAT_CALL_BACK & set(self.verbs):
            raise ValueError("the verb commit needs the peer's address: the commitment is sent to it")
        return self

    @property
    def destinations(self) -> list[str]:
        """AE titles to which this peer may have images sent."""
        if "move" not in self.verbs:
            return []
        return [self.ae_title] if self.move_to is None else list(self.move_to)

    @property
    def public_key(self) -> bytes | None:
        """DER of the public key that the peer brought with it; None where its key is made for it."""
        if self.certificate:
            key = x509.load_pem_x509_certificate(self.certificate.encode()).public_key()
        elif self.csr:
            key = x509.load_pem_x509_csr(self.csr.encode()).public_key()
        else:
            return None
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
