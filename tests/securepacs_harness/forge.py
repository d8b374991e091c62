"""Forged credentials: what an attacker can make alone, and what only a holder of the real authority can make for a test."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from securepacs_harness.bundles import Material, write_bundle
from securepacs_harness.errors import BundleError

_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Authority:
    """A certificate and its key that sign other certificates."""

    cert: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes


def authority_of(cert_pem: str, key_pem: str) -> Authority:
    """Read an authority from PEM. Raises BundleError when the key cannot sign certificates."""
    key = load_pem_private_key(key_pem.encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BundleError(f"authority: got a key of type {type(key).__name__}, expected EC or RSA")
    return Authority(x509.load_pem_x509_certificate(cert_pem.encode()), key)


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """Write a private key as PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certify(
    name: str,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    issuer: Authority | None = None,
    *,
    usages: tuple[ObjectIdentifier, ...] = _CLIENT,
    begins: datetime.timedelta = -_DAY,
    ends: datetime.timedelta = _DAY,
    ca: bool = False,
) -> x509.Certificate:
    """Sign a certificate with common name `name` for `key`; self-signed without `issuer`. `begins` and `ends` count from now."""
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.cert.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        public = issuer.cert.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise BundleError(f"authority: got a key of type {type(public).__name__}, expected EC or RSA")
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer.key if issuer else key, hashes.SHA256())


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def new_authority(name: str) -> Authority:
    """Make an authority that nobody trusts yet."""
    key = _new_key()
    return Authority(certify(name, key, ca=True, usages=()), key)


def _self_signed(folder: Path, name: str, real: Material) -> Material:
    key = _new_key()
    return write_bundle(folder, name, cert=_pem(certify(name, key)), key=pem_of(key), ca=real.ca.read_text())


def _foreign_authority(folder: Path, name: str, real: Material) -> Material:
    key = _new_key()
    foreign = new_authority("Another Clinic")
    chain = _pem(certify(name, key, foreign), foreign.cert)
    return write_bundle(folder, name, cert=chain, key=pem_of(key), ca=real.ca.read_text())


def _namesake_authority(folder: Path, name: str, real: Material) -> Material:
    """An authority of the attacker's with the real one's subject: only its key differs."""
    genuine = x509.load_pem_x509_certificates(real.ca.read_bytes())[0]
    key, mine = _new_key(), _new_key()
    common = genuine.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    twin = certify(str(common[0].value) if common else "CA", mine, ca=True, usages=())
    chain = _pem(certify(name, key, Authority(twin, mine)), twin)
    return write_bundle(folder, name, cert=chain, key=pem_of(key), ca=real.ca.read_text())


def _wrong_key(folder: Path, name: str, real: Material) -> Material:
    """The real certificate with a key of the attacker's.

    TLS libraries compare only public halves before they offer it, so the private scalar of another key is joined with the
    real public point (ECPrivateKey, RFC 5915 section 3, P-256); the signature in CertificateVerify is then wrong.
    """
    public = x509.load_pem_x509_certificates(real.cert.read_bytes())[0].public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise BundleError(f"{real.cert}: got no P-256 key; a certificate with another's key is forged for P-256 only")
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    scalar = _new_key().private_numbers().private_value.to_bytes(32, "big")
    der = bytes.fromhex("30770201010420") + scalar + bytes.fromhex("a00a06082a8648ce3d030107a144034200") + point
    body = base64.encodebytes(der).decode()
    key = f"-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n"
    return write_bundle(folder, name, cert=real.cert.read_text(), key=key, ca=real.ca.read_text())


def peer_signed(folder: Path, name: str, real: Material) -> Material:
    """Sign `name` by a peer's own certificate, as if it were an authority."""
    key = _new_key()
    peer = authority_of(real.cert.read_text(), real.key.read_text())
    chain = _pem(certify(name, key, peer), peer.cert)
    return write_bundle(folder, name, cert=chain, key=pem_of(key), ca=real.ca.read_text())


def _corrupted(folder: Path, name: str, real: Material) -> Material:
    """The real certificate with its last bit changed, which is one of the signature's; the key is the right one."""
    first, *chain = x509.load_pem_x509_certificates(real.cert.read_bytes())
    der = first.public_bytes(Encoding.DER)
    changed = der[:-1] + bytes([der[-1] ^ 1])
    cert = ssl.DER_cert_to_PEM_cert(changed) + _pem(*chain)
    return write_bundle(folder, name, cert=cert, key=real.key.read_text(), ca=real.ca.read_text())


#: What an attacker makes without the real authority: kind -> (folder, name to bear, a real bundle) -> material.
FORGERIES: dict[str, Callable[[Path, str, Material], Material]] = {
    "self-signed": _self_signed,
    "foreign authority": _foreign_authority,
    "authority of the same name": _namesake_authority,
    "wrong key": _wrong_key,
    "signed by a peer": peer_signed,
    "corrupted": _corrupted,
}

#: What the real authority itself must have signed: kind -> how `certify` is called. The kind names the folder BUNDLES/_KIND.
ISSUED: dict[str, Callable[[str, ec.EllipticCurvePrivateKey, Authority], x509.Certificate]] = {
    "expired": lambda name, key, by: certify(name, key, by, begins=-2 * _DAY, ends=-_DAY),
    "not_yet_valid": lambda name, key, by: certify(name, key, by, begins=_DAY, ends=2 * _DAY),
    "server_only": lambda name, key, by: certify(name, key, by, usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
}


def issue(kind: str, bundles: Path, name: str, by: Authority) -> Material:
    """Have the real authority sign a certificate of a kind in ISSUED, and write it to BUNDLES/_KIND/NAME."""
    key = _new_key()
    return write_bundle(bundles / f"_{kind}" / name, name, cert=_pem(ISSUED[kind](name, key, by)), key=pem_of(key), ca=_pem(by.cert))
