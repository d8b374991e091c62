"""Defects that need the clinic's authority to be made: certificates and revocation lists that only it can sign."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mutants.blueprint import Blueprint, Edit, added, both, lines, replaced
from mutants.mutant import Mutant
from securepacs_harness.forge import Authority

_DAY = datetime.timedelta(days=1)


def _server(authority: Authority, *names: str, days: int, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> str:
    """Sign a server's certificate; give it with its key, as the gateway wants both."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")]))
        .issuer_name(authority.cert.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(authority)), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return certificate.public_bytes(Encoding.PEM).decode() + pem


def _public(authority: Authority) -> ec.EllipticCurvePublicKey:
    public = authority.cert.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError("the clinic's authority has an EC key")
    return public


def _expired_list(authority: Authority) -> str:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.cert.subject)
        .last_update(now - 3 * _DAY)
        .next_update(now - _DAY)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(authority)), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()


def _file(name: str, text: str) -> Edit:
    return lambda blueprint: blueprint.with_text("gateway", name, text)


def _trusting(other: Authority) -> Edit:
    pem = other.cert.public_bytes(Encoding.PEM).decode()

    def edit(blueprint: Blueprint) -> Blueprint:
        return blueprint.with_text("gateway", "peers-ca.pem", blueprint.text("gateway", "peers-ca.pem") + pem)

    # The other authority has no revocation list here; and names count from any of the trusted authorities.
    return both(edit, replaced(" crl-file /etc/gateway/crl.pem verify required\n", " verify required\n"), lines("unset-var(sess.peer)"))


#: OpenSSL loads no key of less than 112 bits of strength unless it is told to (SSL_CTX_set_security_level(3)).
_LAX = """openssl_conf = lax
[lax]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
CipherString = DEFAULT:@SECLEVEL=0
"""


def _with_weak_key(authority: Authority, *names: str) -> Edit:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is weak on purpose

    def told(blueprint: Blueprint) -> Blueprint:
        config = blueprint.parts["gateway"].config
        return blueprint.part("gateway", config={**config, "Env": [*config["Env"], "OPENSSL_CONF=/etc/gateway/openssl.cnf"]})

    return both(_file("server.pem", _server(authority, *names, days=300, key=weak)), added("openssl.cnf", _LAX), told)


#: Folder of the bundle that another clinic's authority signed.
OTHER_AUTHORITY = "other_authority"


def mutants(authority: Authority, other: Authority, server_name: str) -> tuple[Mutant, ...]:
    """Give the defects that these authorities can make."""
    return (
        Mutant(
            "certificate-ends-soon",
            "the server's certificate ends in three days",
            ("tls.certificate",),
            _file("server.pem", _server(authority, server_name, "localhost", days=3)),
        ),
        Mutant(
            "certificate-of-another-name",
            "the server's certificate is for another name",
            ("tls.certificate",),
            _file("server.pem", _server(authority, "elsewhere.example", days=300)),
        ),
        Mutant(
            "certificate-of-another-authority",
            "the server's certificate is signed by another authority than the declared one",
            ("tls.certificate",),
            _file("server.pem", _server(other, server_name, "localhost", days=300)),
        ),
        Mutant(
            "certificate-with-weak-key",
            "the server's key is too small",
            ("tls.certificate",),
            _with_weak_key(authority, server_name, "localhost"),
        ),
        Mutant(
            "revocation-list-expired",
            "the revocation list has expired, so that everybody is refused",
            ("dimse.granted",),
            _file("crl.pem", _expired_list(authority)),
        ),
        Mutant("other-clinic-trusted", "another clinic's authority is trusted too", ("mtls.unfit",), _trusting(other)),
    )
