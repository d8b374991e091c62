"""The key that signs a bundle's manifest, and the key that its signature is held against."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key

from securepacs_harness.errors import EvidenceError

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_EXPECTED = "expected Ed25519 or EC"


def read_key(path: Path) -> Key:
    """Read the key that signs: a PEM file with an Ed25519 or EC private key, without a passphrase. Raises EvidenceError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise EvidenceError(f"{path}: got no PEM private key without a passphrase, expected one of Ed25519 or EC") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise EvidenceError(f"{path}: got a key of type {type(key).__name__}, {_EXPECTED}")
    return key


def read_public_key(path: Path) -> PublicKey:
    """Read the key that a signature is held against: a PEM file with an Ed25519 or EC public key. Raises EvidenceError."""
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise EvidenceError(f"{path}: got no PEM public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise EvidenceError(f"{path}: got a key of type {type(key).__name__}, {_EXPECTED}")
    return key


def algorithm(key: Key) -> str:
    """Say how a key signs."""
    return "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else f"ECDSA on {key.curve.name} with SHA-256"


def fingerprint(key: PublicKey) -> str:
    """Give the SHA-256 of a public key (SubjectPublicKeyInfo, DER), lower-case hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(key: Key, data: bytes) -> bytes:
    """Give the detached signature (EC: DER, as in X9.62), in lines of base64."""
    raw = key.sign(data) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(data, ec.ECDSA(hashes.SHA256()))
    return base64.encodebytes(raw)


def is_signature(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Tell whether this is the key's signature of the data; what is no base64 is none."""
    try:
        raw = base64.b64decode(b"".join(signature.split()), validate=True)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, data)
        else:
            key.verify(raw, data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True
