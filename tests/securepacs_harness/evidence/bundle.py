"""The evidence bundle: a folder with every form of a run and a manifest of digests, signed where a key is given."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from securepacs_harness.errors import HarnessError
from securepacs_harness.evidence import WRITERS
from securepacs_harness.results import Run

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
#: What stands where a secret or a patient's name stood.
REMOVED = "[removed]"
#: Shorter words are no secrets, and would be found everywhere.
_SHORTEST = 6

Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class EvidenceError(HarnessError):
    """Evidence cannot be written, signed or verified."""


def read_key(path: Path) -> Key:
    """Read the key that signs: a PEM file with an Ed25519 or EC private key, without a passphrase. Raises EvidenceError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, TypeError):
        raise EvidenceError(f"{path}: got no PEM private key without a passphrase, expected one of Ed25519 or EC") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise EvidenceError(f"{path}: got a key of type {type(key).__name__}, expected Ed25519 or EC")
    return key


def check_folder(folder: Path, signing_key: Path | None = None) -> None:
    """Find out before a run whether its evidence can be written and signed. Raises EvidenceError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise EvidenceError(f"{folder}: evidence cannot be written there ({error.strerror})") from None
    if signing_key:
        read_key(signing_key)


def redacted(run: Run, secrets: Collection[str]) -> Run:
    """Give the run without any of these words in it, wherever a target may have said them."""
    words = sorted({word for word in secrets if len(word) >= _SHORTEST}, key=len, reverse=True)

    def clean(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
        if isinstance(value, str):
            for word in words:
                value = value.replace(word, REMOVED)
            return value
        if isinstance(value, dict):
            return {clean(name): clean(held) for name, held in value.items()}
        if isinstance(value, list):
            return [clean(held) for held in value]
        return value

    return Run.model_validate_json(json.dumps(clean(run.model_dump(mode="json"))))


def write_bundle(run: Run, folder: Path, *, signing_key: Path | None = None, secrets: Collection[str] = ()) -> None:
    """Write every form of the run, and the manifest last: without it a folder is no bundle. Raises EvidenceError."""
    check_folder(folder)
    key = read_key(signing_key) if signing_key else None
    run = redacted(run, secrets)
    try:
        for old in (MANIFEST, SIGNATURE):
            (folder / old).unlink(missing_ok=True)
        written = {name: write(run).encode() for name, write in WRITERS.items()}
        for name, content in written.items():
            _replace(folder / name, content)
        manifest = json.dumps(_manifest(run, written, key), indent=2).encode() + b"\n"
        if key:
            _replace(folder / SIGNATURE, base64.encodebytes(_sign(key, manifest)))
        _replace(folder / MANIFEST, manifest)
    except OSError as error:
        raise EvidenceError(f"{folder}: evidence cannot be written there ({error.strerror})") from None


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _manifest(run: Run, written: dict[str, bytes], key: Key | None) -> dict[str, Any]:
    files = {name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in written.items()}
    signature = {"file": SIGNATURE, "algorithm": _algorithm(key), "public_key_sha256": fingerprint(key.public_key())} if key else None
    return {
        "form": 1,
        "tool": f"{run.tool} {run.version}",
        "target": run.target.name,
        "declaration_sha256": run.target.declaration,
        "ended": run.ended.isoformat(),
        "exit_code": run.exit_code,
        "files": files,
        **({"signature": signature} if signature else {}),
    }


def _algorithm(key: Key) -> str:
    return "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "ECDSA with SHA-256"


def _sign(key: Key, data: bytes) -> bytes:
    return key.sign(data) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(data, ec.ECDSA(hashes.SHA256()))


def fingerprint(key: PublicKey) -> str:
    """Give the SHA-256 of a public key (SubjectPublicKeyInfo, DER), lower-case hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def problems_of(folder: Path, public_key: Path | None = None) -> list[str]:
    """Hold a bundle against its manifest, and the manifest against its signature; give what does not match, nothing for a sound one."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = json.loads(raw)
        files: dict[str, dict[str, Any]] = manifest["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{folder / MANIFEST}: is missing or no manifest: the bundle is not whole"]
    found = []
    for name, told in files.items():
        path = folder / Path(name).name
        if not path.is_file():
            found.append(f"{path}: is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != told.get("sha256"):
            found.append(f"{path}: was changed after it was written")
    if public_key:
        found += _signature_problems(folder, raw, public_key)
    return found


def _signature_problems(folder: Path, manifest: bytes, public_key: Path) -> list[str]:
    try:
        key = load_pem_public_key(public_key.read_bytes())
    except (OSError, ValueError):
        return [f"{public_key}: got no PEM public key"]
    try:
        signature = base64.b64decode((folder / SIGNATURE).read_bytes())
    except (OSError, ValueError):
        return [f"{folder / SIGNATURE}: is missing or no signature"]
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, manifest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, manifest, ec.ECDSA(hashes.SHA256()))
        else:
            return [f"{public_key}: got a key of type {type(key).__name__}, expected Ed25519 or EC"]
    except InvalidSignature:
        return [f"{folder / SIGNATURE}: is not this key's signature of the manifest"]
    return []
