"""One's own certificate authority in place of the one that a clinic makes: what makes it fit, and where its key comes from.

The certificate is public and stands in the configuration. The key never does: a program gives it as a Pulumi secret
(`own_authority.key`), a stack's configuration names a file that stays where it is (`own_authority.key_file`). Either way it is
kept in the encrypted state alone, since the provider signs with it (`signer.py`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID
from pydantic import AfterValidator, model_validator

from securepacs.errors import ConfigurationError
from securepacs.peers import SMALLEST_RSA_BITS, Declared, strong
from securepacs.provider import pki
from securepacs.secret_file import named_from_the_root, read_secret

#: The argument that holds one's own authority, and the secret in it.
KEY, SECRET = "own_authority", "key"

#: Where a mistake stands.
WHERE = f"securepacs:clinic.{KEY}"


def _issuing(certificate: x509.Certificate) -> str | None:
    """Give what a certificate lacks to sign certificates and revocation lists for a clinic (RFC 5280 4.2.1), or None."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except x509.ExtensionNotFound as error:
        return f"says {' and '.join(('basicConstraints', 'keyUsage', 'subjectKeyIdentifier'))}, this one lacks {error.oid._name}"
    if not constraints.ca:
        return "says basicConstraints CA:TRUE, this one is an end entity's"
    if not (usage.key_cert_sign and usage.crl_sign):
        return "says keyUsage keyCertSign and cRLSign, this one does not"
    return None


def _authority(pem: str) -> str:
    """Hold a certificate to what an authority of a clinic must be."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise ValueError("an authority is one PEM block 'CERTIFICATE'") from error
    certificate, *more = certificates
    if more:
        raise ValueError(f"an authority is one certificate, these are {len(certificates)}: give the one that signs for this clinic")
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        issuer = certificate.issuer.rfc4514_string()
        raise ValueError(f"an authority is self-signed, this one is issued by {issuer}; make one for this clinic alone") from error
    lacking = _issuing(certificate)
    if lacking:
        raise ValueError(f"an authority {lacking}")
    if not strong(certificate.public_key()):
        raise ValueError(f"an authority's key is P-256, P-384 or RSA of at least {SMALLEST_RSA_BITS} bits")
    now = datetime.datetime.now(datetime.UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= now < end:
        raise ValueError(f"an authority is in date, this one is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or not str(names[0].value).isascii() or not str(names[0].value).isprintable():
        raise ValueError("an authority has one common name of printable ASCII characters: peers' certificates are held against it")
    return pem


class OwnAuthority(Declared):
    """A self-signed authority that signs for this clinic alone, in place of the one that would be made."""

    certificate: Annotated[str, AfterValidator(_authority)]
    """PEM of the authority's certificate: self-signed, CA:TRUE, keyCertSign and cRLSign, in date."""
    key_file: Annotated[str, AfterValidator(named_from_the_root)] | None = None
    """File of its private key (PEM, not encrypted, mode 0600) on the machine that deploys; a program gives the secret `key` instead."""

    @model_validator(mode="before")
    @classmethod
    def _no_key_in_the_open(cls, declared: Any) -> Any:  # noqa: ANN401 - anything may stand in a configuration
        if isinstance(declared, Mapping) and SECRET in declared:
            raise ValueError("a private key never stands in a configuration: name its file with key_file")
        return declared

    @property
    def common_name(self) -> str:
        """The name that the authority signs with."""
        return str(self.parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    def read_key(self) -> str:
        """Read the key from its file, held against the certificate.

        Raises ConfigurationError in one line where it cannot be used.
        """
        where = f"{WHERE}.key_file"
        if self.key_file is None:
            do = "name the file of the authority's key"
            raise ConfigurationError(where, got="nothing", expected="a file (or, from a program, the secret `key`)", do=do)
        key = read_secret(Path(self.key_file), where, "a private key in PEM")
        try:
            pki.Authority.load(self.certificate, key)
        except pki.PkiError as wrong:
            raise ConfigurationError(where, got=wrong.got, expected=wrong.expected) from None
        return key
