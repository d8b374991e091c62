"""One's own certificate authority: what is taken, and in which words the rest is refused."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from securepacs.clinic import parse_clinic
from securepacs.errors import ConfigurationError
from securepacs.own_authority import OwnAuthority
from securepacs.provider import pki
from securepacs.secret_arguments import AUTHORITY_KEY, take_secrets
from securepacs.signer import signer
from securepacs.state.stackfile import clinic_of

NOW = datetime.datetime.now(datetime.UTC)
OWN = pki.make_authority("Hospital CA", None, "ecdsa-p256", 365, NOW)
CERTIFICATE, KEY = pki.pem(OWN.certificate), pki.key_pem(OWN.key)


def _expired() -> str:
    return pki.pem(pki.make_authority("Old CA", None, "ecdsa-p256", 30, NOW - datetime.timedelta(days=60)).certificate)


def _end_entity() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return pki.pem(pki.issue(OWN, pki.Subject("CT01"), key.public_key(), NOW + datetime.timedelta(days=1), NOW))


def _bare(*, usage: bool = True, curve: ec.EllipticCurve | None = None, ca: bool = True) -> str:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bare CA")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if usage:
        builder = builder.add_extension(pki._key_usage("key_cert_sign", "crl_sign"), critical=True)
    return pki.pem(builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize(
    ("certificate", "told"),
    [
        (lambda: "no certificate", "one PEM block"),
        (lambda: CERTIFICATE + CERTIFICATE, "these are 2"),
        (_expired, "in date"),
        (_end_entity, "issued by CN=Hospital CA"),
        (lambda: _bare(usage=False), "lacks keyUsage"),
        (lambda: _bare(ca=False), "CA:TRUE"),
        (lambda: _bare(curve=ec.SECP224R1()), "P-256, P-384"),
    ],
)
def test_an_unfit_authority_is_refused_in_one_line(declared: dict[str, Any], certificate: Callable[[], str], told: str) -> None:
    """What cannot sign for a clinic is named with its path and what is missing."""
    declared["own_authority"] = {"certificate": certificate()}
    with pytest.raises(ConfigurationError, match=told) as refused:
        parse_clinic(declared)
    assert str(refused.value).startswith("securepacs:clinic.own_authority.certificate: ")
    assert "\n" not in str(refused.value)


def test_a_key_in_the_configuration_is_refused_and_not_shown(declared: dict[str, Any]) -> None:
    """A private key in the clear is refused, and the refusal does not repeat it."""
    declared["own_authority"] = {"certificate": CERTIFICATE, "key": KEY}
    with pytest.raises(ConfigurationError, match="key_file") as refused:
        parse_clinic(declared)
    assert KEY.splitlines()[1] not in str(refused.value)


def _file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "key.pem"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def test_a_key_file_is_read(tmp_path: Path) -> None:
    """The file of the certificate's own key is taken."""
    assert OwnAuthority(certificate=CERTIFICATE, key_file=_file(tmp_path, KEY)).read_key() == KEY


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        (pki.key_pem(pki.KEY_TYPES["ecdsa-p256"]()), 0o600, "key of another certificate"),
        ("-----BEGIN NOTHING-----", 0o600, "no private key"),
        ("schlüssel", 0o600, "no text"),
        (KEY, 0o644, "chmod 600"),
    ],
)
def test_an_unfit_key_file_is_refused_in_one_line(tmp_path: Path, text: str, mode: int, told: str) -> None:
    """Another's key, a broken one, and one that others may read are told apart."""
    with pytest.raises(ConfigurationError, match=told):
        OwnAuthority(certificate=CERTIFICATE, key_file=_file(tmp_path, text, mode)).read_key()


def test_a_missing_key_file_is_told(tmp_path: Path) -> None:
    """A file that is not there, and none at all, are refused in one line."""
    with pytest.raises(ConfigurationError, match="No such file"):
        OwnAuthority(certificate=CERTIFICATE, key_file=str(tmp_path / "none.pem")).read_key()
    with pytest.raises(ConfigurationError, match="got nothing"):
        OwnAuthority(certificate=CERTIFICATE).read_key()


def test_a_relative_key_file_is_refused(declared: dict[str, Any]) -> None:
    """A path that would mean another file from another folder is refused."""
    declared["own_authority"] = {"certificate": CERTIFICATE, "key_file": "key.pem"}
    with pytest.raises(ConfigurationError, match="from the root"):
        parse_clinic(declared)


def test_the_secret_is_parted_from_the_clinic(declared: dict[str, Any]) -> None:
    """The key that a program gives is taken out of what is validated, shown and registered."""
    key = pulumi.Output.secret(KEY)
    clinic, taken = take_secrets({**declared, "own_authority": {"certificate": CERTIFICATE, "key": key}})
    assert taken[AUTHORITY_KEY] is key
    assert clinic["own_authority"] == {"certificate": CERTIFICATE}
    assert take_secrets(declared) == (declared, {})


def test_two_keys_are_one_too_many(tmp_path: Path) -> None:
    """A program that gives a key and names a file is told to choose."""
    with pytest.raises(ConfigurationError, match="one of them"):
        signer(OwnAuthority(certificate=CERTIFICATE, key_file=_file(tmp_path, KEY)), KEY)


def test_only_what_signs_needs_the_key(tmp_path: Path, declared: dict[str, Any]) -> None:
    """A run that signs is refused without the key's file before anything is done; taking a clinic down needs none."""
    declared["own_authority"] = {"certificate": CERTIFICATE, "key_file": str(tmp_path / "away.pem")}
    content = {"config": {"securepacs:clinic": declared}}
    with pytest.raises(ConfigurationError, match="No such file"):
        clinic_of(content, tmp_path)
    assert clinic_of(content, tmp_path, signs=False).name == "clinic-a"


def test_a_key_that_a_program_left_in_the_open_is_sealed() -> None:
    """What signs gives the key as a secret, also where the program gave a plain text."""

    async def sealed() -> bool:
        return await signer(OwnAuthority(certificate=CERTIFICATE), KEY).key_pem.is_secret()

    with ThreadPoolExecutor(1) as apart:  # where a loop of its own ends nobody else's
        assert apart.submit(lambda: asyncio.run(sealed())).result()
