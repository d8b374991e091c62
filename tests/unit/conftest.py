"""A clinic to start from, and the material that peers bring."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from securepacs.clinic import Clinic, parse_clinic

Declared = dict[str, Any]


@pytest.fixture
def declared() -> Declared:
    """A small clinic, as its configuration says it."""
    return {
        "name": "clinic-a",
        "archive": {"ae_title": "CLINICA"},
        "peers": [
            {"ae_title": "CT01", "verbs": ["echo", "store"]},
            {"ae_title": "WS01", "verbs": ["echo", "find", "get", "move"], "address": "ws01.example:11112"},
        ],
        "people": [{"name": "vera", "role": "viewer"}, {"name": "anna", "role": "admin"}],
    }


@pytest.fixture
def clinic(declared: Declared) -> Clinic:
    """The same, parsed."""
    return parse_clinic(declared)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@pytest.fixture
def make_csr() -> Callable[[str], str]:
    """Make a CSR for a common name."""

    def make(common_name: str) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(_name(common_name)).sign(key, hashes.SHA256())
        return csr.public_bytes(serialization.Encoding.PEM).decode()

    return make


@pytest.fixture
def make_own_certificate() -> Callable[..., str]:
    """Make a self-signed certificate; `ca`, `days` and `curve` make it one that must be refused."""

    def make(common_name: str, *, ca: bool | None = False, days: int = 30, curve: ec.EllipticCurve | None = None) -> str:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name))
            .issuer_name(_name(common_name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        if ca is not None:
            builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    return make
