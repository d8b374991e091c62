"""What signs for a clinic when it brings its own authority: the same outputs as the resource CertificateAuthority has."""

from __future__ import annotations

import pulumi

from securepacs.errors import ConfigurationError
from securepacs.own_authority import WHERE, OwnAuthority
from securepacs.provider import pki


class OwnSigner:
    """One's own authority with the outputs that the resource CertificateAuthority has."""

    def __init__(self, own: OwnAuthority, key: pulumi.Input[str]) -> None:
        certificate = own.parsed
        self.cert_pem = pulumi.Output.from_input(own.certificate)
        self.key_pem: pulumi.Output[str] = pulumi.Output.secret(key)
        self.not_after = pulumi.Output.from_input(pki.timestamp(certificate.not_valid_after_utc))
        self.serial = pulumi.Output.from_input(pki.serial(certificate))


def signer(own: OwnAuthority, key: pulumi.Input[str] | None) -> OwnSigner:
    """Give what signs for the clinic, with the key that the program gave or the file's.

    Raises ConfigurationError where there is none, or two.
    """
    if key is not None and own.key_file is not None:
        raise ConfigurationError(WHERE, got="key and key_file", expected="one of them")
    return OwnSigner(own, own.read_key() if key is None else key)
